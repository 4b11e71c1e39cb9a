"""Which of the sounds heard are the contacts that count: by the cues given, and by the sensors that answer them.

A room is full of sounds that begin like a clap. Where cues were given, a contact follows its cue; a clap too many is
known by sensors that answer it as they answer those. Where no cue was given, the limb's sensors tell alone: they
answer contacts, all at one delay, and do not answer a consonant or a cup set down.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dataset.arrays import FloatArray
from dataset.muscles import CONTACT_OF_MUSCLE
from sync.detect.contact import Contact
from sync.detect.pieces import level_of
from sync.detect.response import explained_alone
from sync.sensors import SensorData

#: Room for reaction: a contact answers the last cue given before it, within these times after the cue.
_REACTION_S = (-0.3, 1.4)
#: Delays at which an answer is looked for, and how much of the limb's values one must explain.
_DELAYS_S = np.arange(-0.2, 0.6, 0.03)
_ANSWERED = 0.45
#: The same where nobody asked for the contact: movement is about.
_ANSWERED_UNASKED = 0.6
_LEAST = 3
#: Contacts of one train are about equally loud; what is this much softer is another sound.
_SOFTER = 0.05
_SOFTER_UNASKED = 0.3


def answered_cues(cue_s: FloatArray, kind: str, contacts: tuple[Contact, ...], host_s: FloatArray) -> list[int]:
    """Return the contacts that answer cues: at most one a cue, of the cue's kind where there is one.

    Parameters
    ----------
    cue_s : ndarray, shape (N,)
        Host times at which ``kind`` was asked for.
    kind : {"clap", "stomp"}
    contacts : tuple of Contact
    host_s : ndarray
        Host time of each contact.
    """
    chosen: list[int] = []
    for i, cue in enumerate(cue_s):
        last = min(_REACTION_S[1], float(cue_s[i + 1] - cue) - 0.05) if i + 1 < len(cue_s) else _REACTION_S[1]
        near = [
            j
            for j, c in enumerate(contacts)
            if cue + _REACTION_S[0] <= host_s[j] <= cue + last and c.kind == kind and j not in chosen
        ]
        if near:
            chosen.append(max(near, key=lambda j: contacts[j].loudness))
    return chosen


def answered_by_sensors(
    kind: str, contacts: tuple[Contact, ...], host_s: FloatArray, data: Mapping[str, SensorData]
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


def answered_unasked(
    kind: str, asked: list[int], contacts: tuple[Contact, ...], host_s: FloatArray, data: Mapping[str, SensorData]
) -> list[int]:
    """Return further contacts of a kind, that no cue asked for, which the limb's sensors answer as those asked for.

    Parameters
    ----------
    kind : {"clap", "stomp"}
    asked : list of int
        The contacts that answer cues.
    contacts : tuple of Contact
    host_s : ndarray
        Host time of each contact.
    data : mapping by channel
    """
    softest = min((contacts[j].loudness for j in asked), default=0.0)
    others = [
        j
        for j, c in enumerate(contacts)
        if c.kind == kind and j not in asked and c.loudness > _SOFTER_UNASKED * softest
    ]
    pooled = _explained_by_answers(kind, host_s[asked + others], data) if others and len(asked) >= _LEAST else None
    if pooled is None:
        return []
    usual = _usual_delay(pooled[: len(asked)])
    typical = float(np.median(pooled[: len(asked), usual].max(axis=1)))
    shares = pooled[len(asked) :, usual].max(axis=1)
    return [j for j, share in zip(others, shares, strict=True) if share > max(_ANSWERED_UNASKED, 0.75 * typical)]


def _explained_by_answers(kind: str, at: FloatArray, data: Mapping[str, SensorData]) -> FloatArray | None:
    """Return how much of the limb's values an answer at each delay explains, shape (E, D); None without a limb."""
    limb = [
        d for d in data.values() if CONTACT_OF_MUSCLE.get(d.sensor.muscle, kind) == kind and len(d.samples.value) > 20
    ]
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
