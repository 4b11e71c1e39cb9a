"""Contacts in a sound track: claps, stomps and the LED box's beeps, told apart by their shape.

A clap or a stomp reaches its peak within milliseconds and is gone within a tenth of a second; speech rises and falls
slowly. A clap is broadband, a stomp is low, a beep is one tone that lasts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import signal
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from dataset.arrays import FloatArray, stretches
from dataset.sound import Sound

#: Envelopes are looked at on this grid; onsets are refined on the samples themselves.
_HOP_S = 0.001
#: A block of sound in memory at a time, and how far blocks overlap.
_BLOCK_S = 60.0
_OVERLAP_S = 1.0
#: Frames of a spectrogram in memory at a time.
_FRAMES = 2500
_CLAP_BAND_HZ = (1200.0, 8000.0)
_STOMP_BAND_HZ = (30.0, 300.0)
_BEEP_BAND_HZ = (1500.0, 4000.0)
#: Peak over the quietest recent level that a contact must reach.
_CONTRAST = 8.0
#: A contact's envelope climbs from a fifth of its peak within this time.
_LONGEST_RISE_S = {"clap": 0.008, "stomp": 0.030}
_LONGEST_DECAY_S = {"clap": 0.120, "stomp": 0.250}
#: Share of the energy below 300 Hz from which a contact is a stomp.
_STOMP_SHARE = 0.6
_SHORTEST_BEEP_S = 0.03
_BEEP_CONTRAST = 6.0
#: What lies that near to a beep's ends and is that much weaker is the beep's own click.
_CLICK_S = 0.025
_CLICK_SHARE = 0.7
_ONSET_UNCERTAINTY_S = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One contact heard in the sound.

    Attributes
    ----------
    time_s, uncertainty_s : float
        Onset on the file's clock and its half-width.
    kind : {"clap", "stomp", "beep"}
    loudness : float
        Peak of the envelope, full scale is 1.
    contrast : float
        Peak over the level before it.
    """

    time_s: float
    uncertainty_s: float
    kind: str
    loudness: float
    contrast: float


def detect_contacts(sound: Sound) -> tuple[Contact, ...]:
    """Return the claps, stomps and beeps of a sound track in time order.

    Parameters
    ----------
    sound : Sound

    Notes
    -----
    The track is worked through in blocks, so memory does not grow with its length.
    """
    found: list[Contact] = []
    block, overlap = round(_BLOCK_S * sound.rate_hz), round(_OVERLAP_S * sound.rate_hz)
    for start in range(0, max(1, len(sound.samples)), block):
        first, last = max(0, start - overlap), min(len(sound.samples), start + block + overlap)
        samples = np.asarray(sound.samples[first:last], dtype=np.float64)
        if len(samples) < sound.rate_hz // 10:
            continue
        low = sound.start_s + start / sound.rate_hz
        high = sound.start_s + (start + block) / sound.rate_hz
        at = sound.start_s + first / sound.rate_hz
        found.extend(c for c in _in_block(samples, sound.rate_hz, at) if low <= c.time_s < high)
    return tuple(sorted(found, key=lambda c: c.time_s))


def _in_block(samples: FloatArray, rate_hz: int, start_s: float) -> list[Contact]:
    beeps = _beeps(samples, rate_hz)
    # A beep's attack is as steep as a clap's: what it covers is taken out before claps are looked for.
    quiet = samples.copy()
    for beep in beeps:
        quiet = _without_tone(quiet, rate_hz, beep)
    contacts = _transients(quiet, rate_hz, "stomp")
    claps = _transients(quiet, rate_hz, "clap")
    contacts = [c for c in contacts if all(abs(c.time_s - k.time_s) > 0.05 for k in claps)] + claps
    contacts = [c for c in contacts if not any(_is_its_click(c, b) for b in beeps)]
    beep_contacts = [
        Contact(
            time_s=b.start_s, uncertainty_s=_ONSET_UNCERTAINTY_S, kind="beep", loudness=b.level, contrast=b.contrast
        )
        for b in beeps
    ]
    return [
        Contact(
            time_s=start_s + c.time_s, uncertainty_s=c.uncertainty_s, kind=c.kind, loudness=c.loudness,
            contrast=c.contrast,
        )
        for c in contacts + beep_contacts
    ]  # fmt: skip


