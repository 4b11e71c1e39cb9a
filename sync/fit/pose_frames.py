"""Prediction of the frames that the grid needs, from the flashes alone, so that a video is decoded only once.

Keypoints are needed at times that only the alignment gives, and the alignment needs the whole video. Where the recorder
stamped the frames itself, each flash appears near the time it was sent: the seconds around the flashes give the video's
map within a millisecond or two. A wrong prediction costs time but never changes a result: frames that are needed in
the end and were not processed are processed then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataset.media.video import CannotEnterError, frame_pts_ns, probe_video
from dataset.support.arrays import FloatArray, IntArray, true_runs
from dataset.support.errors import VideoError
from sync import resample
from sync.events.flashes import read_brightness_about
from sync.fit.flash_fit import fit_flashes
from sync.recording_types import FlashLog, FrameStamps, SensorRecord

#: Search window of a flash: this long before and after the expected time of its frames.
_BEFORE_S, _AFTER_S = 1.2, 1.8


@dataclass(frozen=True, slots=True, kw_only=True)
class WorthPredicting:
    """Which films are worth it: a shorter one, or one that the flashes fill more of, is as quickly decoded twice.

    Attributes
    ----------
    shortest_s : float
    most : float
        Of the film, as a share, that the flashes fill.
    """

    shortest_s: float = 120.0
    most: float = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseFramePlan:
    """Frames that pose detection will need.

    Attributes
    ----------
    frames : ndarray of int64
        Indices of the frames, ascending.
    file_pts_ns : ndarray of int64, shape (F,)
        Presentation times of the file's frames, of which ``frames`` are indices.
    """

    frames: IntArray
    file_pts_ns: IntArray


def predict_pose_frames(
    video: Path,
    stamps: FrameStamps,
    flashes: FlashLog,
    sensors: Mapping[str, SensorRecord],
    workers: int,
    worth: WorthPredicting = WorthPredicting(),
) -> PoseFramePlan | None:
    """Predict the frames that the grid will need, from the flashes; None where that is not possible.

    Parameters
    ----------
    video : Path
        The capture's own.
    stamps : FrameStamps
        When its frames arrived.
    flashes : FlashLog
    sensors : mapping of channel to SensorRecord
    workers : int
        Threads.
    worth : WorthPredicting
    """
    if not stamps.dated_by_arrival or len(flashes.light_s) == 0 or probe_video(video).duration_s <= worth.shortest_s:
        return None
    file_pts_ns = frame_pts_ns(video)
    pts_s, written = file_pts_ns.astype(np.float64) * 1e-9, stamps.written
    spans = _spans(flashes.light_s - float(np.median(written.arrival_s - written.pts_s)), pts_s)
    if not spans or sum(stop - start for start, stop in spans) > worth.most * float(pts_s[-1] - pts_s[0]):
        return None
    try:
        brightness = read_brightness_about(video, spans, workers=workers)
    except (CannotEnterError, VideoError):  # reading the whole video later reports the error
        return None
    line = fit_flashes(
        brightness, flashes, late_s=np.zeros(len(brightness.pts_s))
    ).line  # the stamps are accurate enough here
    if line is None:
        return None
    frame_time_s = line(pts_s)
    measured = [d.clock.time_s for d in sensors.values() if len(d.clock.time_s)]
    start = max(float(frame_time_s[0]), float(np.median([time_s[0] for time_s in measured])))
    stop = min(float(frame_time_s[-1]), float(np.median([time_s[-1] for time_s in measured])))
    frames = resample.frames_to_look_at(resample.grid_times(start, stop), frame_time_s)
    return PoseFramePlan(frames=frames, file_pts_ns=file_pts_ns) if len(frames) else None


def _spans(at_s: FloatArray, pts_s: FloatArray) -> list[tuple[float, float]]:
    """Return the spans of presentation time around the flashes, within the video, merged where they overlap."""
    near = np.zeros(len(pts_s), dtype=bool)
    for first, stop in zip(
        np.searchsorted(pts_s, at_s - _BEFORE_S), np.searchsorted(pts_s, at_s + _AFTER_S), strict=True
    ):
        near[first:stop] = True
    return [(float(pts_s[first]), float(pts_s[stop - 1])) for first, stop in true_runs(near)]
