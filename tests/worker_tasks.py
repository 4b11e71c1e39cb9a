"""Tasks that tests hand to worker processes; in a module of their own, for workers to import."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

from tests.open_ports import open_ports


def square(number: int) -> int:
    return number * number


def process_id(seconds: float = 0.0) -> int:
    time.sleep(seconds)
    return os.getpid()


def die(folder: str, times: int) -> str:
    """Be killed so many times, each noted in a folder, and live after that."""
    deaths = len(list(Path(folder).iterdir()))
    if deaths < times:
        (Path(folder) / str(deaths)).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def fail(number: int) -> int:
    if number == 1:
        raise RuntimeError("number one")
    return number


def lock() -> object:
    """Return what cannot be pickled."""
    return threading.Lock()


def ports() -> list[str]:
    """Return what this worker and all of its parent's other children listen on."""
    time.sleep(0.3)  # the others have begun too
    return open_ports(os.getppid())


def threads_allowed() -> str | None:
    return os.environ.get("OMP_NUM_THREADS")


def half_write(path: str) -> None:
    """Write a file for a minute, which is removed whatever ends it."""
    part = Path(path)
    try:
        part.touch()
        time.sleep(60)
    finally:
        part.unlink()
