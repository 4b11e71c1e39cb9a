"""Contacts in a sound track: claps and stomps, the LED box's beeps, and the snaps and doors that are neither.

A contact reaches its peak within milliseconds, stands out from the second around it and is gone within a tenth of a
second; speech rises and falls slowly, and where it does not - a *t*, a *k* - what follows is as loud. What kind of
contact it is, :mod:`sync.events.transient_features` tells from its bands.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy import signal
from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d

from dataset.media.sound import Sound
from dataset.support.arrays import FloatArray
from sync.events.beeps import Beep, find_beeps, without_tone
from sync.events.transient_features import Bands, Shape, measure_shape, split_bands

#: A block of sound in memory at a time, and how far blocks overlap.
_BLOCK_S = 60.0
_OVERLAP_S = 1.5
#: Peak over the quietest recent level, and over the level that a tenth of the time around it exceeds.
_CONTRAST = 3.5
_STANDS_OUT = 1.8
_AROUND_S = 1.0
#: A contact's envelope climbs from a fifth of its peak within this time, and is down to a quarter after that.
_LONGEST_RISE_S = {"high": 0.010, "low": 0.030}
_LONGEST_DECAY_S = {"high": 0.120, "low": 0.300}
#: Envelopes are averaged over so many milliseconds: a low tone has to pass its own period.
_SMOOTH = {"high": 2, "low": 12}
#: Half a period of the band's lowest tone, about.
_SWING_S = {"high": 0.003, "low": 0.010}
#: What a contact leaves behind by then is weaker than this; after a *t* comes a vowel.
_AFTER_S = (0.050, 0.180)
_AFTER_SHARE = 0.4
#: Bass over treble from which it was a foot or a door.
_BASS_DB = 8.0
#: What lies that near to a beep's ends and is that much weaker is the beep's own click.
_CLICK_S = 0.025
_CLICK_SHARE = 0.7
#: A door's latch comes before its blow, its rattles after it.
_DOOR_S = (-0.12, 0.40)
#: The low band's peak over a rattle's own, and over what is usual there.
_BOOM_SHARE = 2.5
_BOOM_CONTRAST = 4.0
#: Longest period of a voice.
_PITCH_S = 0.013
#: Contacts nearer than this are one.
_APART_S = 0.05
#: Where the wave begins is a matter of definition to about this.
_ONSET_S = 0.0008


class ContactKind(StrEnum):
    """What a short sound is: a contact of hands or feet, a box's beep, or what is taken for a contact at first."""

    CLAP = "clap"
    STOMP = "stomp"
    BEEP = "beep"
    SNAP = "snap"
    DOOR = "door"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One contact heard in the sound.

    Attributes
    ----------
    time_s, uncertainty_s : float
        Onset on the file's clock and its half-width, which grows with a slow rise and with noise.
    kind : ContactKind
        The last two are told apart so that they are not taken for claps and stomps.
    loudness : float
        Peak of the envelope, full scale is 1.
    contrast : float
        Peak over the level before it.
    """

    time_s: float
    uncertainty_s: float
    kind: ContactKind
    loudness: float
    contrast: float


def detect_contacts(sound: Sound) -> tuple[Contact, ...]:
    """Return the contacts and beeps of a sound track in time order.

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
    beeps = find_beeps(samples, rate_hz)
    # A beep's attack is as steep as a clap's: what it covers is taken out before claps are looked for.
    quiet = samples
    for beep in beeps:
        quiet = without_tone(quiet, rate_hz, beep)
    bands = split_bands(quiet, rate_hz)
    sharp = _transients(bands, "high")
    contacts = sharp + [c for c in _transients(bands, "low") if _far_from(c, sharp)]
    doors = [c for c in contacts if c.kind == ContactKind.DOOR]
    contacts = [c for c in contacts if not any(_belongs_to_door(c, door) for door in doors)]
    contacts = [c for c in contacts if not any(_is_its_click(c, b) for b in beeps)]
    contacts = [c for c in contacts if c.kind not in (ContactKind.CLAP, ContactKind.SNAP) or not _rattles(c, bands)]
    contacts += [
        Contact(time_s=b.start_s, uncertainty_s=0.002, kind=ContactKind.BEEP, loudness=b.level, contrast=b.contrast)
        for b in beeps
    ]
    return [replace(c, time_s=start_s + c.time_s) for c in contacts]


