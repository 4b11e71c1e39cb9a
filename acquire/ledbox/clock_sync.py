"""Clock synchronisation with the LED box by NTP-style exchanges and one-way envelopes, with a 95 % interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dataset.support.arrays import FloatArray

WRAP_US = 1 << 32
#: A ceramic resonator may be half a percent off; larger deviations are rejected.
MAX_RATE_ERROR = 0.01
#: Exchanges further from the requested time than this are not used.
HORIZON_S = 60.0
#: Number of nearest exchanges that determine the time; the others give its scatter.
N_NEAR = 7
#: With fewer exchanges the scatter is unknown, and the hard bound of the round trip is given.
N_TO_JUDGE = 20
_N_DRAWS = 2000
_QUICK = 0.9
#: Exchanges close in time may be slow together. Where whole runs of them scatter this much more than draws of single
#: ones do, the runs are believed, and widened since they are few.
_RUNS_FROM, _RUNS_WIDENED, _FEWEST_RUNS = 1.4, 1.2, 20
#: Reading of a counter that steps by 4 us, as an Arduino's does.
_COUNTER_NS = 2_000.0
#: Assumed asymmetry of the two directions, as a share of the shortest delay: exchanges cannot measure it.
_ALIKE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and reply: sent and received on the host's clock, read on the box's (unwrapped) clock."""

    sent_ns: int
    received_ns: int
    box_us: int

    @property
    def middle_ns(self) -> int:
        """Host time assigned to the box's reading."""
        return (self.sent_ns + self.received_ns) // 2

    @property
    def half_trip_ns(self) -> int:
        """Half the round trip: the largest possible distance of the reading from the middle."""
        return (self.received_ns - self.sent_ns) // 2


def unwrap_us(previous_us: int, reading: int) -> int:
    """Unwrap a 32-bit reading to the count nearest to ``previous_us`` (unwrapped)."""
    turns = round((previous_us - reading) / WRAP_US)
    return reading + turns * WRAP_US


def host_time(exchanges: Sequence[Exchange], box_us: int) -> tuple[int, int]:
    """Return the host time of a box reading and the half-width of its 95 % interval, both in nanoseconds.

    Parameters
    ----------
    exchanges : sequence of Exchange
        At least one, in order, without a reset of the box between them.
    box_us : int
        Unwrapped reading of the box's clock.

    Notes
    -----
    The reading was taken after its request was sent and before its reply arrived: each exchange bounds it from both
    sides. Of the exchanges nearest to the moment the latest sending and the earliest reception are kept, which may be
    of two exchanges, and their middle is taken. How far such a middle scatters follows from the delays of all
    exchanges, seen from the line that bounds them all: drawing as many of them again and again gives the interval.
    It assumes that the shortest ways to and fro are equally long, as NTP does; the box's program makes them so.
    With few exchanges the half-width is the hard bound instead, which holds always.

    References
    ----------
    Mills, D. L. (1991), Internet time synchronization: the network time protocol; the clock filter.
    """
    if not exchanges:
        raise ValueError("no exchange with the box")
    near = [e for e in exchanges if abs(e.box_us - box_us) <= HORIZON_S * 1e6] or list(exchanges)
    if len(near) < N_TO_JUDGE:
        return _bounded(near, box_us)
    return _judged(near, box_us)


def _judged(exchanges: Sequence[Exchange], box_us: int) -> tuple[int, int]:
    """Return the time from both envelopes near the moment, and the interval from the scatter of all delays."""
    zero_ns = exchanges[-1].sent_ns
    box_ns: FloatArray = np.array([(e.box_us - box_us) * 1e3 for e in exchanges])
    sent: FloatArray = np.array([float(e.sent_ns - zero_ns) for e in exchanges])
    received: FloatArray = np.array([float(e.received_ns - zero_ns) for e in exchanges])
    # A reply that was read late is delayed in one direction only: the slowest exchanges are not used.
    quick = received - sent <= np.quantile(received - sent, _QUICK)
    box_ns, sent, received = box_ns[quick], sent[quick], received[quick]
    rate, rate_sd = _rate(box_ns, sent, received)
    # Bounds of each exchange on the host time of the requested reading: not before, not after.
    not_before, not_after = sent - rate * box_ns, received - rate * box_ns
    chosen = np.argsort(np.abs(box_ns), kind="stable")[:N_NEAR]
    time_ns = (not_before[chosen].max() + not_after[chosen].min()) / 2
    middle_ns, half_ns = _scatter(not_before.max() - not_before, not_after - not_after.min(), box_ns, chosen)
    shortest_ns = float((received - sent).min()) / 2
    away_ns = float(np.abs(box_ns[chosen]).mean())
    half_ns = math.hypot(half_ns, 1.96 * rate_sd * away_ns, _COUNTER_NS, _ALIKE * shortest_ns)
    return zero_ns + round(time_ns - middle_ns), round(half_ns)


