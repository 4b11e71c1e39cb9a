"""A command beside the screen: what it said, and that it ends with the wait for it, however often that is cancelled."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
import warnings
from pathlib import Path

import pytest

from acquire.screen.process import run_beside


def test_what_it_said_and_returned() -> None:
    words = [sys.executable, "-c", "import sys; print('found ✔'); print('beware', file=sys.stderr); sys.exit(3)"]
    said = asyncio.run(run_beside(words))
    assert (said.returncode, said.out, said.err) == (3, "found ✔\n", "beware\n")


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(OSError, match="no-such-program"):
        asyncio.run(run_beside(["/no-such-program"]))


@pytest.mark.parametrize("cancels", [1, 2])
def test_cancelled_it_ends_the_process_and_leaves_nothing_behind(tmp_path: Path, cancels: int) -> None:
    """A child of its own keeps its outputs open, as a pool of workers does; pipes would stay open with them."""
    told = tmp_path / "pid"
    script = f"""
import os, pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(5)"])
part = pathlib.Path({str(told)!r} + "-part")
part.write_text(str(os.getpid()))
part.rename({str(told)!r})
time.sleep(60)
"""

    async def left() -> None:
        task = asyncio.create_task(run_beside([sys.executable, "-c", script]))
        async with asyncio.timeout(60):
            while not told.exists():
                await asyncio.sleep(0.01)
        for _ in range(cancels):
            task.cancel()
            await asyncio.sleep(0.1)
        with pytest.raises(asyncio.CancelledError):
            await task

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(left())
        time.sleep(0.3)  # A thread that waits for the process holds what would be left.
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.read_text()), 0)
