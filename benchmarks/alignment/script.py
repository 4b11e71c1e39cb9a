"""Events of a session (flashes, cues, contacts, exercise) in seconds since its start."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from benchmarks.alignment.strata import Stratum
from dataset.support.arrays import BoolArray, FloatArray

KINDS = ("clap", "stomp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """True events of one session.

    Attributes
    ----------
    length_s : float
    source : str
    log_s, log_uncertainty_s : ndarray, shape (N,)
        Flashes as logged by the host.
    light_s, light_length_s : ndarray, shape (N,)
        Onset and duration of the light.
    visible : ndarray of bool, shape (N,)
    stray_s, stray_length_s : ndarray, shape (M,)
        Light pulses that are not flashes.
    beeps : bool
        Whether a buzzer sounds with each flash.
    cue_s : dict of ndarray
        Per kind, the times of cues; empty arrays without cues.
    contact_s : dict of ndarray
        Per kind, the times of contacts.
    exercise_s : (float, float)
        Start and end of the exercise.
    """

    length_s: float
    source: str
    log_s: FloatArray
    log_uncertainty_s: FloatArray
    light_s: FloatArray
    light_length_s: FloatArray
    visible: BoolArray
    stray_s: FloatArray
    stray_length_s: FloatArray
    beeps: bool
    cue_s: dict[str, FloatArray]
    contact_s: dict[str, FloatArray]
    exercise_s: tuple[float, float]


def write_script(stratum: Stratum, rng: Generator) -> Script:
    """Draw the events of one session of ``stratum``."""
    blocks, length_s, exercise_s = _timetable(stratum, rng)
    asked = blocks["flash"]
    source = str(rng.choice(stratum.sources))
    light_s, uncertainty_s = _light(asked, source, rng)
    missing = rng.uniform(*stratum.missing)
    visible = ~_lose(len(asked), missing, stratum.flashes == "uniform", rng)
    n_stray = rng.binomial(max(4, len(asked)), rng.uniform(*stratum.false)) if stratum.flashes != "none" else 0
    cue_s, contact_s = {}, {}
    for kind in KINDS:
        cue_s[kind], contact_s[kind] = _contacts(blocks[kind], stratum, length_s, rng)
        if kind not in stratum.kinds:
            cue_s[kind], contact_s[kind] = np.zeros(0), np.zeros(0)
    if rng.random() < stratum.uncued and stratum.contacts == "irregular":
        cue_s = {kind: np.zeros(0) for kind in KINDS}
    return Script(
        length_s=length_s,
        source=source,
        log_s=asked if stratum.logged else np.zeros(0),
        log_uncertainty_s=uncertainty_s if stratum.logged else np.zeros(0),
        light_s=light_s,
        light_length_s=rng.uniform(0.06, 0.15) + np.zeros(len(light_s)),
        visible=visible,
        stray_s=np.sort(rng.uniform(1.0, length_s - 1.0, n_stray)),
        stray_length_s=rng.uniform(0.05, 0.25, n_stray),
        beeps=source == "led box" and bool(rng.random() < stratum.buzzer),
        cue_s=cue_s,
        contact_s=contact_s,
        exercise_s=exercise_s,
    )


def _timetable(stratum: Stratum, rng: Generator) -> tuple[dict[str, FloatArray], float, tuple[float, float]]:
    """Return the times of the cues, the session's length and the span between the two sequences."""
    if "uniform" in (stratum.flashes, stratum.contacts):
        return _uniform_timetable(rng)
    ends: list[tuple[dict[str, FloatArray], float]] = []
    for _ in range(stratum.ends):
        at = rng.uniform(2.5, 7.0)
        block: dict[str, FloatArray] = {}
        for kind, train, (low, high) in (
            ("flash", stratum.flashes, stratum.flashes_per_end),
            ("clap", stratum.contacts, stratum.contacts_per_end),
            ("stomp", stratum.contacts, stratum.contacts_per_end),
        ):
            n = int(rng.integers(low, high + 1)) if train != "none" else 0
            block[kind] = at + np.cumsum(rng.uniform(1.5, 4.5, n))
            at = float(block[kind][-1]) if n else at
        ends.append((block, at + rng.uniform(2.0, 5.0)))
    needed = sum(stop for _, stop in ends)
    length_s = _length(rng, needed)
    times = {kind: ends[0][0][kind] for kind in ("flash", *KINDS)}
    stop = length_s
    if stratum.ends == 2:
        stop = length_s - ends[1][1]
        times = {kind: np.concatenate([times[kind], stop + ends[1][0][kind]]) for kind in times}
    return times, length_s, (ends[0][1], stop + 1.5)


