"""Runs a command beside the screen; cancelling the wait ends it."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

#: How often a running command is asked whether it has ended.
_POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a command that ran to its end returned and wrote."""

    returncode: int
    out: str
    err: str


async def run_beside(words: Sequence[str]) -> Said:
    """Run a command to its end without holding up the screen.

    What it writes goes to files and its end is asked for: pipes and child watchers of the event loop stay behind
    where a wait is cancelled twice, as it is by a screen that is left while the program ends. Whoever cancels waits
    for the moment in which the killed process ends.

    Parameters
    ----------
    words : sequence of str
        Program and arguments.

    Raises
    ------
    OSError
        The program cannot be started.
    asyncio.CancelledError
        The wait was cancelled; the process is dead by then.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, _running(words, out, err) as process:
        while process.poll() is None:
            await asyncio.sleep(_POLL_S)
        return Said(returncode=process.returncode, out=_text(out), err=_text(err))


@contextmanager
def _running(words: Sequence[str], out: IO[bytes], err: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=err) as process:
        try:
            yield process
        finally:
            process.kill()  # Does nothing to one that has ended.


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
