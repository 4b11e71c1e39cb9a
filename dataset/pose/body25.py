"""From MediaPipe's 33 landmarks to BODY_25."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dataset.pose.skeleton import BODY_25

#: For each BODY_25 joint the MediaPipe landmarks whose mean it is. MediaPipe's left is the subject's own.
#: It has one toe a foot (the foot index): big and small toe are both taken from it.
_SOURCES: dict[str, tuple[int, ...]] = {
    "nose": (0,), "neck": (11, 12),
    "right_shoulder": (12,), "right_elbow": (14,), "right_wrist": (16,),
    "left_shoulder": (11,), "left_elbow": (13,), "left_wrist": (15,),
    "mid_hip": (23, 24),
    "right_hip": (24,), "right_knee": (26,), "right_ankle": (28,),
    "left_hip": (23,), "left_knee": (25,), "left_ankle": (27,),
    "right_eye": (5,), "left_eye": (2,), "right_ear": (8,), "left_ear": (7,),
    "left_big_toe": (31,), "left_small_toe": (31,), "left_heel": (29,),
    "right_big_toe": (32,), "right_small_toe": (32,), "right_heel": (30,),
}  # fmt: skip

_MEANS = np.zeros((len(BODY_25), 33))
for _row, _name in enumerate(BODY_25):
    _MEANS[_row, list(_SOURCES[_name])] = 1.0 / len(_SOURCES[_name])


def to_body25(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Map landmarks or confidences, shape (33, D), to BODY_25, shape (25, D)."""
    return np.asarray(_MEANS @ landmarks, dtype=np.float64)
