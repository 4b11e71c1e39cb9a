"""Keypoints of a whole video file."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

import numpy as np

from dataset.arrays import IntArray
from dataset.files import sha256_of
from dataset.keypoints.mediapipe_pose import PoseLandmarker
from dataset.session import Pose
from dataset.spilled import compacted, let_go, spilled
from dataset.video import frame_pts_ns, iter_frames
from dataset.workers import default_workers, in_order, release_memory

#: Frames that are looked at one after another with one tracker. Stretches begin anew, so that they can be worked on
#: at once and the result is the same for any number of workers.
_STRETCH = 300


def extract_pose(
    video: Path,
    *,
    frame_indices: IntArray | None = None,
    frame_times_ns: IntArray | None = None,
    model: Path | None = None,
    workers: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> Pose:
    """Find the person in every frame of a video, or in the frames asked for.

    Parameters
    ----------
    video : Path
    frame_indices : ndarray of int, optional
        Frames to look at; all where it is None.
    frame_times_ns : ndarray of int64, shape (F,), optional
        Presentation times of all frames of the file as they were decoded; the file is scanned for them otherwise.
    model : Path, optional
        A ``.task`` file in place of the built-in network.
    workers : int, optional
        Threads, each with a decoder and a network of its own; one a core by default. The result is the same for any
        number.
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
    times_ns = frame_pts_ns(video) if frame_times_ns is None else frame_times_ns
    wanted = np.arange(len(times_ns)) if frame_indices is None else np.unique(frame_indices)
    # Where times go back the file cannot be entered by them: it is decoded from its beginning, once.
    length = _STRETCH if np.all(np.diff(times_ns) >= 0) else max(1, len(wanted))
    stretches = [wanted[k : k + length] for k in range(0, len(wanted), length)]
    workers = max(1, min(default_workers() if workers is None else workers, len(stretches)))
    with ExitStack() as opened:
        # As many networks as workers, each used for stretch after stretch: to make and drop them costs memory.
        networks = [opened.enter_context(PoseLandmarker(model)) for _ in range(workers)]
        idle: SimpleQueue[PoseLandmarker] = SimpleQueue()
        for network in networks:
            idle.put(network)

        # Results are laid into these: small arrays kept among pictures that come and go would hold their memory. They
        # lie in files: an hour of them is 43 MB.
        flat, world = spilled((len(wanted), 25, 2), math.nan), spilled((len(wanted), 25, 3), math.nan)
        confidence, decoded = spilled((len(wanted), 25), 0.0), np.zeros(len(wanted), dtype=bool)

        def look(stretch: IntArray) -> None:
            network = idle.get()
            try:
                network.begin_anew()
                for frame in iter_frames(video, indices=stretch, times_ns=times_ns, threads=1):
                    row = int(np.searchsorted(wanted, frame.index))
                    decoded[row] = True
                    body = network.find(frame.image)
                    if body is not None:
                        flat[row], world[row], confidence[row] = body.keypoints_2d, body.keypoints_3d, body.confidence
                    if progress:
                        progress(1)
            finally:
                idle.put(network)
                let_go(flat, world, confidence)
                release_memory()

        in_order(look, stretches, workers)
    release_memory()
    flat, world, confidence = (compacted(values, decoded) for values in (flat, world, confidence))
    let_go(flat, world, confidence)
    return Pose(
        keypoints_2d=flat,
        keypoints_3d=world,
        confidence=confidence,
        frame_index=np.asarray(wanted[decoded], dtype=np.int64),
        backend=networks[0].backend,
        model_sha256=sha256_of(networks[0].model_path),
    )
