"""One picture in, one body out: MediaPipe's pose landmarker behind a small class."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from dataset.pose.body25 import to_body25
from dataset.pose.model_file import pose_model
from dataset.support.errors import MissingDependencyError

#: The task smooths what it finds by a filter over the times it is told, which makes a limb lag its motion by 10 ms.
#: Told times so far apart, the filter forgets all before; the tracker, which saves the detector, minds no times.
_MS_PER_FRAME = 10_000_000

#: Visibility it smooths by counting, whatever the times: each value is this share of the new one and the rest of the
#: last. At 10 Hz a hidden limb would take two seconds to look hidden, so the new ones are worked out again.
_NEW_SHARE = 0.1

#: The native library's chatter is silenced for the whole process, so by one thread at a time.
_SILENCE = threading.Lock()

SYSTEM_LIBRARIES = "libgl1 libegl1 libgles2 libglib2.0-0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """One person found in one picture.

    Attributes
    ----------
    keypoints_2d : ndarray, shape (25, 2)
        Pixels, x right and y down.
    keypoints_3d : ndarray, shape (25, 3)
        Metres about the hips' middle, y down.
    confidence : ndarray, shape (25,)
        0 to 1.
    """

    keypoints_2d: NDArray[np.float64]
    keypoints_3d: NDArray[np.float64]
    confidence: NDArray[np.float64]


class PoseLandmarker:
    """Finds one person in successive pictures of one video; use as a context manager.

    Parameters
    ----------
    model : Path, optional
        A ``.task`` file in place of the built-in network.

    Raises
    ------
    MissingDependencyError
        MediaPipe cannot be loaded on this machine (a system library is missing), or refuses the network.
    """

    def __init__(self, model: Path | None = None) -> None:
        self.model_path = pose_model(model)
        self.backend = f"mediapipe {metadata.version('mediapipe')} {self.model_path.stem}"
        try:
            from mediapipe import Image, ImageFormat
            from mediapipe.tasks.python import BaseOptions, vision
        except (ImportError, OSError) as error:
            raise MissingDependencyError(
                "the pose network cannot be loaded", str(error), f"on Debian: apt install {SYSTEM_LIBRARIES}"
            ) from error
        self._image: Any = Image
        self._srgb: Any = ImageFormat.SRGB
        options = vision.PoseLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(self.model_path)), running_mode=vision.RunningMode.VIDEO
        )
        with _quiet_native_stderr():
            try:
                self._task: Any = vision.PoseLandmarker.create_from_options(options)
            except (RuntimeError, ValueError) as error:
                raise MissingDependencyError(f"{self.model_path} is no pose network", str(error)) from error
        self._told_ms = 0
        self._smoothed: NDArray[np.float64] | None = None
        self._rgb: NDArray[np.uint8] = np.empty((0, 0, 3), dtype=np.uint8)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _quiet_native_stderr():
            self._task.close()

    def forget(self) -> None:
        """Forget where the person was: the next picture is of another video or another time."""
        if self._told_ms > 0:
            self._detect(np.zeros((64, 64, 3), dtype=np.uint8))

    def find(self, image: NDArray[np.uint8], *, rgb: bool = False) -> Body | None:
        """Return the person in ``image``, or None where there is nobody.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width, 3)
            Of the same video as the last one, and a little later. BGR, as OpenCV has it.
        rgb : bool
            It is RGB, as the network has it: whoever decodes so spares a conversion.
        """
        # The network is given an address and takes the rows to lie without gaps, whatever the array's strides are.
        image = np.ascontiguousarray(image)
        result = self._detect(image if rgb else self._as_rgb(image))
        if not result.pose_landmarks:
            return None
        height, width = image.shape[:2]
        flat = np.array([(p.x * width, p.y * height) for p in result.pose_landmarks[0]])
        visibility = self._unsmoothed(np.array([p.visibility for p in result.pose_landmarks[0]], dtype=np.float64))
        world = np.array([(p.x, p.y, p.z) for p in result.pose_world_landmarks[0]])
        return Body(
            keypoints_2d=to_body25(flat), keypoints_3d=to_body25(world), confidence=to_body25(visibility[:, None])[:, 0]
        )

    def _as_rgb(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self._rgb.shape != image.shape:
            self._rgb = np.empty(image.shape, dtype=np.uint8)
        # Into the same place: a new picture each time costs more than the conversion. The task copies what it is given.
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=self._rgb), dtype=np.uint8)

    def _unsmoothed(self, smoothed: NDArray[np.float64]) -> NDArray[np.float64]:
        last, self._smoothed = self._smoothed, smoothed
        if last is None:
            return smoothed
        return np.clip((smoothed - (1.0 - _NEW_SHARE) * last) / _NEW_SHARE, 0.0, 1.0)

    def _detect(self, rgb: NDArray[np.uint8]) -> Any:
        first = self._told_ms == 0
        self._told_ms += _MS_PER_FRAME
        with _quiet_native_stderr() if first else contextlib.nullcontext():
            return self._task.detect_for_video(self._image(image_format=self._srgb, data=rgb), self._told_ms)


@contextlib.contextmanager
def _quiet_native_stderr() -> Iterator[None]:
    """Keep the native library's start-up chatter off the screen; it goes to file descriptor 2 past Python."""
    with _SILENCE:
        sys.stderr.flush()
        saved = os.dup(2)
        null = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            os.close(null)
