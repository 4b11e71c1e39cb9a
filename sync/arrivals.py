"""From arrivals to sensor time: an index inferred where there is no counter, and the line below the arrivals.

A value can only come late, never early, so the sensor's own ticks lie on the *lower envelope* of its arrivals.
Least squares on arrivals is biased by every stall and, after a loss, wrong for the rest of the recording; the
envelope is neither. What stays unobservable is the smallest delay itself: claps and stomps measure that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import minimum_filter1d

from dataset.arrays import FloatArray, IntArray
from sync.envelope import GLITCH_S, line_lateness_s, lower_envelope

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
_BLOCKS = 8
#: Radios are late by less than this at the median, queues of packets included; what is later is not regular.
_JITTERY_S = 0.2
#: So little missing of a waveform, one lost frame say, does not change its envelope.
_BRIDGED_S = 0.015
#: Values before a lost round that may already be late.
_NEARBY = 64
#: Stretches of a recording whose earliest arrivals tell the rate.
_DRIFT_BLOCKS = 24
#: Values over which at most the time between two is taken where no rate is known.
_BASELINE = 1000
_WHOLE_PACKETS = 0.9


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
    """

    time_s: FloatArray
    run: IntArray
    lateness_s: FloatArray
    epochs: tuple[EpochClock, ...]
    period_s: float
    ci95_s: float
    gaps_s: FloatArray
    index_inferred: bool = True

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

    Returns
    -------
    SensorClock
        A counter that stands still is no counter: its index is inferred.
    """
    if counter is not None and not _counts(counter, epoch):
        counter = None
    time_s = np.array(arrival_s, dtype=np.float64)
    lateness_s = np.zeros(len(arrival_s))
    run = np.zeros(len(arrival_s), dtype=np.int64)
    clocks: list[EpochClock] = []
    gaps: list[tuple[float, float]] = []
    n_runs = 0
    for number in np.unique(epoch):
        rows = np.flatnonzero(epoch == number)
        counted = None if counter is None else counter[rows]
        clock = fit_epoch(arrival_s[rows], int(number), int(rows[0]), nominal_hz, counted, counter_modulo)
        time_s[rows] = clock.time_s
        lateness_s[rows] = clock.lateness_s
        missing = np.diff(clock.index) - 1
        breaks = (missing > 0) & ~(missing * clock.period_s <= _BRIDGED_S)
        run[rows] = n_runs + np.concatenate([[0], np.cumsum(breaks)])
        n_runs = int(run[rows[-1]]) + 1
        if clocks:
            gaps.append((float(clocks[-1].time_s[-1]), float(clock.time_s[0])))
        where = np.flatnonzero(breaks)
        gaps.extend(zip(clock.time_s[where].tolist(), clock.time_s[where + 1].tolist(), strict=True))
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
        index_inferred=counter is None,
    )


def fit_epoch(
    arrival_s: FloatArray,
    epoch: int,
    first: int,
    nominal_hz: float,
    counter: IntArray | None = None,
    counter_modulo: int = 0,
) -> EpochClock:
    """Return the sensor's time in one epoch; see :func:`sensor_clock`."""
    n = len(arrival_s)
    period_s = 1.0 / nominal_hz if nominal_hz > 0 else _median_step(arrival_s)
    if n < 3 or not math.isfinite(period_s) or period_s <= 0:
        return EpochClock(
            epoch=epoch, first=first, index=np.arange(n, dtype=np.int64), time_s=arrival_s.copy(),
            lateness_s=np.zeros(n), period_s=period_s, rate_ci95_ppm=math.nan, ci95_s=math.nan, n_lost=0,
        )  # fmt: skip
    start_s = float(arrival_s[0])
    relative = arrival_s - start_s
    packet = _packet_size(relative)
    if counter is not None:
        # Twice: rounds of the counter that were lost are told from lateness by the sensor's own rate.
        for _ in range(2):
            index = unwrap_counter(counter, relative, period_s, counter_modulo)
            intercept, period_s = lower_envelope(index, relative)
    elif packet > 1:
        index, intercept, period_s = _fit_packets(relative, period_s, packet)
    else:
        index = np.arange(n, dtype=np.int64)
        # Twice: a nominal rate half a percent off would hide or invent losses in a long stretch.
        for _ in range(2):
            index = infer_index(relative, period_s)
            intercept, period_s = lower_envelope(index, relative)
    ticks: FloatArray = intercept + period_s * index.astype(np.float64)
    lateness: FloatArray = relative - ticks
    if np.median(np.abs(lateness)) > max(period_s, _JITTERY_S) and counter is None:
        # Not a regular stream at all: its times are better as they came than on a wrong line.
        return EpochClock(
            epoch=epoch, first=first, index=np.arange(n, dtype=np.int64), time_s=_spread(arrival_s, period_s),
            lateness_s=np.zeros(n), period_s=period_s if packet > 1 else _median_step(arrival_s),
            rate_ci95_ppm=math.nan,
            ci95_s=float(np.median(np.abs(lateness))), n_lost=0,
        )  # fmt: skip
    ci95_s, rate_ci95_ppm = _uncertainty(ticks, lateness)
    late_s = line_lateness_s(relative, lateness)
    return EpochClock(
        epoch=epoch,
        first=first,
        index=index,
        time_s=start_s + ticks - late_s,
        lateness_s=lateness + late_s,
        period_s=period_s,
        rate_ci95_ppm=rate_ci95_ppm,
        # What is taken off is known to about half of it.
        ci95_s=math.hypot(ci95_s, 1.96 * 0.5 * late_s),
        n_lost=int(index[-1] - index[0] + 1 - n),
    )


