"""Makes a camera's picture upright and unmirrored by quarter turns and a flip, without interpolation."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Orientation:
    """Rotation and mirroring of each picture.

    Attributes
    ----------
    rotation_deg : int
        Clockwise rotation that makes the picture upright: 0, 90, 180 or 270.
    mirrored : bool
        The camera mirrors left and right, as a selfie camera does; undone before the turn.
    """

    rotation_deg: int = 0
    mirrored: bool = False

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height after the turn."""
        return (height, width) if self.rotation_deg in (90, 270) else (width, height)

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the picture upright and C-contiguous; the same array if nothing changes."""
        image = np.ascontiguousarray(image)
        if self.mirrored:
            image = np.asarray(cv2.flip(image, 1), dtype=np.uint8)
        if self.rotation_deg in _TURNS:
            image = np.asarray(cv2.rotate(image, _TURNS[self.rotation_deg]), dtype=np.uint8)
        return image


UPRIGHT = Orientation()
