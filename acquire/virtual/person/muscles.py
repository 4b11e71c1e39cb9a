"""Effort of each muscle: joint torques distributed to the paper's eight muscles, with their antagonists.

Lowering a load costs less than lifting it, a working muscle is opposed by its antagonist, and the muscles of a joint
stiffen it while a blow passes through.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from acquire.virtual.person.body import DOF, SIDES
from acquire.virtual.person.dynamics import PASSED, Pushes
from acquire.virtual.person.placement import ANTAGONIST
from dataset.muscles import CONTACT_OF_MUSCLE, PAPER_CHANNELS
from dataset.support.arrays import FloatArray

# Each joint's angle, and the torque of full effort in flexion and in extension: of unloaded movement, not of a machine.
# Knees extend, and hips too, more strongly than they flex (Kulig et al. 1984).
_JOINTS = {
    "elbow": ("elbow", (16.0, 16.0)),
    "shoulder": ("shoulder_elevation", (55.0, 55.0)),
    "knee": ("knee", (86.0, 120.0)),
    "hip": ("hip_flexion", (120.0, 230.0)),
}

# Effort that stiffens a joint for each newton that passes through it, in flexors and extensors alike.
_STIFFEN_PER_N = 1.0 / 300.0


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
    potentiation : float
        By how much more force an active muscle makes for the same signal after some seconds, as a share.
    fatigue : float
        By how much the signal has grown after minutes of half the greatest effort, as a share.
    """

    cocontraction: tuple[float, float]
    activation_s: tuple[float, ...]
    lead_s: float
    strength: tuple[float, ...]
    potentiation: float
    fatigue: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Muscles:
        """Draw a person's muscles."""
        n = len(PAPER_CHANNELS)
        arms, legs = rng.uniform(0.20, 0.40, 2)
        overall = float(np.exp(rng.normal(0.0, 0.20)))
        return cls(
            cocontraction=(float(arms), float(legs)),
            activation_s=tuple(float(x) for x in rng.uniform(0.040, 0.080, n)),
            lead_s=float(rng.uniform(0.030, 0.060)),
            strength=tuple(overall * float(x) for x in np.exp(rng.normal(0.0, 0.12, n))),
            potentiation=float(rng.uniform(0.20, 0.40)),
            fatigue=float(rng.uniform(0.35, 0.75)),
        )


def efforts(
    muscles: Muscles, torques: dict[str, FloatArray], pose: FloatArray, dt_s: float, pushes: Pushes | None = None
) -> FloatArray:
    """Distribute torques to the eight channels.

    Parameters
    ----------
    muscles : Muscles
    torques : dict of ndarray, shape (T - 2,)
        Of :func:`acquire.virtual.person.dynamics.joint_torques`.
    pose : ndarray, shape (T, len(DOFS))
        The poses they come from; the joints' velocity tells lifting from lowering.
    dt_s : float
        Spacing in seconds.
    pushes : mapping of ndarray, shape (T, 3), optional
        Forces of struck targets, as given for the torques.

    Returns
    -------
    ndarray, shape (8, T - 2)
        Effort of each of ``PAPER_CHANNELS``: 0 at rest, about 1 at the most a person does unloaded.
    """
    by_name: dict[str, FloatArray] = {}
    arms, legs = muscles.cocontraction
    for side in SIDES:
        (elbow_f, elbow_e), (shoulder_f, shoulder_e), (knee_f, knee_e), (hip_f, hip_e) = (
            _flex_extend(torques[f"{side}_{joint}"], _speed(pose, f"{side}_{angle}", dt_s), full_nm)
            for joint, (angle, full_nm) in _JOINTS.items()
        )
        biceps, triceps = elbow_f + 0.30 * shoulder_f, elbow_e + 0.30 * shoulder_e
        quadriceps, hamstrings = knee_e + 0.35 * hip_f, knee_f + 0.65 * hip_e
        elbow, knee = (_stiffness(pushes or {}, side, joint) for joint in ("elbow", "knee"))
        biceps, triceps = biceps + elbow, triceps + elbow
        quadriceps, hamstrings = quadriceps + knee, hamstrings + knee
        by_name[f"{side}_biceps"] = biceps + arms * triceps
        by_name[f"{side}_triceps"] = triceps + arms * biceps
        by_name[f"{side}_quadriceps"] = quadriceps + legs * hamstrings
        by_name[f"{side}_hamstrings"] = hamstrings + legs * quadriceps
    effort = np.stack([by_name[channel.name] / muscles.strength[i] for i, channel in enumerate(PAPER_CHANNELS)])
    # A muscle cannot work harder than fully: saturate smoothly towards 1.5.
    return np.asarray(1.5 * np.tanh(effort / 1.5), dtype=np.float64)


def flexing_efforts(muscles: Muscles, label: str, course: FloatArray) -> FloatArray:
    """Distribute the effort of an isometric contraction: the antagonists hold the joint still.

    Parameters
    ----------
    label : str
        A channel, a muscle, a side, or empty for all.
    course : ndarray, shape (T,)
        Effort of the muscles meant.

    Returns
    -------
    ndarray, shape (8, T)
    """
    effort = np.zeros((len(PAPER_CHANNELS), len(course)))
    arms, legs = muscles.cocontraction
    for i, channel in enumerate(PAPER_CHANNELS):
        if label in ("", "all", channel.name, channel.muscle, channel.side):
            share = arms if CONTACT_OF_MUSCLE[channel.muscle] == "clap" else legs
            effort[i] += course
            effort[ANTAGONIST[i]] += share * course
    return effort


def _stiffness(pushes: Pushes, side: str, joint: str) -> FloatArray | float:
    """Return the effort that stiffens a joint at the inner times, shape (T - 2,), or 0 where nothing passes it."""
    through = [
        np.linalg.norm(pushes[f"{side}_{part}"][1:-1], axis=1)
        for part, passed in PASSED.items()
        if joint in passed and f"{side}_{part}" in pushes
    ]
    return np.asarray(np.sum(through, axis=0) * _STIFFEN_PER_N) if through else 0.0


def _flex_extend(
    torque: FloatArray, speed_deg_s: FloatArray, full_nm: tuple[float, float]
) -> tuple[FloatArray, FloatArray]:
    """Return the flexors' and the extensors' effort; a lengthening muscle needs less (Bigland & Lippold 1954)."""
    shortening = np.tanh(speed_deg_s / 60.0)
    flexors = np.maximum(torque, 0.0) / full_nm[0] * (0.8 + 0.2 * shortening)
    extensors = np.maximum(-torque, 0.0) / full_nm[1] * (0.8 - 0.2 * shortening)
    return flexors, extensors


def _speed(pose: FloatArray, name: str, dt_s: float) -> FloatArray:
    column = pose[:, DOF[name]]
    return np.asarray((column[2:] - column[:-2]) / (2.0 * dt_s), dtype=np.float64)
