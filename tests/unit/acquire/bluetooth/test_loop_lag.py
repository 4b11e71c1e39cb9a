"""The loop's own lag, measured on a loop that is really blocked."""

from __future__ import annotations

import asyncio
import time

from acquire.bluetooth.loop_lag import ALARM_S, LoopLag
from acquire.event_log import EventLog


async def test_a_block_is_told_at_once_and_is_in_the_spread() -> None:
    event_log = EventLog()
    lag = LoopLag(event_log)
    measuring = asyncio.create_task(lag.run())
    await asyncio.sleep(0.4)
    time.sleep(0.3)  # this is the fault
    await asyncio.sleep(0.1)
    measuring.cancel()
    lag.report()
    blocked = [row for row in event_log.recent(100) if row.what == "the Bluetooth loop was blocked"]
    assert len(blocked) >= 1
    assert max(row.detail["lag_s"] for row in blocked) > 0.2 > ALARM_S
    (spread,) = (row.detail for row in event_log.recent(100) if row.what == "loop lag")
    assert spread["p50_s"] < 0.1 < spread["max_s"]
    assert spread["n"] >= 5
    lag.report()
    assert [row.what for row in event_log.recent(100)].count("loop lag") == 1, "nothing new, nothing to tell"
