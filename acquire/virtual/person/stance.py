"""Inverse kinematics of the legs: from positions of feet and pelvis to joint angles."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from acquire.virtual.person.body import DOF, Body, pose_vector, posture, standing_pelvis
from acquire.virtual.person.body import STAND as STANDING
from dataset.support.arrays import FloatArray

#: The body for which places in metres are meant; those of other people grow with their height.
MODEL = Body(height_m=1.75)

# Segment lengths as in the posture, and the sole's ends seen from the ankle.
_THIGH, _SHANK = 0.245 * MODEL.height_m, 0.246 * MODEL.height_m
_HIP = 0.056 * MODEL.height_m
_HEEL = np.array([0.0, -0.039, -0.030]) * MODEL.height_m
_BALL = np.array([0.0, -0.039, 0.094]) * MODEL.height_m
# No leg is stretched further than this share of its length; near it the pelvis is drawn down.
_REACH = 0.9985 * (_THIGH + _SHANK)
_SOFT_M = 0.008

Values = Mapping[str, FloatArray]


def solve(values: Values, planted: tuple[str, ...]) -> FloatArray:
    """Return poses in which the planted feet stand at the given positions.

    Parameters
    ----------
    values : mapping of ndarray, shape (T,)
        Absolute angles by degree of freedom, and away from standing: ``pelvis_x``, ``_y``, ``_z``,
        ``left_foot_x``, ``_y``, ``_z`` in metres, ``left_foot_yaw`` in degrees.
    planted : tuple of str
        Sides whose hip and knee angles are found; the others keep theirs.

    Returns
    -------
    ndarray, shape (T, len(DOFS))
    """
    n = len(next(iter(values.values())))
    zero = np.zeros(n)
    pose = np.zeros((n, len(DOF)))
    for name, i in DOF.items():
        pose[:, i] = values.get(name, zero)
    if not planted:
        return pose
    pelvis = standing_pelvis(MODEL) + np.stack([values.get(f"pelvis_{axis}", zero) for axis in "xyz"], axis=1)
    turn = np.radians(pose[:, DOF["turn"]])
    ankles = {side: _ankle(values, pose, side, zero) for side in planted}
    hips = {side: _turned(np.array([_sign(side) * _HIP, 0.0, 0.0]), turn) for side in planted}
    # Down until every planted leg reaches its foot: a smooth least over the legs.
    room = []
    for side in planted:
        away = ankles[side] - hips[side] - pelvis
        highest = np.sqrt(np.maximum(_REACH**2 - away[:, 0] ** 2 - away[:, 2] ** 2, 0.01)) + away[:, 1]
        room.append(np.exp(-highest / _SOFT_M))
    room.append(np.ones(n))
    pelvis[:, 1] += -_SOFT_M * np.log(np.sum(room, axis=0))
    for side in planted:
        away = _turned(ankles[side] - hips[side] - pelvis, -turn)
        away[:, 0] *= _sign(side)
        rotation = (
            values.get(f"{side}_foot_yaw", zero) + STANDING[f"{side}_hip_rotation"] - _sign(side) * np.degrees(turn)
        )
        flexion, abduction, knee = _leg(away, np.radians(rotation))
        pose[:, DOF[f"{side}_hip_flexion"]] = flexion
        pose[:, DOF[f"{side}_hip_abduction"]] = abduction
        pose[:, DOF[f"{side}_knee"]] = knee
        pose[:, DOF[f"{side}_hip_rotation"]] = rotation
    # The posture puts what carries weight where it stands in standing; the rest of the way is a shift.
    columns = [DOF["shift_x"], DOF["lift"], DOF["shift_z"]]
    pose[:, columns] = 0.0
    pose[:, columns] = pelvis - posture(MODEL, pose).at("mid_hip")
    return pose


def _sign(side: str) -> float:
    return 1.0 if side == "left" else -1.0


def _turned(vectors: FloatArray, angle: FloatArray) -> FloatArray:
    """Return vectors, shape (3,) or (T, 3), turned about the vertical, shape (T, 3)."""
    x, y, z = np.moveaxis(np.broadcast_to(vectors, (len(angle), 3)), 1, 0)
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack([cosine * x + sine * z, y, cosine * z - sine * x], axis=1)


def _ankle(values: Values, pose: FloatArray, side: str, zero: FloatArray) -> FloatArray:
    """Return where the ankle is, shape (T, 3): with its heel raised a foot stands on its ball, else on its heel."""
    stand = posture(MODEL, pose_vector(STANDING)[None]).at(f"{side}_ankle")[0]
    yaw = np.radians(values.get(f"{side}_foot_yaw", zero) + STANDING[f"{side}_hip_rotation"]) * _sign(side)
    pitch = np.radians(pose[:, DOF[f"{side}_foot_pitch"]])
    ankle = np.stack([values.get(f"{side}_foot_{axis}", zero) for axis in "xyz"], axis=1) + stand
    ankle[:, 1] += 0.039 * MODEL.height_m - stand[1]
    for point, on_it in ((_BALL, pitch < 0.0), (_HEEL, pitch >= 0.0)):
        cosine, sine = np.cos(pitch), np.sin(pitch)
        raised = np.stack([zero, cosine * point[1] + sine * point[2], cosine * point[2] - sine * point[1]], axis=1)
        ankle += _turned((point - raised) * on_it[:, None], yaw)
    return np.asarray(ankle)


def _leg(away: FloatArray, rotation: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return hip flexion, hip abduction and knee, in degrees, of a left leg whose ankle is ``away`` from its hip."""
    distance = np.clip(np.linalg.norm(away, axis=1), 0.35 * _REACH, 0.99995 * (_THIGH + _SHANK))
    knee = np.arccos(np.clip((distance**2 - _THIGH**2 - _SHANK**2) / (2.0 * _THIGH * _SHANK), -1.0, 1.0))
    back = _SHANK * np.sin(knee)
    x, y, z = -back * np.sin(rotation), -_THIGH - _SHANK * np.cos(knee), -back * np.cos(rotation)
    across = np.hypot(x, y)
    abduction = np.arcsin(np.clip(away[:, 0] / across, -0.99, 0.99)) - np.arctan2(x, -y)
    down = np.cos(abduction) * -y - np.sin(abduction) * x
    flexion = np.arctan2(away[:, 2], -away[:, 1]) - np.arctan2(z, down)
    return np.degrees(flexion), np.degrees(abduction), np.degrees(knee)
