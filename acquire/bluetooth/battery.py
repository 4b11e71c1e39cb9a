"""The battery of a connected sensor over time: notified where it can be, else read now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from acquire.bluetooth.connection import Connection

EVERY_S = 60.0


async def follow_battery(link: Connection, on_percent: Callable[[int], None]) -> None:
    """Tell ``on_percent`` of the battery's charge until cancelled; a sensor without a battery service is left alone.

    Notes
    -----
    BlueZ keeps the battery service to itself and may refuse a subscription; reading passes.
    """
    if link.identity.battery_percent is not None:
        on_percent(link.identity.battery_percent)
    if not link.has_battery or await link.subscribe_battery(on_percent):
        return
    while True:
        await asyncio.sleep(EVERY_S)
        percent = await link.read_battery()
        if percent is not None:
            on_percent(percent)
