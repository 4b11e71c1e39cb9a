"""Signals that end a recording, and loss of the terminal during one."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Ctrl-C, a request to terminate, a lost terminal; Windows lacks the last.
ENDING = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def ending_signals(on_end: Callable[[bool], None]) -> Iterator[None]:
    """Call ``on_end`` in the main thread for a signal that ends a recording; True if the terminal is gone.

    Writing to a lost terminal fails, and the recording must still be closed: from then on, output
    to it is discarded.
    """
    terminals = [stream.fileno() for stream in (sys.__stdout__, sys.__stderr__) if stream and stream.isatty()]

    def end(number: int, _frame: object) -> None:
        hung_up = number == getattr(signal, "SIGHUP", None)
        if hung_up:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            for terminal in terminals:
                os.dup2(nowhere, terminal)
            os.close(nowhere)
        on_end(hung_up)

    numbers = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