# -- claps and stomps ---------------------------------------------------------------------------------------------


def _transients(samples: FloatArray, rate_hz: int, band: str) -> list[Contact]:
    """Return short events whose energy in the band rises and falls fast; ``kind`` from their spectrum."""
    edges = _CLAP_BAND_HZ if band == "clap" else _STOMP_BAND_HZ
    # Causal filters: nothing may answer before the contact.
    filtered = signal.sosfilt(_bandpass(edges, rate_hz), samples)
    hop = max(1, round(_HOP_S * rate_hz))
    smooth = 2 * hop if band == "clap" else 12 * hop
    envelope = np.sqrt(np.maximum(uniform_filter1d(filtered**2, smooth)[::hop], 0.0))
    step_s = hop / rate_hz
    recent = round(0.25 / step_s)
    before = _quiet_before(envelope, recent)
    peaks, _ = signal.find_peaks(envelope, distance=round(0.12 / step_s))
    floor = 1e-4 + 0.02 * float(envelope.max(initial=0.0))
    contacts: list[Contact] = []
    for peak in peaks:
        height = float(envelope[peak])
        contrast = height / float(before[peak] + 1e-5)
        if contrast < _CONTRAST or height < floor:
            continue
        longest = round((_LONGEST_RISE_S[band] + smooth / rate_hz) / step_s)
        rising = envelope[max(0, peak - 6 * longest) : peak + 1]
        below = np.flatnonzero(rising < 0.2 * height)
        if len(below) == 0 or len(rising) - 1 - below[-1] > longest:
            continue
        falling = envelope[peak : peak + round(_LONGEST_DECAY_S[band] / step_s)]
        fallen = np.flatnonzero(falling < 0.25 * height)
        # What swells on after its first ripple is a voice, not a contact.
        if len(fallen) == 0 or float(falling[: fallen[0] + 1].max()) > 1.2 * height:
            continue
        onset = _first_above(filtered, rate_hz, peak * hop, longest * hop)
        kind = "stomp" if _low_share(samples, rate_hz, onset) > _STOMP_SHARE else "clap"
        if kind != band:
            continue
        contacts.append(
            Contact(
                time_s=float(onset / rate_hz), uncertainty_s=_ONSET_UNCERTAINTY_S, kind=kind, loudness=height,
                contrast=contrast,
            )
        )  # fmt: skip
    return contacts


