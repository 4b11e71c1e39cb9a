"""Resampling to the common 10 Hz grid: sEMG by cubic splines or envelopes, keypoints by cubic splines, gaps empty."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.interpolate import CubicSpline, PchipInterpolator

from dataset.session.types import LONGEST_BRIDGE_S, ExerciseTable, Pose
from dataset.support.arrays import BoolArray, FloatArray, IntArray, true_runs
from dataset.support.disk_arrays import blocks, full, run_bounds
from sync.clock.stamps import near_enough, rate_sections
from sync.events.filters import envelope
from sync.events.perievent import WAVEFORM_HZ, typical_step

RATE_HZ = 10.0
#: Low-pass of an envelope that is then sampled at 10 Hz: below its Nyquist frequency of 5 Hz.
ENVELOPE_CUTOFF_HZ = 4.0
#: Frames further apart than this are not neighbours.
_WIDEST_FRAMES = 2.5
#: A frame this close to a grid time, in frames and in seconds, is used alone.
_NEAR_FRAMES = 0.6
_NEAR_S = 0.025
#: Processed frames further apart than this (and than a few frames) are not joined by one cubic: the person was away.
_LONGEST_CUBIC_S = 0.25
#: At this distance a value's influence on a cubic spline is below rounding: it falls to a quarter with each value.
_CUBIC_REACH = 60
#: Steps below the first share of the median step, or above the second multiple of it, make a cubic spline overshoot.
_SHORT_STEP, _LONG_STEP = 0.5, 2.5
#: Larger than the rounding of times.
_ROUNDING_S = 1e-6


def grid_times(start_s: float, stop_s: float) -> FloatArray:
    """Return the multiples of 0.1 s from ``start_s`` to ``stop_s``; empty where there are none."""
    first, last = np.ceil(start_s * RATE_HZ - 1e-6), np.floor(stop_s * RATE_HZ + 1e-6)
    return np.arange(first, last + 1) / RATE_HZ if last >= first else np.zeros(0)


def sensor_on_grid(grid_s: FloatArray, time_s: FloatArray, value: FloatArray, run: IntArray) -> FloatArray:
    """Resample one sensor's level to the grid times by cubic splines within runs; NaN outside its runs.

    Parameters
    ----------
    grid_s : ndarray, shape (T,)
        Ascending.
    time_s, value, run : ndarray, shape (N,)
        Session times, values, and the number of each value's run without a gap, which never decreases.

    Notes
    -----
    A slow level is interpolated by a cubic spline through the values of a run: linear interpolation would lose 12-17 %
    of the variance, depending on the sensor's phase. Where a run's stamps are uneven, monotone cubics (Fritsch &
    Carlson 1980) are used, which stay within the range of the two neighbouring values. A waveform is first rectified
    and low-passed to its envelope, at the rate of each section if that changes. Times further than one interval from a
    value get no level.
    """
    result = np.full(len(grid_s), np.nan)
    for first, stop in run_bounds(run):
        t, y = time_s[first:stop], value[first:stop]
        a, b = np.searchsorted(grid_s, t[0] - 1e-9), np.searchsorted(grid_s, t[-1] + 1e-9, side="right")
        if len(t) < 2 or a == b or t[0] == t[-1]:
            continue
        waveform = (len(t) - 1) / float(t[-1] - t[0]) >= WAVEFORM_HZ
        for begin, end in rate_sections(t) if waveform else [(0, len(t))]:
            _fill(result, grid_s, t[begin:end], y[begin:end])
        inside = np.clip(grid_s[a:b], t[0], t[-1])
        result[a:b][near_enough(inside, t) < -_ROUNDING_S] = np.nan
    return result


def _fill(level: FloatArray, grid_s: FloatArray, time_s: FloatArray, value: FloatArray) -> None:
    """Write the level of a section of one rate at the grid times within it."""
    a, b = np.searchsorted(grid_s, time_s[0] - 1e-9), np.searchsorted(grid_s, time_s[-1] + 1e-9, side="right")
    if a == b or time_s[-1] == time_s[0]:
        return
    rate_hz = (len(time_s) - 1) / float(time_s[-1] - time_s[0])
    if rate_hz < WAVEFORM_HZ or len(time_s) >= rate_hz:  # shorter ones do not let the filters settle
        level[a:b] = _run_at(np.clip(grid_s[a:b], time_s[0], time_s[-1]), time_s, value, rate_hz)


def _run_at(at_s: FloatArray, time_s: FloatArray, value: FloatArray, rate_hz: float) -> FloatArray:
    """Return the level of one run at times within it, ascending, shape (K,)."""
    if len(time_s) < 4:
        return np.interp(at_s, time_s, value)
    result = np.empty(len(at_s))
    waveform = rate_hz >= WAVEFORM_HZ
    curve = CubicSpline if _is_even(time_s, slow=not waveform) else PchipInterpolator
    for rows in blocks(time_s):
        a = np.searchsorted(at_s, time_s[rows.start])
        b = np.searchsorted(at_s, time_s[rows.stop]) if rows.stop < len(time_s) else len(at_s)
        if a == b:
            continue
        around = slice(max(0, rows.start - _CUBIC_REACH), min(len(time_s), rows.stop + _CUBIC_REACH))
        level = envelope(value, rate_hz, ENVELOPE_CUTOFF_HZ, around) if waveform else value[around]
        apart = np.diff(time_s[around], prepend=-np.inf) > 0  # a value received twice has one time
        result[a:b] = curve(time_s[around][apart], level[apart])(at_s[a:b])
    return result


def _is_even(time_s: FloatArray, *, slow: bool) -> bool:
    """Return whether a run's stamps are even enough for a cubic spline; a waveform's level tolerates longer steps."""
    shortest_s, longest_s, last = np.inf, 0.0, float(time_s[0])
    for rows in blocks(time_s):
        step_s = np.diff(time_s[rows], prepend=last)
        last = float(time_s[rows.stop - 1])
        longest_s = max(longest_s, float(step_s.max()))
        shortest_s = min(shortest_s, float(np.min(step_s[step_s > 0], initial=np.inf)))
    usual_s = typical_step(time_s)
    return shortest_s >= _SHORT_STEP * usual_s and (longest_s <= _LONG_STEP * usual_s or not slow)


def frames_to_look_at(grid_s: FloatArray, frame_time_s: FloatArray, seen: IntArray | None = None) -> IntArray:
    """Return the indices of the frames needed for keypoints at the grid times, ascending.

    These are each grid time's nearest frame and, if that is not close (a slow camera, a lost frame), its neighbours on
    both sides. Of two close frames, one that was ``seen`` already is preferred.
    """
    if len(frame_time_s) == 0 or len(grid_s) == 0:
        return np.zeros(0, dtype=np.int64)
    after = np.searchsorted(frame_time_s, grid_s, side="right")
    both = np.clip(np.column_stack([after - 1, after]), 0, len(frame_time_s) - 1)
    away = np.abs(frame_time_s[both] - grid_s[:, None])
    near = away <= _near_s(frame_time_s)
    known = near & np.isin(both, seen) if seen is not None else np.zeros(near.shape, dtype=bool)
    nearest = np.take_along_axis(both, np.where(known, away - _NEAR_S, away).argmin(axis=1)[:, None], axis=1)[:, 0]
    inside = away.min(axis=1) <= _WIDEST_FRAMES * _spacing_s(frame_time_s)
    lone = near.any(axis=1)
    return np.unique(np.concatenate([nearest[lone], both[inside & ~lone].ravel()])).astype(np.int64)


def nearest_frame(grid_s: FloatArray, frame_time_s: FloatArray) -> IntArray:
    """Return the index of the nearest frame, -1 if none is within one frame's spacing; shape (T,)."""
    if len(frame_time_s) < 2:
        return np.full(len(grid_s), -1, dtype=np.int64)
    spacing = _spacing_s(frame_time_s)
    right = np.clip(np.searchsorted(frame_time_s, grid_s), 1, len(frame_time_s) - 1)
    nearer_left = grid_s - frame_time_s[right - 1] <= frame_time_s[right] - grid_s
    nearest = np.where(nearer_left, right - 1, right)
    near = np.abs(frame_time_s[nearest] - grid_s) <= spacing
    return np.where(near, nearest, -1).astype(np.int64)


