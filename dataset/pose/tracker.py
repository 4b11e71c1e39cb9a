"""Keypoints of chosen frames of one video, tracked from frame to frame while another module decodes them."""

from __future__ import annotations

import math
import threading
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from dataset.media.decoded_frame import DecodedFrame
from dataset.pose.landmarker import PoseLandmarker
from dataset.pose.model_file import pose_model
from dataset.session.types import Pose
from dataset.support.arrays import BoolArray, FloatArray, IntArray
from dataset.support.disk_arrays import compacted, full
from dataset.support.files import sha256_of

#: A person is looked for in the whole picture again after this.
_AWAY_NS = 500_000_000
#: Rows copied at once.
_ROWS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """One row a frame that may come; all threads write to it, each to rows of its own."""

    wanted: IntArray
    at_ns: IntArray
    flat: FloatArray
    world: FloatArray
    confidence: FloatArray
    seen: BoolArray

    @classmethod
    def of(cls, wanted: IntArray, times_ns: IntArray) -> _Rows:
        # In files: an hour of them is 43 MB. Small arrays kept among pictures would hold the pictures' memory.
        n = len(wanted)
        return cls(
            wanted=wanted, at_ns=times_ns[wanted], flat=full((n, 25, 2), math.nan), world=full((n, 25, 3), math.nan),
            confidence=full((n, 25), 0.0), seen=np.zeros(n, dtype=bool),
        )  # fmt: skip


class PoseStretch:
    """Tracks the person through successive frames; a :class:`dataset.media.video_pass.StretchConsumer`.

    Where the person was is remembered from one frame to the next, unless half a second lies between them.
    """

    def __init__(self, network: PoseLandmarker, rows: _Rows) -> None:
        self._network, self._rows = network, rows
        self._last_ns: int | None = None

    def wants(self, pts_ns: int) -> bool:
        """Return whether a frame of this time is among those to look at."""
        return self._row_at(pts_ns) is not None

    def take(self, frame: DecodedFrame) -> None:
        """Look at a frame of a pass."""
        row = self._row_at(frame.pts_ns)
        if row is not None:
            self._look(row, frame.picture())

    def hand_over(self) -> None:
        """Do nothing: what is found is in its row at once."""

    def look(self, index: int, image: NDArray[np.uint8]) -> None:
        """Look at one of the frames that may come: its index in the video, and its picture (RGB, upright)."""
        self._look(int(np.searchsorted(self._rows.wanted, index)), image)

    def _row_at(self, pts_ns: int) -> int | None:
        """Return the row of the frame at a time, of several the last; the video's times must not go back."""
        row = int(np.searchsorted(self._rows.at_ns, pts_ns, side="right")) - 1
        return row if row >= 0 and self._rows.at_ns[row] == pts_ns else None

    def _look(self, row: int, image: NDArray[np.uint8]) -> None:
        rows, at_ns = self._rows, int(self._rows.at_ns[row])
        if self._last_ns is None or at_ns - self._last_ns > _AWAY_NS:
            self._network.forget()
        self._last_ns = at_ns
        rows.seen[row] = True
        body = self._network.find(image, rgb=True)
        rows.flat[row] = math.nan if body is None else body.keypoints_2d
        rows.world[row] = math.nan if body is None else body.keypoints_3d
        rows.confidence[row] = 0.0 if body is None else body.confidence


class PoseCollector:
    """Keypoints of chosen frames, as a consumer of a video pass or frame by frame; a context manager.

    Threads may look at once, each with a network of its own.

    Parameters
    ----------
    wanted : ndarray of int64, shape (F,)
        Indices of the frames that may come, ascending.
    times_ns : ndarray of int64, shape (V,)
        Presentation times of all frames of the video.
    model : Path, optional
        A ``.task`` file in place of the built-in network.

    Raises
    ------
    InputError
        There is no such file.
    MissingDependencyError
        The built-in network cannot be had.
    """

    #: Where a stretch begins the person is looked for in the whole picture, so stretches are the same for any number
    #: of threads; and a network takes its time, so that short ones keep all threads at work to the end.
    longest_stretch_s: float | None = 30.0

    def __init__(self, wanted: IntArray, times_ns: IntArray, model: Path | None = None) -> None:
        self._model = pose_model(model)  # built here where it must be, not by several threads at once
        self._open = ExitStack()
        self._networks: dict[int, PoseLandmarker] = {}
        self._rows = _Rows.of(wanted, times_ns)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def stretch(self) -> PoseStretch:
        """Return what looks at successive frames, by the network of the thread that calls.

        Raises
        ------
        MissingDependencyError
            The pose network cannot be loaded.
        """
        return PoseStretch(self._own_network(), self._rows)

    def restart(self) -> None:
        """Do nothing: a frame that comes once more is written to the same row."""

    def pose(self) -> Pose:
        """Return one row a frame that came, once: NaN and confidence 0 where nobody was found.

        Raises
        ------
        MissingDependencyError
            The pose network cannot be loaded.
        """
        rows = self._rows
        flat, world, confidence = (compacted(values, rows.seen) for values in (rows.flat, rows.world, rows.confidence))
        network = next(iter(self._networks.values()), None) or self._own_network()
        return Pose(
            keypoints_2d=flat,
            keypoints_3d=world,
            confidence=confidence,
            frame_index=np.asarray(rows.wanted[rows.seen], dtype=np.int64),
            backend=network.backend,
            model_sha256=sha256_of(network.model_path),
        )

    def _own_network(self) -> PoseLandmarker:
        """Return this thread's network, made in it: the network's own threads stay where the thread that made it is."""
        thread = threading.get_ident()
        if thread not in self._networks:
            # Kept until the end, and used for stretch after stretch: to make and drop them costs memory.
            self._networks[thread] = self._open.enter_context(PoseLandmarker(self._model))
        return self._networks[thread]


def of_frames(wanted: IntArray, *poses: Pose) -> Pose:
    """Return what one or more tables of the same network hold of the frames wanted, in the frames' order.

    Parameters
    ----------
    wanted : ndarray of int64, shape (F,)
        Those that no table holds are left out.
    *poses : Pose
        No frame is in two of them.
    """
    index = np.intersect1d(wanted, np.concatenate([pose.frame_index for pose in poses]))
    flat, world = full((len(index), 25, 2), math.nan), full((len(index), 25, 3), math.nan)
    confidence = full((len(index), 25), 0.0)
    for pose in poses:
        held = np.flatnonzero(np.isin(pose.frame_index, index))
        for first in range(0, len(held), _ROWS):
            of_pose = held[first : first + _ROWS]
            row = np.searchsorted(index, pose.frame_index[of_pose])
            for to, values in ((flat, pose.keypoints_2d), (world, pose.keypoints_3d), (confidence, pose.confidence)):
                if values is not None:
                    to[row] = values[of_pose]
    return replace(poses[0], keypoints_2d=flat, keypoints_3d=world, confidence=confidence, frame_index=index)
