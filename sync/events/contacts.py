"""Contacts in a sound track: claps and stomps, the LED box's beeps, and the snaps and doors that are neither.

A contact reaches its peak within milliseconds, stands out from the second around it and ends within a tenth of a
second; speech rises and falls slowly, and where it does not - a *t*, a *k* - what follows is as loud. The kind of
contact follows from its bands (:mod:`sync.events.transient_features`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy import signal
from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d

from dataset.media.sound import Sound
from dataset.support.arrays import FloatArray
from sync.events.beeps import Beep, BeepSettings, find_beeps, without_tone
from sync.events.transient_features import Bands, Shape, measure_shape, split_bands

#: A block of sound in memory at a time, and how far blocks overlap.
_BLOCK_S = 60.0
_OVERLAP_S = 1.5


class ContactKind(StrEnum):
    """What a short sound is: a contact of hands or feet, a box's beep, or what is taken for a contact at first."""

    CLAP = "clap"
    STOMP = "stomp"
    BEEP = "beep"
    SNAP = "snap"
    DOOR = "door"


@dataclass(frozen=True, slots=True, kw_only=True)
class BandSettings:
    """Tuned numbers of one band's short events, chosen by hand; ``python -m benchmarks.detectors`` scores them.

    Attributes
    ----------
    longest_rise_s, longest_decay_s : float
        A contact's envelope climbs from a fifth of its peak within the first, and has fallen within the second.
    smooth_ms : int
        The envelope is averaged over this time: a low tone's own period has to be longer.
    swing_s : float
        About half a period of the band's lowest tone: a longer pause separates two sounds.
    """

    longest_rise_s: float
    longest_decay_s: float
    smooth_ms: int
    swing_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactSettings:
    """Tuned numbers of the contact detector, chosen by hand; ``python -m benchmarks.detectors`` scores them.

    Attributes
    ----------
    high, low : BandSettings
        Of the band of claps and of that of stomps.
    least_contrast : float
        Peak over the quietest recent level.
    stands_out : float
        Peak over the level that is exceeded for a tenth of the time within ``around_s``: speech has peaks as well.
    around_s : float
        Length of that time on either side.
    after_s : (float, float)
        When a contact has died away; after a *t* comes a vowel.
    after_share : float
        What is left of its peak by then is less than this.
    bass_db : float
        Bass over treble from which it was a foot or a door.
    click_s, click_share : float
        A sound this near to a beep's ends, and this much weaker than the beep, is the beep's own click.
    door_s : (float, float)
        A door's latch comes before its blow, its rattles after it.
    boom_share, boom_contrast : float
        The low band's peak over a rattle's own, and over what is usual there, if something was struck before.
    pitch_s : float
        Longest period of a voice: its level is that of its pulses.
    apart_s : float
        Contacts closer than this are one.
    onset_s : float
        The onset's definition is uncertain by this.
    beep_onset_s : float
        The same for a beep.
    """

    high: BandSettings = BandSettings(longest_rise_s=0.010, longest_decay_s=0.120, smooth_ms=2, swing_s=0.003)
    low: BandSettings = BandSettings(longest_rise_s=0.030, longest_decay_s=0.300, smooth_ms=12, swing_s=0.010)
    least_contrast: float = 3.5
    stands_out: float = 1.8
    around_s: float = 1.0
    after_s: tuple[float, float] = (0.050, 0.180)
    after_share: float = 0.4
    bass_db: float = 8.0
    click_s: float = 0.025
    click_share: float = 0.7
    door_s: tuple[float, float] = (-0.12, 0.40)
    boom_share: float = 2.5
    boom_contrast: float = 4.0
    pitch_s: float = 0.013
    apart_s: float = 0.05
    onset_s: float = 0.0008
    beep_onset_s: float = 0.002

    def of(self, band: str) -> BandSettings:
        """Return the settings of the ``"high"`` or the ``"low"`` band."""
        return self.high if band == "high" else self.low


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One contact detected in the sound.

    Attributes
    ----------
    time_s, uncertainty_s : float
        Onset on the file's clock and its half-width, which grows with a slow rise and with noise.
    kind : ContactKind
        Snaps and doors are kinds of their own so that they are not taken for claps and stomps.
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


