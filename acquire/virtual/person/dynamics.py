"""Torques about the joints from gravity, inertia, the floor and struck targets, by inverse dynamics.

Free fall costs nothing, and what is braked or
lifted does. The floor carries the body through the foot that is under it: an unloaded leg bends for free.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from acquire.virtual.person.body import SIDES, Body, Posture
from dataset.support.arrays import FloatArray

GRAVITY = np.array([0.0, -9.81, 0.0])

#: Joints whose torques are computed; positive torque flexes.
JOINTS = ("elbow", "shoulder", "knee", "hip")

# Segment masses as fractions of the body's, and where along it a segment's centre lies (Winter 2009, table 4.1).
_FOREARM, _UPPER_ARM, _THIGH, _SHANK, _FOOT, _TRUNK, _HEAD = 0.022, 0.028, 0.100, 0.0465, 0.0145, 0.497, 0.081

# Below this upward acceleration of the body the floor decides nothing about balance (m/s^2).
_LEAST_LIFT = 3.0
# Below this share of the weight a foot still touches the floor; feet closer together than this share it evenly.
_TOUCH, _NARROW_M = 0.02, 0.06

#: Joints that a push at a joint passes on its way to the trunk, where it is not the joint itself.
PASSED = {"wrist": ("elbow", "shoulder"), "elbow": ("shoulder",), "ankle": ("knee", "hip"), "knee": ("hip",)}

#: Newtons on a joint by its name, shape (T, 3).
Pushes = Mapping[str, FloatArray]


def joint_torques(body: Body, posture: Posture, dt_s: float, pushes: Pushes | None = None) -> dict[str, FloatArray]:
    """Return the muscles' torque about each joint.

    Parameters
    ----------
    body : Body
    posture : Posture
        At T equally spaced times.
    dt_s : float
        Their spacing in seconds.
    pushes : mapping of ndarray, shape (T, 3), optional
        Forces of targets in newtons, by the joint they meet, such as ``left_wrist``.

    Returns
    -------
    dict of ndarray, shape (T - 2,)
        ``left_elbow``, ..., in newton metres at the inner times; positive flexes.

    Notes
    -----
    Segments are point masses at their centres. The floor meets the weight, with the body's vertical acceleration, at
    the zero-moment point (Vukobratovic & Borovac 2004): of two feet on the floor, the nearer to it carries more. Its
    push points from the foot to the centre of mass, as it nearly does in people (Maus et al. 2010), and a flat foot
    presses below the centre of mass as far as it reaches. The feet bear the reaction of a target.
    """
    centres = _segment_centres(posture)
    total = sum(mass for mass, _ in centres.values())
    com = sum((mass / total) * position for mass, position in centres.values())
    com = np.asarray(com)
    acceleration = _acceleration(com, dt_s)
    # The floor does not pull, and knees give way before it pushes too hard.
    lift_n = body.mass_kg * np.clip(acceleration[:, 1] - GRAVITY[1], 0.0, 2.2 * -GRAVITY[1])
    com = com[1:-1]
    load = {
        name: (body.mass_kg * mass * (_acceleration(position, dt_s) - GRAVITY), position[1:-1])
        for name, (mass, position) in centres.items()
    }
    pushed = {name: push[1:-1] for name, push in (pushes or {}).items()}
    held = np.sum([*pushed.values(), np.zeros_like(com)], axis=0)
    pressures = {side: _pressure(posture, side, com) for side in SIDES}
    shares = _shares(posture, pressures, com, acceleration)
    torques: dict[str, FloatArray] = {}
    for side in SIDES:
        pressure, share = pressures[side], shares[side]
        towards = com - pressure
        floor = towards / np.maximum(towards[:, 1:2], 0.2) * (lift_n * share)[:, None] - held * share[:, None]
        distal = {
            "elbow": ("forearm",),
            "shoulder": ("forearm", "upper_arm"),
            "knee": ("shank", "foot"),
            "hip": ("shank", "foot", "thigh"),
        }
        for joint in JOINTS:
            pivot = posture.at(f"{side}_{joint}")[1:-1]
            moment = np.zeros_like(pivot)
            for segment in distal[joint]:
                force, position = load[f"{side}_{segment}"]
                moment += np.cross(position - pivot, force)
            for part, passed in PASSED.items():
                if joint in passed and f"{side}_{part}" in pushed:
                    moment -= np.cross(posture.at(f"{side}_{part}")[1:-1] - pivot, pushed[f"{side}_{part}"])
            if joint in ("knee", "hip"):
                moment -= np.cross(pressure - pivot, floor)
            torques[f"{side}_{joint}"] = np.einsum("ti,ti->t", moment, _flexion_axis(posture, side, joint)[1:-1])
    return torques


def _acceleration(position: FloatArray, dt_s: float) -> FloatArray:
    return np.asarray((position[2:] - 2.0 * position[1:-1] + position[:-2]) / dt_s**2, dtype=np.float64)


def _flexion_axis(posture: Posture, side: str, joint: str) -> FloatArray:
    """Return the axis about which positive rotation flexes, shape (T, 3): a unit vector, or shorter at the shoulder."""
    distal = {"elbow": "elbow", "shoulder": "elbow", "knee": "knee", "hip": "knee"}[joint]
    proximal = {"elbow": "shoulder", "shoulder": "shoulder", "knee": "hip", "hip": "hip"}[joint]
    along = posture.at(f"{side}_{distal}") - posture.at(f"{side}_{proximal}")
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    axis = np.cross(along, posture.bends_towards[f"{side}_{joint}"])
    least = 1.0 if joint == "shoulder" else 1e-6
    return np.asarray(axis / np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), least), dtype=np.float64)


def _pressure(posture: Posture, side: str, com: FloatArray) -> FloatArray:
    """Return where a foot presses on the floor at the inner times, shape (T - 2, 3)."""
    heel = posture.at(f"{side}_heel")[1:-1]
    along = posture.at(f"{side}_big_toe")[1:-1] - heel
    toes = posture.on_toes[side][1:-1]
    flat = 4.0 * toes * (1.0 - toes)
    below = np.einsum("ti,ti->t", (com - heel)[:, (0, 2)], along[:, (0, 2)])
    below /= np.maximum(np.einsum("ti,ti->t", along[:, (0, 2)], along[:, (0, 2)]), 1e-6)
    share = flat * np.clip(below, 0.1, 0.9) + (1.0 - flat) * toes
    return np.asarray(heel + share[:, None] * along, dtype=np.float64)


def _shares(
    posture: Posture, pressures: Mapping[str, FloatArray], com: FloatArray, acceleration: FloatArray
) -> dict[str, FloatArray]:
    """Return each foot's share of the weight at the inner times, shape (T - 2,)."""
    lever = com[:, 1] / np.maximum(acceleration[:, 1] - GRAVITY[1], _LEAST_LIFT)
    wanted = (com - lever[:, None] * acceleration)[:, (0, 2)]
    right = pressures["right"][:, (0, 2)]
    across = pressures["left"][:, (0, 2)] - right
    squared = np.einsum("ti,ti->t", across, across)
    towards_left = np.einsum("ti,ti->t", wanted - right, across)
    left = np.clip((towards_left + 0.5 * _NARROW_M**2) / (squared + _NARROW_M**2), 0.0, 1.0)
    carried = {
        side: posture.support[side][1:-1] * (share + _TOUCH) for side, share in (("left", left), ("right", 1.0 - left))
    }
    total = carried["left"] + carried["right"]
    return {side: weight / total for side, weight in carried.items()}


def _segment_centres(posture: Posture) -> dict[str, tuple[float, FloatArray]]:
    """Return each segment's share of the mass and its centre, shape (T, 3)."""

    def between(a: str, b: str, share: float) -> FloatArray:
        return np.asarray(posture.at(a) * (1.0 - share) + posture.at(b) * share, dtype=np.float64)

    centres = {
        "trunk": (_TRUNK, between("mid_hip", "neck", 0.50)),
        "head": (_HEAD, between("left_ear", "right_ear", 0.5)),
    }
    for side in SIDES:
        centres[f"{side}_upper_arm"] = (_UPPER_ARM, between(f"{side}_shoulder", f"{side}_elbow", 0.436))
        centres[f"{side}_forearm"] = (_FOREARM, between(f"{side}_elbow", f"{side}_wrist", 0.682))
        centres[f"{side}_thigh"] = (_THIGH, between(f"{side}_hip", f"{side}_knee", 0.433))
        centres[f"{side}_shank"] = (_SHANK, between(f"{side}_knee", f"{side}_ankle", 0.433))
        centres[f"{side}_foot"] = (_FOOT, between(f"{side}_heel", f"{side}_big_toe", 0.5))
    return centres
