"""The LED box's microseconds on the host's clock: the fastest exchanges before and after, as NTP does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WRAP_US = 1 << 32
#: A ceramic resonator may be half a percent off; nothing further is believed.
MAX_RATE_ERROR = 0.01
#: Exchanges further from the asked moment than this are not used.
HORIZON_S = 30.0


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
    """Return the host time of a box reading and how far it may be off, both in nanoseconds.

    The exchanges are split at the asked reading; the fastest on each side, weighed against its distance in time,
    makes a straight line through the moment. With one side only, the line has the nominal rate, or the rate
    between the fastest early and late exchange of that side.

    Parameters
    ----------
    exchanges : sequence of Exchange
        At least one, of the same run of the box.
    box_us : int
        Unwrapped reading of the box's clock.

    References
    ----------
    Mills, D. L. (1991), Internet time synchronization: the network time protocol; the clock filter.
    """
    if not exchanges:
        raise ValueError("no exchange with the box")
    near = [e for e in exchanges if abs(e.box_us - box_us) <= HORIZON_S * 1e6] or list(exchanges)
    before = [e for e in near if e.box_us <= box_us]
    after = [e for e in near if e.box_us > box_us]
    if before and after:
        first, last = _best(before, box_us), _best(after, box_us)
    else:
        side = sorted(near, key=lambda e: e.box_us)
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