def detect_contacts(
    sound: Sound, *, settings: ContactSettings = ContactSettings(), beeps: BeepSettings = BeepSettings()
) -> tuple[Contact, ...]:
    """Return the contacts and beeps of a sound track in time order, by the envelopes of two bands and by tones.

    Parameters
    ----------
    sound : Sound
    settings : ContactSettings, optional
    beeps : BeepSettings, optional

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
        tones = find_beeps(samples, sound.rate_hz, settings=beeps)
        contacts = (replace(c, time_s=at + c.time_s) for c in _in_block(samples, sound.rate_hz, tones, settings))
        found.extend(c for c in contacts if low <= c.time_s < high)
    return tuple(sorted(found, key=lambda c: c.time_s))


def _in_block(samples: FloatArray, rate_hz: int, beeps: list[Beep], settings: ContactSettings) -> list[Contact]:
    """Return the contacts of a block, in seconds of it, its beeps among them."""
    # A beep's attack is as steep as a clap's, so beeps are removed before claps are searched for.
    quiet = samples
    for beep in beeps:
        quiet = without_tone(quiet, rate_hz, beep)
    bands = split_bands(quiet, rate_hz)
    sharp = _transients(bands, "high", settings)
    contacts = sharp + [c for c in _transients(bands, "low", settings) if _far_from(c, sharp, settings.apart_s)]
    doors = [c for c in contacts if c.kind == ContactKind.DOOR]
    contacts = [c for c in contacts if not any(_belongs_to_door(c, door, settings) for door in doors)]
    contacts = [c for c in contacts if not any(_is_its_click(c, b, settings) for b in beeps)]
    bright = (ContactKind.CLAP, ContactKind.SNAP)
    contacts = [c for c in contacts if c.kind not in bright or not _rattles(c, bands, settings)]
    return contacts + [
        Contact(
            time_s=b.start_s, uncertainty_s=settings.beep_onset_s, kind=ContactKind.BEEP, loudness=b.level,
            contrast=b.contrast,
        )
        for b in beeps
    ]  # fmt: skip


def _far_from(contact: Contact, others: list[Contact], apart_s: float) -> bool:
    return all(abs(contact.time_s - other.time_s) > apart_s for other in others)


def _belongs_to_door(contact: Contact, door: Contact, settings: ContactSettings) -> bool:
    since_s = contact.time_s - door.time_s
    return (
        contact is not door and settings.door_s[0] < since_s < settings.door_s[1] and contact.loudness < door.loudness
    )


def _rattles(contact: Contact, bands: Bands, settings: ContactSettings) -> bool:
    """Return whether something struck far harder, and low, just before: what rattles then was not struck itself."""
    step_s = bands.hop / bands.rate_hz
    at = round(contact.time_s / step_s)
    boom = np.sqrt(
        bands.low_power[max(0, at - round(settings.door_s[1] / step_s)) : max(0, at - round(0.012 / step_s))]
    )
    usual = np.sqrt(bands.low_power[max(0, at - round(1.5 / step_s)) : max(0, at - round(settings.door_s[1] / step_s))])
    if len(boom) == 0 or len(usual) == 0:
        return False
    struck = float(boom.max())
    return struck > settings.boom_share * contact.loudness and struck > settings.boom_contrast * float(
        np.percentile(usual, 75)
    )


def _is_its_click(contact: Contact, beep: Beep, settings: ContactSettings) -> bool:
    """A beep switched on or off hard clicks; that click is no clap unless it is louder than the beep."""
    near = min(abs(contact.time_s - beep.start_s), abs(contact.time_s - beep.stop_s)) < settings.click_s
    return (
        near
        and contact.kind in (ContactKind.CLAP, ContactKind.SNAP)
        and contact.loudness < settings.click_share * beep.level
    )


# -- transients ---------------------------------------------------------------------------------------------------


def _transients(bands: Bands, band: str, settings: ContactSettings) -> list[Contact]:
    """Return the short events of one band, each with the kind that its shape says."""
    filtered, power = (bands.high, bands.high_power) if band == "high" else (bands.low, bands.low_power)
    step_s, own = bands.hop / bands.rate_hz, settings.of(band)
    envelope = np.sqrt(np.maximum(uniform_filter1d(power, own.smooth_ms), 0.0))
    # A voice's level lies at its pulses, not between them.
    crest = maximum_filter1d(envelope, round(settings.pitch_s / step_s))
    before = _quiet_before(envelope, round(0.25 / step_s))
    peaks, _ = signal.find_peaks(envelope, distance=round(0.12 / step_s))
    floor = 1e-4 + 0.01 * float(envelope.max(initial=0.0))
    contacts: list[Contact] = []
    for peak in peaks:
        height = float(envelope[peak])
        contrast = height / float(before[peak] + 1e-5)
        if contrast < settings.least_contrast or height < floor:
            continue
        if not _is_short(envelope, crest, int(peak), step_s, band, settings):
            continue
        if height < settings.stands_out * _around(crest, int(peak), step_s, settings.around_s):
            continue
        reach = round(own.longest_rise_s * bands.rate_hz) + own.smooth_ms * bands.hop
        onset, blur_s = _onset(filtered, bands.rate_hz, int(peak) * bands.hop, reach, own.swing_s)
        kind = _kind(measure_shape(bands, onset), band, settings.bass_db)
        if kind:
            contacts.append(
                Contact(
                    time_s=onset / bands.rate_hz, uncertainty_s=settings.onset_s + blur_s, kind=kind, loudness=height,
                    contrast=contrast,
                )
            )  # fmt: skip
    return contacts


def _kind(shape: Shape, band: str, bass_db: float) -> ContactKind | None:
    """Return what made a sound of that shape; None where the low band only has the foot of a bright sound."""
    if shape.bass_db > bass_db:
        # Either mark of a door may be the room's or the floor's: both together count.
        door = (shape.boom_db + 6.0) / 3.0 + (18.5 - shape.bass_db) / 5.0 + 0.3 * min(shape.rattles, 3)
        return ContactKind.DOOR if door > 0.0 else ContactKind.STOMP
    if band == "low":
        return None
    snap = (shape.fall_db - 13.0) / 3.0 + (shape.brevity_db - 3.0) / 8.0 + (min(shape.treble_db, 8.0) - 8.0) / 3.0
    return ContactKind.SNAP if snap > 0.0 and shape.treble_db > 3.0 else ContactKind.CLAP


def _is_short(
    envelope: FloatArray, crest: FloatArray, peak: int, step_s: float, band: str, settings: ContactSettings
) -> bool:
    """Return whether the envelope rises steeply to its peak, falls soon and stays down for a while."""
    height, own = float(envelope[peak]), settings.of(band)
    longest = round(own.longest_rise_s / step_s) + own.smooth_ms
    rising = envelope[max(0, peak - 6 * longest) : peak + 1]
    below = np.flatnonzero(rising < 0.2 * height)
    if band == "high" and len(below) == 0:
        # In noise a fifth of the peak may never be reached: half of it has to do.
        below = np.flatnonzero(rising < 0.5 * height)
    if len(below) == 0 or len(rising) - 1 - below[-1] > longest:
        return False
    falling = envelope[peak : peak + round(own.longest_decay_s / step_s)]
    fallen = np.flatnonzero(falling < (0.25 if band == "low" else 0.4) * height)
    # What swells on after its first ripple is a voice, not a contact.
    if len(fallen) == 0 or float(falling[: fallen[0] + 1].max()) > 1.2 * height:
        return False
    after = crest[peak + round(settings.after_s[0] / step_s) : peak + round(settings.after_s[1] / step_s)]
    # The median: another contact soon after is brief, a vowel is not.
    return band == "low" or len(after) == 0 or float(np.median(after)) < settings.after_share * height


def _around(crest: FloatArray, peak: int, step_s: float, around_s: float) -> float:
    """Return the level that the second before and after a contact exceeds for a tenth of the time."""
    n = round(around_s / step_s)
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
    """Return the first sample of the rise to ``peak`` that stands out from what precedes it, and its blur in s."""
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
    return start + onset, rise_s * threshold / height if height > 0 else 0.0
