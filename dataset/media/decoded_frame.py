"""One decoded frame: its presentation time, upright picture, and mean luma of its tiles, each computed on request."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from dataset.support.arrays import IntArray


class DecodedFrame:
    """A frame from the decoder; converted only on request.

    Parameters
    ----------
    frame : av.VideoFrame
    pts_ns : int
        Presentation time in the file.
    """

    __slots__ = ("_frame", "pts_ns")

    def __init__(self, frame: av.VideoFrame, pts_ns: int) -> None:
        self._frame = frame
        self.pts_ns = pts_ns

    def picture(self, order: str = "rgb24") -> NDArray[np.uint8]:
        """Return the picture, upright and C-contiguous, shape (height, width, 3); ``order`` is rgb24 or bgr24."""
        # FFmpeg pads rows to a multiple of its vectors, and PyAV exposes them unchanged. Native code that gets only
        # an address reads the padding as pixels and shears the picture, so any padding is removed here.
        image = np.ascontiguousarray(self._frame.to_ndarray(format=order), dtype=np.uint8)
        return _upright(image, rotation_deg(self._frame))

    def luma(self, n_rows: int, n_columns: int) -> NDArray[np.float32]:
        """Return the mean luma of the picture's tiles, shape (n_rows, n_columns).

        As stored, 0 to 255, so a file of limited range has black at 16; not rotated upright, so sensor rows stay
        rows.
        """
        luma, unit = _luma(self._frame)
        height, width = self._frame.height, self._frame.width
        row, column, size = _layout(height, width, n_rows, n_columns)
        if luma.dtype == np.uint8 and width % n_columns == 0 and width == luma.shape[1]:
            # All tile rows as one column of equal rows: faster, but only with 8 bits and no padding.
            of_rows = cv2.reduce(luma.reshape(-1, width // n_columns), 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)
            tiles = np.add.reduceat(of_rows.reshape(height, n_columns), row[:-1], axis=0)
        else:
            # Whole rows are summed including padding, so that no row is sliced; the padding is dropped from the sums.
            depth = cv2.CV_32S if luma.dtype == np.uint8 else cv2.CV_64F
            bands = [cv2.reduce(luma[top:bottom], 0, cv2.REDUCE_SUM, dtype=depth) for top, bottom in pairwise(row)]
            tiles = np.add.reduceat(np.vstack(bands)[:, :width], column[:-1], axis=1)
        return np.asarray(tiles / (size * unit), dtype=np.float32)


@cache
def _layout(height: int, width: int, n_rows: int, n_columns: int) -> tuple[IntArray, IntArray, IntArray]:
    """Return the vertical and horizontal tile edges, and the number of pixels per tile."""
    row = np.linspace(0, height, n_rows + 1).round().astype(np.int64)
    column = np.linspace(0, width, n_columns + 1).round().astype(np.int64)
    return row, column, np.outer(np.diff(row), np.diff(column))


#: Pixel formats whose first plane is luma, as whole numbers in the low bits.
_LUMA_FIRST = re.compile(r"(yuv[aj]?4\d\dp|gray)((9|10|12|14|16)le)?|nv12|nv21|p010le")


def _luma(frame: av.VideoFrame) -> tuple[NDArray[Any], float]:
    """Return luma and its unit (1 for 8 bits): the file's own plane, without conversion, if the format has one.

    Its rows are C-contiguous and may be longer than the picture width: the rest is padding.
    """
    if not _LUMA_FIRST.fullmatch(frame.format.name):
        frame = frame.reformat(format="gray")
    name, bits, plane = frame.format.name, frame.format.components[0].bits, frame.planes[0]
    flat = np.frombuffer(memoryview(plane), dtype=np.uint8 if bits == 8 else "<u2")
    rows = flat.reshape(frame.height, abs(plane.line_size) // flat.itemsize)
    if plane.line_size < 0:  # stored from the bottom up
        rows = np.ascontiguousarray(rows[::-1])
    # P010 keeps its ten bits at the top of sixteen.
    return rows, 256.0 if name == "p010le" else float(1 << (bits - 8))


def rotation_deg(frame: av.VideoFrame) -> int:
    """Return the clockwise rotation that makes the picture upright (PyAV gives the counter-clockwise angle)."""
    return (-round(frame.rotation / 90) * 90) % 360


_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def _upright(image: NDArray[np.uint8], rotation_deg: int) -> NDArray[np.uint8]:
    if rotation_deg not in _TURNS:
        return image
    return np.asarray(cv2.rotate(image, _TURNS[rotation_deg]), dtype=np.uint8)


def to_ns(stamp: int, time_base: Fraction) -> int:
    """Return a file's time stamp in nanoseconds."""
    return round(stamp * time_base.numerator * 1_000_000_000 / time_base.denominator)
