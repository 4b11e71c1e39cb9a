"""Keypoints of a whole video file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dataset.files import sha256_of
from dataset.keypoints.mediapipe_pose import PoseLandmarker
from dataset.session import Pose
from dataset.video import iter_frames


def extract_pose(
    video: Path,
    *,
    frame_indices: NDArray[np.int64] | None = None,
    model: Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> Pose:
    """Find the person in every frame of a video, or in the frames asked for.

    Parameters
    ----------
    video : Path
    frame_indices : ndarray of int, optional
        Frames to look at; all where it is None.
    model : Path, optional
        A ``.task`` file in place of the built-in network.
    progress : callable, optional
        Called with 1 after each frame.

    Returns
    -------
    Pose
        One row a frame looked at: NaN and confidence 0 where nobody was found.

    Raises
    ------
    VideoError
        The video cannot be decoded.
    MissingDependencyError
        The pose network cannot be had or loaded.
    """
    indices: list[int] = []
    flat: list[NDArray[np.float64]] = []
    world: list[NDArray[np.float64]] = []
    confidence: list[NDArray[np.float64]] = []
    with PoseLandmarker(model) as landmarker:
        for frame in iter_frames(video, indices=frame_indices):
            body = landmarker.find(frame.image, frame.pts_ns)
            indices.append(frame.index)
            flat.append(body.keypoints_2d if body else np.full((25, 2), np.nan))
            world.append(body.keypoints_3d if body else np.full((25, 3), np.nan))
            confidence.append(body.confidence if body else np.zeros(25))
            if progress:
                progress(1)
        backend, model_path = landmarker.backend, landmarker.model_path
    n = len(indices)
    return Pose(
        keypoints_2d=np.array(flat).reshape(n, 25, 2),
        keypoints_3d=np.array(world).reshape(n, 25, 3),
        confidence=np.array(confidence).reshape(n, 25),
        frame_index=np.array(indices, dtype=np.int64),
        backend=backend,
        model_sha256=sha256_of(model_path),
    )