def unwrap_counter(counter: IntArray, arrival_s: FloatArray, period_s: float, modulo: int) -> IntArray:
    """Return each value's position from a counter that may start again, counted from 0.

    Parameters
    ----------
    counter : ndarray of int64, shape (N,)
    arrival_s : ndarray, shape (N,)
        Tells how often the counter went round where more was lost than it can count.
    period_s : float
    modulo : int
        Where it starts again at 0; 0 where it never does.
    """
    count = np.asarray(counter, dtype=np.int64)
    if modulo <= 0:
        return np.asarray(count - count[0], dtype=np.int64)
    # A step of 0 is a value repeated, not a whole round, unless the time says so.
    index = np.concatenate([[0], np.cumsum(np.mod(np.diff(count), modulo))]).astype(np.int64)
    # Lateness comes and goes; a lost round stays. Values of one packet share an arrival, so steps say nothing.
    period_s *= 1.0 + _drift(index, arrival_s, period_s)
    return _skip_losses(index, arrival_s, period_s, modulo, _PACKET_WINDOW_S)


def _counts(counter: IntArray, epoch: IntArray) -> bool:
    """Return whether the counter goes on at most values of every epoch."""
    return all(np.mean(np.diff(counter[epoch == number]) != 0) >= 0.5 for number in np.unique(epoch)
               if np.count_nonzero(epoch == number) > 1)  # fmt: skip


