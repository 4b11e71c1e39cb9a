"""BODY_25: names, limbs, and the few joint angles the project needs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Joint names in BODY_25 order; left and right are the subject's own.
BODY_25 = (
    "nose", "neck",
    "right_shoulder", "right_elbow", "right_wrist",
    "left_shoulder", "left_elbow", "left_wrist",
    "mid_hip",
    "right_hip", "right_knee", "right_ankle",
    "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
    "left_big_toe", "left_small_toe", "left_heel",
    "right_big_toe", "right_small_toe", "right_heel",
)  # fmt: skip

#: Index of a joint by name.
JOINT = {name: i for i, name in enumerate(BODY_25)}

#: Pairs of joints joined by a limb, for drawing.
LIMBS = tuple(
    (JOINT[a], JOINT[b])
    for a, b in (
        ("nose", "neck"), ("neck", "mid_hip"),
        ("neck", "right_shoulder"), ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"),
        ("neck", "left_shoulder"), ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
        ("mid_hip", "right_hip"), ("right_hip", "right_knee"), ("right_knee", "right_ankle"),
        ("mid_hip", "left_hip"), ("left_hip", "left_knee"), ("left_knee", "left_ankle"),
        ("nose", "right_eye"), ("nose", "left_eye"), ("right_eye", "right_ear"), ("left_eye", "left_ear"),
        ("left_ankle", "left_big_toe"), ("left_big_toe", "left_small_toe"), ("left_ankle", "left_heel"),
        ("right_ankle", "right_big_toe"), ("right_big_toe", "right_small_toe"), ("right_ankle", "right_heel"),
    )
)  # fmt: skip


def flexion_rad(keypoints: NDArray[np.floating], proximal: str, joint: str, distal: str) -> NDArray[np.float64]:
    """Return the flexion of ``joint`` in radians: 0 when straight, growing as it bends.

    Parameters
    ----------
    keypoints : ndarray, shape (..., 25, D)
        BODY_25 coordinates, 2D or 3D.
    proximal, joint, distal : str
        Joint names, such as ``left_hip``, ``left_knee``, ``left_ankle``.

    Returns
    -------
    ndarray, shape (...)
        NaN where a joint is missing.
    """
    upper = keypoints[..., JOINT[proximal], :] - keypoints[..., JOINT[joint], :]
    lower = keypoints[..., JOINT[distal], :] - keypoints[..., JOINT[joint], :]
    norm = np.linalg.norm(upper, axis=-1) * np.linalg.norm(lower, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = np.sum(upper * lower, axis=-1) / norm
    return np.asarray(np.pi - np.arccos(np.clip(cosine, -1.0, 1.0)), dtype=np.float64)