def _quiet_before(envelope: FloatArray, recent: int) -> FloatArray:
    """Return the lowest smoothed level of the time just before each moment."""
    smooth = uniform_filter1d(envelope, 20)
    shifted = np.concatenate([np.full(12, smooth[0]), smooth[:-12]]) if len(smooth) > 12 else smooth
    return np.asarray(minimum_filter1d(shifted, recent, origin=(recent - 1) // 2, mode="nearest"))


def _first_above(filtered: FloatArray, rate_hz: int, peak: int, reach: int) -> int:
    """Return the first sample of the rise to ``peak`` that stands out from what was before."""
    start = max(0, peak - reach - round(0.01 * rate_hz))
    stop = min(len(filtered), peak + round(0.01 * rate_hz))
    stretch = np.abs(filtered[start:stop])
    noise = np.abs(filtered[max(0, start - round(0.05 * rate_hz)) : start + 1])
    height = float(stretch.max(initial=0.0))
    threshold = max(0.15 * height, min(0.5 * height, 4.0 * float(np.sqrt(np.mean(noise**2)))))
    return start + int(np.argmax(stretch >= threshold))


def _low_share(samples: FloatArray, rate_hz: int, onset: int) -> float:
    """Return the share of the energy just after ``onset`` that lies below 300 Hz."""
    piece = samples[onset : onset + round(0.06 * rate_hz)]
    if len(piece) < 16:
        return 0.0
    power = np.abs(np.fft.rfft(piece * np.hanning(2 * len(piece))[len(piece) :])) ** 2
    frequency = np.fft.rfftfreq(len(piece), 1.0 / rate_hz)
    total = float(power[frequency < 8000.0].sum())
    return float(power[frequency < _STOMP_BAND_HZ[1]].sum()) / total if total > 0 else 0.0


# -- beeps --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Beep:
    start_s: float
    stop_s: float
    frequency_hz: float
    level: float
    contrast: float


def _is_its_click(contact: Contact, beep: _Beep) -> bool:
    """A beep switched on or off hard clicks; that click is no clap unless it is louder than the beep."""
    near = min(abs(contact.time_s - beep.start_s), abs(contact.time_s - beep.stop_s)) < _CLICK_S
    return near and contact.kind == "clap" and contact.loudness < _CLICK_SHARE * beep.level


def _beeps(samples: FloatArray, rate_hz: int) -> list[_Beep]:
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
    found: list[_Beep] = []
    for first, stop in stretches(tonal):
        steady = np.abs(peak_hz[first:stop] - np.median(peak_hz[first:stop])) < 80.0
        if (stop - first) * hop / rate_hz < _SHORTEST_BEEP_S or steady.mean() < 0.9:
            continue
        found.append(_measure_beep(samples, rate_hz, float(times[first]), float(times[stop - 1]),
                                   float(np.median(peak_hz[first:stop]))))  # fmt: skip
    return [beep for beep in found if beep.contrast > _BEEP_CONTRAST]


def _tones(
    samples: FloatArray, rate_hz: int, width: int, hop: int, first: int
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return time, strongest frequency, its power and all power above 1 kHz of ``_FRAMES`` frames from ``first`` on."""
    piece = samples[first * hop : (first + _FRAMES - 1) * hop + width]
    frequency, times, spectrum = signal.spectrogram(
        piece, rate_hz, window="hann", nperseg=width, noverlap=width - hop, mode="magnitude", nfft=2 * width
    )
    power = spectrum**2
    band = (frequency >= _BEEP_BAND_HZ[0]) & (frequency <= _BEEP_BAND_HZ[1])
    peak_hz = frequency[band][np.argmax(power[band], axis=0)]
    # Speech keeps its energy low; a tone is narrow against everything above 1 kHz and strong against the rest.
    around = np.abs(frequency[:, None] - peak_hz[None, :]) < 2.0 * rate_hz / width
    tone = np.where(around, power, 0.0).sum(axis=0)
    wide = power[(frequency > 1000.0) & (frequency < 8000.0)].sum(axis=0)
    return times + first * hop / rate_hz, peak_hz, tone, wide


def _measure_beep(samples: FloatArray, rate_hz: int, first_s: float, last_s: float, frequency_hz: float) -> _Beep:
    """Refine a beep's onset: where its tone's envelope passes half of its height."""
    a, b = max(0, round((first_s - 0.06) * rate_hz)), min(len(samples), round((last_s + 0.06) * rate_hz))
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
    stop = centre + int(off_after[0]) if len(off_after) else len(above)
    before = float(np.median(envelope[: max(1, start - round(0.01 * rate_hz))]))
    return _Beep((a + start) / rate_hz, (a + stop) / rate_hz, frequency_hz, level, level / (before + 1e-6))


def _tone_envelope(samples: FloatArray, rate_hz: int, frequency_hz: float) -> FloatArray:
    """Return the amplitude of one tone: mixed down to zero and averaged over 4 ms, symmetric in time."""
    phase = np.exp(-2j * np.pi * frequency_hz * np.arange(len(samples)) / rate_hz)
    width = max(3, round(0.004 * rate_hz))
    mixed = samples * phase
    return np.asarray(2.0 * np.hypot(uniform_filter1d(mixed.real, width), uniform_filter1d(mixed.imag, width)))


def _without_tone(samples: FloatArray, rate_hz: int, beep: _Beep) -> FloatArray:
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


def _bandpass(edges_hz: tuple[float, float], rate_hz: int) -> FloatArray:
    high = min(edges_hz[1], 0.45 * rate_hz)
    return np.asarray(signal.butter(2, (edges_hz[0], high), "bandpass", fs=rate_hz, output="sos"))