def _drift(index: IntArray, arrival_s: FloatArray, period_s: float) -> float:
    """Return by which part the period is longer than ``period_s``, robustly from how the earliest arrivals move."""
    n_blocks = min(_DRIFT_BLOCKS, len(index) // 25)
    if n_blocks < 4:
        return 0.0
    late = arrival_s - period_s * index
    lowest = np.array([b[np.argmin(late[b])] for b in np.array_split(np.arange(len(index)), n_blocks)])
    # From one stretch to the next, so that a lost round in the middle changes one of many.
    return float(np.median(np.diff(late[lowest]) / np.diff(period_s * index[lowest])))


def _packet_size(arrival_s: FloatArray) -> int:
    """Return how many values a packet holds: the largest number of which nearly all groups are whole multiples."""
    sizes = np.diff(np.flatnonzero(np.concatenate([[True], np.diff(arrival_s) > 0, [True]])))
    # The first and the last group may be cut; a stall delivers several packets at one instant.
    inner = sizes[1:-1] if len(sizes) > 2 else sizes
    whole = (int(s) for s in np.unique(inner)[::-1] if np.mean(inner % s == 0) > _WHOLE_PACKETS)
    return next(whole, 1)


def _fit_packets(arrival_s: FloatArray, period_s: float, packet: int) -> tuple[IntArray, float, float]:
    """Return index, intercept and period where values come in packets: whole packets are lost, never single values."""
    first = np.flatnonzero(np.concatenate([[True], np.diff(arrival_s) > 0]))
    sizes = np.diff(np.append(first, len(arrival_s)))
    # Two packets that a stall delivered at one instant are two packets.
    number = np.repeat(np.cumsum(np.concatenate([[0], np.maximum(1, np.round(sizes[:-1] / packet))])), sizes)
    within = np.arange(len(arrival_s)) - np.repeat(first, sizes)
    number = (number + within // packet).astype(np.int64)
    starts = np.flatnonzero(np.concatenate([[True], np.diff(number) > 0]))
    index = np.arange(len(arrival_s), dtype=np.int64)
    intercept = 0.0
    came = arrival_s[starts]
    period_s *= min(_RATES, key=lambda rate: _badness(came, rate * period_s * packet))
    for _ in range(2):
        of_packet = infer_index(came, period_s * packet, _PACKET_WINDOW_S)
        index = of_packet[np.searchsorted(starts, np.arange(len(arrival_s)), side="right") - 1] * packet
        index = index + (np.arange(len(arrival_s)) - np.repeat(starts, np.diff(np.append(starts, len(arrival_s)))))
        intercept, period_s = lower_envelope(index, arrival_s)
    return index.astype(np.int64), intercept, period_s


def _spread(arrival_s: FloatArray, period_s: float) -> FloatArray:
    """Return arrivals with the values that share one laid before it, a period apart."""
    first = np.flatnonzero(np.concatenate([[True], np.diff(arrival_s) > 0]))
    sizes = np.diff(np.append(first, len(arrival_s)))
    last = np.repeat(first + sizes - 1, sizes)
    return np.asarray(np.maximum.accumulate(arrival_s - period_s * (last - np.arange(len(arrival_s)))))


def _badness(arrival_s: FloatArray, period_s: float) -> float:
    """Return how ill this period explains the arrivals: a wrong one leaves a saw's teeth, or needs losses to hide them.

    Minus the log likelihood of exponential lateness, with the price of each step (Schwarz 1978); neighbours are late
    together, so that so many count as one.
    """
    index = infer_index(arrival_s, period_s, _PACKET_WINDOW_S)
    intercept, fitted_s = lower_envelope(index, arrival_s)
    late_s = float(np.mean(np.abs(arrival_s - intercept - fitted_s * index)))
    n_steps = int(np.count_nonzero(np.diff(index) > 1))
    return len(index) / _LATE_TOGETHER * math.log(late_s + 1e-6) + n_steps * math.log(len(index))


def infer_index(arrival_s: FloatArray, period_s: float, window_s: float = _LOSS_WINDOW_S) -> IntArray:
    """Return each value's position in the sensor's sequence, counted from 0, where nothing was counted.

    A late value catches up: what follows it comes back to the old line. A lost value never does: everything
    after it is later by a whole period for good. So the smallest lateness of the values *after* a moment is
    compared with the smallest *before* it; a step of k periods is k lost values.

    Parameters
    ----------
    arrival_s : ndarray, shape (N,)
        Arrivals in order of reception.
    period_s : float
        The sensor's period, known to about one percent.
    window_s : float
        Looked at on either side of a possible loss.
    """
    return _skip_losses(np.arange(len(arrival_s), dtype=np.int64), arrival_s, period_s, 1, window_s)


def _skip_losses(
    index: IntArray, arrival_s: FloatArray, period_s: float, unit: int, window_s: float = _LOSS_WINDOW_S
) -> IntArray:
    """Return ``index`` with what was lost added: multiples of ``unit`` values, where lateness rises for good."""
    n = len(arrival_s)
    window = max(_LOSS_WINDOW, round(window_s / period_s))
    late = arrival_s - period_s * index
    index = index.copy()
    at = 1
    while at < n:
        # Work in stretches so that each correction touches only its neighbourhood.
        stop = min(n, at + 4096)
        ahead = _smallest_ahead(late[at : min(n, stop + window)], window)[: stop - at]
        behind = _smallest_behind(late[max(0, at - window) : stop], window)[min(at, window) - 1 :][: stop - at]
        # The last values of a stream may all be late together: nothing is concluded from them alone.
        ahead[max(0, n - at - int(_LEAST_WINDOW * window)) :] = -np.inf
        steps = np.flatnonzero(ahead - behind > _LOSS_STEP * unit * period_s)
        if len(steps) == 0:
            at = stop
            continue
        at += int(steps[0])
        if unit > 1:
            # Late ones just before the loss look like it already: it lies where lateness jumps most.
            at += int(np.argmax(np.diff(late[at - 1 : min(n, at + _NEARBY)])))
        # Rounded down: few values after the step may all be late, but none can be early.
        rise_s = float(ahead[steps[0]] - behind[steps[0]])
        lost = unit * int(rise_s / (unit * period_s) + 1.0 - _LOSS_STEP)
        index[at:] += lost
        late[at:] -= lost * period_s
    return index


def _uncertainty(ticks: FloatArray, lateness: FloatArray) -> tuple[float, float]:
    """Return half-widths of the line's height and of its slope (ppm) from how its blocks touch it."""
    blocks = [b for b in np.array_split(np.arange(len(ticks)), min(_BLOCKS, max(2, len(ticks) // 8))) if len(b)]
    # What lies below the line was left out of it: an index one too high, not an early value.
    credible = np.where(lateness > -GLITCH_S, lateness, np.inf)
    floor = np.array([credible[b].min() for b in blocks])
    blocks = [b for b, low in zip(blocks, floor, strict=True) if math.isfinite(low)]
    floor = floor[np.isfinite(floor)]
    centre = np.array([ticks[b].mean() for b in blocks])
    spread = float(np.std(floor)) + 1e-6
    length = float(np.std(centre)) * math.sqrt(len(blocks))
    rate_ppm = 1.96 * spread / length * 1e6 if length > 0 else math.nan
    return 1.96 * spread, rate_ppm


def _smallest_ahead(values: FloatArray, window: int) -> FloatArray:
    """Minimum of each value and the ``window`` after it."""
    size = window + 1
    padded = np.concatenate([values, np.full(window, np.inf)])
    return np.asarray(minimum_filter1d(padded, size, origin=-(size // 2), mode="nearest")[: len(values)])


def _smallest_behind(values: FloatArray, window: int) -> FloatArray:
    """Minimum of each value and the ``window`` before it."""
    return _smallest_ahead(values[::-1], window)[::-1]


def _median_step(arrival_s: FloatArray) -> float:
    steps = np.diff(arrival_s)
    positive = steps[steps > 0]
    if len(positive) == 0:
        return math.nan
    step_s = float(np.median(positive))
    # A radio sends what is ready at its own turns, so single steps are the radio's. Over many values the sensor's
    # period shows, unless some are lost at random: then these long steps differ from one another.
    apart = max(1, min(_BASELINE, len(steps) // 3))
    long = arrival_s[apart:] - arrival_s[:-apart]
    typical = float(np.median(long))
    return typical / apart if np.median(np.abs(long - typical)) <= 1.5 * step_s else step_s