def pose_on_grid(grid_s: FloatArray, frame_time_s: FloatArray, pose: Pose) -> dict[str, FloatArray]:
    """Resample ``keypoints_2d``, ``keypoints_3d`` (if present) and ``confidence`` to the grid by cubic splines.

    Parameters
    ----------
    grid_s : ndarray, shape (T,)
    frame_time_s : ndarray, shape (V,)
        Session time of every frame of the file.
    pose : Pose
        Of the frames that were processed.

    Notes
    -----
    Keypoints are interpolated by a cubic spline through the frames that show the person, at the frames' own times. A
    grid time is valid if a frame close to it, or one on each side, shows the person; elsewhere it is NaN. A spline
    through the nearest frames alone is at least as accurate as a line between both neighbours, which cuts the turning
    points of fast limbs, and needs only half of the frames.
    """
    fields = {"keypoints_2d": pose.keypoints_2d, "keypoints_3d": pose.keypoints_3d}
    sources = {name: values for name, values in fields.items() if values is not None}
    found = np.zeros(len(pose.frame_index), dtype=bool)
    for values in sources.values():
        found |= np.isfinite(values).any(axis=(1, 2))
    # In files, as the arrays they come from: an hour of either is 43 MB.
    result = {name: full((len(grid_s), *values.shape[1:]), np.nan) for name, values in sources.items()}
    result["confidence"] = full((len(grid_s), 25), 0.0)
    sources["confidence"] = pose.confidence
    rows = np.flatnonzero(found)
    time_s = frame_time_s[pose.frame_index[rows]]
    spacing_s, near_s = _spacing_s(frame_time_s), _near_s(frame_time_s)
    # A grid time's two neighbours among all frames of the file, and whether they show the person.
    padded_s = np.concatenate([[-np.inf], frame_time_s, [np.inf]])
    shows = np.zeros(len(padded_s), dtype=bool)
    shows[pose.frame_index[rows] + 1] = True
    after = np.searchsorted(frame_time_s, grid_s, side="right") + 1
    before_s, behind_s = grid_s - padded_s[after - 1], padded_s[after] - grid_s
    seen = (shows[after - 1] & (before_s <= near_s)) | (shows[after] & (behind_s <= near_s))
    seen |= shows[after - 1] & shows[after] & (before_s + behind_s <= _WIDEST_FRAMES * spacing_s)
    apart = np.flatnonzero(np.diff(time_s) > _LONGEST_CUBIC_S + _WIDEST_FRAMES * spacing_s) + 1
    for run in np.split(np.arange(len(rows)), apart):
        if len(run) == 0:
            continue
        t = time_s[run]
        at = np.flatnonzero(seen & (grid_s >= t[0] - near_s) & (grid_s <= t[-1] + near_s))
        where = np.clip(grid_s[at], t[0], t[-1])
        for name, values in sources.items():
            cubic = name != "confidence" and len(t) >= 4 and _all_finite(values, rows[run])
            # One joint at a time: a spline of all keypoints of an hour takes hundreds of megabytes.
            for joint in range(values.shape[1]):
                y = values[rows[run], joint]
                result[name][at, joint] = CubicSpline(t, y)(where) if cubic else _on_line(t, y, where)
    return result


