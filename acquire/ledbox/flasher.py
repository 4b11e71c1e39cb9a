"""What can flash for the camera: an LED box or the terminal; the recorder asks whichever there is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Flash:
    """One flash on the host's clock.

    Attributes
    ----------
    t_ns : int
        When the light went on, or, for what cannot know (a terminal), when it was asked to; the light is never earlier.
    uncertainty_ns : int
        Half-width of the 95 % interval of ``t_ns`` itself; a terminal's latency to its light is not in it.
    detail : mapping
        Stored with the event.
    """

    t_ns: int
    uncertainty_ns: int
    detail: Mapping[str, Any] = field(default_factory=dict)


#: Called in the flasher's own thread with the flash, or with None where there was none.
FlashCallback = Callable[[Flash | None], None]


class Flasher(Protocol):
    """Fires flashes and tells when the light went on."""

    #: Stored with each event; the synchroniser knows its latency by it.
    source: str

    def request_flash(self, duration_ms: int, done: FlashCallback) -> None:
        """Fire at once, without waiting; ``done`` is told what came of it."""
        ...
