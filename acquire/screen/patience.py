"""How long a take waits for its sensors, and what to say when they were not found."""

from __future__ import annotations

from collections.abc import Sequence

from acquire.bluetooth.status import SensorStatus
from dataset.muscles import channel_from_name


class Patience:
    """Ends a wait that goes on for too long.

    Parameters
    ----------
    limit_s : float
    """

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._since_s: float | None = None

    def is_over(self, waiting: bool, now_s: float) -> bool:
        """Return whether a wait has lasted too long; the next one begins from nothing."""
        if not waiting:
            self._since_s = None
            return False
        if self._since_s is None:
            self._since_s = now_s
        if now_s - self._since_s < self.limit_s:
            return False
        self._since_s = None
        return True


def not_found_words(missing: Sequence[SensorStatus], n: int, patience_s: float) -> str:
    """Return why a take did not come about whose sensors, some of ``n``, do not stream."""
    names = ", ".join(_named(status) for status in missing)
    what = f"not recorded: {len(missing)} of {n} sensors were not found in {patience_s:.0f} s"
    return f"{what}\n   {names}\n   → switch them on, then try again"


def _named(status: SensorStatus) -> str:
    """Return a sensor's muscle and, in brackets, the device that is looked for."""
    device = status.sensor.serial or status.sensor.address
    words = channel_from_name(status.sensor.channel).label
    return f"{words} ({device})" if device else words
