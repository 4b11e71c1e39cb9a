"""Helpers of all virtual sensors' event loops."""

from __future__ import annotations

import asyncio

from dataset.support.clock import now_ns


async def sleep_until(host_ns: int) -> None:
    """Sleep until a host time; not at all where it has passed."""
    wait_s = (host_ns - now_ns()) * 1e-9
    if wait_s > 0:
        await asyncio.sleep(wait_s)


def raise_failure(task: asyncio.Task[None]) -> None:
    """Raise a task's error inside the event loop, so that it is reported and the stream does not just stop."""
    if not task.cancelled():
        task.result()
