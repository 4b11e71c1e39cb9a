"""Warning limits shared by several parts of the recorder."""

from __future__ import annotations

#: Below this a sensor may not last a session.
LOW_BATTERY_PERCENT = 20
#: Fewer minutes of disk than a session needs.
FEW_MINUTES = 30.0


def battery_is_low(percent: int | None) -> bool:
    """Return whether a battery level is known and low."""
    return percent is not None and percent < LOW_BATTERY_PERCENT
