"""Checks with the pose network whether the whole body is in the camera picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from acquire.preflight.checks import BodyView
from dataset.pose.skeleton import JOINT
from dataset.support.errors import MiaError

if TYPE_CHECKING:
    from dataset.pose.landmarker import Body, PoseLandmarker

#: Joints that show whether a body part is in the picture, each with the part's name.
PARTS = {
    "nose": "head",
    "right_wrist": "right hand",
    "left_wrist": "left hand",
    "right_ankle": "right foot",
    "left_ankle": "left foot",
}
LEAST_CONFIDENCE = 0.3


def body_view(keypoints_2d: NDArray[np.float64], confidence: NDArray[np.float64], width: int, height: int) -> BodyView:
    """Return which body parts are outside the picture or hidden, by keypoint position and confidence.

    Parameters
    ----------
    keypoints_2d : ndarray, shape (25, 2)
        Pixels.
    confidence : ndarray, shape (25,)
    width, height : int
        Size of the picture.
    """
    missing = []
    for joint, word in PARTS.items():
        at = JOINT[joint]
        x, y = keypoints_2d[at]
        inside = 0 <= x < width and 0 <= y < height  # False for NaN
        if not inside or confidence[at] < LEAST_CONFIDENCE:
            missing.append(word)
    return BodyView(missing=tuple(missing))


class BodyFinder:
    """Finds the body with the pose network, loaded at the first picture; for one thread at a time."""

    def __init__(self) -> None:
        self._network: PoseLandmarker | None = None
        self._unavailable = ""

    def look(self, picture: NDArray[np.uint8]) -> tuple[BodyView, Body | None]:
        """Return which body parts an upright picture (height, width, 3; BGR) shows, and the keypoints or None."""
        if self._network is None and not self._unavailable:
            try:
                from dataset.pose.landmarker import PoseLandmarker

                self._network = PoseLandmarker()
            except MiaError as error:
                self._unavailable = f"{error.what}; check the picture yourself"
        if self._network is None:
            return BodyView(unavailable=self._unavailable), None
        body = self._network.find(picture)
        if body is None:
            return BodyView(nobody=True), None
        height, width = picture.shape[:2]
        return body_view(body.keypoints_2d, body.confidence, width, height), body

    def close(self) -> None:
        """Close the network."""
        if self._network is not None:
            self._network.__exit__(None, None, None)
            self._network = None
