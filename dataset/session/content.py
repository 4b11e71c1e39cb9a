"""Checks of a session's values: times that rise, coordinates that are finite, indices in range, names that differ."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from dataset.session.types import Session

#: A century: no time of a session lies further from its zero.
MOST_S = 3.2e9
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 0.1, 10_000.0
_MOST_PIXELS = 65_535
#: Of a coordinate, in pixels or metres, and of an sEMG value in any unit: sums of squares stay finite.
_MOST_COORDINATE, _MOST_VALUE = 1e7, 1e15


def content_problems(session: Session) -> Iterator[str]:
    """Yield the faults of a session's values, one sentence each."""
    if not LOWEST_RATE_HZ <= session.rate_hz <= HIGHEST_RATE_HZ:
        yield f"root attribute rate_hz is {session.rate_hz:g}"
    if session.zero_host_ns < -1:
        yield f"root attribute zero_host_ns is {session.zero_host_ns}"
    names = session.channels.name
    yield from (f"two channels are called {name!r}" for name in dict.fromkeys(names) if names.count(name) > 1)
    yield from _aligned_problems(session)
    for name, stream in session.emg.items():
        yield from _rising(f"emg/{name}/time_s", stream.time_s)
        yield from _bounded(f"emg/{name}/value", stream.value, _MOST_VALUE)
    if session.video is not None:
        if not (1 <= session.video.width <= _MOST_PIXELS and 1 <= session.video.height <= _MOST_PIXELS):
            yield f"/video is {session.video.width} x {session.video.height} pixels"
        yield from _rising("video/frame_time_s", session.video.frame_time_s)
        yield from _indices("video/frame_index", session.video.frame_index)
    if session.pose is not None:
        yield from _bounded("pose/keypoints_2d", session.pose.keypoints_2d, _MOST_COORDINATE)
        yield from _bounded("pose/keypoints_3d", session.pose.keypoints_3d, _MOST_COORDINATE)
        yield from _bounded("pose/confidence", session.pose.confidence, _MOST_COORDINATE)
        yield from _indices("pose/frame_index", session.pose.frame_index)
    yield from _bounded("events/time_s", session.events.time_s, MOST_S, nan=False)
    yield from _bounded("exercises/start_s", session.exercises.start_s, MOST_S, nan=False)
    yield from _bounded("exercises/stop_s", session.exercises.stop_s, MOST_S, nan=False)
    if np.any(session.exercises.stop_s < session.exercises.start_s):
        yield "an exercise in /exercises ends before it starts"
    if session.calibration is not None:
        yield from _bounded("calibration/rest_counts", session.calibration.rest_counts, _MOST_VALUE)
        yield from _bounded("calibration/mvc_counts", session.calibration.mvc_counts, _MOST_VALUE)
    for of, sync in session.sync.items():
        yield from _bounded(f"sync/{of}/residual_s", sync.residual_s, MOST_S)
        yield from _bounded(f"sync/{of}/epochs", sync.epochs, MOST_S)
        for number in chain((sync.offset_s, sync.rate_ppm), sync.constants.values()):
            if isinstance(number, float) and not math.isnan(number) and abs(number) > MOST_S:
                yield f"a number of /sync/{of} is {number:g}"


def _aligned_problems(session: Session) -> Iterator[str]:
    grid = session.aligned
    faults = list(_bounded("aligned/time_s", grid.time_s, MOST_S, nan=False))
    yield from faults
    if not faults and session.rate_hz >= LOWEST_RATE_HZ:
        # Imported windows overlap, each a segment of its own.
        inside = (np.diff(grid.segment) == 0) & (grid.segment[1:] >= 0)
        step_s = np.diff(grid.time_s)[inside]
        if len(step_s) and step_s.min() <= 0:
            yield "the times in /aligned/time_s fall or repeat within a segment"
        elif len(step_s) and (step_s.min() * session.rate_hz < 0.5 or step_s.max() * session.rate_hz > 2.0):
            yield f"the steps of /aligned/time_s are {step_s.min():g} to {step_s.max():g} s at {session.rate_hz:g} Hz"
    yield from _bounded("aligned/emg", grid.emg, _MOST_VALUE)
    yield from _bounded("aligned/keypoints_2d", grid.keypoints_2d, _MOST_COORDINATE)
    yield from _bounded("aligned/keypoints_3d", grid.keypoints_3d, _MOST_COORDINATE)
    yield from _bounded("aligned/confidence", grid.confidence, _MOST_COORDINATE)
    if np.any(grid.emg_valid & ~np.isfinite(grid.emg)):
        yield "/aligned/emg_valid is true where /aligned/emg has no value"
    if np.any(grid.segment < -1):
        yield "/aligned/segment has numbers below -1"
    yield from _indices("aligned/frame_index", grid.frame_index)


def _rising(name: str, time_s: NDArray[np.floating]) -> Iterator[str]:
    faults = list(_bounded(name, time_s, MOST_S, nan=False))
    yield from faults
    if not faults and np.any(np.diff(time_s) < 0):
        yield f"the times in /{name} fall"


def _bounded(name: str, values: NDArray[np.floating] | None, most: float, *, nan: bool = True) -> Iterator[str]:
    if values is None or not values.size:
        return
    missing = np.isnan(values)
    if not nan and missing.any():
        yield f"/{name} has values that are no numbers"
    elif np.isinf(values).any():
        yield f"/{name} has infinite values"
    elif np.any(np.abs(np.where(missing, 0.0, values)) > most):
        yield f"/{name} has values beyond {most:g}"


def _indices(name: str, index: NDArray[np.integer] | None) -> Iterator[str]:
    if index is not None and index.size and (index.min() < -1 or index.max() >= 2**53):
        yield f"/{name} has indices outside the file"
