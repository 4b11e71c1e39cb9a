"""Which of the sounds heard are the contacts that count: by the cues given, and by the sensors that answer them.

A room is full of sounds that begin like a clap. Where cues were given, a contact follows its cue; a clap too many is
known by sensors that answer it as they answer those, and so is one that sounded like a snap or a door. Where no cue
was given, the limb's sensors tell alone: they answer contacts, all at one delay, and do not answer a consonant or a
cup set down.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from dataset.support.arrays import FloatArray
from sync.events.contacts import Contact, ContactKind
from sync.events.emg_responses import explained_alone
from sync.events.perievent import level_of
from sync.fit.contact_responses import Contacts
from sync.fit.sound_fit import SoundFit
from sync.recording_types import CONTACT_KINDS, Recording, SensorRecord

#: Room for reaction: a contact answers the last cue given before it, within these times after the cue.
_REACTION_S = (-0.3, 1.4)
#: Delays at which an answer is looked for, and how much of the limb's values one must explain.
_DELAYS_S = np.arange(-0.2, 0.6, 0.03)
_ANSWERED = 0.45
#: The same where nobody asked for the contact: movement is about; where one was asked for and none was heard;
#: and as part of what is usual for those that count already.
_ANSWERED_UNASKED = 0.6
_ANSWERED_EXPECTED = 0.3
_AS_USUAL = 0.75
_LEAST = 3
#: What a contact of each kind is taken for where its sound alone cannot tell.
_ALIKE = {ContactKind.CLAP: ContactKind.SNAP, ContactKind.STOMP: ContactKind.DOOR}
#: A sound dated worse than this is two sounds in one, and its onset is the other's.
_SHARP_S = 0.005
#: Hands and heels do not meet twice within this.
_APART_S = 0.2
#: Contacts of one train are about equally loud; what is this much softer is another sound.
_SOFTER = 0.05
_SOFTER_UNASKED = 0.3


def choose_contacts(recording: Recording, sound: SoundFit | None) -> dict[ContactKind, Contacts]:
    """Return the claps and stomps that count, on the host clock; none where nothing ties the sound to it."""
    if recording.video is None or sound is None:
        return {}
    contacts, sensors = recording.video.contacts, recording.sensors
    # The contact itself, not its sound's arrival at the microphone.
    host_s = sound.line(np.array([c.time_s for c in contacts])) - sound.acoustic.value_s
    found: dict[ContactKind, Contacts] = {}
    for kind in CONTACT_KINDS:
        cues = recording.cues.get(kind, np.zeros(0))
        if len(cues):
            known = answered_cues(cues, kind, contacts, host_s)
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


def answered_cues(cue_s: FloatArray, kind: ContactKind, contacts: tuple[Contact, ...], host_s: FloatArray) -> list[int]:
    """Return the contacts that answer cues: at most one a cue, of the cue's kind where there is one.

    Parameters
    ----------
    cue_s : ndarray, shape (N,)
        Host times at which ``kind`` was asked for.
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
    """Return the time in which a contact answers each cue."""
    following = [*cue_s[1:].tolist(), math.inf][: len(cue_s)]
    return [
        (cue + _REACTION_S[0], min(cue + _REACTION_S[1], after - 0.05))
        for cue, after in zip(cue_s.tolist(), following, strict=True)
    ]


def answered_by_sensors(
    kind: ContactKind, contacts: tuple[Contact, ...], host_s: FloatArray, data: Mapping[str, SensorRecord]
) -> list[int]:
    """Return the contacts of a kind that the limb's sensors answer at one common delay.

    Where hardly any is answered all are returned: then it is for the sensors' own verdicts to say so.
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
    """Return further contacts that the limb's sensors answer as they answer those known.

    They are the ones that no cue asked for, and the ones that sounded like a snap or a door. Where such a sound
    answers a cue that nothing else answers it was expected, and counts sooner.

    Parameters
    ----------
    kind : ContactKind
        A clap or a stomp.
    cue_s : ndarray, shape (N,)
        Host times at which ``kind`` was asked for.
    known : list of int
        The contacts that count already.
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
        return []  # nobody knows how this limb answers
    typical = float(np.median(shares[: len(known)]))
    share = dict(zip(others, shares[len(known) :].tolist(), strict=True))
    windows, found = _windows(cue_s), list[int]()
    # Best first, so that of two sounds that answer one cue the better answered counts.
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
    """Return how many cues are answered where each contact answers one: windows overlap where cues are close."""
    left = sorted(at_s.tolist())
    n = 0
    for low, high in windows:
        inside = next((i for i, at in enumerate(left) if low <= at <= high), None)
        if inside is not None:
            del left[inside]
            n += 1
    return n


def _explained_by_answers(kind: ContactKind, at: FloatArray, data: Mapping[str, SensorRecord]) -> FloatArray | None:
    """Return how much of the limb's values an answer at each delay explains, shape (E, D); None without a limb."""
    limb = [d for d in data.values() if d.responds_to(kind) and len(d.samples.value) > 20]
    if not limb:
        return None
    shares = np.array([explained_alone(at, level_of(*d.level), _DELAYS_S) for d in limb])
    known = np.isfinite(shares)
    # The mean over the limb's sensors; those that never answer weigh as little here as there are few of them.
    return np.asarray(np.where(known, shares, 0.0).sum(axis=0) / np.maximum(1, known.sum(axis=0)))


def _usual_delay(pooled: FloatArray) -> slice:
    """Return which delays lie about the one at which most contacts are answered."""
    best = int(np.argmax(np.clip(pooled - 0.5 * _ANSWERED, 0.0, None).sum(axis=0)))
    return slice(max(0, best - 2), best + 3)
