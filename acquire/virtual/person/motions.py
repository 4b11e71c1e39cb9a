"""Poses of the virtual person at every moment of a repetition of an exercise, and of a gesture."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from acquire.virtual.person.body import DOF, DOFS, STAND, mirrored, pose_vector
from acquire.virtual.person.motion import Motion, Track, course, sides_of
from acquire.virtual.person.repertoire import KICKS, STEPS, STRIKES, SWINGS
from acquire.virtual.person.stance import solve
from dataset.support.arrays import FloatArray
from dataset.support.errors import InputError

#: The exercises the virtual person knows, by stored name.
MOTIONS: Mapping[str, Motion] = {**STRIKES, **SWINGS, **KICKS, **STEPS}

# Poses of a repetition are found at this many phases and follow a spline between them.
_PHASES = 121

#: Gestures of the sync sequence: keys in seconds relative to the contact.
GESTURES: Mapping[str, Mapping[str, Track]] = {
    "clap": {
        "both_shoulder_elevation": ((-0.34, 0.0), (-0.10, 44.0), (0.06, 46.0), (0.45, 0.0)),
        "both_shoulder_plane": ((-0.34, 0.0), (-0.10, 35.0), (0.0, 55.0), (0.06, 54.0), (0.45, 0.0)),
        "both_shoulder_rotation": ((-0.34, 0.0), (-0.12, 22.0), (0.0, -33.0), (0.06, -31.0), (0.45, 0.0)),
        "both_elbow": ((-0.34, 0.0), (-0.12, 66.0), (0.06, 66.0), (0.45, 0.0)),
    },
    "stomp": {
        "both_foot_pitch": ((-0.36, 0.0), (-0.12, -32.0), (0.0, 0.0)),
        "both_knee": ((-0.02, 0.0), (0.09, 9.0), (0.40, 0.0)),
        "both_hip_flexion": ((-0.02, 0.0), (0.09, 6.0), (0.40, 0.0)),
    },
}


def known_motion(name: str) -> Motion:
    """Return the motion of an exercise, or raise InputError naming the known ones."""
    if name not in MOTIONS:
        raise InputError(
            f"the virtual person does not know the exercise {name!r}",
            f"it knows: {', '.join(sorted(MOTIONS))}",
            "choose among those, or record a real person",
        )
    return MOTIONS[name]


@cache
def base_offset(name: str) -> FloatArray:
    """Return how the exercise's base pose differs from standing, shape (len(DOFS),)."""
    return np.asarray(_base_pose(known_motion(name)) - pose_vector(STAND))


def repetition_offset(name: str, phase: FloatArray, *, mirror: NDArray[np.bool_], amplitude: FloatArray) -> FloatArray:
    """Return poses within repetitions, away from the base pose.

    Parameters
    ----------
    name : str
    phase : ndarray, shape (T,)
        Within the repetition, 0-1.
    mirror : ndarray of bool, shape (T,)
        Whether the repetition is the mirror image.
    amplitude : ndarray, shape (T,)
        Size of the repetition, 1 is the table's. Whole turns stay whole.

    Returns
    -------
    ndarray, shape (T, len(DOFS))
    """
    motion = known_motion(name)
    pose = np.asarray(_repetition(name)(phase)) * amplitude[:, None]
    if motion.turns:
        pose[:, DOF["turn"]] += 360.0 * motion.turns * course(motion.tracks["spin"], phase)
    return np.where(mirror[:, None], mirrored(pose), pose)


def strike_pushes(name: str, phase: FloatArray, *, mirror: NDArray[np.bool_]) -> dict[str, FloatArray]:
    """Return the forces of targets in newtons, shape (T, 3), by the joint they meet; empty where nothing is hit.

    Parameters
    ----------
    name : str
    phase : ndarray, shape (T,)
    mirror : ndarray of bool, shape (T,)
    """
    motion = known_motion(name)
    strike = motion.strike
    if strike is None:
        return {}
    near = np.clip((phase - strike.phase) * motion.period_s / strike.seconds, -0.5, 0.5)
    push = np.cos(np.pi * near)[:, None] ** 2 * np.array(strike.push_n)
    side, _, joint = strike.joint.partition("_")
    other = {"left": "right", "right": "left"}[side]
    return {
        strike.joint: np.where(mirror[:, None], 0.0, push),
        f"{other}_{joint}": np.where(mirror[:, None], push * (-1.0, 1.0, 1.0), 0.0),
    }


def gesture_offset(name: str, since_contact_s: FloatArray) -> FloatArray:
    """Return a gesture's poses away from standing, shape (T, len(DOFS)); zero before and after it."""
    pose = np.zeros((len(since_contact_s), len(DOFS)))
    for track_name, track in GESTURES[name].items():
        for one in sides_of(track_name):
            pose[:, DOF[one]] = course(track, since_contact_s, first=-0.6, last=0.8, stops=True)
    return pose


def gesture_span_s(name: str) -> tuple[float, float]:
    """Return when a gesture begins and ends, seconds relative to its contact."""
    times = [at for track in GESTURES[name].values() for at, _ in track]
    return min(times), max(times)


def _base_pose(motion: Motion) -> FloatArray:
    """Return the pose between repetitions, shape (len(DOFS),)."""
    return np.asarray(solve({name: np.array([value]) for name, value in _base(motion).items()}, motion.planted)[0])


def _base(motion: Motion) -> dict[str, float]:
    base: dict[str, float] = dict(STAND)
    for name, value in motion.base.items():
        for one in sides_of(name):
            base[one] = value
    return base


@cache
def _repetition(name: str) -> CubicSpline:
    """Return the course of a repetition's pose away from its base pose, by phase."""
    motion = known_motion(name)
    phase = np.linspace(0.0, 1.0, _PHASES)
    values = {name: np.full(_PHASES, value) for name, value in _base(motion).items()}
    for track_name, track in motion.tracks.items():
        for one in sides_of(track_name):
            values[one] = values.get(one, np.zeros(_PHASES)) + course(track, phase)
    poses = solve(values, motion.planted) - _base_pose(motion)
    poses[[0, -1]] = 0.0
    return CubicSpline(phase, poses, bc_type="clamped")
