"""What virtual sensors of every make do alike in their event loop."""

from __future__ import annotations

import asyncio

from dataset.support.clock import now_ns


async def sleep_until(host_ns: int) -> None:
    """Sleep until a host time; not at all where it has passed."""
    wait_s = (host_ns - now_ns()) * 1e-9
    if wait_s > 0:
        await asyncio.sleep(wait_s)


def raise_failure(task: asyncio.Task[None]) -> None:
    """Raise what ended a task inside the event loop, so that it is told and the stream does not just fall silent."""
    if not task.cancelled():
        task.result()
