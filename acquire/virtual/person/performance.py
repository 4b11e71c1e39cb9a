"""How the virtual person follows prompts: when exercises begin and contacts happen, and the pose at any time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from acquire.protocol.schedule import Prompt
from acquire.virtual.person.body import DOF, STAND, pose_vector
from acquire.virtual.person.motion import minimum_jerk
from acquire.virtual.person.motions import (
    base_offset,
    gesture_offset,
    gesture_span_s,
    known_motion,
    repetition_offset,
    strike_pushes,
)
from dataset.support.arrays import FloatArray, IntArray

#: Seconds from standing into an exercise, and back.
BLEND_S = 0.5

_CONTACT_STREAM, _EXERCISE_STREAM, _REPETITION_STREAM, _SWAY_STREAM, _FLEX_STREAM = 1, 2, 3, 4, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A clap or a stomp, at the moment its sound arises at the body."""

    kind: str
    host_ns: int
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExerciseDone:
    """When the person did an exercise; ``stop_ns`` None while it goes on. The return to standing follows the stop."""

    name: str
    start_ns: int
    stop_ns: int | None


@dataclass(slots=True, kw_only=True)
class _Flexing:
    """An isometric contraction of one or several muscles.

    Attributes
    ----------
    label : str
        A channel, a muscle, a side, or empty for all.
    start_ns, stop_ns : int
        When the effort begins and ends; ``stop_ns`` None while it goes on.
    effort : float
        Of the muscle, about 1 at the most a person does.
    """

    label: str
    start_ns: int
    stop_ns: int | None
    effort: float

    def course(self, host_ns: IntArray) -> FloatArray:
        """Return the effort at host times: it rises and falls within a third of a second, and trembles."""
        since_s = np.asarray((host_ns - self.start_ns) * 1e-9, dtype=np.float64)
        weight = minimum_jerk(since_s / 0.33)
        if self.stop_ns is not None:
            after_s = np.asarray((host_ns - self.stop_ns) * 1e-9, dtype=np.float64)
            weight = np.asarray(weight * (1.0 - minimum_jerk(after_s / 0.33)), dtype=np.float64)
        tremor = 1.0 + 0.04 * np.sin(2.0 * np.pi * 2.3 * since_s)
        return np.asarray(self.effort * weight * tremor, dtype=np.float64)


@dataclass(slots=True)
class _Segment:
    name: str
    index: int
    start_ns: int
    stop_ns: int | None = None
    starts_s: list[float] = field(default_factory=lambda: [0.0])
    amplitudes: list[float] = field(default_factory=list)


