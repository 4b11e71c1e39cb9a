"""The common grid: what a model is trained on, with keypoints drawn on frames."""

from __future__ import annotations

import numpy as np

from dataset.exercises import exercise_title
from sync.report import figures
from sync.report.section import Section, Thumbnail
from sync.report.thumbnails import Thumbnails
from sync.result import SyncResult


def preview_section(result: SyncResult, thumbnails: Thumbnails) -> Section | None:
    """Return the section on the grid; None where there is no grid."""
    session = result.session
    if not len(session.aligned.time_s):
        return None
    frames = []
    for row, frame in thumbnails.pose_rows:
        if frame in thumbnails.images and session.pose is not None and session.pose.keypoints_2d is not None:
            keypoints, confidence = session.pose.keypoints_2d[row], session.pose.confidence[row]
            image = figures.frame_uri(thumbnails.images[frame], keypoints=keypoints, confidence=confidence)
            frames.append(Thumbnail(image=image, caption=_frame_caption(result, frame)))
    share = float(session.aligned.emg_valid.mean()) if session.aligned.emg_valid.size else 0.0
    texts = [f"{len(session.aligned.time_s)} grid times at {session.rate_hz:g} Hz; {share:.1%} of the sEMG is present."]
    if session.aligned.keypoints_2d is not None:
        seen = float(np.isfinite(session.aligned.keypoints_2d).any(axis=(1, 2)).mean())
        texts.append(
            f"The person was detected at {seen:.1%} of the grid times. Blue: the subject's left; orange: right."
        )
    else:
        texts.append("The session has no keypoints.")
    return Section(
        title=f"The grid at {session.rate_hz:g} Hz",
        texts=(" ".join(texts),),
        image=figures.grid_figure(session.aligned, session.channels.name, session.channels.unit, session.exercises),
        alt="sEMG of every channel on the common grid, exercises shaded",
        frames=tuple(frames),
    )


def _frame_caption(result: SyncResult, frame: int) -> str:
    video, exercises = result.session.video, result.session.exercises
    time_s = float(video.frame_time_s[frame]) if video is not None else 0.0
    during = np.flatnonzero((exercises.start_s <= time_s) & (time_s < exercises.stop_s))
    name = f", {exercise_title(exercises.name[int(during[0])])}" if len(during) else ""
    return f"{time_s:.1f} s{name}"
