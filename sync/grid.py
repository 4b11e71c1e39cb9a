"""The common 10 Hz grid: sEMG and keypoints at the same times, gaps left empty, runs numbered."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.interpolate import CubicSpline

from dataset.arrays import BoolArray, FloatArray, IntArray, stretches
from dataset.session import LONGEST_BRIDGE_S, ExerciseTable, Pose
from sync.detect.pieces import WAVEFORM_HZ, envelope

RATE_HZ = 10.0
#: Low-pass of an envelope that is then taken at 10 Hz: below its 5 Hz Nyquist.
_ENVELOPE_CUTOFF_HZ = 4.0
#: Frames further apart than this are not neighbours.
_WIDEST_FRAMES = 2.5


def grid_times(start_s: float, stop_s: float) -> FloatArray:
    """Return the multiples of 0.1 s from ``start_s`` to ``stop_s``; empty where there are none."""
    first, last = np.ceil(start_s * RATE_HZ - 1e-6), np.floor(stop_s * RATE_HZ + 1e-6)
    return np.arange(first, last + 1) / RATE_HZ if last >= first else np.zeros(0)


def sensor_on_grid(grid_s: FloatArray, time_s: FloatArray, value: FloatArray, run: IntArray) -> FloatArray:
    """Return one sensor's level at the grid times, NaN outside its runs.

    Parameters
    ----------
    grid_s : ndarray, shape (T,)
    time_s, value, run : ndarray, shape (N,)
        Session times, values, and the number of the run without a gap each belongs to.

    Notes
    -----
    A slow level is taken from a cubic through the values of a run: a line sliding over the sensor's phase loses
    12-17 % of the variance. A waveform is enveloped and low-passed first.
    """
    result = np.full(len(grid_s), np.nan)
    for number in np.unique(run):
        rows = run == number
        t, y = time_s[rows], value[rows]
        inside = (grid_s >= t[0] - 1e-9) & (grid_s <= t[-1] + 1e-9)
        if len(t) < 2 or not inside.any():
            continue
        rate_hz = (len(t) - 1) / float(t[-1] - t[0])
        if rate_hz >= WAVEFORM_HZ:
            if len(t) < rate_hz:  # too short for the filters to settle
                continue
            y = envelope(y, rate_hz, cutoff_hz=_ENVELOPE_CUTOFF_HZ)
        where = np.clip(grid_s[inside], t[0], t[-1])
        result[inside] = CubicSpline(t, y)(where) if len(t) >= 4 else np.interp(where, t, y)
    return result


def bracketing_frames(grid_s: FloatArray, frame_time_s: FloatArray) -> IntArray:
    """Return the indices of all frames that are a grid time's neighbour, ascending."""
    if len(frame_time_s) == 0:
        return np.zeros(0, dtype=np.int64)
    after = np.searchsorted(frame_time_s, grid_s, side="right")
    both = np.concatenate([after - 1, after])
    return np.unique(both[(both >= 0) & (both < len(frame_time_s))]).astype(np.int64)


def nearest_frame(grid_s: FloatArray, frame_time_s: FloatArray) -> IntArray:
    """Return the index of the nearest frame, -1 where none lies within one frame's spacing; shape (T,)."""
    if len(frame_time_s) < 2:
        return np.full(len(grid_s), -1, dtype=np.int64)
    spacing = float(np.median(np.diff(frame_time_s)))
    right = np.clip(np.searchsorted(frame_time_s, grid_s), 1, len(frame_time_s) - 1)
    nearer_left = grid_s - frame_time_s[right - 1] <= frame_time_s[right] - grid_s
    nearest = np.where(nearer_left, right - 1, right)
    near = np.abs(frame_time_s[nearest] - grid_s) <= spacing
    return np.where(near, nearest, -1).astype(np.int64)


