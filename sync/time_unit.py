"""Units of the times in other apps' tables."""

from __future__ import annotations

from enum import Enum


class TimeUnit(Enum):
    """Unit of a table's times."""

    S = "s"
    MS = "ms"
    US = "us"

    @property
    def per_second(self) -> float:
        """Number of units in a second."""
        return {TimeUnit.S: 1.0, TimeUnit.MS: 1e3, TimeUnit.US: 1e6}[self]

    @property
    def word(self) -> str:
        """The unit in words."""
        return {TimeUnit.S: "seconds", TimeUnit.MS: "milliseconds", TimeUnit.US: "microseconds"}[self]