def _far_from(contact: Contact, others: list[Contact]) -> bool:
    return all(abs(contact.time_s - other.time_s) > _APART_S for other in others)


def _belongs_to_door(contact: Contact, door: Contact) -> bool:
    since_s = contact.time_s - door.time_s
    return contact is not door and _DOOR_S[0] < since_s < _DOOR_S[1] and contact.loudness < door.loudness


def _rattles(contact: Contact, bands: Bands) -> bool:
    """Return whether something struck far harder, and low, just before: what rattles then was not struck itself."""
    step_s = bands.hop / bands.rate_hz
    at = round(contact.time_s / step_s)
    boom = np.sqrt(bands.low_power[max(0, at - round(_DOOR_S[1] / step_s)) : max(0, at - round(0.012 / step_s))])
    usual = np.sqrt(bands.low_power[max(0, at - round(1.5 / step_s)) : max(0, at - round(_DOOR_S[1] / step_s))])
    if len(boom) == 0 or len(usual) == 0:
        return False
    struck = float(boom.max())
    return struck > _BOOM_SHARE * contact.loudness and struck > _BOOM_CONTRAST * float(np.percentile(usual, 75))


def _is_its_click(contact: Contact, beep: Beep) -> bool:
    """A beep switched on or off hard clicks; that click is no clap unless it is louder than the beep."""
    near = min(abs(contact.time_s - beep.start_s), abs(contact.time_s - beep.stop_s)) < _CLICK_S
    return (
        near and contact.kind in (ContactKind.CLAP, ContactKind.SNAP) and contact.loudness < _CLICK_SHARE * beep.level
    )


# -- transients ---------------------------------------------------------------------------------------------------


def _transients(bands: Bands, band: str) -> list[Contact]:
    """Return the short events of one band, each with the kind that its shape says."""
    filtered, power = (bands.high, bands.high_power) if band == "high" else (bands.low, bands.low_power)
    step_s = bands.hop / bands.rate_hz
    envelope = np.sqrt(np.maximum(uniform_filter1d(power, _SMOOTH[band]), 0.0))
    # A voice's level lies at its pulses, not between them.
    crest = maximum_filter1d(envelope, round(_PITCH_S / step_s))
    before = _quiet_before(envelope, round(0.25 / step_s))
    peaks, _ = signal.find_peaks(envelope, distance=round(0.12 / step_s))
    floor = 1e-4 + 0.01 * float(envelope.max(initial=0.0))
    contacts: list[Contact] = []
    for peak in peaks:
        height = float(envelope[peak])
        contrast = height / float(before[peak] + 1e-5)
        if contrast < _CONTRAST or height < floor or not _is_short(envelope, crest, int(peak), step_s, band):
            continue
        if height < _STANDS_OUT * _around(crest, int(peak), step_s):
            continue
        reach = round(_LONGEST_RISE_S[band] * bands.rate_hz) + _SMOOTH[band] * bands.hop
        onset, uncertainty_s = _onset(filtered, bands.rate_hz, int(peak) * bands.hop, reach, _SWING_S[band])
        kind = _kind(measure_shape(bands, onset), band)
        if kind:
            contacts.append(
                Contact(
                    time_s=onset / bands.rate_hz, uncertainty_s=uncertainty_s, kind=kind, loudness=height,
                    contrast=contrast,
                )
            )  # fmt: skip
    return contacts


