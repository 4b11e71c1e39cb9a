"""Builds timed prompts from a protocol and a seed: irregular sync sequences at both ends, exercises between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from acquire.protocol.prompts import FULL_EFFORT, REST_TEXT, flex_text
from acquire.protocol.protocol import CalibrationPart, Exercise, Protocol, SyncSequence

#: Time after the last cue of a sequence for the person to act and the sensors to respond.
SETTLE_S = 1.6

#: Between the marks of a calibration, so that their order is unambiguous.
BETWEEN_S = 0.1

#: No exercise is shortened below this to fit a duration.
SHORTEST_EXERCISE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """An event or a request to the person at a time of the recording.

    Attributes
    ----------
    at_s : float
        Seconds after the start of the recording.
    kind : str
        An event kind of the capture: ``flash``, ``clap_cue``, ``stomp_cue``, ``sync_start``, ``exercise_start``, ...
    label : str
        The exercise, or the text to show.
    text : str
        Text for the person.
    repetitions : int
        Number of repetitions; 0 if the exercise is done by time.
    effort : float
        Effort of a contraction, as a share of the maximal one.
    """

    at_s: float
    kind: str
    label: str = ""
    text: str = ""
    repetitions: int = 0
    effort: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Prompts in time order and the recording's whole duration in seconds."""

    prompts: tuple[Prompt, ...]
    duration_s: float


def build_schedule(
    protocol: Protocol, seed: int, duration_s: float | None = None, *, calibrate: Sequence[str] = ()
) -> Schedule:
    """Build the prompts of one recording, with the gaps of its sync sequences drawn from a seed.

    Parameters
    ----------
    protocol : Protocol
    seed : int
        Seeds the irregular sync sequences; it is stored in the capture.
    duration_s : float, optional
        Scale the exercises evenly so that the whole recording takes this long; the last ones are left
        out if there is not one second for each. Both sync sequences are always included.
    calibrate : sequence of str
        Channels whose rest and maximal contraction are requested before the first sync sequence.

    Notes
    -----
    Uniform spacing is ambiguous at every period; gaps are drawn uniformly between the protocol's bounds.
    Every cue has a flash near it, early enough that its beep and the contact's sound stay apart.
    """
    rng = np.random.default_rng([seed, 0x53594E43])
    prompts: list[Prompt] = []
    at_s = _calibration(prompts, protocol.calibration, protocol.lead_in_s, calibrate)
    at_s = _sync_sequence(prompts, protocol.sync, at_s, rng)
    closing: list[Prompt] = []
    closing_s = _sync_sequence(closing, protocol.sync, 0.0, rng)
    runs = list(protocol.exercises) * protocol.passes
    scale, spare_s = 1.0, 0.0
    if duration_s is not None:
        left_s = max(0.0, duration_s - at_s - closing_s)
        least_s = np.cumsum([SHORTEST_EXERCISE_S + _rest_s(e, protocol) for e in runs])
        runs = runs[: int(np.searchsorted(least_s, left_s, side="right"))]
        if runs:
            scale = (left_s - sum(_rest_s(e, protocol) for e in runs)) / sum(e.duration_s for e in runs)
        else:
            spare_s = left_s
    for exercise in runs:
        seconds = exercise.duration_s * scale
        repetitions = max(1, round(exercise.repetitions * scale)) if exercise.repetitions else 0
        prompts.append(
            Prompt(
                at_s=at_s,
                kind="exercise_start",
                label=exercise.name,
                text=exercise.text,
                repetitions=repetitions,
            )
        )
        prompts.append(Prompt(at_s=at_s + seconds, kind="exercise_stop", label=exercise.name))
        at_s += seconds + _rest_s(exercise, protocol)
    at_s += spare_s
    prompts.extend(replace(p, at_s=p.at_s + at_s) for p in closing)
    at_s += closing_s
    return Schedule(prompts=tuple(sorted(prompts, key=lambda p: p.at_s)), duration_s=at_s)


def _rest_s(exercise: Exercise, protocol: Protocol) -> float:
    return protocol.rest_s if exercise.rest_s is None else exercise.rest_s


def _calibration(prompts: list[Prompt], part: CalibrationPart, start_s: float, channels: Sequence[str]) -> float:
    """Append rest, contraction and rest of each channel from ``start_s`` on; return the end time."""
    at_s = start_s
    for channel in channels:
        for kind, seconds, text in (
            ("rest", part.rest_s, REST_TEXT),
            ("contract", part.contract_s, flex_text(channel, FULL_EFFORT)),
            ("rest", part.rest_s, REST_TEXT),
        ):
            prompts.append(Prompt(at_s=at_s, kind=f"{kind}_start", label=channel, text=text))
            prompts.append(Prompt(at_s=at_s + seconds, kind=f"{kind}_stop", label=channel))
            at_s += seconds + BETWEEN_S
    return at_s


def _sync_sequence(prompts: list[Prompt], sync: SyncSequence, start_s: float, rng: np.random.Generator) -> float:
    """Append one sync sequence that begins at ``start_s``; return its end time."""
    if sync.claps + sync.stomps == 0:
        return start_s
    prompts.append(Prompt(at_s=start_s, kind="sync_start", text="Sync sequence: follow the cues"))
    at_s = start_s + 0.8
    for i in range(sync.claps + sync.stomps):
        kind, text = ("clap_cue", "CLAP") if i < sync.claps else ("stomp_cue", "STOMP")
        prompts.append(Prompt(at_s=at_s, kind=kind, text=text))
        prompts.append(Prompt(at_s=at_s + rng.uniform(-0.15, 0.10), kind="flash"))
        at_s += rng.uniform(sync.shortest_gap_s, sync.longest_gap_s)
    stop_s = prompts[-2].at_s + SETTLE_S
    prompts.append(Prompt(at_s=stop_s, kind="sync_stop"))
    return stop_s + 0.3