class Performance:
    """One person's reactions and movements; the same for the same seed and prompts.

    Parameters
    ----------
    seed : int
    pace : float
        The person's own pace, 1 is the tables'.
    missed_contacts : float
        Probability that a cue is not followed.
    """

    def __init__(self, seed: int, *, pace: float = 1.0, missed_contacts: float = 0.0) -> None:
        self._seed = seed
        self._pace = pace
        self._missed = missed_contacts
        self._segments: list[_Segment] = []
        self._contacts: list[Contact] = []
        self._flexings: list[_Flexing] = []
        self._n_cues = 0
        self._stand = pose_vector(STAND)
        rng = np.random.default_rng([seed, _SWAY_STREAM])
        # Slow sway of the standing body: visible, too slow to load a muscle.
        self._sway_hz = rng.uniform(0.07, 0.35, (6, 3))
        self._sway_phase = rng.uniform(0.0, 2.0 * np.pi, (6, 3))
        self._sway_size = np.array([0.7, 0.9, 0.8, 1.2, 1.2, 1.0])[:, None] * rng.uniform(0.3, 0.6, (6, 3))

    def prompt(self, prompt: Prompt, host_ns: int) -> None:
        """Take a prompt given at ``host_ns``; unknown exercises raise InputError."""
        if prompt.kind in ("clap_cue", "stomp_cue"):
            self._react(prompt.kind.removesuffix("_cue"), host_ns)
        elif prompt.kind == "exercise_start":
            known_motion(prompt.label)
            self._stop(host_ns)
            rng = np.random.default_rng([self._seed, _EXERCISE_STREAM, len(self._segments)])
            start_ns = host_ns + round(rng.uniform(0.2, 0.5) * 1e9)
            self._segments.append(_Segment(prompt.label, len(self._segments), start_ns))
        elif prompt.kind == "exercise_stop":
            self._stop(host_ns)
        elif prompt.kind == "contract_start":
            self._relax(host_ns)
            rng = np.random.default_rng([self._seed, _FLEX_STREAM, len(self._flexings)])
            start_ns = host_ns + round(rng.uniform(0.2, 0.5) * 1e9)
            # People judge half an effort badly.
            effort = min(prompt.effort * float(rng.uniform(0.7, 1.3)), 1.1)
            self._flexings.append(_Flexing(label=prompt.label, start_ns=start_ns, stop_ns=None, effort=effort))
        elif prompt.kind == "contract_stop":
            self._relax(host_ns)

    def _relax(self, host_ns: int) -> None:
        if self._flexings and self._flexings[-1].stop_ns is None:
            last = self._flexings[-1]
            rng = np.random.default_rng([self._seed, _FLEX_STREAM, len(self._flexings), 1])
            last.stop_ns = max(last.start_ns, host_ns + round(rng.uniform(0.20, 0.40) * 1e9))

    def _react(self, kind: str, host_ns: int) -> None:
        rng = np.random.default_rng([self._seed, _CONTACT_STREAM, self._n_cues])
        reaction_s = float(np.clip(rng.normal(0.46, 0.06), 0.36, 0.60))
        if rng.random() >= self._missed:
            at_ns = host_ns + round(reaction_s * 1e9)
            self._contacts.append(Contact(kind=kind, host_ns=at_ns, index=self._n_cues))
        self._n_cues += 1

    def _stop(self, host_ns: int) -> None:
        if self._segments and self._segments[-1].stop_ns is None:
            last = self._segments[-1]
            rng = np.random.default_rng([self._seed, _EXERCISE_STREAM, last.index, 1])
            last.stop_ns = max(last.start_ns, host_ns + round(rng.uniform(0.20, 0.40) * 1e9))

    @property
    def contacts(self) -> tuple[Contact, ...]:
        """All contacts so far, also those about to happen."""
        return tuple(self._contacts)

    @property
    def exercises(self) -> tuple[ExerciseDone, ...]:
        """All exercises so far."""
        return tuple(ExerciseDone(name=s.name, start_ns=s.start_ns, stop_ns=s.stop_ns) for s in self._segments)

    @property
    def first_effort_ns(self) -> int | None:
        """When the first exercise or flexing begins."""
        starts = [s.start_ns for s in self._segments[:1]] + [f.start_ns for f in self._flexings[:1]]
        return min(starts, default=None)

    def flexing(self, host_ns: IntArray) -> Iterator[tuple[str, FloatArray]]:
        """Yield the label and the effort, shape like ``host_ns``, of everything that is flexed at some of the times."""
        if not len(host_ns):
            return
        for flexing in self._flexings:
            over_ns = int(host_ns.max()) if flexing.stop_ns is None else flexing.stop_ns + 1_000_000_000
            if flexing.start_ns <= int(host_ns.max()) and over_ns >= int(host_ns.min()):
                yield flexing.label, flexing.course(host_ns)

    def working_pose(self, host_ns: IntArray) -> FloatArray:
        """Return the pose without sway and gestures, shape (T, len(DOFS)): what loads the muscles."""
        pose = np.repeat(self._stand[None], len(host_ns), axis=0)
        for segment, active, since_s in self._under_way(host_ns):
            pose[active] += self._exercise(segment, since_s)
        return pose

    def pushes(self, host_ns: IntArray) -> dict[str, FloatArray]:
        """Return what struck targets push with in newtons, shape (T, 3), by joint; empty where nothing is struck."""
        pushes: dict[str, FloatArray] = {}
        for segment, active, since_s in self._under_way(host_ns):
            phase, mirror, _, _ = self._repetition(segment, since_s)
            weight = _blend(segment, since_s)
            for joint, push in strike_pushes(segment.name, phase, mirror=mirror).items():
                pushes.setdefault(joint, np.zeros((len(host_ns), 3)))[active] += push * weight[:, None]
        return pushes

    def _under_way(self, host_ns: IntArray) -> Iterator[tuple[_Segment, NDArray[np.bool_], FloatArray]]:
        """Yield each exercise that moves the body at some of the times, which they are, and seconds since its start."""
        earliest_ns, latest_ns = (int(host_ns.min()), int(host_ns.max())) if len(host_ns) else (0, 0)
        for segment in self._segments:
            over_ns = latest_ns if segment.stop_ns is None else segment.stop_ns + round(BLEND_S * 1e9)
            if segment.start_ns >= latest_ns or over_ns < earliest_ns:
                continue
            since_s = np.asarray((host_ns - segment.start_ns) * 1e-9, dtype=np.float64)
            active = since_s > 0.0
            if segment.stop_ns is not None:
                active &= since_s < (segment.stop_ns - segment.start_ns) * 1e-9 + BLEND_S
            if np.any(active):
                yield segment, active, since_s[active]

    def pose(self, host_ns: IntArray) -> FloatArray:
        """Return the whole pose, with gestures and sway, shape (T, len(DOFS))."""
        pose = self.working_pose(host_ns)
        for contact in self._contacts:
            first, last = gesture_span_s(contact.kind)
            since_s = np.asarray((host_ns - contact.host_ns) * 1e-9, dtype=np.float64)
            active = (since_s > first) & (since_s < last)
            if np.any(active):
                pose[active] += gesture_offset(contact.kind, since_s[active])
        time_s = host_ns * 1e-9
        angle = 2.0 * np.pi * self._sway_hz * time_s[:, None, None] + self._sway_phase
        sway = (self._sway_size * np.sin(angle)).sum(axis=2)
        columns = [DOF[n] for n in ("lean", "twist", "bend", "left_elbow", "right_elbow", "nod")]
        pose[:, columns] += sway
        return pose

    def _exercise(self, segment: _Segment, since_s: FloatArray) -> FloatArray:
        phase, mirror, amplitude, k = self._repetition(segment, since_s)
        offset = base_offset(segment.name) + repetition_offset(segment.name, phase, mirror=mirror, amplitude=amplitude)
        weight = _blend(segment, since_s)
        turns = known_motion(segment.name).turns
        offset[:, DOF["turn"]] += 360.0 * turns * k
        pose = offset * weight[:, None]
        if turns and segment.stop_ns is not None:
            out = since_s > (segment.stop_ns - segment.start_ns) * 1e-9
            pose[out, DOF["turn"]] += (1.0 - weight[out]) * self._final_turn_deg(segment)
        return np.asarray(pose, dtype=np.float64)

    def _final_turn_deg(self, segment: _Segment) -> float:
        """Return the whole turns at which a person asked to stop within a turn stands, by the shorter way."""
        stop_ns = segment.start_ns if segment.stop_ns is None else segment.stop_ns
        phase, mirror, size, k = self._repetition(segment, np.array([(stop_ns - segment.start_ns) * 1e-9]))
        turned = repetition_offset(segment.name, phase, mirror=mirror, amplitude=size)[0, DOF["turn"]]
        return 360.0 * (known_motion(segment.name).turns * int(k[0]) + round(float(turned) / 360.0))

    def _repetition(
        self, segment: _Segment, since_s: FloatArray
    ) -> tuple[FloatArray, NDArray[np.bool_], FloatArray, IntArray]:
        """Return phase, whether it is the mirror image, size and number of the repetition at each time."""
        self._plan_repetitions(segment, float(since_s.max()))
        starts = np.array(segment.starts_s)
        k = np.clip(np.searchsorted(starts, since_s, side="right") - 1, 0, len(starts) - 2)
        phase = (since_s - starts[k]) / (starts[k + 1] - starts[k])
        motion = known_motion(segment.name)
        mirror = (k % 2 == 1) if motion.alternates else np.zeros(len(k), dtype=bool)
        return phase, mirror, np.array(segment.amplitudes)[k], k

    def _plan_repetitions(self, segment: _Segment, until_s: float) -> None:
        """Draw repetitions until past ``until_s``: pace and size vary by a tenth and drift as the person tires."""
        period_s = known_motion(segment.name).period_s * self._pace
        while segment.starts_s[-1] <= until_s:
            k = len(segment.amplitudes)
            rng = np.random.default_rng([self._seed, _REPETITION_STREAM, segment.index, k])
            pace, size = np.exp(rng.normal(0.0, 0.10, 2))
            tired = min(1.0, k / 40.0)
            length_s = period_s * float(np.clip(pace, 0.78, 1.28)) * (1.0 + 0.12 * tired)
            segment.amplitudes.append(float(np.clip(size, 0.75, 1.18)) * (1.0 - 0.10 * tired))
            segment.starts_s.append(segment.starts_s[-1] + length_s)


def _blend(segment: _Segment, since_s: FloatArray) -> FloatArray:
    """Return how far the person is in the exercise, 0-1: in from standing at its start, out again after its stop."""
    weight = minimum_jerk(since_s / BLEND_S)
    if segment.stop_ns is None:
        return weight
    after_s = since_s - (segment.stop_ns - segment.start_ns) * 1e-9
    return np.asarray(weight * (1.0 - minimum_jerk(after_s / BLEND_S)))
