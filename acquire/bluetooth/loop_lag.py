"""Lag of the Bluetooth event loop, by the overrun of short sleeps: a blocked loop stamps every arrival too late."""

from __future__ import annotations

import asyncio

from acquire.event_log import EventLog
from acquire.quality.histogram import Histogram

EVERY_S = 0.05
#: A lag this long is logged at once.
ALARM_S = 0.1
#: Otherwise its distribution is logged this often.
REPORT_EVERY_S = 60.0


class LoopLag:
    """Measures the running loop's lag by the overrun of short sleeps."""

    def __init__(self, event_log: EventLog) -> None:
        self._event_log = event_log
        self._lags = Histogram()

    async def run(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        reported_s = loop.time()
        while True:
            began_s = loop.time()
            await asyncio.sleep(EVERY_S)
            now_s = loop.time()
            self.add(now_s - began_s - EVERY_S)
            if now_s - reported_s > REPORT_EVERY_S:
                reported_s = now_s
                self.report()

    def add(self, lag_s: float) -> None:
        """Count one lag."""
        self._lags.add(lag_s)
        if lag_s > ALARM_S:
            self._event_log.log("warning", "the Bluetooth loop was blocked", {"lag_s": round(lag_s, 4)})

    def report(self) -> None:
        """Log the distribution of the lags since the last report, in seconds."""
        lags, self._lags = self._lags, Histogram()
        if lags.n:
            self._event_log.log("info", "loop lag", {**{f"{k}_s": v for k, v in lags.summary().items()}, "n": lags.n})
