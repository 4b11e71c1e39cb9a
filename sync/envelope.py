"""The line below arrivals that can only be late, and how late the earliest of them are themselves.

Even the earliest arrivals are a little late, the more so the fewer come nearly punctual: how close together they lie
tells by how much.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from scipy import stats

from dataset.arrays import BoolArray, FloatArray, IntArray

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


def lower_envelope(index: IntArray, arrival_s: FloatArray) -> tuple[float, float]:
    """Return ``(intercept_s, period_s)`` of the line below all arrivals that lies closest to them.

    That line is the edge of the lower convex hull over the mean index, the maximum-likelihood line where lateness
    is one-sided and exponential. A value that undercuts the others by far (a stamp gone wrong, an index one too
    high) is left out: it would tilt the line.
    """
    if index[0] == index[-1]:
        raise ValueError("a line needs two different indices")
    keep = _not_far_below(index, arrival_s)
    return _hull_line(index[keep], arrival_s[keep])


def _not_far_below(index: IntArray, arrival_s: FloatArray) -> BoolArray:
    """Return which values lie above a robust line through the minima of short blocks, less a margin."""
    x = index.astype(np.float64)
    slope = (arrival_s[-1] - arrival_s[0]) / (x[-1] - x[0])
    n_blocks = min(200, len(x) // 25)
    if n_blocks < 4:
        return np.ones(len(x), dtype=bool)
    flat = arrival_s - slope * x
    lowest = np.array([b[np.argmin(flat[b])] for b in np.array_split(np.arange(len(x)), n_blocks)])
    tilt, height, _, _ = stats.theilslopes(flat[lowest], x[lowest])
    above = flat - (tilt * x + height)
    margin = max(GLITCH_S, 4 * 1.4826 * float(np.median(np.abs(above[lowest]))))
    return np.asarray(above > -margin)


def _hull_line(index: IntArray, arrival_s: FloatArray) -> tuple[float, float]:
    hull: list[int] = []
    x = index.astype(np.float64)
    middle = x.mean()
    if np.any(np.diff(x) <= 0):  # of those that share an index the earliest alone can touch the line
        order = np.lexsort((arrival_s, x))
        order = order[np.concatenate([[True], np.diff(x[order]) > 0])]
        x, arrival_s = x[order], arrival_s[order]
    low = _low_enough(x, arrival_s)
    x, arrival_s = x[low], arrival_s[low]
    for i in range(len(x)):
        while len(hull) >= 2:
            a, b = hull[-2], hull[-1]
            if (arrival_s[b] - arrival_s[a]) * (x[i] - x[a]) < (arrival_s[i] - arrival_s[a]) * (x[b] - x[a]):
                break
            hull.pop()
        hull.append(i)
    a, b = next((a, b) for a, b in pairwise(hull) if x[b] >= middle)
    slope = float((arrival_s[b] - arrival_s[a]) / (x[b] - x[a]))
    return float(arrival_s[a] - slope * x[a]), slope


def _low_enough(x: FloatArray, y: FloatArray) -> IntArray:
    """Return which points may be on the lower hull: none above the chords between the lowest of neighbouring blocks."""
    left = np.arange(len(x))
    flat = y - (y[-1] - y[0]) / (x[-1] - x[0]) * x
    while len(left) > _FEW_POINTS:
        lowest = np.array([block[flat[block].argmin()] for block in np.array_split(left, len(left) // _BLOCK)])
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
    # Values of one packet share an arrival: the last of them is the latest taken, and the least late.
    last = np.append(np.flatnonzero(np.diff(arrival_s) > 0), len(arrival_s) - 1)
    above_s = above_s[last]
    above_s = above_s[above_s > -_ROUNDING_S]
    near, far = _EVENLY
    if len(above_s) < _OF_VALUES * far:
        return 0.0
    earliest = np.sort(np.partition(above_s, far)[: far + 1])
    if not _TIMES_APART[0] * earliest[near] < earliest[far] < _TIMES_APART[1] * earliest[near]:
        return 0.0
    level, rising = 2.0 / (_EARLIEST - 1), 1.25 / (math.sqrt(_EARLIEST + 1) - 1.25)
    return 0.5 * (level + rising) * max(0.0, float(earliest[_EARLIEST]))
