"""The line below arrivals that can only be late, and how late the earliest of them are themselves.

Even the earliest arrivals are a little late, the more so the fewer come nearly punctual: how close together they lie
tells by how much.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from dataset.support.arrays import FloatArray, IntArray
from dataset.support.disk_arrays import blocks
from sync.robust import mad_sd

#: Times are kept this well; less below the line is on it.
_ROUNDING_S = 1e-6
#: A single value that undercuts the envelope by this much is a clock's glitch, not the envelope.
GLITCH_S = 0.003
#: Which of the earliest arrivals above the line tells how close together they lie, and which two whether they lie
#: evenly: the second is so many times as far above as the first. It is less where one outlier lies too early, and more
#: where a radio is late in steps.
_EARLIEST = 12
_EVENLY, _TIMES_APART = (6, 24), (2.0, 10.0)
#: No fewer values than so many times the last of them have a tail to speak of.
_OF_VALUES = 8
#: So many points are gone through one by one; of more, those that lie high in their blocks are passed over first.
_FEW_POINTS, _BLOCK = 1000, 32


def lower_envelope(
    index: IntArray, arrival_s: FloatArray, *, few_points: int = _FEW_POINTS, block: int = _BLOCK
) -> tuple[float, float]:
    """Return ``(intercept_s, period_s)`` of the line below all arrivals that lies closest to them.

    That line is the edge of the lower convex hull over the mean index, the maximum-likelihood line where lateness
    is one-sided and exponential. A value that undercuts the others by far (a stamp gone wrong, an index one too
    high) is left out: it would tilt the line.

    Parameters
    ----------
    index, arrival_s : ndarray, shape (N,)
    few_points : int
        So many points are gone through one by one.
    block : int
        Of more points, those that lie high in their blocks of so many are passed over first; the line is the same.

    Notes
    -----
    Columns may be longer than memory: what is on the hull of all values is on the hull of its own block.
    """
    if index[0] == index[-1]:
        raise ValueError("a line needs two different indices")
    slope, height, margin = _least_credible(index, arrival_s)
    xs, ys = [], []
    total, n = 0.0, 0
    for rows in blocks(index):
        x, y = index[rows].astype(np.float64), arrival_s[rows]
        keep = y - (slope * x + height) > -margin
        x, y = x[keep], y[keep]
        total, n = total + float(x.sum()), n + len(x)
        x, y = _hull(x, y, few_points, block)
        xs.append(x)
        ys.append(y)
    x, y = _hull(np.concatenate(xs), np.concatenate(ys), few_points, block) if len(xs) > 1 else (xs[0], ys[0])
    right = min(max(1, int(np.searchsorted(x, total / n))), len(x) - 1)
    period_s = float((y[right] - y[right - 1]) / (x[right] - x[right - 1]))
    return float(y[right - 1] - period_s * x[right - 1]), period_s


def _least_credible(index: IntArray, arrival_s: FloatArray) -> tuple[float, float, float]:
    """Return slope and height of a robust line through the minima of short blocks, and the margin below it."""
    slope = float((arrival_s[-1] - arrival_s[0]) / (index[-1] - index[0]))
    n_blocks = min(200, len(index) // 25)
    if n_blocks < 4:
        return slope, 0.0, math.inf
    x, earliest_s = earliest_of_parts(index, arrival_s, slope, n_blocks)
    flat = earliest_s - slope * x
    tilt, height, _, _ = stats.theilslopes(flat, x)
    spread = mad_sd(flat - (tilt * x + height), 0.0)
    return slope + float(tilt), float(height), max(GLITCH_S, 4 * spread)


def earliest_of_parts(
    index: IntArray, arrival_s: FloatArray, period_s: float, n_parts: int
) -> tuple[FloatArray, FloatArray]:
    """Return index and arrival of the least late value in each of so many parts of about one length."""
    ends = part_ends(len(index), n_parts)
    least_s, found_index, found_s = np.full(n_parts, np.inf), np.zeros(n_parts), np.zeros(n_parts)
    part = 0
    for rows in blocks(index):
        late_s = arrival_s[rows] - period_s * index[rows]
        at = rows.start
        while at < rows.stop:
            stop = min(ends[part + 1], rows.stop)
            row = at + int(late_s[at - rows.start : stop - rows.start].argmin())
            if late_s[row - rows.start] < least_s[part]:
                least_s[part] = late_s[row - rows.start]
                found_index[part], found_s[part] = index[row], arrival_s[row]
            at, part = stop, part + (stop == ends[part + 1])
    return found_index, found_s


def part_ends(n: int, n_parts: int) -> list[int]:
    """Return where so many parts of about one length begin, and the last one's end, as ``numpy.array_split`` cuts."""
    size, longer = divmod(n, n_parts)
    return [i * size + min(i, longer) for i in range(n_parts + 1)]


