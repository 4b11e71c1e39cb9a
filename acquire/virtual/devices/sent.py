"""Log of what a virtual device sent, line by line in a file that outlives the recorder."""

from __future__ import annotations

import os
from pathlib import Path


class SentLog:
    """Appends lines to a file, each at once; without a path it does nothing.

    Parameters
    ----------
    path : Path or None
    """

    def __init__(self, path: Path | None) -> None:
        self._fd = None if path is None else os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def note(self, *words: object) -> None:
        """Append one line."""
        if self._fd is not None:
            os.write(self._fd, (" ".join(str(word) for word in words) + "\n").encode())


def read_sent(path: Path) -> list[list[str]]:
    """Return the lines of a log, each split into words; empty if nothing was sent."""
    return [line.split() for line in path.read_text().splitlines()] if path.is_file() else []
