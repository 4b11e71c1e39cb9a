"""The one place that writes results: stdout that is closed, full or a pipe that has ended costs no traceback."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress

from dataset.support.errors import MiaError


class CannotPrintError(MiaError):
    """A result that cannot be written to stdout; what the command made is kept."""

    code = "cannot-print"


def write_result(text: str) -> None:
    """Write a result to stdout at once.

    A reader that has closed its pipe (``| head``) has what it wanted: the rest is dropped in silence.

    Raises
    ------
    CannotPrintError
        Stdout is closed or its disk is full.
    """
    if sys.stdout is None:
        raise _cannot_print("it is closed")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except (BrokenPipeError, ValueError) as error:  # ValueError: closed within this process
        _discard_the_rest()
        if isinstance(error, ValueError):
            raise _cannot_print(str(error)) from error
    except OSError as error:
        _discard_the_rest()
        if error.errno != errno.EPIPE:
            raise _cannot_print(error.strerror or str(error)) from error


def flush_at_exit() -> None:
    """Write what other libraries have left in the buffers of stdout and stderr, or drop it.

    Python would print a message and end with code 120.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            _discard_the_rest()


def _cannot_print(why: str) -> CannotPrintError:
    return CannotPrintError("the result cannot be printed", f"stdout: {why}", "what the command wrote is kept")


def _discard_the_rest() -> None:
    """Let the buffered rest go nowhere."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                with suppress(OSError, ValueError):
                    os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