def _hull(x: FloatArray, y: FloatArray, few_points: int, block: int) -> tuple[FloatArray, FloatArray]:
    """Return the corners of the points' lower hull from left to right."""
    if np.any(np.diff(x) <= 0):  # of those that share an index the earliest alone can touch the line
        order = np.lexsort((y, x))
        order = order[np.concatenate([[True], np.diff(x[order]) > 0])]
        x, y = x[order], y[order]
    low = _low_enough(x, y, few_points, block)
    x, y = x[low], y[low]
    hull: list[int] = []
    for i in range(len(x)):
        while len(hull) >= 2:
            a, b = hull[-2], hull[-1]
            if (y[b] - y[a]) * (x[i] - x[a]) < (y[i] - y[a]) * (x[b] - x[a]):
                break
            hull.pop()
        hull.append(i)
    return x[hull], y[hull]


def _low_enough(x: FloatArray, y: FloatArray, few_points: int, block: int) -> IntArray:
    """Return which points may be on the lower hull: none above the chords between the lowest of neighbouring blocks."""
    left = np.arange(len(x))
    if len(left) <= few_points:
        return left
    flat = y - (y[-1] - y[0]) / (x[-1] - x[0]) * x
    while len(left) > few_points:
        lowest = np.array([part[flat[part].argmin()] for part in np.array_split(left, len(left) // block)])
        corners = np.unique(np.concatenate([left[:1], lowest, left[-1:]]))
        below = left[y[left] <= np.interp(x[left], x[corners], y[corners])]
        kept = np.union1d(below, corners)
        if len(kept) > 0.9 * len(left):
            break
        left = kept
    return left


def line_lateness_s(arrival_s: FloatArray, above_s: FloatArray) -> float:
    """Return how late the arrivals on the envelope are themselves, from how far above it the next ones lie.

    Notes
    -----
    Of ``n`` latenesses whose density near zero is level, as exponential ones', the k-th smallest is about k steps of
    one n-th; where it rises from zero, about the square root of k steps (the limits of smallest values, Fisher &
    Tippett 1928). The envelope, a line through two of them, lies about two steps above zero in the first case and 1.25
    in the second. Half way between the two is taken, since the lateness of a radio may be of either kind. Where the
    earliest follow neither, as with one that is too early or with a radio's own steps, nothing is concluded.
    """
    near, far = _EVENLY
    earliest, n = np.zeros(0), 0
    for rows in blocks(arrival_s):
        # Values of one packet share an arrival: the last of them is the latest taken, and the least late.
        last = np.diff(arrival_s[rows.start : rows.stop + 1]) > 0
        if rows.stop == len(arrival_s):
            last = np.append(last, True)
        above = above_s[rows][last]
        above = above[above > -_ROUNDING_S]
        n += len(above)
        earliest = np.concatenate([earliest, above])
        if len(earliest) > far:
            earliest = np.partition(earliest, far)[: far + 1]
    if n < _OF_VALUES * far:
        return 0.0
    earliest = np.sort(earliest)
    if not _TIMES_APART[0] * earliest[near] < earliest[far] < _TIMES_APART[1] * earliest[near]:
        return 0.0
    level, rising = 2.0 / (_EARLIEST - 1), 1.25 / (math.sqrt(_EARLIEST + 1) - 1.25)
    return 0.5 * (level + rising) * max(0.0, float(earliest[_EARLIEST]))
