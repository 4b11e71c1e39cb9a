"""Keypoints of chosen frames of one video, found by whoever decodes them."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from dataset.pose.landmarker import PoseLandmarker
from dataset.pose.model_file import pose_model
from dataset.session.types import Pose
from dataset.support.arrays import IntArray
from dataset.support.disk_arrays import compacted, full
from dataset.support.files import sha256_of

#: A person is looked for in the whole picture again after this.
_AWAY_NS = 500_000_000
#: Rows copied at once.
_ROWS = 4096

#: Looks at one frame of the video: its index, and its picture (RGB, upright).
Look = Callable[[int, NDArray[np.uint8]], None]


class PoseCollector:
    """Looks for the person in chosen frames and keeps what it finds; a context manager.

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

    def __init__(self, wanted: IntArray, times_ns: IntArray, model: Path | None = None) -> None:
        self._wanted = wanted
        self._times_ns = times_ns
        self._model = pose_model(model)  # built here where it must be, not by several threads at once
        self._open = ExitStack()
        self._networks: dict[int, PoseLandmarker] = {}
        # In files: an hour of them is 43 MB. Small arrays kept among pictures that come and go would hold their memory.
        self._flat, self._world = full((len(wanted), 25, 2), math.nan), full((len(wanted), 25, 3), math.nan)
        self._confidence, self._seen = full((len(wanted), 25), 0.0), np.zeros(len(wanted), dtype=bool)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @contextmanager
    def stretch(self) -> Iterator[Look]:
        """Yield what looks at successive frames one after another.

        Where the person was is remembered from one frame to the next, unless half a second lies between them.

        Raises
        ------
        MissingDependencyError
            The pose network cannot be loaded.
        """
        network = self._own_network()
        last_ns: int | None = None

        def look(index: int, image: NDArray[np.uint8]) -> None:
            nonlocal last_ns
            at_ns = int(self._times_ns[index])
            if last_ns is None or at_ns - last_ns > _AWAY_NS:
                network.begin_anew()
            last_ns = at_ns
            row = int(np.searchsorted(self._wanted, index))
            self._seen[row] = True
            body = network.find(image, rgb=True)
            self._flat[row] = math.nan if body is None else body.keypoints_2d
            self._world[row] = math.nan if body is None else body.keypoints_3d
            self._confidence[row] = 0.0 if body is None else body.confidence

        yield look

    def pose(self) -> Pose:
        """Return one row a frame that came, once: NaN and confidence 0 where nobody was found.

        Raises
        ------
        MissingDependencyError
            The pose network cannot be loaded.
        """
        flat, world, confidence = (
            compacted(values, self._seen) for values in (self._flat, self._world, self._confidence)
        )
        network = next(iter(self._networks.values()), None) or self._own_network()
        return Pose(
            keypoints_2d=flat,
            keypoints_3d=world,
            confidence=confidence,
            frame_index=np.asarray(self._wanted[self._seen], dtype=np.int64),
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
