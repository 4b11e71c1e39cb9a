"""Lines of numbers out of notifications that cut them anywhere."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

#: A line longer than this is no line: the end of an older one was lost, or this is no text.
LONGEST_LINE_BYTES = 1024

_BETWEEN = re.compile(rb"[,;\s]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class LineState:
    """What is left over between two payloads.

    Attributes
    ----------
    tail : bytes
        Beginning of a line whose end has not come.
    skipping : bool
        The line that is coming has no known beginning (a recording may start anywhere), or is too long: it is
        passed over, since the end of a number looks like a number.
    """

    tail: bytes = b""
    skipping: bool = True


def split_lines(state: LineState, payload: bytes) -> tuple[LineState, tuple[bytes, ...], int]:
    """Take one more payload of a stream of bytes.

    Returns
    -------
    state : LineState
        For the next payload.
    lines : tuple of bytes
        Lines that ended here, without their ends; empty ones are left out.
    n_dropped : int
        Lines given up here because they were too long.
    """
    *ended, tail = (state.tail + payload).split(b"\n")
    if state.skipping:
        if not ended:
            return state, (), 0
        ended = ended[1:]
    lines = tuple(line.strip() for line in ended if line.strip() and len(line) <= LONGEST_LINE_BYTES)
    dropped = sum(len(line) > LONGEST_LINE_BYTES for line in ended)
    if len(tail) > LONGEST_LINE_BYTES:
        return LineState(skipping=True), lines, dropped + 1
    return LineState(tail=tail, skipping=False), lines, dropped


def numbers(line: bytes) -> tuple[float, ...] | None:
    """Return the numbers of a line (commas, semicolons or white space between them), None where it is no such line."""
    try:
        values = tuple(float(part) for part in _BETWEEN.split(line.strip(b"\0 \t\r\n")))
    except ValueError:
        return None
    return values if all(map(math.isfinite, values)) else None
