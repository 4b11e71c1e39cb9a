"""A motion: keys of joint angles, feet and pelvis over one repetition, and the targets it hits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dataset.support.arrays import FloatArray

#: Keys of one degree of freedom: (phase or seconds, degrees or metres away from the motion's base pose).
Track = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A target that a repetition hits, and how it pushes back.

    Attributes
    ----------
    joint : str
        The joint that hits: ``left_wrist``, ``left_elbow``, ``left_knee``, ... of the repetition that is not mirrored.
    phase : float
        When the push is greatest, 0-1.
    push_n : tuple of float
        The greatest push on the body in newtons: to the person's left, up, and where the person faces.
    seconds : float
        Duration of the push.
    """

    joint: str
    phase: float
    push_n: tuple[float, float, float]
    seconds: float = 0.22


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """One exercise.

    Attributes
    ----------
    period_s : float
        Duration of one repetition at mean pace.
    base : mapping
        The pose held between repetitions: angles, where what is not named is as in standing, and places of feet and
        pelvis as in ``tracks``.
    tracks : mapping
        Keys by degree of freedom, phases in 0-1; every track begins and ends at 0. ``both_`` names both sides. Beside
        the degrees of freedom of the body: ``pelvis_x``, ``_y``, ``_z`` and ``left_foot_x``, ``_y``, ``_z`` in metres
        of a person of 1.75 m away from standing, ``left_foot_yaw`` in degrees, toes outward.
    planted : tuple of str
        Sides whose leg follows its foot and the pelvis; a leg that is not named follows its angles.
    alternates : bool
        Whether every second repetition is the mirror image.
    turns : int
        Whole turns to the left in a repetition; the track ``spin`` tells how far and ends at 1.
    strike : Strike, optional
        The target; None where it strikes the air.
    """

    period_s: float
    tracks: Mapping[str, Track]
    base: Mapping[str, float]
    planted: tuple[str, ...] = ()
    alternates: bool = False
    turns: int = 0
    strike: Strike | None = None


def minimum_jerk(u: FloatArray) -> FloatArray:
    """Return the minimum-jerk course from 0 to 1, constant outside."""
    x = np.clip(u, 0.0, 1.0)
    return np.asarray(x * x * x * (10.0 + x * (6.0 * x - 15.0)), dtype=np.float64)


def course(track: Track, at: FloatArray, *, first: float = 0.0, last: float = 1.0, stops: bool = False) -> FloatArray:
    """Return a track's values at ``at``, shape (T,); 0 at ``first`` and ``last`` and outside.

    Parameters
    ----------
    track : Track
    at : ndarray, shape (T,)
        Phases or seconds.
    first, last : float
        Where the track begins and ends at 0.
    stops : bool
        Whether the motion stops at every key. Else it passes through a key that lies between its neighbours.

    Notes
    -----
    Between keys it is the polynomial of fifth degree with no acceleration at the keys: where the motion stops at both,
    the minimum-jerk curve (Flash & Hogan 1985). It is smooth to the second derivative, so that forces computed from it
    are finite.
    """
    keys = ((first, 0.0), *track, (last, 0.0))
    times = np.array([key[0] for key in keys])
    values = np.array([key[1] for key in keys])
    spans = np.maximum(np.diff(times), 1e-9)
    slopes = np.diff(values) / spans
    speeds = np.zeros(len(keys))
    if not stops:
        before, after = slopes[:-1], slopes[1:]
        with np.errstate(divide="ignore", invalid="ignore"):
            speeds[1:-1] = np.where(before * after > 0.0, 2.0 * before * after / (before + after), 0.0)
    i = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 2)
    u = np.clip((at - times[i]) / spans[i], 0.0, 1.0)
    from_here = u * (1.0 - u) ** 3 * (1.0 + 3.0 * u)
    to_there = -((1.0 - u) * u**3 * (4.0 - 3.0 * u))
    moved = values[i] + (values[i + 1] - values[i]) * minimum_jerk(u)
    return np.asarray(moved + spans[i] * (speeds[i] * from_here + speeds[i + 1] * to_there), dtype=np.float64)


def sides_of(name: str) -> tuple[str, ...]:
    """Return the names that a track's name stands for: ``both_knee`` is both knees."""
    if name.startswith("both_"):
        rest = name.removeprefix("both_")
        return f"left_{rest}", f"right_{rest}"
    return (name,)
