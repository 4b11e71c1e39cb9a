"""Beeps: stretches of sound in which one tone holds nearly all energy, and how to take one out again."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import fft, signal
from scipy.ndimage import uniform_filter1d

from dataset.support.arrays import FloatArray, true_runs

#: Bins of a tone about its strongest one: with a Hann window and twice as many bins as samples.
_AROUND = np.arange(-3, 4)
#: Frames of a spectrogram in memory at a time.
_FRAMES = 2500


@dataclass(frozen=True, slots=True, kw_only=True)
class BeepSettings:
    """Tuned numbers of the beep detector, chosen by hand.

    Attributes
    ----------
    band_hz : (float, float)
        Where the box's tone may lie.
    wide_hz : (float, float)
        A tone is narrow against everything in this band; speech has its energy below it.
    shortest_s : float
        A shorter tone is no beep.
    tonal_share : float
        Share of the wide band's power that the tone holds.
    least_power_ratio : float
        Its power over that of the quietest fifth of the block.
    steady_hz, steady_share : float
        The frequency stays within the first for this share of the beep.
    least_contrast : float
        Level over the level before it.
    sounding_s, cancelled_s : float
        A sound of at least the first length is the tone itself; its own echo may cancel it for up to the second.
    """

    band_hz: tuple[float, float] = (1500.0, 4000.0)
    wide_hz: tuple[float, float] = (1000.0, 8000.0)
    shortest_s: float = 0.03
    tonal_share: float = 0.8
    least_power_ratio: float = 50.0
    steady_hz: float = 80.0
    steady_share: float = 0.9
    least_contrast: float = 6.0
    sounding_s: float = 0.005
    cancelled_s: float = 0.04


@dataclass(frozen=True, slots=True)
class Beep:
    """A tone that was switched on for a while, in seconds of the block."""

    start_s: float
    stop_s: float
    frequency_hz: float
    level: float
    contrast: float


def find_beeps(samples: FloatArray, rate_hz: int, *, settings: BeepSettings = BeepSettings()) -> list[Beep]:
    """Return the stretches in which one tone of the beep's band holds nearly all energy."""
    width = round(0.016 * rate_hz)
    hop = round(0.004 * rate_hz)
    if len(samples) < 4 * width:
        return []
    n_frames = (len(samples) - width) // hop + 1
    parts = [_tones(samples, rate_hz, (width, hop), first, settings) for first in range(0, n_frames, _FRAMES)]
    times, peak_hz, tone, wide = (np.concatenate(part) for part in zip(*parts, strict=True))
    quiet = float(np.percentile(tone, 20)) + 1e-14
    tonal = (tone > settings.tonal_share * (wide + 1e-14)) & (tone > settings.least_power_ratio * quiet)
    found: list[Beep] = []
    for first, stop in true_runs(tonal):
        steady = np.abs(peak_hz[first:stop] - np.median(peak_hz[first:stop])) < settings.steady_hz
        if (stop - first) * hop / rate_hz < settings.shortest_s or steady.mean() < settings.steady_share:
            continue
        span_s = float(times[first]), float(times[stop - 1])
        found.append(_measure_beep(samples, rate_hz, span_s, float(np.median(peak_hz[first:stop])), settings))
    loud = [beep for beep in found if beep.contrast > settings.least_contrast]
    return _without_echoes(loud, settings.cancelled_s)


def _without_echoes(beeps: list[Beep], cancelled_s: float) -> list[Beep]:
    """Return the beeps without those that begin within a louder one: its echo swells and fades too."""
    return [
        beep
        for beep in beeps
        if not any(
            other.level > beep.level and other.start_s - cancelled_s < beep.start_s < other.stop_s + cancelled_s
            for other in beeps
        )
    ]


def _tones(
    samples: FloatArray, rate_hz: int, width_hop: tuple[int, int], first: int, settings: BeepSettings
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return time, strongest frequency, its power and all power above 1 kHz of ``_FRAMES`` frames from ``first`` on."""
    width, hop = width_hop
    piece = samples[first * hop : (first + _FRAMES - 1) * hop + width].astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(piece, width)[::hop]
    window = signal.windows.hann(width, sym=False)
    window /= math.sqrt(rate_hz * float(np.sum(window**2)))
    frequency = np.fft.rfftfreq(2 * width, 1.0 / rate_hz)
    # Only these bins are needed. Speech has its energy low: a tone is narrow against all above 1 kHz.
    wanted = (frequency > settings.wide_hz[0]) & (frequency < settings.wide_hz[1])
    frequency = frequency[wanted]
    centred = frames - frames.mean(axis=1, keepdims=True)
    spectrum = fft.rfft(centred * window.astype(np.float32), 2 * width)[:, wanted]
    power = spectrum.real**2 + spectrum.imag**2
    band = np.flatnonzero((frequency >= settings.band_hz[0]) & (frequency <= settings.band_hz[1]))
    peak = band[np.argmax(power[:, band], axis=1)]
    around = np.clip(peak, -_AROUND[0], len(frequency) - 1 - _AROUND[-1])[:, None] + _AROUND  # a slow track ends there
    tone = np.take_along_axis(power, around, axis=1).sum(axis=1, dtype=np.float64)
    times = (np.arange(first, first + len(frames)) * hop + 0.5 * width) / rate_hz
    return times, frequency[peak], tone, power.sum(axis=1, dtype=np.float64)


def _measure_beep(
    samples: FloatArray, rate_hz: int, span_s: tuple[float, float], frequency_hz: float, settings: BeepSettings
) -> Beep:
    """Refine a beep's onset: where its tone's envelope passes half of its height."""
    first_s, last_s = span_s
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
    start = _before_its_echo(envelope, level, start, rate_hz, settings)
    stop = centre + int(off_after[0]) if len(off_after) else len(above)
    until = max(1, start - round(0.01 * rate_hz))
    since = min(round((first_s - 0.06) * rate_hz) - a, until - round(0.05 * rate_hz))
    before = float(np.median(envelope[max(0, since) : until]))
    return Beep((a + start) / rate_hz, (a + stop) / rate_hz, frequency_hz, level, level / (before + 1e-6))


def _before_its_echo(envelope: FloatArray, level: float, start: int, rate_hz: int, settings: BeepSettings) -> int:
    """Return where a tone began that met its own echo: the two may cancel for a while soon after it began.

    Until its echo came it was as loud as it ever is, which a voice that rises to a tone is not.
    """
    for first, stop in reversed(true_runs(envelope[:start] > 0.5 * level)):
        if start - stop > settings.cancelled_s * rate_hz:
            break
        if stop - first >= settings.sounding_s * rate_hz and float(envelope[first:stop].max()) > level:
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
