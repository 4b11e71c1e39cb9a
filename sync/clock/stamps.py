"""Times that are taken as they were stamped: the interval between values, place by place, and the gaps by it.

A table's own clock, and a stream that keeps no beat, have no line that would be better than their stamps. What has to
be found is only where values are missing, and beside what a step counts as long: the rate may change, stamps may
jitter, and values may come in bursts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from scipy.ndimage import median_filter

from dataset.support.arrays import FloatArray, IntArray
from dataset.support.disk_arrays import BLOCK, blocks

#: No recording is longer, and none is resumed after so long: its clock was set.
LONGEST_S, LONGEST_GAP_S = 3 * 86400.0, 12 * 3600.0
#: Steps on either side that tell what is usual at a place.
_AROUND = 16
#: The interval is the median step, unless that is less than this share of the mean: then values come in bursts.
_BURSTS = 0.5
#: A step longer than so many of the usual longest ones is a gap; of ten steps, nine are no longer than those.
_GAP, _USUAL_LONGEST = 2.0, 0.9
#: Steps longer than so many median ones are left out of the rate of a stream that keeps a beat, its steps alike to this
#: share: values are missing in them.
_MISSING, _BEAT = 1.9, 0.05
#: Values over which the mean interval is taken, and stretches of a long stream that it is taken from.
_BASELINE, _STRETCHES = 64, 32
#: Places looked at at once.
_PLACES = 1024
#: Values over which a rate is told, and by how much it changes at least.
_RATE_OVER, _RATE_CHANGE = 128, 1.25


def spread_ties(stamp_s: FloatArray, time_s: FloatArray) -> None:
    """Write the stamps into ``time_s``; of values that share one, the last keeps it and the others lie before it.

    They are laid the usual interval apart, and never before the stamp that precedes theirs. A lone value keeps its
    stamp exactly.

    Parameters
    ----------
    stamp_s : ndarray, shape (N,)
        Never falling.
    time_s : ndarray, shape (N,)
        Written.
    """
    n = len(stamp_s)
    last = -math.inf
    tied = False
    for rows in blocks(stamp_s):
        time_s[rows] = stamp_s[rows]
        tied = tied or bool(np.any(np.diff(stamp_s[rows], prepend=last) <= 0))
        last = float(stamp_s[rows.stop - 1])
    if not tied:
        return
    first = np.flatnonzero(np.diff(stamp_s, prepend=-np.inf) > 0)
    sizes = np.diff(first, append=n)
    between_s = np.diff(stamp_s[first], prepend=np.nan) / sizes
    if len(first) > 1:
        between_s[0] = between_s[1:].min()
        usual_s = median_filter(between_s, 2 * _AROUND + 1, mode="nearest")
        step_s = np.minimum(between_s, usual_s)
        behind = np.repeat(first + sizes - 1, sizes) - np.arange(n)
        late = np.flatnonzero(behind)
        time_s[late] -= behind[late] * np.repeat(step_s, sizes)[late]


def typical_interval(stamp_s: FloatArray) -> float:
    """Return the interval between values by counting: bursts, ties, gaps and lost values do not change it.

    Parameters
    ----------
    stamp_s : ndarray, shape (N,)
        Never falling.

    Returns
    -------
    float
        NaN where there are no two stamps.
    """
    size = len(stamp_s) if len(stamp_s) <= BLOCK else BLOCK // _STRETCHES
    firsts = np.linspace(0, len(stamp_s) - size, 1 if size == len(stamp_s) else _STRETCHES).astype(np.int64)
    between: list[FloatArray] = []
    counts: list[IntArray] = []
    means: list[FloatArray] = []
    over = max(1, min(_BASELINE, len(stamp_s) // 8))
    for first in firsts:
        stretch = np.array(stamp_s[first : first + size])
        edges = np.flatnonzero(np.diff(stretch, prepend=-np.inf) > 0)
        between.append(np.diff(stretch[edges]))
        counts.append(np.diff(edges, append=len(stretch))[1:])
        means.append((stretch[over:] - stretch[:-over]) / over)
    step_s, n = np.concatenate(between), np.concatenate(counts)
    if len(step_s) == 0:
        return math.nan
    mean_s = float(np.median(np.concatenate(means)))
    usual = step_s <= _MISSING * np.median(step_s)
    middle_s = float(np.median(step_s[usual]))
    if np.median(np.abs(step_s[usual] - middle_s)) > _BEAT * middle_s or len(step_s) < 4:
        return mean_s  # no beat, or bursts
    counted_s = float(step_s[usual].sum() / n[usual].sum())
    return counted_s if counted_s >= _BURSTS * mean_s else mean_s


def interval_at(time_s: FloatArray, row: IntArray) -> FloatArray:
    """Return the usual interval about some steps: the median of the steps around, or their mean where they are bursts.

    Parameters
    ----------
    time_s : ndarray, shape (N,)
        Two or more, without a gap.
    row : ndarray of int64, shape (K,)
        The step that ends in this row, from 1 to N - 1.
    """
    at = row[:, None] + np.arange(-_AROUND - 1, _AROUND + 1)
    step_s = np.diff(time_s[np.clip(at, 0, len(time_s) - 1)], axis=1)
    inside = (at[:, 1:] >= 1) & (at[:, 1:] < len(time_s))
    step_s[~inside] = np.nan
    # Of bursts there are some before and after; a change of rate has long steps on one side alone.
    median_s = np.nanmedian(step_s, axis=1)
    mean_s = np.minimum(np.nanmean(step_s[:, : _AROUND + 1], axis=1), np.nanmean(step_s[:, _AROUND:], axis=1))
    return np.asarray(np.where(median_s < _BURSTS * mean_s, mean_s, median_s))


def near_enough(at_s: FloatArray, time_s: FloatArray) -> FloatArray:
    """Return by how much each time is nearer to a value than one interval; negative where it is further away.

    Parameters
    ----------
    at_s : ndarray, shape (K,)
    time_s : ndarray, shape (N,)
        Two or more, never falling, without a gap.
    """
    spare_s = np.empty(len(at_s))
    for rows in blocks(at_s, size=_PLACES):
        row = np.clip(np.searchsorted(time_s, at_s[rows]), 1, len(time_s) - 1)
        away_s = np.minimum(np.abs(at_s[rows] - time_s[row - 1]), np.abs(time_s[row] - at_s[rows]))
        spare_s[rows] = interval_at(time_s, row) - away_s
    return spare_s


def index_by_stamps(index: IntArray, time_s: FloatArray, interval_s: float, bridged_s: float) -> None:
    """Write each value's place in the sequence; it leaves places out only where a gap lies before the value.

    Parameters
    ----------
    index : ndarray of int64, shape (N,)
        Written.
    time_s : ndarray, shape (N,)
        Never falling.
    interval_s : float
        See :func:`typical_interval`.
    bridged_s : float
        Of a gap, no more than this is missing beside one interval at the least.
    """
    skipped = 0
    for rows in blocks(index):
        index[rows] = np.arange(rows.start, rows.stop) + skipped
        before = max(1, rows.start)
        step_s = np.diff(time_s[before - 1 : rows.stop])
        candidates = before + np.flatnonzero(step_s > bridged_s)
        for row, usual_s, longest_s in _usual(time_s, candidates):
            here_s = float(time_s[row] - time_s[row - 1])
            longest_s = longest_s if math.isfinite(longest_s) else interval_s
            usual_s = usual_s if math.isfinite(usual_s) else interval_s
            if here_s > _GAP * longest_s * (1 + 1e-6) and here_s - usual_s > bridged_s:
                missing = max(1, round(here_s / usual_s) - 1)
                index[row : rows.stop] += missing
                skipped += missing


def _usual(time_s: FloatArray, rows: IntArray) -> Iterator[tuple[int, float, float]]:
    """Yield for some steps their row, and the median and the usual longest of the steps around them."""
    for piece in np.array_split(rows, max(1, len(rows) // _PLACES)):
        if not len(piece):
            continue
        at = piece[:, None] + np.arange(-_AROUND - 1, _AROUND + 1)
        step_s = np.diff(time_s[np.clip(at, 0, len(time_s) - 1)], axis=1)
        step_s[(at[:, 1:] < 1) | (at[:, 1:] >= len(time_s))] = np.nan
        step_s[:, _AROUND] = np.nan  # of the others alone
        step_s = np.sort(step_s, axis=1)  # NaN last
        n = np.isfinite(step_s).sum(axis=1)
        line = np.arange(len(piece))
        longest_s = step_s[line, np.maximum(0, np.floor(_USUAL_LONGEST * (n - 1)).astype(np.int64))]
        median_s = step_s[line, np.maximum(0, (n - 1) // 2)]
        mean_s = np.where(n > 0, np.nansum(step_s, axis=1) / np.maximum(1, n), np.nan)
        # A gap nearby would make the mean long: it counts only as far as the usual longest step does.
        usual_s = np.where(median_s < _BURSTS * np.minimum(mean_s, longest_s), np.minimum(mean_s, longest_s), median_s)
        yield from zip(piece.tolist(), usual_s.tolist(), longest_s.tolist(), strict=True)


def rate_sections(time_s: FloatArray) -> list[tuple[int, int]]:
    """Return ``(first, stop)`` of the sections of a run in which its rate is one; mostly it is one section.

    Parameters
    ----------
    time_s : ndarray, shape (N,)
        Without a gap.

    Notes
    -----
    A rate is told over 128 values. Where that of a stretch differs from the section's, the section ends at the value
    that splits the stretch and its neighbours best in two.
    """
    n, first, sections = len(time_s), 0, []
    edges = np.append(np.arange(0, n - 1, _RATE_OVER), n - 1)
    if len(edges) > 2:
        edges = np.delete(edges, -2)  # the last stretch is a long one, not a short one
    step_s = np.diff(time_s[edges]) / np.diff(edges)
    k = 1
    while k < len(step_s):
        usual_s = float(np.median(step_s[np.searchsorted(edges, first) : k])) if edges[k] > first else float(step_s[k])
        if max(step_s[k] / usual_s, usual_s / step_s[k]) > _RATE_CHANGE:
            following_s = float(step_s[min(k + 1, len(step_s) - 1)])
            low, high = int(max(first, edges[k - 1])), int(edges[k + 1])
            steps = np.diff(time_s[low : high + 1])
            cost = np.abs(steps - usual_s) - np.abs(steps - following_s)
            cut = low + int(np.argmin(np.concatenate([[0.0], np.cumsum(cost)])))
            if cut > first:
                sections.append((first, cut + 1))  # the value at the change belongs to both
                first = cut
            k = int(np.searchsorted(edges, high))
        k += 1
    sections.append((first, n))
    return sections
