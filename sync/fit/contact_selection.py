"""Selection of contacts among the detected sounds, by the cues given and by the sensors' responses.

Many sounds in a room begin like a clap. With cues, a contact follows its cue; an additional clap, or one classified as
a snap or a door, is recognised by sensors that respond to it as they respond to the others. Without cues, the limb's
sensors alone decide: they respond to contacts, all at one delay, and not to a consonant or a cup put down. Some sounds
coincide with bursts at any offset, so without cues a kind counts only if its responses pass a chance test.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from dataset.support.arrays import FloatArray
from sync.events.contacts import Contact, ContactKind
from sync.events.emg_responses import explained_alone
from sync.events.perievent import level_of
from sync.fit.contact_offset import ContactOffset, locate_responses
from sync.fit.contact_responses import Contacts
from sync.fit.sound_fit import SoundFit
from sync.recording_types import CONTACT_KINDS, Recording, SensorRecord, VideoRecord

#: Reaction time: a contact belongs to the last cue before it, if it follows within these times.
_REACTION_S = (-0.3, 1.4)
#: Delays at which a response is searched, and the share of the limb's variance that it must explain.
_DELAYS_S = np.arange(-0.2, 0.6, 0.03)
_ANSWERED = 0.45
#: The same share for a contact without a cue, which may be movement; for a cue without a detected contact; and
#: relative to the usual share of the contacts already selected.
_ANSWERED_UNASKED = 0.6
_ANSWERED_EXPECTED = 0.3
_AS_USUAL = 0.75
_LEAST = 3
#: Kinds that the sound of each contact may be classified as.
_ALIKE = {ContactKind.CLAP: ContactKind.SNAP, ContactKind.STOMP: ContactKind.DOOR}
#: A sound with a wider onset interval than this is two sounds in one, and its onset may belong to the other.
_SHARP_S = 0.005
#: Largest probability of chance of one kind's responses, if those of all kinds together are no chance.
_KIND_CHANCE = 0.01
#: Shortest time between two contacts of hands or heels.
_APART_S = 0.2
#: Contacts of one sequence are about equally loud; a sound softer by more than this is something else.
_SOFTER = 0.05
_SOFTER_UNASKED = 0.3


def detected_contacts(
    recording: Recording, sound: SoundFit | None
) -> tuple[dict[ContactKind, FloatArray], ContactOffset | None]:
    """Return the host times of all detected claps and stomps, and their chance test; none without the sound's map."""
    if recording.video is None or sound is None:
        return {}, None
    contacts, host_s = recording.video.contacts, _host_s(recording.video, sound)
    times = {kind: host_s[[j for j, c in enumerate(contacts) if c.kind == kind]] for kind in CONTACT_KINDS}
    detected = {kind: at_s for kind, at_s in times.items() if len(at_s)}
    return detected, locate_responses(detected, recording.sensors)


def _host_s(video: VideoRecord, sound: SoundFit) -> FloatArray:
    """Return each detected sound's contact on the host clock: the contact itself, not its arrival at the microphone."""
    return np.asarray(sound.line(np.array([c.time_s for c in video.contacts])) - sound.acoustic.value_s)


def choose_contacts(
    recording: Recording, sound: SoundFit | None, offset: ContactOffset | None = None
) -> dict[ContactKind, Contacts]:
    """Return the selected claps and stomps on the host clock; none where the sound has no map onto it.

    Parameters
    ----------
    recording : Recording
    sound : SoundFit or None
    offset : ContactOffset or None
        Result of the chance test over all detected contacts.
    """
    if recording.video is None or sound is None:
        return {}
    contacts, sensors = recording.video.contacts, recording.sensors
    host_s = _host_s(recording.video, sound)
    found: dict[ContactKind, Contacts] = {}
    for kind in CONTACT_KINDS:
        cues = recording.cues.get(kind, np.zeros(0))
        if len(cues):
            known = answered_cues(cues, kind, contacts, host_s)
        elif not _supported(kind, contacts, host_s, sensors, offset):
            continue
        else:
            known = answered_by_sensors(kind, contacts, host_s, sensors)
        besides = emg_confirmed_contacts(kind, cues, known, contacts, host_s, sensors)
        indices = sorted(known + besides, key=lambda j: host_s[j])
        if indices:
            pts_s = np.array([contacts[i].time_s for i in indices])
            found[kind] = Contacts(
                host_s=host_s[indices],
                pts_s=pts_s,
                index=np.array(indices, dtype=np.int64),
                ci95_s=float(sound.line.half_width_s(pts_s).max()),
                n_made=max(len(cues), len(indices)),
            )
    return found


def _supported(
    kind: ContactKind,
    contacts: tuple[Contact, ...],
    host_s: FloatArray,
    data: Mapping[str, SensorRecord],
    offset: ContactOffset | None,
) -> bool:
    """Return whether sensors respond to a kind's contacts by more than chance: all kinds together, and this one."""
    at_s = host_s[[j for j, c in enumerate(contacts) if c.kind == kind]]
    of_kind = locate_responses({kind: at_s}, data)
    return offset is not None and offset.supported() and of_kind is not None and of_kind.expected_chance <= _KIND_CHANCE


