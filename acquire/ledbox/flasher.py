"""Interface of flash sources (LED box or terminal), and the host time of a flash of the box."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from acquire.ledbox.clock_sync import Exchange, host_time

#: How long a flash lasts.
FLASH_MS = 80
#: Source of the flashes, triggers and lines of an LED box.
BOX_SOURCE = "led-box"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flash:
    """One flash on the host's clock.

    Attributes
    ----------
    t_ns : int
        When the light went on, or, if unknown (a terminal), when it was requested; the light is never earlier.
    uncertainty_ns : int
        Half-width of the 95 % interval of ``t_ns`` itself; without a terminal's display latency.
    detail : mapping
        Stored with the event.
    """

    t_ns: int
    uncertainty_ns: int
    detail: Mapping[str, Any] = field(default_factory=dict)


#: Called in the flasher's own thread with the flash, or with None if there was none.
FlashCallback = Callable[[Flash | None], None]


class Flasher(Protocol):
    """Fires flashes and reports when the light went on."""

    #: Stored with each event; the synchroniser chooses the latency by it.
    source: str

    def request_flash(self, duration_ms: int, done: FlashCallback) -> None:
        """Fire at once, without waiting; ``done`` receives the result."""
        ...


def box_flash(exchanges: Sequence[Exchange], exchange: Exchange, *, number: int, duration_ms: int) -> Flash:
    """Return a flash of the LED box on the host's clock, by :func:`~acquire.ledbox.clock_sync.host_time`.

    Parameters
    ----------
    exchanges : sequence of Exchange
        Exchanges around the flash, including its own.
    exchange : Exchange
        The flash's own: the light went on between its sending and its reception.
    number : int
        Number of the request, as in the serial lines.
    duration_ms : int
    """
    t_ns, uncertainty_ns = host_time(exchanges, exchange.box_us)
    return Flash(
        t_ns=min(max(t_ns, exchange.sent_ns), exchange.received_ns),
        uncertainty_ns=uncertainty_ns,
        detail={
            "number": number,
            "box_us": exchange.box_us,
            "duration_ms": duration_ms,
            "half_trip_ns": exchange.half_trip_ns,
        },
    )
