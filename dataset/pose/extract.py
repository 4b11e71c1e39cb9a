"""Extracts the keypoints of a whole video file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from dataset.media.video import frame_pts_ns, iter_frames
from dataset.pose.tracker import PoseCollector
from dataset.session.types import Pose
from dataset.support.arrays import IntArray
from dataset.support.threads import default_workers, in_order

#: Frames that are looked at one after another with one tracker. Each stretch forgets where the person was, so that
#: stretches can be worked on at once and the result is the same for any number of workers.
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
    wanted = wanted[(wanted >= 0) & (wanted < len(times_ns))]
    # Where times go back the file cannot be entered by them: it is decoded from its beginning, once.
    length = _STRETCH if np.all(np.diff(times_ns) >= 0) else max(1, len(wanted))
    stretches = [wanted[k : k + length] for k in range(0, len(wanted), length)]
    workers = max(1, min(default_workers() if workers is None else workers, len(stretches)))
    with PoseCollector(wanted, times_ns, model) as collector:

        def look(stretch: IntArray) -> None:
            tracked = collector.stretch()
            for frame in iter_frames(video, indices=stretch, times_ns=times_ns, threads=1, rgb=True):
                tracked.look(frame.index, frame.image)
                if progress:
                    progress(1)

        in_order(look, stretches, workers)
        return collector.pose()
