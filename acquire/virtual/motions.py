"""What the virtual person does: exercises and gestures as tables of joint angles over time.

Every degree of freedom has its own keys and moves between them along a minimum-jerk curve (Flash & Hogan 1985),
which is smooth to the second derivative, so that forces computed from the motion are finite.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from acquire.virtual.body import DOF, DOFS, STAND, mirrored, pose_vector
from dataset.arrays import FloatArray
from dataset.errors import InputError

#: Keys of one degree of freedom: (phase or seconds, degrees or metres away from the motion's base pose).
Track = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """One exercise.

    Attributes
    ----------
    period_s : float
        Duration of one repetition at the person's mean pace.
    base : mapping
        The pose held between repetitions, as angles; what is not named is as in standing.
    tracks : mapping
        Keys by degree of freedom, phases in 0-1; every track begins and ends at 0. ``both_`` names both sides.
    alternates : bool
        Whether every second repetition is the mirror image.
    """

    period_s: float
    tracks: Mapping[str, Track]
    base: Mapping[str, float]
    alternates: bool = False


_GUARD = {
    "left_shoulder_elevation": 38.0, "left_shoulder_plane": 75.0, "left_shoulder_rotation": -14.0, "left_elbow": 118.0,
    "right_shoulder_elevation": 38.0, "right_shoulder_plane": 75.0, "right_shoulder_rotation": -14.0,
    "right_elbow": 118.0, "left_knee": 12.0, "right_knee": 12.0, "left_hip_flexion": 7.0, "right_hip_flexion": 7.0,
}  # fmt: skip

#: The exercises the virtual person knows, by stored name.
MOTIONS: Mapping[str, Motion] = {
    "squat": Motion(
        period_s=2.3,
        base={},
        tracks={
            "both_hip_flexion": ((0.47, 82.0), (0.53, 82.0)),
            "both_knee": ((0.47, 104.0), (0.53, 104.0)),
            "both_hip_abduction": ((0.47, 12.0), (0.53, 12.0)),
            "both_hip_rotation": ((0.47, 10.0), (0.53, 10.0)),
            "lean": ((0.45, 36.0), (0.53, 36.0)),
            "both_shoulder_elevation": ((0.42, 70.0), (0.55, 70.0)),
            "both_shoulder_plane": ((0.30, 55.0), (0.70, 55.0)),
        },
    ),
    "jumping_jack": Motion(
        period_s=1.15,
        base={},
        tracks={
            "both_hip_abduction": ((0.10, 0.0), (0.42, 21.0), (0.58, 21.0), (0.92, 0.0)),
            "both_knee": ((0.08, 24.0), (0.24, 4.0), (0.42, 22.0), (0.58, 22.0), (0.74, 4.0), (0.92, 22.0)),
            "both_hip_flexion": ((0.08, 14.0), (0.24, 2.0), (0.42, 12.0), (0.58, 12.0), (0.74, 2.0), (0.92, 13.0)),
            "lift": ((0.08, 0.0), (0.25, 0.09), (0.42, 0.0), (0.58, 0.0), (0.75, 0.08), (0.92, 0.0)),
            "both_shoulder_elevation": ((0.06, 0.0), (0.44, 148.0), (0.56, 148.0), (0.94, 0.0)),
            "both_shoulder_plane": ((0.12, -18.0), (0.88, -18.0)),
            "both_elbow": ((0.22, 22.0), (0.46, 8.0), (0.76, 20.0)),
            "both_foot_pitch": ((0.10, 0.0), (0.25, -22.0), (0.42, 0.0), (0.58, 0.0), (0.75, -22.0), (0.92, 0.0)),
        },
    ),
    "hook_punch": Motion(
        period_s=1.15,
        base=_GUARD,
        alternates=True,
        tracks={
            "left_shoulder_elevation": ((0.28, 30.0), (0.52, 50.0), (0.62, 46.0)),
            "left_shoulder_plane": ((0.28, -70.0), (0.52, 8.0), (0.62, 8.0)),
            "left_shoulder_rotation": ((0.28, 14.0), (0.52, -66.0), (0.62, -62.0)),
            "left_elbow": ((0.28, -34.0), (0.52, -42.0), (0.66, -20.0)),
            "twist": ((0.26, 16.0), (0.52, -34.0), (0.62, -32.0)),
            "turn": ((0.26, 5.0), (0.52, -14.0), (0.62, -13.0)),
            "left_knee": ((0.26, 4.0), (0.50, 14.0), (0.65, 8.0)),
            "left_hip_flexion": ((0.26, 2.0), (0.50, 9.0), (0.65, 5.0)),
            "left_foot_pitch": ((0.30, 0.0), (0.52, -20.0), (0.64, -18.0)),
            "right_elbow": ((0.50, 10.0),),
        },
    ),
    "front_kick": Motion(
        period_s=1.5,
        base=_GUARD,
        alternates=True,
        tracks={
            "left_hip_flexion": ((0.30, 68.0), (0.46, 78.0), (0.54, 74.0)),
            "left_knee": ((0.28, 88.0), (0.46, 0.0), (0.52, 2.0), (0.68, 76.0)),
            "left_foot_pitch": ((0.18, -30.0), (0.46, 25.0), (0.55, 20.0), (0.80, -18.0)),
            "left_hip_abduction": ((0.40, -3.0), (0.60, -3.0)),
            "right_knee": ((0.35, 10.0), (0.60, 8.0)),
            "right_hip_flexion": ((0.35, 6.0), (0.60, 5.0)),
            "lean": ((0.46, -15.0), (0.56, -12.0)),
            "twist": ((0.46, 12.0), (0.56, 10.0)),
            "bend": ((0.30, -5.0), (0.60, -5.0)),
            "left_shoulder_elevation": ((0.46, -14.0), (0.58, -12.0)),
            "right_elbow": ((0.46, 8.0),),
        },
    ),
}

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
    """Return the motion of an exercise, or raise InputError naming those there are."""
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
    return pose_vector({**STAND, **known_motion(name).base}) - pose_vector(STAND)


def repetition_offset(name: str, phase: FloatArray, *, mirror: FloatArray, amplitude: FloatArray) -> FloatArray:
    """Return poses within repetitions, away from the base pose.

    Parameters
    ----------
    name : str
    phase : ndarray, shape (T,)
        Within the repetition, 0-1.
    mirror : ndarray of bool, shape (T,)
        Whether the repetition is the mirror image.
    amplitude : ndarray, shape (T,)
        Size of the repetition, 1 is the table's.

    Returns
    -------
    ndarray, shape (T, len(DOFS))
    """
    motion = known_motion(name)
    pose = _pose(motion.tracks, phase, first=0.0, last=1.0) * amplitude[:, None]
    return np.where(mirror[:, None], mirrored(pose), pose)


def gesture_offset(name: str, since_contact_s: FloatArray) -> FloatArray:
    """Return a gesture's poses away from standing, shape (T, len(DOFS)); zero before and after it."""
    return _pose(GESTURES[name], since_contact_s, first=-0.6, last=0.8)


