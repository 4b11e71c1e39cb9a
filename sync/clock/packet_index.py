"""Each value's place in its sensor's sequence: from a counter that may start again, or inferred from the arrivals.

A column of a fast sensor may be longer than memory, so columns are gone through in blocks and written in place.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from itertools import chain

import numpy as np
from scipy.ndimage import minimum_filter1d

from dataset.support.arrays import FloatArray, IntArray
from dataset.support.disk_arrays import blocks, concatenate, full
from sync.clock.lower_envelope import earliest_of_parts, lower_envelope

#: Looked at on either side of a possible loss, in values and in time: late ones have caught up within that.
_LOSS_WINDOW, _LOSS_WINDOW_S = 20, 2.0
#: Packets come sooner than a radio is late, so that each waits for the one before it and a punctual one is rare.
_PACKET_WINDOW_S = 12.0
_LATE_TOGETHER = 10.0
#: A step is believed where at least this part of a window follows it: the last values may all be late.
_LEAST_WINDOW = 0.25
#: Rates against the nominal one that are tried where losses and a wrong rate look alike.
_RATES = 1.0 + 0.0005 * np.arange(-12, 13)
#: A rise by this part of a period is a loss: more than half, since what follows may be late but never early.
_LOSS_STEP = 0.7
#: Values looked through for losses at once.
_STRETCH = 4096
#: Values before a lost round that may already be late.
_NEARBY = 64
#: So few values between two signs of a loss may be late ones before it; the share of values at which one more is lost.
_FEW_LATE, _SECOND_LOSS = 3, 0.005
#: Stretches of a recording whose earliest arrivals tell the rate.
_DRIFT_BLOCKS = 24
_WHOLE_PACKETS = 0.9


def count_on(index: IntArray) -> None:
    """Write 0, 1, 2 and so on into ``index``."""
    for rows in blocks(index):
        index[rows] = np.arange(rows.start, rows.stop)


def unwrap_counter(index: IntArray, counter: IntArray, arrival_s: FloatArray, period_s: float, modulo: int) -> None:
    """Write each value's position, counted from 0, from a counter that may start again.

    Parameters
    ----------
    index : ndarray of int64, shape (N,)
        Written.
    counter : ndarray of int64, shape (N,)
    arrival_s : ndarray, shape (N,)
        Tells how often the counter went round where more was lost than it can count.
    period_s : float
    modulo : int
        Where it starts again at 0; 0 where it never does.
    """
    last, position = int(counter[0]), 0
    for rows in blocks(index):
        steps = np.diff(counter[rows], prepend=last)
        # A step of 0 is a value repeated, not a whole round, unless the time says so.
        index[rows] = position + np.cumsum(np.mod(steps, modulo) if modulo > 0 else steps)
        last, position = int(counter[rows.stop - 1]), int(index[rows.stop - 1])
    if modulo > 0:
        # Lateness comes and goes; a lost round stays. Values of one packet share an arrival, so steps say nothing.
        period_s *= 1.0 + _drift(index, arrival_s, period_s)
        _skip_losses(index, arrival_s, period_s, modulo, _PACKET_WINDOW_S)


def counts(counter: IntArray, modulo: int) -> bool:
    """Return whether a counter counts an epoch's values: it goes on at most of them, and falls only to start again."""
    if len(counter) < 2:
        return True
    last, went_on = int(counter[0]), 0
    for rows in blocks(counter):
        steps = np.diff(counter[rows], prepend=last)
        if modulo <= 0 and np.any(steps < 0):
            return False
        went_on += int(np.count_nonzero(steps))
        last = int(counter[rows.stop - 1])
    return went_on / (len(counter) - 1) >= 0.5


