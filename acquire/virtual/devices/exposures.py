"""True exposure times of a live recording's frames: the camera's record joined to the capture's frame table."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from acquire.virtual.truth import VideoTruth, fit_video
from dataset.capture.reader import Capture
from dataset.support.arrays import IntArray

#: Frames this many median deviations away from the usual latency are left out of the video's true line.
HELD_UP_SPREADS = 5.0


def video_truth(folder: Path, frames: list[tuple[int, int]]) -> VideoTruth | None:
    """Return the true map from PTS to the exposure's centre.

    Parameters
    ----------
    folder : Path
        The capture.
    frames : list of (int, int)
        For each frame delivered: host time of its delivery and of its exposure's centre.
    """
    with Capture.open(folder) as capture:
        rows = capture.frames()
    if not frames:
        return None
    sent_ns, centre_ns = np.array(frames, dtype=np.int64).T
    which = match_frames(rows.arrival_ns, rows.epoch, sent_ns)
    known = (which >= 0) & (rows.pts_ns >= 0)
    late_ns = rows.arrival_ns[known] - centre_ns[which[known]]
    if len(late_ns) == 0:
        return None
    # A frame that this machine delayed is an outlier of the line.
    spread_ns = np.abs(late_ns - np.median(late_ns))
    usual = spread_ns <= max(HELD_UP_SPREADS * float(np.median(spread_ns)), 1e6)
    return fit_video(rows.pts_ns[known][usual], centre_ns[which[known]][usual])


def match_frames(arrival_ns: IntArray, epoch: IntArray, sent_ns: IntArray) -> IntArray:
    """Return which of the delivered frames each row of the frame table is, -1 where there is none.

    Parameters
    ----------
    arrival_ns, epoch : ndarray of int64, shape (N,)
        The frame table: every frame that the recorder read has a row.
    sent_ns : ndarray of int64, shape (M,)
        Delivery of each frame, in order.

    Notes
    -----
    Most rows are stamped before the next frame is delivered. A recorder that was held up reads several at once, but
    no frame is skipped within an epoch: the shift that most rows agree on holds for all of them.
    """
    which = np.full(len(arrival_ns), -1, dtype=np.int64)
    latest = np.searchsorted(sent_ns, arrival_ns, side="right") - 1
    for number in np.unique(epoch):
        rows = np.flatnonzero(epoch == number)
        shifts, votes = np.unique(latest[rows] - np.arange(len(rows)), return_counts=True)
        which[rows] = shifts[np.argmax(votes)] + np.arange(len(rows))
    which[(which < 0) | (which >= len(sent_ns))] = -1
    return which
