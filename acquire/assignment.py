"""Assignment of sensors to muscles from their responses while one muscle after the other is flexed.

A muscle does not work alone: its antagonist responds too, and the antagonist's sensor may be more sensitive, or the
right one may be near the end of its range. So each response is compared both ways, with the same sensor's responses
to the other muscles and with the other sensors' responses to the same muscle, and all muscles are decided together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from dataset.capture.types import Sensor
from dataset.muscles import channel_from_name
from dataset.support.arrays import BoolArray, FloatArray, IntArray

#: Left out after a prompt, while the person reacts, and after its end, while the muscle relaxes.
REACTS_S = 0.7
LETS_GO_S = 1.2
#: A response exceeds this multiple of the sensor's noise at rest, and this many of its quantisation steps.
ANSWERS_FROM = 1.2
LEAST_STEPS = 4.0
#: Shortest rest needed for a decision.
LEAST_REST_S = 1.0
#: An assignment must be better than the best alternative by this margin, of at most 1.
LEAST_MARGIN = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Flexed:
    """One muscle that was flexed: its channel and the host times of the prompt's beginning and end."""

    channel: str
    start_ns: int
    stop_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Recent values of one slot: arrival in host nanoseconds and value, shape (N,) each."""

    arrival_ns: IntArray
    value: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """A muscle and the sensor on it.

    Attributes
    ----------
    slot : int
    margin : float
        How much lower the score of the best assignment without this pair is, 0-1.
    why : str
        Reason in words.
    """

    slot: int
    margin: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided:
    """A muscle whose sensor could not be determined, and why.

    Attributes
    ----------
    slots : tuple of int
        Slots that responded alike; empty if no sensor responded.
    why, hint : str
    """

    slots: tuple[int, ...]
    why: str
    hint: str


Answer = Assigned | Undecided


def assign(flexed: Sequence[Flexed], samples: Mapping[int, Samples]) -> dict[str, Answer]:
    """Assign a sensor to each flexed muscle by the assignment with the greatest sum of scores (Hungarian algorithm).

    Parameters
    ----------
    flexed : sequence of Flexed
        In any order; if a channel occurs twice, the last counts.
    samples : mapping of slot to Samples
        From some seconds before the first prompt to the end of the last.

    Notes
    -----
    A sensor's response is the median absolute deviation from its median at rest while the muscle is flexed, the noise
    at rest subtracted as power, so that a level and a raw waveform are treated alike. The score of a pair is the
    geometric mean of the response's share of that sensor's largest and of that muscle's largest; the assignment has
    the greatest sum of scores.
    """
    last = {f.channel: f for f in flexed}
    channels, slots = list(last), sorted(samples)
    if not channels:
        return {}
    answers, heard = np.zeros((len(channels), len(slots))), np.zeros((len(channels), len(slots)), dtype=bool)
    for j, slot in enumerate(slots):
        answers[:, j], heard[:, j] = _answers(list(last.values()), flexed, samples[slot])
    score = _scores(answers)
    return {channel: _decide(i, channels, slots, score, heard) for i, channel in enumerate(channels)}


def _answers(prompts: Sequence[Flexed], every: Sequence[Flexed], own: Samples) -> tuple[FloatArray, BoolArray]:
    """Return one sensor's response to each prompt, in its units above rest, and whether it is significant."""
    t, y = own.arrival_ns, own.value
    none = np.zeros(len(prompts)), np.zeros(len(prompts), dtype=bool)
    resting = np.ones(len(t), dtype=bool)
    for f in every:
        resting &= (t < f.start_ns) | (t > f.stop_ns + LETS_GO_S * 1e9)
    if not np.any(resting):
        return none
    rest_t, rest = t[resting], y[resting]
    if (rest_t[-1] - rest_t[0]) * 1e-9 < LEAST_REST_S:
        return none
    middle = float(np.median(rest))
    spread = float(np.median(np.abs(rest - middle)))
    answers = np.zeros(len(prompts))
    for i, f in enumerate(prompts):
        inside = (t >= f.start_ns + REACTS_S * 1e9) & (t <= f.stop_ns)
        if np.any(inside):
            answers[i] = np.sqrt(max(0.0, float(np.median(np.abs(y[inside] - middle))) ** 2 - spread**2))
    return answers, answers > max(ANSWERS_FROM * spread, LEAST_STEPS * _step(y))


