"""The frames of the video that the report shows, decoded in one pass."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dataset.media.video import Frame, iter_frames
from dataset.support.disk_arrays import concatenate
from sync.report.section import spread, telling
from sync.result import SyncResult

#: Paired flashes shown: so many at either end, and the worst ones; and so many that were missed, or false.
ENDS, WORST, UNPAIRED = 3, 3, 3
_POSE_FRAMES = 6
#: Frames shown of a flash, relative to the first one that is lit.
ABOUT_FLASH = (-1, 0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashChoice:
    """Which flashes the report shows.

    Attributes
    ----------
    pairs : tuple of int
        Rows of ``evidence.flash_pairs``.
    missed, false : tuple of int
        Indices of sent flashes that were not paired, and of detected ones.
    """

    pairs: tuple[int, ...] = ()
    missed: tuple[int, ...] = ()
    false: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnails:
    """Frames by index, which flashes they show, and which rows of the pose table."""

    flashes: FlashChoice = field(default_factory=FlashChoice)
    pose_rows: tuple[tuple[int, int], ...] = ()
    images: Mapping[int, NDArray[np.uint8]] = field(default_factory=dict)


def decode_thumbnails(result: SyncResult) -> Thumbnails:
    """Return what the report shows of the video; no images where there is no video."""
    evidence, chosen, poses = result.evidence, _choose_flashes(result), _pose_rows(result)
    shown = [
        int(evidence.flash_detected_frame[i]) for i in (*evidence.flash_pairs[list(chosen.pairs), 1], *chosen.false)
    ]
    shown += [frame_at(result, float(evidence.flash_host_s[i])) for i in chosen.missed]
    wanted = {frame + step for frame in shown for step in ABOUT_FLASH} | {frame for _, frame in poses}
    images = _decode(result, wanted)
    return Thumbnails(flashes=chosen, pose_rows=poses, images=images)


def pairs_count(result: SyncResult) -> bool:
    """Return whether the matching of flashes was accepted; where it was not, the pairs mean nothing."""
    stream = result.streams.get("video")
    return (
        stream is not None and stream.method == "flashes" and len(stream.residual_s) == len(result.evidence.flash_pairs)
    )


def frame_at(result: SyncResult, time_s: float) -> int:
    """Return the frame nearest to a session time."""
    times = result.evidence.frame_time_s
    return int(np.argmin(np.abs(times - time_s))) if len(times) else 0


def _decode(result: SyncResult, wanted: Iterable[int]) -> Mapping[int, NDArray[np.uint8]]:
    indices = np.array(sorted(i for i in wanted if i >= 0), dtype=np.int64)
    if result.video_path is None or not len(indices):
        return {}
    return keep_images(iter_frames(result.video_path, indices=indices))


def keep_images(frames: Iterable[Frame]) -> Mapping[int, NDArray[np.uint8]]:
    """Return frames' images by index, in a temporary file until they are drawn: in 4K they would take a gigabyte."""
    shapes: dict[int, tuple[int, ...]] = {}

    def images() -> Iterator[tuple[NDArray[np.uint8]]]:
        for frame in frames:
            shapes[frame.index] = frame.image.shape
            yield (frame.image.reshape(-1),)

    (flat,) = concatenate(images(), (np.uint8,))
    ends = np.cumsum([math.prod(shape) for shape in shapes.values()], dtype=np.int64)
    return {
        index: flat[end - math.prod(shape) : end].reshape(shape)
        for end, (index, shape) in zip(ends.tolist(), shapes.items(), strict=True)
    }


def _choose_flashes(result: SyncResult) -> FlashChoice:
    evidence = result.evidence
    if not len(evidence.frame_time_s):
        return FlashChoice()
    everything = np.arange(len(evidence.flash_detected_s))
    if not pairs_count(result):
        return FlashChoice(false=tuple(spread(everything, 2 * ENDS).tolist()))
    missed = np.setdiff1d(np.arange(len(evidence.flash_host_s)), evidence.flash_pairs[:, 0])
    within = (evidence.flash_host_s >= evidence.frame_time_s[0]) & (evidence.flash_host_s <= evidence.frame_time_s[-1])
    false = np.setdiff1d(everything, evidence.flash_pairs[:, 1])
    return FlashChoice(
        pairs=tuple(telling(result.streams["video"].residual_s, ends=ENDS, worst=WORST)),
        missed=tuple(spread(missed[within[missed]], UNPAIRED).tolist()),
        false=tuple(spread(false, UNPAIRED).tolist()),
    )


def _pose_rows(result: SyncResult) -> tuple[tuple[int, int], ...]:
    """Return (row of the pose table, frame) of a few frames spread over the exercises, else over the session."""
    pose, video = result.session.pose, result.session.video
    if pose is None or video is None or pose.keypoints_2d is None:
        return ()
    found = np.flatnonzero(np.isfinite(pose.keypoints_2d).any(axis=(1, 2)))
    exercises = result.session.exercises
    if len(found) and len(exercises.name):
        middle_s = 0.5 * (exercises.start_s + exercises.stop_s)
        time_s = video.frame_time_s[np.clip(pose.frame_index[found], 0, len(video.frame_time_s) - 1)]
        found = found[np.unique([int(np.argmin(np.abs(time_s - t))) for t in middle_s])]
    return tuple((int(row), int(pose.frame_index[row])) for row in spread(found, _POSE_FRAMES))
