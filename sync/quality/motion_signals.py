"""Motion signals for a muscle from keypoints: joint flexion, its speed, and kinetic energy of the limb."""

from __future__ import annotations

import numpy as np

from dataset.muscles import Place, place_of
from dataset.pose.skeleton import JOINT, flexion_rad
from dataset.session.types import Session
from dataset.support.arrays import FloatArray

#: Joints that the muscles of a place move, as (proximal, joint, distal) without side; two for biarticular muscles.
_KNEE, _HIP = ("hip", "knee", "ankle"), ("shoulder", "hip", "knee")
_ELBOW, _SHOULDER = ("shoulder", "elbow", "wrist"), ("hip", "shoulder", "elbow")
_ANKLE = ("knee", "ankle", "big_toe")
_JOINTS: dict[Place, tuple[tuple[str, str, str], ...]] = {
    Place.FRONT_OF_THIGH: (_KNEE, _HIP),
    Place.BACK_OF_THIGH: (_KNEE, _HIP),
    Place.INNER_THIGH: (_HIP, _KNEE),
    Place.HIP: (_HIP,),
    Place.CALF: (_ANKLE, _KNEE),
    Place.SHIN: (_ANKLE,),
    Place.FRONT_OF_ARM: (_ELBOW, _SHOULDER),
    Place.BACK_OF_ARM: (_ELBOW, _SHOULDER),
    Place.SHOULDER: (_SHOULDER,),
    Place.FLANK: (_SHOULDER, _ELBOW),
    Place.TRUNK: (_HIP,),
}
#: Joints tried for a muscle whose place is unknown, or which moves no joint among the keypoints.
_EVERY = (_KNEE, _HIP, _ELBOW, _SHOULDER)
#: Keypoint at the limb's end, whose kinetic energy represents the muscles' work.
_END = {
    **dict.fromkeys((Place.FRONT_OF_THIGH, Place.BACK_OF_THIGH, Place.INNER_THIGH, Place.CALF, Place.SHIN), "ankle"),
    **dict.fromkeys((Place.FRONT_OF_ARM, Place.BACK_OF_ARM, Place.FOREARM), "wrist"),
    **dict.fromkeys((Place.SHOULDER, Place.FLANK), "elbow"),
    Place.HIP: "knee",
    Place.TRUNK: "neck",
}


def motion_signals(session: Session, muscle: str, side: str) -> dict[str, FloatArray]:
    """Return the motion signals that a muscle may correlate with, on the session's grid.

    Parameters
    ----------
    session : Session
        With keypoints in 3D or, without these, in 2D.
    muscle, side : str
        A muscle with an unknown place gets every joint of its side; one without a side gets both sides.

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
    place = place_of(muscle)
    chains = _EVERY if place is None else _JOINTS.get(place, _EVERY)
    ending = "wrist" if place is None else _END.get(place, "wrist")
    signals: dict[str, FloatArray] = {}
    for of in (side,) if side in ("left", "right") else ("left", "right"):
        for chain in chains:
            proximal, joint, distal = (f"{of}_{name}" for name in chain)
            name = chain[1] if of == side else f"{of} {chain[1]}"
            flexion = flexion_rad(keypoints, proximal, joint, distal)
            signals[f"{name} flexion"] = flexion
            signals[f"{name} speed"] = np.abs(_rate(flexion, aligned.segment, session.rate_hz))
        # Relative to the hips, so that walking through the room does not count as work of the arm.
        end = keypoints[:, JOINT["neck" if ending == "neck" else f"{of}_{ending}"]] - keypoints[:, JOINT["mid_hip"]]
        velocity = np.stack([_rate(end[:, k], aligned.segment, session.rate_hz) for k in range(end.shape[1])])
        signals[f"{ending} energy" if of == side or ending == "neck" else f"{of} {ending} energy"] = np.asarray(
            np.sum(velocity**2, axis=0)
        )
    return signals


def _rate(values: FloatArray, segment: np.ndarray, rate_hz: float) -> FloatArray:
    """Return the rate of change by central differences, NaN at the ends of each segment."""
    result = np.full(len(values), np.nan)
    inside = (segment[2:] == segment[:-2]) & (segment[1:-1] >= 0)
    result[1:-1] = np.where(inside, 0.5 * rate_hz * (values[2:] - values[:-2]), np.nan)
    return result
