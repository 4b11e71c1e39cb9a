"""Battery level of a connected sensor over time: by notification if possible, else by polling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from acquire.bluetooth.connection import Connection

EVERY_S = 60.0


async def follow_battery(link: Connection, on_percent: Callable[[int], None]) -> None:
    """Call ``on_percent`` with each battery level until cancelled; returns at once without a battery service.

    Notes
    -----
    BlueZ reserves the battery service and may refuse a subscription; reading works.
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