def _length(rng: Generator, needed: float) -> float:
    u = rng.random()
    if u < 0.01:
        return 1800.0
    if u < 0.1:
        return float(max(needed + 20, rng.uniform(200, 600)))
    return float(max(60.0, needed + rng.uniform(5, 80)))


def _uniform_timetable(rng: Generator) -> tuple[dict[str, FloatArray], float, tuple[float, float]]:
    """Return sequences for flashes and contacts, from one metronome for both or for only one of them."""
    period_s = float(rng.uniform(1.5, 4.0))
    n = int(rng.integers(12, 31))
    length_s = period_s * n + 12.0
    grid = (6.0 + period_s * np.arange(n)).astype(np.float64)
    claps = grid[1::2] if rng.random() < 0.5 else np.zeros(0)
    stomps = grid[::2] + period_s / 2 if len(claps) and rng.random() < 0.5 else np.zeros(0)
    times: dict[str, FloatArray] = {"flash": grid, "clap": claps, "stomp": stomps}
    return times, length_s, (length_s, length_s)


def _light(asked: FloatArray, source: str, rng: Generator) -> tuple[FloatArray, FloatArray]:
    """Return the true onset of the light and the uncertainty that the source states."""
    n = len(asked)
    if source == "led box":
        u = rng.uniform(0.0005, 0.003)
        late = rng.uniform(-u / 2, u / 2) + rng.uniform(-u / 2, u / 2, n)
        return asked + late, np.full(n, u)
    if source == "screen":
        return asked + rng.uniform(0.010, 0.032) + rng.uniform(0.0, 0.008, n), np.full(n, 0.02)
    return asked + rng.uniform(0.005, 0.045) + rng.uniform(0.0, 0.015, n), np.full(n, 0.03)


def _lose(n: int, share: float, first_too: bool, rng: Generator) -> BoolArray:
    """Choose which of ``n`` events are lost: at most a given share, and sometimes the first ones in a row."""
    lost = np.zeros(n, dtype=bool)
    k = int(share * n + rng.random())
    k = min(k, int(0.3 * n))
    if first_too:
        lead = int(rng.integers(0, k + 1))
        lost[:lead] = True
        k -= lead
    lost[rng.permutation(np.flatnonzero(~lost))[:k]] = True
    return lost


def _contacts(asked: FloatArray, stratum: Stratum, length_s: float, rng: Generator) -> tuple[FloatArray, FloatArray]:
    """Return cues and contacts: the person reacts with a delay, misses some cues, and claps twice or without a cue."""
    n = len(asked)
    if stratum.contacts == "uniform":
        # Clapping to a metronome: hardly any irregularity remains.
        done = asked + rng.uniform(-0.03, 0.03) + rng.normal(0, 0.004, n)
    else:
        done = asked + np.clip(rng.uniform(0.25, 0.6) + rng.normal(0, rng.uniform(0.05, 0.15), n), 0.1, 0.9)
    # A missing clap breaks a metronome's pattern in both sound and sensors, which would rightly align them.
    share = 0.0 if stratum.contacts == "uniform" else rng.uniform(*stratum.missing)
    kept = done[~_lose(n, share, False, rng)]
    n_false = int(rng.binomial(n, rng.uniform(*stratum.false))) if stratum.contacts == "irregular" else 0
    twice = rng.permutation(kept)[: n_false // 2] + rng.uniform(0.35, 0.7, min(len(kept), n_false // 2))
    unasked = rng.uniform(2.0, length_s - 2.0, n_false - len(twice))
    contacts = np.sort(np.concatenate([kept, twice, unasked]))
    # Contacts are at least a quarter of a second apart.
    keep = np.concatenate([[True], np.diff(contacts) > 0.3]) if len(contacts) else np.zeros(0, dtype=bool)
    return asked, contacts[keep]
