"""A skeleton drawn over a picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dataset.pose.skeleton import BODY_25, LIMBS

#: BGR, distinguishable for the colour-blind (Okabe and Ito): the subject's left, right, and the middle.
_LEFT, _RIGHT, _MIDDLE = (178, 114, 0), (0, 94, 213), (115, 158, 0)


def draw_skeleton(
    image: NDArray[np.uint8],
    keypoints_2d: NDArray[np.float64],
    confidence: NDArray[np.float64] | None = None,
    *,
    minimum_confidence: float = 0.3,
) -> NDArray[np.uint8]:
    """Return a copy of ``image`` with the limbs drawn: blue the subject's left, orange the right.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, 3)
        BGR.
    keypoints_2d : ndarray, shape (25, 2)
        Pixels; NaN joints are left out.
    confidence : ndarray, shape (25,), optional
        Joints below ``minimum_confidence`` are left out.
    """
    drawn = image.copy()
    thickness = max(2, round(image.shape[0] / 200))
    seen = np.asarray(np.isfinite(keypoints_2d).all(axis=1))
    if confidence is not None:
        seen = seen & (confidence >= minimum_confidence)
    points = [
        tuple(round(v) for v in point) if ok else None for point, ok in zip(keypoints_2d, seen.tolist(), strict=True)
    ]
    for a, b in LIMBS:
        start, end = points[a], points[b]
        if start is not None and end is not None:
            cv2.line(drawn, start, end, _colour(a, b), thickness, cv2.LINE_AA)
    for point in points:
        if point is not None:
            cv2.circle(drawn, point, thickness, (255, 255, 255), -1, cv2.LINE_AA)
    return drawn


def _colour(a: int, b: int) -> tuple[int, int, int]:
    names = BODY_25[a] + BODY_25[b]
    return _LEFT if "left" in names else _RIGHT if "right" in names else _MIDDLE
