"""The LED box's microseconds on the host's clock, with an interval that holds: NTP's exchanges, both ways apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dataset.support.arrays import FloatArray

WRAP_US = 1 << 32
#: A ceramic resonator may be half a percent off; nothing further is believed.
MAX_RATE_ERROR = 0.01
#: Exchanges further from the asked moment than this are not used.
HORIZON_S = 60.0
#: So many exchanges nearest to the moment give its time; the others tell how far such a time scatters.
N_NEAR = 7
#: With fewer exchanges nothing is known of the scatter, and the round trip's hard bound is given.
N_TO_JUDGE = 20
_N_DRAWS = 2000
_QUICK = 0.9
#: Exchanges close in time may be slow together. Where whole runs of them scatter this much more than draws of single
#: ones do, the runs are believed, and widened since they are few.
_RUNS_FROM, _RUNS_WIDENED, _FEWEST_RUNS = 1.4, 1.2, 20
#: Reading of a counter that steps by 4 us, as an Arduino's does.
_COUNTER_NS = 2_000.0
#: The ways to and fro are taken for alike up to this share of the shortest: no exchange can show a difference.
_ALIKE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One question and answer: sent and received on the host's clock, taken on the box's (unwrapped) clock."""

    sent_ns: int
    received_ns: int
    box_us: int

    @property
    def middle_ns(self) -> int:
        """Host time that the box's reading is taken for."""
        return (self.sent_ns + self.received_ns) // 2

    @property
    def half_trip_ns(self) -> int:
        """Half the round trip: the reading cannot be further than this from the middle."""
        return (self.received_ns - self.sent_ns) // 2


def unwrap_us(previous_us: int, reading: int) -> int:
    """Return a 32-bit reading as the count nearest to ``previous_us`` (which is unwrapped)."""
    turns = round((previous_us - reading) / WRAP_US)
    return reading + turns * WRAP_US


def host_time(exchanges: Sequence[Exchange], box_us: int) -> tuple[int, int]:
    """Return the host time of a box reading and the half-width of its 95 % interval, both in nanoseconds.

    Parameters
    ----------
    exchanges : sequence of Exchange
        At least one, of the same run of the box, in order.
    box_us : int
        Unwrapped reading of the box's clock.

    Notes
    -----
    The reading was taken after its question was sent and before its answer came: each exchange bounds it from both
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
    # An answer that lay unread for a while is late on one way only: the slowest say nothing.
    quick = received - sent <= np.quantile(received - sent, _QUICK)
    box_ns, sent, received = box_ns[quick], sent[quick], received[quick]
    rate, rate_sd = _rate(box_ns, sent, received)
    # What each exchange says of the host's time at the asked reading: not before, not after.
    not_before, not_after = sent - rate * box_ns, received - rate * box_ns
    chosen = np.argsort(np.abs(box_ns), kind="stable")[:N_NEAR]
    time_ns = (not_before[chosen].max() + not_after[chosen].min()) / 2
    middle_ns, half_ns = _scatter(not_before.max() - not_before, not_after - not_after.min(), box_ns, chosen)
    shortest_ns = float((received - sent).min()) / 2
    away_ns = float(np.abs(box_ns[chosen]).mean())
    half_ns = math.hypot(half_ns, 1.96 * rate_sd * away_ns, _COUNTER_NS, _ALIKE * shortest_ns)
    return zero_ns + round(time_ns - middle_ns), round(half_ns)


def _rate(box_ns: FloatArray, sent: FloatArray, received: FloatArray) -> tuple[float, float]:
    """Return host nanoseconds in one of the box's, from the faster half of the exchanges, with its deviation."""
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
    """Return a time and a bound that holds whatever the delays: the fastest exchange on each side, and a line.

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
    """Half round trip, plus what a residual rate error of 20 ppm makes of the distance."""
    return exchange.half_trip_ns + abs(exchange.box_us - box_us) * 1e3 * 20e-6
