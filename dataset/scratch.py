"""Temporary files for what is too large for memory, and what to say where there is no room for them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedRandom

from dataset.errors import DiskFullError


def scratch_file() -> BufferedRandom:
    """Return a file without a name, which goes when it is closed.

    Raises
    ------
    DiskFullError
        None can be made.
    """
    with scratch_room():
        return tempfile.TemporaryFile()


@contextmanager
def scratch_room() -> Iterator[None]:
    """Say what to do where writing into a temporary file fails.

    Raises
    ------
    DiskFullError
        It failed.
    """
    try:
        yield
    except OSError as error:
        raise DiskFullError(
            f"cannot write temporary files into {tempfile.gettempdir()}",
            error.strerror or str(error),
            "free some space there, or let TMPDIR name a folder on a larger disk",
        ) from error
