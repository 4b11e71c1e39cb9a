"""Beeps: stretches of sound in which one tone holds nearly all energy, and how to take one out again."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import fft, signal
from scipy.ndimage import uniform_filter1d

from dataset.support.arrays import FloatArray, true_runs

_BAND_HZ = (1500.0, 4000.0)
_WIDE_HZ = (1000.0, 8000.0)
#: Bins of a tone about its strongest one: with a Hann window and twice as many bins as samples.
_AROUND = np.arange(-3, 4)
_SHORTEST_S = 0.03
_CONTRAST = 6.0
#: What sounds at least so long is the tone; its own echo may cancel it for so long.
_SOUNDING_S, _CANCELLED_S = 0.005, 0.04
#: Frames of a spectrogram in memory at a time.
_FRAMES = 2500


@dataclass(frozen=True, slots=True)
class Beep:
    """A tone that was switched on for a while, in seconds of the block."""

    start_s: float
    stop_s: float
    frequency_hz: float
    level: float
    contrast: float


def find_beeps(samples: FloatArray, rate_hz: int) -> list[Beep]:
    """Return the stretches in which one tone of the beep's band holds nearly all energy."""
    width = round(0.016 * rate_hz)
    hop = round(0.004 * rate_hz)
    if len(samples) < 4 * width:
        return []
    n_frames = (len(samples) - width) // hop + 1
    parts = [_tones(samples, rate_hz, width, hop, first) for first in range(0, n_frames, _FRAMES)]
    times, peak_hz, tone, wide = (np.concatenate(part) for part in zip(*parts, strict=True))
    quiet = float(np.percentile(tone, 20)) + 1e-14
    tonal = (tone > 0.8 * (wide + 1e-14)) & (tone > 50.0 * quiet)
    found: list[Beep] = []
    for first, stop in true_runs(tonal):
        steady = np.abs(peak_hz[first:stop] - np.median(peak_hz[first:stop])) < 80.0
        if (stop - first) * hop / rate_hz < _SHORTEST_S or steady.mean() < 0.9:
            continue
        found.append(_measure_beep(samples, rate_hz, float(times[first]), float(times[stop - 1]),
                                   float(np.median(peak_hz[first:stop]))))  # fmt: skip
    return _without_echoes([beep for beep in found if beep.contrast > _CONTRAST])


def _without_echoes(beeps: list[Beep]) -> list[Beep]:
    """Return the beeps without those that begin within a louder one: its echo swells and fades too."""
    return [
        beep
        for beep in beeps
        if not any(
            other.level > beep.level and other.start_s - _CANCELLED_S < beep.start_s < other.stop_s + _CANCELLED_S
            for other in beeps
        )
    ]


def _tones(
    samples: FloatArray, rate_hz: int, width: int, hop: int, first: int
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return time, strongest frequency, its power and all power above 1 kHz of ``_FRAMES`` frames from ``first`` on."""
    piece = samples[first * hop : (first + _FRAMES - 1) * hop + width].astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(piece, width)[::hop]
    window = signal.windows.hann(width, sym=False)
    window /= math.sqrt(rate_hz * float(np.sum(window**2)))
    frequency = np.fft.rfftfreq(2 * width, 1.0 / rate_hz)
    # Only these bins are asked for anything. Speech keeps its energy low: a tone is narrow against all above 1 kHz.
    wanted = (frequency > _WIDE_HZ[0]) & (frequency < _WIDE_HZ[1])
    frequency = frequency[wanted]
    centred = frames - frames.mean(axis=1, keepdims=True)
    spectrum = fft.rfft(centred * window.astype(np.float32), 2 * width)[:, wanted]
    power = spectrum.real**2 + spectrum.imag**2
    band = np.flatnonzero((frequency >= _BAND_HZ[0]) & (frequency <= _BAND_HZ[1]))
    peak = band[np.argmax(power[:, band], axis=1)]
    around = np.clip(peak, -_AROUND[0], len(frequency) - 1 - _AROUND[-1])[:, None] + _AROUND  # a slow track ends there
    tone = np.take_along_axis(power, around, axis=1).sum(axis=1, dtype=np.float64)
    times = (np.arange(first, first + len(frames)) * hop + 0.5 * width) / rate_hz
    return times, frequency[peak], tone, power.sum(axis=1, dtype=np.float64)


def _measure_beep(samples: FloatArray, rate_hz: int, first_s: float, last_s: float, frequency_hz: float) -> Beep:
    """Refine a beep's onset: where its tone's envelope passes half of its height."""
    a, b = max(0, round((first_s - 0.12) * rate_hz)), min(len(samples), round((last_s + 0.06) * rate_hz))
    envelope = _tone_envelope(samples[a:b], rate_hz, frequency_hz)
    middle = envelope[
        round((first_s * rate_hz) - a) : max(round(last_s * rate_hz) - a, 1 + round(first_s * rate_hz) - a)
    ]
    level = float(np.median(middle))
    above = envelope > 0.5 * level
    centre = round(first_s * rate_hz) - a + round(0.008 * rate_hz)
    centre = min(centre, len(above) - 1)
    off_before = np.flatnonzero(~above[:centre])
    off_after = np.flatnonzero(~above[centre:])
    start = (int(off_before[-1]) + 1) if len(off_before) else 0
    start = _before_its_echo(envelope, level, start, rate_hz)
    stop = centre + int(off_after[0]) if len(off_after) else len(above)
    until = max(1, start - round(0.01 * rate_hz))
    since = min(round((first_s - 0.06) * rate_hz) - a, until - round(0.05 * rate_hz))
    before = float(np.median(envelope[max(0, since) : until]))
    return Beep((a + start) / rate_hz, (a + stop) / rate_hz, frequency_hz, level, level / (before + 1e-6))


def _before_its_echo(envelope: FloatArray, level: float, start: int, rate_hz: int) -> int:
    """Return where a tone began that met its own echo: the two may cancel for a while soon after it began.

    Until its echo came it was as loud as it ever is, which a voice that rises to a tone is not.
    """
    for first, stop in reversed(true_runs(envelope[:start] > 0.5 * level)):
        if start - stop > _CANCELLED_S * rate_hz:
            break
        if stop - first >= _SOUNDING_S * rate_hz and float(envelope[first:stop].max()) > level:
            start = int(first)
    return start


def _tone_envelope(samples: FloatArray, rate_hz: int, frequency_hz: float) -> FloatArray:
    """Return the amplitude of one tone: mixed down to zero and averaged over 4 ms, symmetric in time."""
    phase = np.exp(-2j * np.pi * frequency_hz * np.arange(len(samples)) / rate_hz)
    width = max(3, round(0.004 * rate_hz))
    mixed = samples * phase
    return np.asarray(2.0 * np.hypot(uniform_filter1d(mixed.real, width), uniform_filter1d(mixed.imag, width)))


def without_tone(samples: FloatArray, rate_hz: int, beep: Beep) -> FloatArray:
    """Return the samples with the beep's tone notched out about its time."""
    a = max(0, round((beep.start_s - 0.05) * rate_hz))
    b = min(len(samples), round((beep.stop_s + 0.05) * rate_hz))
    piece = samples[a:b]
    numerator, denominator = signal.iirnotch(beep.frequency_hz, 8.0, rate_hz)
    if len(piece) < 32:
        return samples
    result = samples.copy()
    result[a:b] = signal.filtfilt(numerator, denominator, piece)
    return result