def _step(value: FloatArray) -> float:
    """Return the smallest step between a sensor's values: 1 for counts, almost 0 for computed values."""
    steps = np.diff(np.unique(value))
    return float(steps.min()) if len(steps) else 0.0


def _scores(answers: FloatArray) -> FloatArray:
    """Return each pair's score, 0-1, shape (muscles, sensors)."""
    by_sensor = answers / np.maximum(answers.max(axis=0, keepdims=True, initial=0.0), 1e-12)
    by_muscle = answers / np.maximum(answers.max(axis=1, keepdims=True, initial=0.0), 1e-12)
    return np.asarray(np.sqrt(by_sensor * by_muscle))


def _decide(i: int, channels: list[str], slots: list[int], score: FloatArray, heard: BoolArray) -> Answer:
    name = channels[i].replace("_", " ")
    if not heard[i].any():
        return Undecided(
            slots=(),
            why=f"no sensor responded to the {name}",
            hint="flex it harder, and check that its sensor is on and on the muscle",
        )
    usable = np.where(heard, score, 0.0)
    best, chosen = _best(usable)
    if i not in chosen or usable[i, chosen[i]] <= 0.0:
        j = int(np.argmax(usable[i]))
        return Undecided(
            slots=(slots[j],),
            why=f"slot {slots[j]} responds to the {name}, but more clearly to another muscle",
            hint="check that each muscle has exactly one sensor",
        )
    j = chosen[i]
    without = usable.copy()
    without[i, j] = 0.0
    other, instead = _best(without)
    margin = best - other
    if margin < LEAST_MARGIN:
        alike = _rival(i, j, instead, usable)
        return Undecided(
            slots=tuple(sorted({slots[j], slots[alike]})),
            why=f"slots {slots[j]} and {slots[alike]} respond alike to the {name}",
            hint="if two sensors are on one muscle, move one; else flex again with the other muscles relaxed",
        )
    return Assigned(slot=slots[j], margin=float(min(1.0, margin)), why=f"slot {slots[j]} responds to the {name}")


def _rival(i: int, j: int, instead: dict[int, int], usable: FloatArray) -> int:
    """Return the sensor that fits muscle ``i`` nearly as well as ``j``."""
    if i in instead and instead[i] != j and usable[i, instead[i]] > 0.0:
        return instead[i]
    others = usable[i].copy()
    others[j] = -1.0
    return int(np.argmax(others))


def _best(score: FloatArray) -> tuple[float, dict[int, int]]:
    """Return the greatest sum of scores and the sensor of each muscle in it."""
    muscles, sensors = linear_sum_assignment(score, maximize=True)
    return float(score[muscles, sensors].sum()), dict(zip(muscles.tolist(), sensors.tolist(), strict=True))


def rebound(sensors: Sequence[Sensor], slot_of: Mapping[str, int]) -> tuple[Sensor, ...]:
    """Return the slots with each sensor on its assigned muscle.

    Facts about a place on the body (muscle, side, placement) go with the muscle; facts about a sensor
    (address, serial, profile, electrode) stay. Muscles that are not in ``slot_of`` keep their sensor if it is
    free; else they get the remaining ones in order.

    Parameters
    ----------
    sensors : sequence of Sensor
    slot_of : mapping of channel to slot

    Raises
    ------
    ValueError
        A channel or slot is not in the rig, or a slot is given twice.
    """
    places = {s.channel: s for s in sensors}
    by_slot = {s.slot: s for s in sensors}
    if not (set(slot_of) <= set(places) and set(slot_of.values()) <= set(by_slot)):
        raise ValueError(f"{dict(slot_of)} has channels or slots that the rig lacks")
    if len(set(slot_of.values())) < len(slot_of):
        raise ValueError(f"{dict(slot_of)} gives one slot to two muscles")
    channel_of = {slot: channel for channel, slot in slot_of.items()}
    left = [s.channel for s in sensors if s.channel not in slot_of]
    for sensor in sensors:
        if sensor.slot not in channel_of and sensor.channel in left:
            channel_of[sensor.slot] = sensor.channel
            left.remove(sensor.channel)
    for sensor in sensors:
        if sensor.slot not in channel_of:
            channel_of[sensor.slot] = left.pop(0)
    return tuple(_moved(sensor, places[channel_of[sensor.slot]]) for sensor in sensors)


def _moved(sensor: Sensor, place: Sensor) -> Sensor:
    channel = channel_from_name(place.channel)
    return replace(
        sensor, channel=place.channel, muscle=channel.muscle, side=channel.side, placement=place.placement
    )  # fmt: skip