def answered_cues(cue_s: FloatArray, kind: ContactKind, contacts: tuple[Contact, ...], host_s: FloatArray) -> list[int]:
    """Return the contacts that follow cues: at most one per cue, of the cue's kind where there is one.

    Parameters
    ----------
    cue_s : ndarray, shape (N,)
        Host times of the cues for ``kind``.
    kind : ContactKind
        A clap or a stomp.
    contacts : tuple of Contact
    host_s : ndarray
        Host time of each contact.
    """
    chosen: list[int] = []
    for low, high in _windows(cue_s):
        near = [j for j, c in enumerate(contacts) if low <= host_s[j] <= high and c.kind == kind and j not in chosen]
        if near:
            chosen.append(max(near, key=lambda j: contacts[j].loudness))
    return chosen


def _windows(cue_s: FloatArray) -> list[tuple[float, float]]:
    """Return the time window of the contact for each cue."""
    following = [*cue_s[1:].tolist(), math.inf][: len(cue_s)]
    return [
        (cue + _REACTION_S[0], min(cue + _REACTION_S[1], after - 0.05))
        for cue, after in zip(cue_s.tolist(), following, strict=True)
    ]


def answered_by_sensors(
    kind: ContactKind, contacts: tuple[Contact, ...], host_s: FloatArray, data: Mapping[str, SensorRecord]
) -> list[int]:
    """Return the contacts of a kind to which the limb's sensors respond at one common delay.

    If the sensors respond to hardly any, all are returned, and the sensors' own verdicts report it.
    """
    candidates = [j for j, c in enumerate(contacts) if c.kind == kind]
    if not candidates:
        return []
    loudest = max(contacts[j].loudness for j in candidates)
    candidates = [j for j in candidates if contacts[j].loudness > _SOFTER * loudest]
    pooled = _explained_by_answers(kind, host_s[candidates], data)
    if pooled is None:
        return candidates
    shares = pooled[:, _usual_delay(pooled)].max(axis=1)
    answered = [j for j, share in zip(candidates, shares, strict=True) if share > _ANSWERED]
    return answered if len(answered) >= _LEAST else candidates


def emg_confirmed_contacts(
    kind: ContactKind,
    cue_s: FloatArray,
    known: list[int],
    contacts: tuple[Contact, ...],
    host_s: FloatArray,
    data: Mapping[str, SensorRecord],
) -> list[int]:
    """Return further contacts to which the limb's sensors respond as they do to the known ones.

    These are contacts without a cue, and contacts classified as a snap or a door. For a sound that follows a cue
    without another contact the threshold is lower, because a contact was expected there.

    Parameters
    ----------
    kind : ContactKind
        A clap or a stomp.
    cue_s : ndarray, shape (N,)
        Host times of the cues for ``kind``.
    known : list of int
        The contacts already selected.
    contacts : tuple of Contact
    host_s : ndarray
        Host time of each contact.
    data : mapping by channel
    """
    softest = min((contacts[j].loudness for j in known), default=0.0)
    others = [
        j
        for j, c in enumerate(contacts)
        if j not in known and c.loudness > _SOFTER_UNASKED * softest
        if c.kind == kind or (c.kind == _ALIKE[kind] and c.uncertainty_s < _SHARP_S)
    ]
    others = [j for j in others if _apart(host_s[j], host_s[known])]
    pooled = _explained_by_answers(kind, host_s[known + others], data) if others and len(known) >= _LEAST else None
    if pooled is None:
        return []
    usual = _usual_delay(pooled[: len(known)])
    shares = pooled[:, usual].max(axis=1)
    if np.count_nonzero(shares[: len(known)] > _ANSWERED_EXPECTED) < _LEAST:
        return []  # this limb's response is not known
    typical = float(np.median(shares[: len(known)]))
    share = dict(zip(others, shares[len(known) :].tolist(), strict=True))
    windows, found = _windows(cue_s), list[int]()
    # Best first, so that of two sounds for one cue the one with the clearer response is selected.
    for j in sorted(share, key=lambda j: -share[j]):
        counted = known + found
        expected = _n_answered(windows, host_s[[*counted, j]]) > _n_answered(windows, host_s[counted])
        least = max(_ANSWERED_EXPECTED if expected else _ANSWERED_UNASKED, _AS_USUAL * typical)
        if share[j] > least and _apart(host_s[j], host_s[found]):
            found.append(j)
    return sorted(found)


def _apart(at_s: float, others_s: FloatArray) -> bool:
    return bool(np.all(np.abs(others_s - at_s) > _APART_S))


def _n_answered(windows: list[tuple[float, float]], at_s: FloatArray) -> int:
    """Return how many cues have a contact if each contact belongs to one cue: windows of close cues overlap."""
    left = sorted(at_s.tolist())
    n = 0
    for low, high in windows:
        inside = next((i for i, at in enumerate(left) if low <= at <= high), None)
        if inside is not None:
            del left[inside]
            n += 1
    return n


def _explained_by_answers(kind: ContactKind, at: FloatArray, data: Mapping[str, SensorRecord]) -> FloatArray | None:
    """Return the share of the limb's variance explained by a response at each delay, shape (E, D); None without one."""
    limb = [d for d in data.values() if d.responds_to(kind) and len(d.samples.value) > 20]
    if not limb:
        return None
    shares = np.array([explained_alone(at, level_of(*d.level), _DELAYS_S) for d in limb])
    known = np.isfinite(shares)
    # The mean over the limb's sensors: the few that never respond have little weight.
    return np.asarray(np.where(known, shares, 0.0).sum(axis=0) / np.maximum(1, known.sum(axis=0)))


def _usual_delay(pooled: FloatArray) -> slice:
    """Return which delays are near the one at which the sensors respond to most contacts."""
    best = int(np.argmax(np.clip(pooled - 0.5 * _ANSWERED, 0.0, None).sum(axis=0)))
    return slice(max(0, best - 2), best + 3)