def _rate(box_ns: FloatArray, sent: FloatArray, received: FloatArray) -> tuple[float, float]:
    """Return the box's rate in host nanoseconds per box nanosecond, from the faster half of exchanges, with its sd."""
    trip = received - sent
    fast = trip <= np.median(trip)
    x, y = box_ns[fast], (sent[fast] + received[fast]) / 2 - box_ns[fast]
    x = x - x.mean()
    span = float(np.sum(x**2))
    if span <= 0:
        return 1.0, MAX_RATE_ERROR
    slope = float(np.sum(x * y)) / span
    residual = y - y.mean() - slope * x
    sd = math.sqrt(float(np.mean(residual**2)) / span)
    if abs(slope) > MAX_RATE_ERROR:
        return 1.0, MAX_RATE_ERROR
    return 1.0 + slope, min(sd, MAX_RATE_ERROR)


def _scatter(
    there: FloatArray, back: FloatArray, box_ns: FloatArray, chosen: np.ndarray[tuple[int], np.dtype[np.intp]]
) -> tuple[float, float]:
    """Return middle and half-width of the 95 % interval of a middle's error, from all delays over the shortest."""
    n = len(chosen)
    draws = np.random.default_rng(n).integers(0, len(there), (_N_DRAWS, n))
    error = (back[draws].min(axis=1) - there[draws].min(axis=1)) / 2
    low, high = np.quantile(error, (0.025, 0.975))
    middle, half = float(low + high) / 2, float(high - low) / 2
    windows = sliding_window_view(box_ns, n)
    close = windows[:, -1] - windows[:, 0] <= 2 * np.ptp(box_ns[chosen])
    if np.count_nonzero(close) >= _FEWEST_RUNS:
        least_back, least_there = (sliding_window_view(d, n).min(axis=1)[close] for d in (back, there))
        of_runs = _RUNS_WIDENED * float(np.quantile(np.abs((least_back - least_there) / 2 - middle), 0.95))
        if of_runs > _RUNS_FROM * half:
            half = of_runs
    return middle, half


def _bounded(exchanges: Sequence[Exchange], box_us: int) -> tuple[int, int]:
    """Return a time and a bound valid for any delays: the fastest exchange on each side, and a line between them.

    With one side only, the line has the nominal rate, or that between the fastest early and late exchange.
    """
    before = [e for e in exchanges if e.box_us <= box_us]
    after = [e for e in exchanges if e.box_us > box_us]
    if before and after:
        first, last = _best(before, box_us), _best(after, box_us)
    else:
        side = sorted(exchanges, key=lambda e: e.box_us)
        half = len(side) // 2
        first, last = _best(side[:half] or side, box_us), _best(side[half:], box_us)
    anchor = min((first, last), key=lambda e: _cost(e, box_us))
    span_us = last.box_us - first.box_us
    rate, rate_error = 1.0, MAX_RATE_ERROR
    if span_us > 0:
        measured = (last.middle_ns - first.middle_ns) / (span_us * 1e3)
        error = (first.half_trip_ns + last.half_trip_ns) / (span_us * 1e3)
        if abs(measured - 1.0) <= MAX_RATE_ERROR + error and error < MAX_RATE_ERROR:
            rate, rate_error = measured, error
    away_ns = (box_us - anchor.box_us) * 1e3
    if before and after:
        # On a chord between two readings the error is at most the larger end's.
        return round(anchor.middle_ns + rate * away_ns), max(first.half_trip_ns, last.half_trip_ns)
    return round(anchor.middle_ns + rate * away_ns), round(anchor.half_trip_ns + abs(away_ns) * rate_error)


def _best(exchanges: Sequence[Exchange], box_us: int) -> Exchange:
    return min(exchanges, key=lambda e: _cost(e, box_us))


def _cost(exchange: Exchange, box_us: int) -> float:
    """Half round trip, plus a residual rate error of 20 ppm times the distance."""
    return exchange.half_trip_ns + abs(exchange.box_us - box_us) * 1e3 * 20e-6
