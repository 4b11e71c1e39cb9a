"""How hard each muscle works: joint torques from gravity and inertia, shared out to the paper's eight muscles.

Torques come from the motion by inverse dynamics, so that what falls freely costs nothing and what is braked or
lifted does. Lowering a load costs less than lifting it, and a working muscle is opposed by its antagonist.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from acquire.virtual.body import DOF, SIDES, Body, Posture
from dataset.arrays import FloatArray
from dataset.muscles import PAPER_CHANNELS

GRAVITY = np.array([0.0, -9.81, 0.0])

#: Joints whose torques are computed; positive torque flexes.
JOINTS = ("elbow", "shoulder", "knee", "hip")

# Segment masses as fractions of the body's, and where along it a segment's centre lies (Winter 2009, table 4.1).
_FOREARM, _UPPER_ARM, _THIGH, _SHANK, _FOOT, _TRUNK, _HEAD = 0.022, 0.028, 0.100, 0.0465, 0.0145, 0.497, 0.081


@dataclass(frozen=True, slots=True, kw_only=True)
class Muscles:
    """One person's muscles.

    Attributes
    ----------
    cocontraction : tuple of float
        Share of a muscle's effort that its antagonist adds, for arms and legs, 0.2-0.4.
    activation_s : tuple of float
        First-order time constant of each of the eight channels.
    lead_s : float
        How far the muscle's electrical activity leads the torque it makes.
    strength : tuple of float
        Relative strength of each channel; the weak work harder.
    fatigue : float
        By how much the signal has grown after long full effort, as a share.
    """

    cocontraction: tuple[float, float]
    activation_s: tuple[float, ...]
    lead_s: float
    strength: tuple[float, ...]
    fatigue: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Muscles:
        """Draw a person's muscles."""
        n = len(PAPER_CHANNELS)
        arms, legs = rng.uniform(0.20, 0.40, 2)
        return cls(
            cocontraction=(float(arms), float(legs)),
            activation_s=tuple(float(x) for x in rng.uniform(0.040, 0.080, n)),
            lead_s=float(rng.uniform(0.030, 0.060)),
            strength=tuple(float(x) for x in np.exp(rng.normal(0.0, 0.15, n))),
            fatigue=float(rng.uniform(0.15, 0.45)),
        )


def joint_torques(body: Body, posture: Posture, dt_s: float) -> dict[str, FloatArray]:
    """Return the muscles' torque about each joint.

    Parameters
    ----------
    body : Body
    posture : Posture
        At T equally spaced times.
    dt_s : float
        Their spacing in seconds.

    Returns
    -------
    dict of ndarray, shape (T - 2,)
        ``left_elbow``, ..., in newton metres at the inner times; positive flexes.

    Notes
    -----
    Segments are point masses at their centres. The floor meets the weight, with the body's vertical acceleration, in
    proportion to each foot's share of the support; its push points from the foot to the centre of mass, as it nearly
    does in people (Maus et al. 2010), and a flat foot presses below the centre of mass as far as it reaches.
    """
    centres = _segment_centres(posture)
    total = sum(mass for mass, _ in centres.values())
    com = sum((mass / total) * position for mass, position in centres.values())
    com = np.asarray(com)
    # The floor does not pull, and knees give way before it pushes too hard.
    lift_n = body.mass_kg * np.clip(_acceleration(com, dt_s)[:, 1] - GRAVITY[1], 0.0, 2.2 * -GRAVITY[1])
    com = com[1:-1]
    load = {
        name: (body.mass_kg * mass * (_acceleration(position, dt_s) - GRAVITY), position[1:-1])
        for name, (mass, position) in centres.items()
    }
    torques: dict[str, FloatArray] = {}
    for side in SIDES:
        pressure = _pressure(posture, side, com)
        towards = com - pressure
        floor = towards / np.maximum(towards[:, 1:2], 0.2) * (lift_n * posture.support[side][1:-1])[:, None]
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
            if joint in ("knee", "hip"):
                moment -= np.cross(pressure - pivot, floor)
            torques[f"{side}_{joint}"] = np.einsum("ti,ti->t", moment, _flexion_axis(posture, side, joint)[1:-1])
    return torques


