"""What the body's keypoints say a muscle should be doing: joint flexion and its speed, and the energy of its limb."""

from __future__ import annotations

import numpy as np

from dataset.arrays import FloatArray
from dataset.session import Session
from dataset.skeleton import JOINT, flexion_rad

#: Joints a muscle acts on, as (proximal, joint, distal) without side; the two-joint muscles have two.
_JOINTS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "quadriceps": (("hip", "knee", "ankle"), ("shoulder", "hip", "knee")),
    "hamstrings": (("hip", "knee", "ankle"), ("shoulder", "hip", "knee")),
    "biceps": (("shoulder", "elbow", "wrist"), ("hip", "shoulder", "elbow")),
    "triceps": (("shoulder", "elbow", "wrist"), ("hip", "shoulder", "elbow")),
    "lats": (("hip", "shoulder", "elbow"), ("shoulder", "elbow", "wrist")),
}
#: End of the limb whose energy stands for the muscle's work.
_END = {"quadriceps": "ankle", "hamstrings": "ankle", "biceps": "wrist", "triceps": "wrist", "lats": "elbow"}


def motion_signals(session: Session, muscle: str, side: str) -> dict[str, FloatArray]:
    """Return the motion that may drive a muscle, on the session's grid.

    Parameters
    ----------
    session : Session
        With keypoints in 3D or, failing that, in 2D.
    muscle, side : str
        A muscle without a place here is tried with every joint of its side, and without a side with both.

    Returns
    -------
    dict of str to ndarray, shape (T,)
        ``knee flexion`` (rad), ``knee speed`` (rad/s, unsigned), ``ankle energy`` ((unit/s)^2) and the like; NaN where
        a joint is missing. Empty where the session has no keypoints.
    """
    aligned = session.aligned
    keypoints = aligned.keypoints_3d if aligned.keypoints_3d is not None else aligned.keypoints_2d
    if keypoints is None:
        return {}
    every = tuple(dict.fromkeys(j for joints in _JOINTS.values() for j in joints))
    signals: dict[str, FloatArray] = {}
    for of in (side,) if side in ("left", "right") else ("left", "right"):
        for chain in _JOINTS.get(muscle, every):
            proximal, joint, distal = (f"{of}_{name}" for name in chain)
            name = chain[1] if of == side else f"{of} {chain[1]}"
            flexion = flexion_rad(keypoints, proximal, joint, distal)
            signals[f"{name} flexion"] = flexion
            signals[f"{name} speed"] = np.abs(_rate(flexion, aligned.segment, session.rate_hz))
        end = _END.get(muscle, "wrist")
        # Against the hips, so that walking through the room is no work of the arm.
        place = keypoints[:, JOINT[f"{of}_{end}"]] - keypoints[:, JOINT["mid_hip"]]
        velocity = np.stack([_rate(place[:, k], aligned.segment, session.rate_hz) for k in range(place.shape[1])])
        signals[f"{end} energy" if of == side else f"{of} {end} energy"] = np.asarray(np.sum(velocity**2, axis=0))
    return signals


def _rate(values: FloatArray, segment: np.ndarray, rate_hz: float) -> FloatArray:
    """Return the central difference a second, NaN at the ends of each run."""
    result = np.full(len(values), np.nan)
    inside = (segment[2:] == segment[:-2]) & (segment[1:-1] >= 0)
    result[1:-1] = np.where(inside, 0.5 * rate_hz * (values[2:] - values[:-2]), np.nan)
    return result