def _kind(shape: Shape, band: str) -> ContactKind | None:
    """Return what made a sound of that shape; empty where the low band only heard the foot of something bright."""
    if shape.bass_db > _BASS_DB:
        # Either mark of a door may be the room's or the floor's: both together count.
        door = (shape.boom_db + 6.0) / 3.0 + (18.5 - shape.bass_db) / 5.0 + 0.3 * min(shape.rattles, 3)
        return ContactKind.DOOR if door > 0.0 else ContactKind.STOMP
    if band == "low":
        return None
    snap = (shape.fall_db - 13.0) / 3.0 + (shape.brevity_db - 3.0) / 8.0 + (min(shape.treble_db, 8.0) - 8.0) / 3.0
    return ContactKind.SNAP if snap > 0.0 and shape.treble_db > 3.0 else ContactKind.CLAP


def _is_short(envelope: FloatArray, crest: FloatArray, peak: int, step_s: float, band: str) -> bool:
    """Return whether the envelope rises steeply to its peak, falls soon and stays down for a while."""
    height = float(envelope[peak])
    longest = round(_LONGEST_RISE_S[band] / step_s) + _SMOOTH[band]
    rising = envelope[max(0, peak - 6 * longest) : peak + 1]
    below = np.flatnonzero(rising < 0.2 * height)
    if band == "high" and len(below) == 0:
        # In noise a fifth of the peak may never be reached: half of it has to do.
        below = np.flatnonzero(rising < 0.5 * height)
    if len(below) == 0 or len(rising) - 1 - below[-1] > longest:
        return False
    falling = envelope[peak : peak + round(_LONGEST_DECAY_S[band] / step_s)]
    fallen = np.flatnonzero(falling < (0.25 if band == "low" else 0.4) * height)
    # What swells on after its first ripple is a voice, not a contact.
    if len(fallen) == 0 or float(falling[: fallen[0] + 1].max()) > 1.2 * height:
        return False
    after = crest[peak + round(_AFTER_S[0] / step_s) : peak + round(_AFTER_S[1] / step_s)]
    # The median: another contact soon after is brief, a vowel is not.
    return band == "low" or len(after) == 0 or float(np.median(after)) < _AFTER_SHARE * height


def _around(crest: FloatArray, peak: int, step_s: float) -> float:
    """Return the level that the second before and after a contact exceeds for a tenth of the time."""
    n = round(_AROUND_S / step_s)
    before = crest[max(0, peak - n) : max(0, peak - round(0.015 / step_s))]
    after = crest[peak + round(0.12 / step_s) : peak + n]
    both = np.concatenate([before, after])
    return float(np.percentile(both, 90)) if len(both) else 0.0


def _quiet_before(envelope: FloatArray, recent: int) -> FloatArray:
    """Return the lowest smoothed level of the time just before each moment."""
    smooth = uniform_filter1d(envelope, 20)
    shifted = np.concatenate([np.full(12, smooth[0]), smooth[:-12]]) if len(smooth) > 12 else smooth
    return np.asarray(minimum_filter1d(shifted, recent, origin=(recent - 1) // 2, mode="nearest"))


def _onset(filtered: FloatArray, rate_hz: int, peak: int, reach: int, swing_s: float) -> tuple[int, float]:
    """Return the first sample of the rise to ``peak`` that stands out from what was before, and its half-width."""
    start = max(0, peak - reach - round(0.01 * rate_hz))
    stop = min(len(filtered), peak + round(0.01 * rate_hz))
    stretch = np.abs(filtered[start:stop])
    noise = np.abs(filtered[max(0, start - round(0.05 * rate_hz)) : start + 1])
    height = float(stretch.max(initial=0.0))
    threshold = max(0.15 * height, min(0.5 * height, 4.0 * float(np.sqrt(np.mean(noise**2)))))
    # Back from the peak as long as no pause is longer than a swing: what is loud before that is something else.
    loud = np.flatnonzero(stretch[: 1 + int(np.argmax(stretch))] >= threshold)
    pauses = np.flatnonzero(np.diff(loud) > swing_s * rate_hz)
    onset = int(loud[pauses[-1] + 1] if len(pauses) else loud[0])
    # What lies below the threshold is not seen: as much of the rise as the threshold is of the height.
    rise_s = int(np.argmax(stretch[onset:] >= 0.9 * height)) / rate_hz
    return start + onset, _ONSET_S + rise_s * threshold / height if height > 0 else _ONSET_S