def pose_on_grid(grid_s: FloatArray, frame_time_s: FloatArray, pose: Pose) -> dict[str, FloatArray]:
    """Return ``keypoints_2d``, ``keypoints_3d`` (where there) and ``confidence`` at the grid times.

    Between two neighbouring frames that both show the person a keypoint is taken on the line between them, at the
    frames' own times. Where only one shows it, that one counts if it lies within half a frame; else NaN.

    Parameters
    ----------
    grid_s : ndarray, shape (T,)
    frame_time_s : ndarray, shape (V,)
        Session time of every frame of the file.
    pose : Pose
        Of the frames that were looked at.
    """
    fields = {"keypoints_2d": pose.keypoints_2d, "keypoints_3d": pose.keypoints_3d}
    present = {name: values for name, values in fields.items() if values is not None}
    found = np.zeros(len(pose.frame_index), dtype=bool)
    for values in present.values():
        found |= np.isfinite(values).any(axis=(1, 2))
    row_of = np.full(len(frame_time_s) + 1, -1, dtype=np.int64)
    row_of[pose.frame_index[found]] = np.flatnonzero(found)
    spacing = float(np.median(np.diff(frame_time_s))) if len(frame_time_s) > 1 else 1.0
    shapes = {name: (len(grid_s), *values.shape[1:]) for name, values in present.items()}
    result = {name: np.full(shape, np.nan) for name, shape in shapes.items()}
    result["confidence"] = np.zeros((len(grid_s), 25))
    sources = {**present, "confidence": pose.confidence}
    after = np.searchsorted(frame_time_s, grid_s, side="right")
    for k, t in enumerate(grid_s):
        rows, times = [], []
        for frame in (after[k] - 1, after[k]):
            if 0 <= frame < len(frame_time_s) and row_of[frame] >= 0:
                rows.append(int(row_of[frame]))
                times.append(float(frame_time_s[frame]))
        if len(rows) == 2 and times[1] - times[0] <= _WIDEST_FRAMES * spacing:
            share = (t - times[0]) / (times[1] - times[0])
            for name, values in sources.items():
                result[name][k] = (1 - share) * values[rows[0]] + share * values[rows[1]]
            continue
        near = [row for row, time in zip(rows, times, strict=True) if abs(time - t) <= 0.5 * spacing]
        if near:
            for name, values in sources.items():
                result[name][k] = values[near[0]]
    return result


def close_short_gaps(seen: BoolArray) -> BoolArray:
    """Return ``seen`` with stretches of False of up to half a second inside it made True; shape (T,)."""
    closed = seen.copy()
    for first, stop in stretches(~seen):
        if first > 0 and stop < len(seen) and stop - first <= LONGEST_BRIDGE_S * RATE_HZ:
            closed[first:stop] = True
    return closed


def number_runs(usable: BoolArray) -> IntArray:
    """Return the number of the run of True each row belongs to, -1 outside; shape (T,)."""
    starts = usable & ~np.concatenate([[False], usable[:-1]])
    return np.where(usable, np.cumsum(starts) - 1, -1).astype(np.int64)


def exercise_at(grid_s: FloatArray, exercises: ExerciseTable) -> tuple[str, ...]:
    """Return the exercise done at each grid time, empty between exercises."""
    labels = [""] * len(grid_s)
    for name, start_s, stop_s in zip(exercises.name, exercises.start_s, exercises.stop_s, strict=True):
        for k in np.flatnonzero((grid_s >= start_s) & (grid_s < stop_s)):
            labels[int(k)] = name
    return tuple(labels)


def emg_on_grid(
    grid_s: FloatArray, streams: Mapping[str, tuple[FloatArray, FloatArray, IntArray] | None]
) -> FloatArray:
    """Return all channels on the grid, shape (T, C); a channel that is None (it failed) is all NaN."""
    columns = [
        np.full(len(grid_s), np.nan) if stream is None else sensor_on_grid(grid_s, *stream)
        for stream in streams.values()
    ]
    return np.column_stack(columns) if columns else np.zeros((len(grid_s), 0))