def gesture_span_s(name: str) -> tuple[float, float]:
    """Return when a gesture begins and ends, seconds relative to its contact."""
    times = [at for track in GESTURES[name].values() for at, _ in track]
    return min(times), max(times)


def minimum_jerk(u: FloatArray) -> FloatArray:
    """Return the minimum-jerk course from 0 to 1, constant outside."""
    x = np.clip(u, 0.0, 1.0)
    return np.asarray(x * x * x * (10.0 + x * (6.0 * x - 15.0)), dtype=np.float64)


def _pose(tracks: Mapping[str, Track], at: FloatArray, *, first: float, last: float) -> FloatArray:
    pose = np.zeros((len(at), len(DOFS)))
    for name, track in tracks.items():
        value = _interpolate(((first, 0.0), *track, (last, 0.0)), at)
        if name.startswith("both_"):
            for side in ("left_", "right_"):
                pose[:, DOF[side + name.removeprefix("both_")]] = value
        else:
            pose[:, DOF[name]] = value
    return pose


def _interpolate(keys: Track, at: FloatArray) -> FloatArray:
    times = np.array([key[0] for key in keys])
    values = np.array([key[1] for key in keys])
    i = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 2)
    course = minimum_jerk((at - times[i]) / np.maximum(times[i + 1] - times[i], 1e-9))
    return np.asarray(values[i] + (values[i + 1] - values[i]) * course, dtype=np.float64)
