"""From arrivals to sensor time: the line below the arrivals, epoch by epoch.

A value can only come late, never early, so the sensor's own ticks lie on the *lower envelope* of its arrivals.
Least squares on arrivals is biased by every stall and, after a loss, wrong for the rest of the recording; the
envelope is neither. What stays unobservable is the smallest delay itself: claps and stomps measure that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from dataset.support.arrays import FloatArray, IntArray
from dataset.support.disk_arrays import BLOCK, blocks, full, run_bounds
from sync.clock.lower_envelope import GLITCH_S, line_lateness_s, lower_envelope, part_ends
from sync.clock.packet_index import counts, fit_packets, infer_index, packet_size, unwrap_counter
from sync.clock.stamps import index_by_stamps, spread_ties, typical_interval

_BLOCKS = 8
#: Radios are late by less than this at the median, queues of packets included; what is later is not regular.
_JITTERY_S = 0.2
#: So little missing of a waveform, one lost frame say, does not change its envelope.
_BRIDGED_S = 0.015
#: Values over which at most the time between two is taken where no rate is known.
_BASELINE = 1000
#: The same of a long stream is looked at in so many stretches.
_STRETCHES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochClock:
    """The sensor's time in one connection epoch.

    Attributes
    ----------
    first : int
        Row of the sensor's first value of this epoch; the epoch's rows are contiguous.
    index : ndarray of int64, shape (N,)
        Position of each value in the sensor's own sequence; it skips what was lost.
    time_s : ndarray, shape (N,)
        De-jittered arrival: when the value would have come with the smallest delay.
    lateness_s : ndarray, shape (N,)
        Arrival minus de-jittered arrival.
    period_s : float
        Spacing of the sensor's values on the host clock.
    rate_ci95_ppm : float
        Half-width of the period's interval, in parts per million.
    ci95_s : float
        Half-width of the de-jittered arrivals' common error.
    n_lost : int
        Values missing between the first and the last.
    """

    epoch: int
    first: int
    index: IntArray
    time_s: FloatArray
    lateness_s: FloatArray
    period_s: float
    rate_ci95_ppm: float
    ci95_s: float
    n_lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorClock:
    """The sensor's time over the whole recording.

    Attributes
    ----------
    time_s : ndarray, shape (N,)
        De-jittered arrival of every value, in the order received.
    run : ndarray of int64, shape (N,)
        Number of the run without a gap that the value belongs to; a few values of a waveform are no gap.
    lateness_s : ndarray, shape (N,)
    epochs : tuple of EpochClock
    period_s : float
        Median spacing; NaN where no epoch has two values.
    ci95_s : float
        Largest half-width over the epochs; NaN where there is no value.
    gaps_s : ndarray, shape (G, 2)
        Last time before and first time after each gap, epochs' ends included.
    index_inferred : bool
    exact : bool
        The times are the stamps as they were given, and no line below them.
    """

    time_s: FloatArray
    run: IntArray
    lateness_s: FloatArray
    epochs: tuple[EpochClock, ...]
    period_s: float
    ci95_s: float
    gaps_s: FloatArray
    index_inferred: bool = True
    exact: bool = False

    @property
    def rate_ci95_ppm(self) -> float:
        """Half-width of the rate of the longest epoch; NaN where there is none."""
        return max(self.epochs, key=lambda e: len(e.index)).rate_ci95_ppm if self.epochs else math.nan

    @property
    def n_lost(self) -> int:
        """Values missing within epochs."""
        return sum(e.n_lost for e in self.epochs)


def sensor_clock(
    arrival_s: FloatArray,
    epoch: IntArray,
    nominal_hz: float,
    counter: IntArray | None = None,
    counter_modulo: int = 0,
    *,
    exact: bool = False,
) -> SensorClock:
    """Return the sensor's time for every value.

    Parameters
    ----------
    arrival_s : ndarray, shape (N,)
        Arrivals on the host clock, in order of reception.
    epoch : ndarray of int64, shape (N,)
        Connection epoch of each value; a reconnect starts the sensor's sequence anew.
    nominal_hz : float
        The profile's rate, which may be half a percent off; 0 where the profile does not know.
    counter : ndarray of int64, shape (N,), optional
        The sensor's own count of its values; without one the index is inferred from the arrivals.
    counter_modulo : int
        Where the counter starts again at 0; 0 where it never does.
    exact : bool
        The arrivals are the times themselves, as in an imported table: they are taken as they are, and gaps alone are
        looked for. Of values that share a stamp, the last has it and the others are laid before it.

    Returns
    -------
    SensorClock
        A counter that stands still is no counter: its index is inferred.
    """
    bounds = run_bounds(epoch)
    if counter is not None and not all(counts(counter[first:stop], counter_modulo) for first, stop in bounds):
        counter = None
    n = len(arrival_s)
    # In files: hours of eight fast sensors take gigabytes.
    time_s, lateness_s = full((n,), 0.0), full((n,), 0.0)
    run, index = full((n,), 0, np.int64), full((n,), 0, np.int64)
    clocks: list[EpochClock] = []
    gaps: list[tuple[float, float]] = []
    n_runs = 0
    for first, stop in bounds:
        rows = slice(first, stop)
        clock = _fit_epoch(
            arrival_s[rows], None if counter is None else counter[rows], counter_modulo, nominal_hz, exact,
            EpochClock(
                epoch=int(epoch[first]), first=first, index=index[rows], time_s=time_s[rows],
                lateness_s=lateness_s[rows], period_s=math.nan, rate_ci95_ppm=math.nan, ci95_s=math.nan, n_lost=0,
            ),
        )  # fmt: skip
        if clocks:
            gaps.append((float(clocks[-1].time_s[-1]), float(clock.time_s[0])))
        gaps.extend(_number_runs(clock, run[rows], n_runs))
        n_runs = int(run[stop - 1]) + 1
        clocks.append(clock)
    periods = [c.period_s for c in clocks if math.isfinite(c.period_s)]
    widths = [c.ci95_s for c in clocks if math.isfinite(c.ci95_s)]
    return SensorClock(
        time_s=time_s,
        run=run,
        lateness_s=lateness_s,
        epochs=tuple(clocks),
        period_s=float(np.median(periods)) if periods else math.nan,
        ci95_s=max(widths, default=math.nan),
        gaps_s=np.array(gaps, dtype=np.float64).reshape(-1, 2),
        index_inferred=counter is None and not exact,
        exact=exact,
    )


def _number_runs(clock: EpochClock, run: IntArray, number: int) -> Iterator[tuple[float, float]]:
    """Write the number of each value's run, the first one's given, and yield the gaps between them."""
    for rows in blocks(run):
        missing = np.diff(clock.index[rows], prepend=clock.index[max(0, rows.start - 1)]) - 1
        breaks = (missing > 0) & ~(missing * clock.period_s <= _BRIDGED_S)
        run[rows] = number + np.cumsum(breaks)
        number = int(run[rows.stop - 1])
        for row in (rows.start + np.flatnonzero(breaks)).tolist():
            yield float(clock.time_s[row - 1]), float(clock.time_s[row])


def _fit_epoch(
    arrival_s: FloatArray,
    counter: IntArray | None,
    counter_modulo: int,
    nominal_hz: float,
    exact: bool,
    clock: EpochClock,
) -> EpochClock:
    """Write index, times and lateness of one epoch into its columns, and return them with what is known of the line."""
    n, index = len(arrival_s), clock.index
    if exact:
        return _as_stamped(arrival_s, clock)
    period_s = 1.0 / nominal_hz if nominal_hz > 0 else _median_step(arrival_s)
    known = math.isfinite(period_s) and period_s > 0
    if n < 3 or not known or arrival_s[-1] == arrival_s[0]:
        clock.time_s[:] = _spread(arrival_s, period_s) if known else arrival_s
        return _by_stamps(replace(clock, period_s=period_s))
    # Counted from the first arrival, for the sake of rounding; the column is the lateness once the line is known.
    start_s, relative = float(arrival_s[0]), clock.lateness_s
    for rows in blocks(arrival_s):
        relative[rows] = arrival_s[rows] - start_s
    packet = packet_size(relative)
    nominal_s, intercept = period_s, 0.0
    if counter is None and packet > 1:
        intercept, period_s = fit_packets(index, relative, period_s, packet)
    # Twice: rounds of the counter that were lost are told from lateness by the sensor's own rate, and a nominal rate
    # half a percent off would hide or invent losses in a long stretch.
    for _ in range(2 if counter is not None or packet <= 1 else 0):
        if counter is not None:
            unwrap_counter(index, counter, relative, period_s, counter_modulo)
        else:
            infer_index(index, relative, period_s)
        intercept, period_s = lower_envelope(index, relative)
        if not period_s > 0:
            break
    if not period_s > 0:
        # Most came at one instant, in one burst of the link: no line runs below that.
        clock.time_s[:], clock.lateness_s[:] = _spread(arrival_s, nominal_s), 0.0
        return _by_stamps(replace(clock, period_s=nominal_s))
    lateness, n_late, too_late_s = clock.lateness_s, 0, max(period_s, _JITTERY_S)
    for rows in blocks(relative):
        lateness[rows] = relative[rows] - (intercept + period_s * index[rows])
        n_late += int(np.count_nonzero(np.abs(lateness[rows]) > too_late_s))
    usually_s = float(np.median(np.abs(lateness))) if 2 * n_late >= n and counter is None else 0.0
    if usually_s > too_late_s:
        # Not a regular stream at all: its times are better as they came than on a wrong line.
        clock.time_s[:], lateness[:] = _spread(arrival_s, period_s), 0.0
        return _by_stamps(
            replace(clock, period_s=period_s if packet > 1 else _median_step(arrival_s), ci95_s=usually_s)
        )
    ci95_s, rate_ci95_ppm = _uncertainty(index, lateness, period_s)
    late_s = line_lateness_s(arrival_s, lateness)
    for rows in blocks(index):
        clock.time_s[rows] = start_s + (intercept + period_s * index[rows]) - late_s
        lateness[rows] += late_s
    return replace(
        clock,
        period_s=period_s,
        rate_ci95_ppm=rate_ci95_ppm,
        # What is taken off is known to about half of it.
        ci95_s=math.hypot(ci95_s, 1.96 * 0.5 * late_s),
        n_lost=int(index[-1] - index[0] + 1 - n),
    )


def _as_stamped(stamp_s: FloatArray, clock: EpochClock) -> EpochClock:
    """Write the times of one epoch as they were stamped."""
    spread_ties(stamp_s, clock.time_s)
    for rows in blocks(stamp_s):
        clock.lateness_s[rows] = stamp_s[rows] - clock.time_s[rows]
    return _by_stamps(replace(clock, period_s=typical_interval(stamp_s), rate_ci95_ppm=0.0, ci95_s=0.0))


def _by_stamps(clock: EpochClock) -> EpochClock:
    """Write the index that the times themselves give, where they follow no line; return the clock with its losses."""
    index_by_stamps(clock.index, clock.time_s, clock.period_s, _BRIDGED_S)
    return replace(clock, n_lost=int(clock.index[-1] - clock.index[0] + 1 - len(clock.index)))


def _spread(arrival_s: FloatArray, period_s: float) -> FloatArray:
    """Return arrivals with the values that share one laid before it, a period apart."""
    first = np.flatnonzero(np.concatenate([[True], np.diff(arrival_s) > 0]))
    sizes = np.diff(np.append(first, len(arrival_s)))
    last = np.repeat(first + sizes - 1, sizes)
    return np.asarray(np.maximum.accumulate(arrival_s - period_s * (last - np.arange(len(arrival_s)))))


def _uncertainty(index: IntArray, lateness: FloatArray, period_s: float) -> tuple[float, float]:
    """Return half-widths of the line's height and of its slope (ppm) from how its blocks touch it."""
    floor, centre = [], []
    for first, stop in pairwise(part_ends(len(index), min(_BLOCKS, max(2, len(index) // 8)))):
        part = index[first:stop], lateness[first:stop]
        lowest, total = math.inf, 0.0
        for rows in blocks(part[0]):
            late_s = part[1][rows]
            # What lies below the line was left out of it: an index one too high, not an early value.
            lowest = min(lowest, float(np.min(late_s[late_s > -GLITCH_S], initial=math.inf)))
            total += float(part[0][rows].sum())
        if math.isfinite(lowest):
            floor.append(lowest)
            centre.append(period_s * total / (stop - first))
    spread = float(np.std(floor)) + 1e-6
    length = float(np.std(centre)) * math.sqrt(len(floor))
    rate_ppm = 1.96 * spread / length * 1e6 if length > 0 else math.nan
    return 1.96 * spread, rate_ppm


def _median_step(arrival_s: FloatArray) -> float:
    """Return the time from one value to the next, as far as that can be told without a line; NaN where it cannot."""
    # Of a long stream from stretches all over it.
    size = len(arrival_s) if len(arrival_s) <= BLOCK else BLOCK // _STRETCHES
    firsts = np.linspace(0, len(arrival_s) - size, 1 if size == len(arrival_s) else _STRETCHES).astype(np.int64)
    true_runs = [arrival_s[first : first + size] for first in firsts]
    steps = np.concatenate([np.diff(stretch) for stretch in true_runs])
    positive = steps[steps > 0]
    if len(positive) == 0:
        return math.nan
    step_s = float(np.median(positive))
    # A radio sends what is ready at its own turns, so single steps are the radio's. Over many values the sensor's
    # period shows, unless some are lost at random: then these long steps differ from one another.
    apart = max(1, min(_BASELINE, len(steps) // 3))
    long = np.concatenate([stretch[apart:] - stretch[:-apart] for stretch in true_runs])
    typical = float(np.median(long))
    if np.median(np.abs(long - typical)) <= 1.5 * step_s:
        return typical / apart
    # In bursts most single steps are those within a burst.
    interval_s = typical_interval(arrival_s)
    return step_s if step_s >= 0.5 * interval_s else interval_s