def _drift(index: IntArray, arrival_s: FloatArray, period_s: float) -> float:
    """Return by which part the period is longer than ``period_s``, robustly from how the earliest arrivals move."""
    n_blocks = min(_DRIFT_BLOCKS, len(index) // 25)
    if n_blocks < 4:
        return 0.0
    at, earliest_s = earliest_of_parts(index, arrival_s, period_s, n_blocks)
    # From one stretch to the next, so that a lost round in the middle changes one of many.
    return float(np.median(np.diff(earliest_s - period_s * at) / np.diff(period_s * at)))


# -- packets ----------------------------------------------------------------------------------------------------------


def _arrivals(arrival_s: FloatArray) -> Iterator[IntArray]:
    """Yield, block by block, the rows at which the values that share an arrival begin."""
    last = -math.inf
    for rows in blocks(arrival_s):
        yield rows.start + np.flatnonzero(np.diff(arrival_s[rows], prepend=last) > 0)
        last = float(arrival_s[rows.stop - 1])


def packet_size(arrival_s: FloatArray) -> int:
    """Return how many values a packet holds: the largest number of which nearly all groups are whole multiples."""
    sizes: Counter[int] = Counter()
    begun = first = 0
    for starts in _arrivals(arrival_s):
        found = np.diff(starts, prepend=begun)[starts > 0]
        sizes.update(dict(zip(*(column.tolist() for column in np.unique(found, return_counts=True)), strict=True)))
        if len(found) and not first:
            first = int(found[0])
        if len(starts):
            begun = int(starts[-1])
    last = len(arrival_s) - begun
    # The first and the last group may be cut; a stall delivers several packets at one instant.
    if sizes.total() > 1:
        sizes[first] -= 1
    else:
        sizes[last] += 1
    total = sizes.total()
    for size in sorted((s for s, n in sizes.items() if n), reverse=True):
        if sum(n for s, n in sizes.items() if s % size == 0) / total > _WHOLE_PACKETS:
            return size
    return 1


def fit_packets(index: IntArray, arrival_s: FloatArray, period_s: float, packet: int) -> tuple[float, float]:
    """Write the index where values come in packets, and return the line: packets are lost whole, never single values.

    Parameters
    ----------
    index : ndarray of int64, shape (N,)
        Written.
    arrival_s : ndarray, shape (N,)
    period_s : float
        Known to about half a percent.
    packet : int
        Values a packet holds.

    Returns
    -------
    intercept_s, period_s : float
        A period that is not positive where most values came at one instant.
    """
    starts, came = concatenate(_packets(arrival_s, packet), (np.int64, np.float64))
    of_packet = full((len(starts),), 0, np.int64)
    intercept = 0.0
    period_s *= min(_RATES, key=lambda rate: _badness(of_packet, came, rate * period_s * packet))
    for _ in range(2):
        infer_index(of_packet, came, period_s * packet, _PACKET_WINDOW_S)
        for rows in blocks(index):
            row = np.arange(rows.start, rows.stop)
            number = np.searchsorted(starts, row, side="right") - 1
            index[rows] = packet * of_packet[number] + row - starts[number]
        intercept, period_s = lower_envelope(index, arrival_s)
        if not period_s > 0:
            break  # most came at one instant
    return intercept, period_s


def _packets(arrival_s: FloatArray, packet: int) -> Iterator[tuple[IntArray, FloatArray]]:
    """Yield each packet's first row and its arrival. Two packets that a stall delivered at one instant are two."""
    first, came = np.zeros(0, dtype=np.int64), np.zeros(0)
    number, last = 0, -1
    end = np.array([len(arrival_s)])
    for starts in chain(_arrivals(arrival_s), [end]):
        # The arrival that a block ends in may go on in the next.
        first = np.concatenate([first, starts])
        came = np.concatenate([came, arrival_s[starts] if starts is not end else [math.inf]])
        sizes = np.diff(first)
        steps = np.cumsum(np.maximum(1, np.round(sizes / packet))).astype(np.int64)
        parts = -(-sizes // packet)
        within = np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts)
        numbers = np.repeat(number + np.concatenate([[0], steps])[:-1], parts) + within
        # Of a few values too many a packet is not made: they are its own, or the next one's.
        new = np.diff(numbers, prepend=last) > 0
        yield (np.repeat(first[:-1], parts) + packet * within)[new], np.repeat(came[:-1], parts)[new]
        if len(sizes):
            number, last = number + int(steps[-1]), int(numbers[-1])
        first, came = first[-1:], came[-1:]


def _badness(index: IntArray, arrival_s: FloatArray, period_s: float) -> float:
    """Return how ill this period explains the arrivals: a wrong one leaves a saw's teeth, or needs losses to hide them.

    Minus the log likelihood of exponential lateness, with the price of each step (Schwarz 1978); neighbours are late
    together, so that so many count as one. ``index`` is written.
    """
    n = len(index)
    infer_index(index, arrival_s, period_s, _PACKET_WINDOW_S)
    intercept, fitted_s = lower_envelope(index, arrival_s)
    late_s, n_steps = 0.0, 0
    for rows in blocks(index):
        late_s += float(np.sum(np.abs(arrival_s[rows] - intercept - fitted_s * index[rows]))) / n
        n_steps += int(np.count_nonzero(np.diff(index[rows.start : rows.stop + 1]) > 1))
    return n / _LATE_TOGETHER * math.log(late_s + 1e-6) + n_steps * math.log(n)


# -- losses -----------------------------------------------------------------------------------------------------------


def infer_index(index: IntArray, arrival_s: FloatArray, period_s: float, window_s: float = _LOSS_WINDOW_S) -> None:
    """Write each value's position in the sensor's sequence, counted from 0, where nothing was counted.

    A late value catches up: what follows it comes back to the old line. A lost value never does: everything
    after it is later by a whole period for good. So the smallest lateness of the values *after* a moment is
    compared with the smallest *before* it; a step of k periods is k lost values.

    Parameters
    ----------
    index : ndarray of int64, shape (N,)
        Written.
    arrival_s : ndarray, shape (N,)
        Arrivals in order of reception.
    period_s : float
        The sensor's period, known to about one percent.
    window_s : float
        Looked at on either side of a possible loss.
    """
    count_on(index)
    _skip_losses(index, arrival_s, period_s, 1, window_s)


def _skip_losses(index: IntArray, arrival_s: FloatArray, period_s: float, unit: int, window_s: float) -> None:
    """Add to ``index`` what was lost: multiples of ``unit`` values, where lateness rises for good."""
    n = len(arrival_s)
    window = max(_LOSS_WINDOW, round(window_s / period_s))
    at, skipped = 1, 0  # rows before `at` have what was skipped in them, the others not yet
    while at < n:
        # Work in stretches so that each correction touches only its neighbourhood.
        stop, low = min(n, at + _STRETCH), max(0, at - window)
        near = slice(low, min(n, stop + max(window, _NEARBY)))
        late = arrival_s[near] - period_s * index[near]
        late[at - low :] -= period_s * skipped
        ahead = _smallest_ahead(late[at - low :], window)[: stop - at]
        behind = _smallest_behind(late[: stop - low], window)[at - low - 1 :][: stop - at]
        # The last values of a stream may all be late together: nothing is concluded from them alone.
        ahead[max(0, n - at - int(_LEAST_WINDOW * window)) :] = -np.inf
        steps = np.flatnonzero(ahead - behind > _LOSS_STEP * unit * period_s)
        found = stop if len(steps) == 0 else at + int(steps[0])
        if len(steps) and unit > 1:
            # Late ones just before the loss look like it already: it lies where lateness jumps most.
            found += int(np.argmax(np.diff(late[found - low - 1 : found - low + _NEARBY])))
        elif len(steps):
            steps[0] += _late_before_loss(late[: found - low + _FEW_LATE + 1], found - low, ahead[steps[0] :], period_s)
            found = at + int(steps[0])
        index[at:found] += skipped
        at = found
        if len(steps):
            # Rounded down: few values after the step may all be late, but none can be early.
            rise_s = float(ahead[steps[0]] - behind[steps[0]])
            skipped += unit * int(rise_s / (unit * period_s) + 1.0 - _LOSS_STEP)


def _late_before_loss(late: FloatArray, row: int, ahead: FloatArray, period_s: float) -> int:
    """Return how many values from a loss's first sign on are late ones before it, and not values after a first loss.

    Parameters
    ----------
    late : ndarray
        Lateness up to a few values behind the sign.
    row : int
        Of the sign.
    ahead : ndarray
        Smallest lateness from each value on, from the sign's on.
    period_s : float

    Notes
    -----
    Where more is missing a few values later, either two losses lie about these values, or one loss follows late ones.
    Lateness that is exponential with mean m is longer by k periods with odds exp(-k period / m); beside a second loss
    at the same place that is the likelier where m is large.
    """
    near = ahead[: _FEW_LATE + 1]
    first_rise_s = float(near[0])
    if len(near) < 2 or not np.isfinite(near).all() or near[-1] - first_rise_s < _LOSS_STEP * period_s:
        return 0
    before = late[max(0, row - _LOSS_WINDOW) : row]
    mean_s = float(np.mean(before - before.min())) if len(before) else 0.0
    n_periods = max(1, int((first_rise_s - float(before.min())) / period_s + 1.0 - _LOSS_STEP)) if len(before) else 1
    if mean_s <= 0 or math.exp(-n_periods * period_s / mean_s) < _SECOND_LOSS:
        return 0
    return int(np.argmax(np.diff(near))) + 1


def _smallest_ahead(values: FloatArray, window: int) -> FloatArray:
    """Minimum of each value and the ``window`` after it."""
    size = window + 1
    padded = np.concatenate([values, np.full(window, np.inf)])
    return np.asarray(minimum_filter1d(padded, size, origin=-(size // 2), mode="nearest")[: len(values)])


def _smallest_behind(values: FloatArray, window: int) -> FloatArray:
    """Minimum of each value and the ``window`` before it."""
    return _smallest_ahead(values[::-1], window)[::-1]