def _all_finite(values: FloatArray, rows: IntArray) -> bool:
    return all(np.isfinite(values[rows, joint]).all() for joint in range(values.shape[1]))


def _on_line(time_s: FloatArray, values: FloatArray, at_s: FloatArray) -> FloatArray:
    if len(time_s) == 1:
        return np.repeat(values, len(at_s), axis=0)
    right = np.clip(np.searchsorted(time_s, at_s, side="right"), 1, len(time_s) - 1)
    share = (at_s - time_s[right - 1]) / (time_s[right] - time_s[right - 1])
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray((1 - share) * values[right - 1] + share * values[right])


def _spacing_s(frame_time_s: FloatArray) -> float:
    return float(np.median(np.diff(frame_time_s))) if len(frame_time_s) > 1 else 1.0


def _near_s(frame_time_s: FloatArray) -> float:
    """Return how close a frame must be to be used for a grid time: about half a frame's spacing, with its jitter."""
    return min(_NEAR_FRAMES * _spacing_s(frame_time_s), _NEAR_S)


def close_short_gaps(seen: BoolArray) -> BoolArray:
    """Return ``seen`` with inner runs of False of up to half a second set to True; shape (T,)."""
    closed = seen.copy()
    for first, stop in true_runs(~seen):
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
    """Return all channels on the grid, shape (T, C); a failed channel (None) is all NaN."""

    def column(stream: tuple[FloatArray, FloatArray, IntArray] | None) -> FloatArray:
        return np.full(len(grid_s), np.nan) if stream is None else sensor_on_grid(grid_s, *stream)

    columns = [column(streams[name]) for name in streams]  # no variable keeps a stream alive until the next one
    return np.column_stack(columns) if columns else np.zeros((len(grid_s), 0))