def efforts(muscles: Muscles, torques: dict[str, FloatArray], pose: FloatArray, dt_s: float) -> FloatArray:
    """Share torques out to the eight channels.

    Parameters
    ----------
    muscles : Muscles
    torques : dict of ndarray, shape (T - 2,)
        Of :func:`joint_torques`.
    pose : ndarray, shape (T, len(DOFS))
        The poses they come from; the joints' velocity tells lifting from lowering.
    dt_s : float
        Spacing in seconds.

    Returns
    -------
    ndarray, shape (8, T - 2)
        Effort of each of ``PAPER_CHANNELS``: 0 at rest, about 1 at the most a person does unloaded.
    """
    by_name: dict[str, FloatArray] = {}
    arms, legs = muscles.cocontraction
    for side in SIDES:
        elbow_f, elbow_e = _flex_extend(torques[f"{side}_elbow"], _speed(pose, f"{side}_elbow", dt_s), 16.0)
        shoulder_f, shoulder_e = _flex_extend(
            torques[f"{side}_shoulder"], _speed(pose, f"{side}_shoulder_elevation", dt_s), 55.0
        )
        knee_f, knee_e = _flex_extend(torques[f"{side}_knee"], _speed(pose, f"{side}_knee", dt_s), 120.0)
        hip_f, hip_e = _flex_extend(torques[f"{side}_hip"], _speed(pose, f"{side}_hip_flexion", dt_s), 230.0)
        biceps, triceps = elbow_f + 0.30 * shoulder_f, elbow_e + 0.30 * shoulder_e
        quadriceps, hamstrings = knee_e + 0.35 * hip_f, 1.4 * knee_f + 0.55 * hip_e
        by_name[f"{side}_biceps"] = biceps + arms * triceps
        by_name[f"{side}_triceps"] = triceps + arms * biceps
        by_name[f"{side}_quadriceps"] = quadriceps + legs * hamstrings
        by_name[f"{side}_hamstrings"] = hamstrings + legs * quadriceps
    effort = np.stack([by_name[channel.name] / muscles.strength[i] for i, channel in enumerate(PAPER_CHANNELS)])
    # A muscle cannot work harder than fully: saturate smoothly towards 1.5.
    return np.asarray(1.5 * np.tanh(effort / 1.5), dtype=np.float64)


def _flex_extend(torque: FloatArray, speed_deg_s: FloatArray, full_nm: float) -> tuple[FloatArray, FloatArray]:
    """Return the flexors' and the extensors' effort; a lengthening muscle needs less (Bigland & Lippold 1954)."""
    shortening = np.tanh(speed_deg_s / 60.0)
    flexors = np.maximum(torque, 0.0) / full_nm * (0.8 + 0.2 * shortening)
    extensors = np.maximum(-torque, 0.0) / full_nm * (0.8 - 0.2 * shortening)
    return flexors, extensors


def _speed(pose: FloatArray, name: str, dt_s: float) -> FloatArray:
    column = pose[:, DOF[name]]
    return np.asarray((column[2:] - column[:-2]) / (2.0 * dt_s), dtype=np.float64)


def _acceleration(position: FloatArray, dt_s: float) -> FloatArray:
    return np.asarray((position[2:] - 2.0 * position[1:-1] + position[:-2]) / dt_s**2, dtype=np.float64)


def _flexion_axis(posture: Posture, side: str, joint: str) -> FloatArray:
    """Return the unit axis about which positive rotation flexes, shape (T, 3)."""
    distal = {"elbow": "elbow", "shoulder": "elbow", "knee": "knee", "hip": "knee"}[joint]
    proximal = {"elbow": "shoulder", "shoulder": "shoulder", "knee": "hip", "hip": "hip"}[joint]
    along = posture.at(f"{side}_{distal}") - posture.at(f"{side}_{proximal}")
    axis = np.cross(along, posture.bends_towards[f"{side}_{joint}"])
    return np.asarray(axis / np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), 1e-6), dtype=np.float64)


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
