"""Position in a schedule: follows the clock, stops in pauses and countdowns, and can jump."""

from __future__ import annotations

import math


class Playhead:
    """A position in seconds that follows the host's clock; without threads or a clock of its own.

    Parameters
    ----------
    began_ns : int
        Host time of position 0.

    Notes
    -----
    Every method takes the host time ``now_ns``, which never decreases.
    """

    def __init__(self, began_ns: int) -> None:
        self._zero_ns = began_ns
        self._held_s: float | None = None
        self._until_ns: int | None = None

    def position_s(self, now_ns: int) -> float:
        """Return the position."""
        if self._held_s is not None and self._until_ns is not None and now_ns >= self._until_ns:
            self._run_from(self._held_s, self._until_ns)
        return self._held_s if self._held_s is not None else (now_ns - self._zero_ns) * 1e-9

    def stands_s(self, now_ns: int) -> float:
        """Return how long it stays stopped: 0 while it runs, infinite in a pause."""
        self.position_s(now_ns)
        if self._held_s is None:
            return 0.0
        return math.inf if self._until_ns is None else (self._until_ns - now_ns) * 1e-9

    @property
    def paused(self) -> bool:
        """Whether it is stopped until :meth:`resume`."""
        return self._held_s is not None and self._until_ns is None

    def pause(self, now_ns: int) -> None:
        """Stop at the current position."""
        self._held_s, self._until_ns = self.position_s(now_ns), None

    def resume(self, now_ns: int, countdown_s: float = 0.0) -> None:
        """Continue from a pause, after a countdown."""
        if self.paused:
            self._until_ns = now_ns + round(countdown_s * 1e9)

    def jump(self, to_s: float, now_ns: int, countdown_s: float = 0.0) -> None:
        """Go to a position and run from there after a countdown; a pause continues."""
        if self.paused:
            self._held_s = to_s
        elif countdown_s > 0.0:
            self._held_s, self._until_ns = to_s, now_ns + round(countdown_s * 1e9)
        else:
            self._run_from(to_s, now_ns)

    def _run_from(self, position_s: float, now_ns: int) -> None:
        self._zero_ns = now_ns - round(position_s * 1e9)
        self._held_s = self._until_ns = None
