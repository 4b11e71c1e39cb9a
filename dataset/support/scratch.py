"""Temporary files for what is too large for memory, and what to say where they cannot be had."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedRandom

from dataset.support.errors import DiskFullError, InputError

#: To whoever waits, a file that may grow no further is a full disk.
_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_TOO_MANY = frozenset((errno.EMFILE, errno.ENFILE))


def scratch_file() -> BufferedRandom:
    """Return a file without a name, which goes when it is closed.

    Raises
    ------
    InputError, DiskFullError
        None can be made.
    """
    with scratch_errors():
        return tempfile.TemporaryFile()


@contextmanager
def scratch_errors() -> Iterator[None]:
    """Say what to do where writing into a temporary file fails.

    Raises
    ------
    DiskFullError
        There is no room.
    InputError
        The folder of temporary files cannot be used.
    """
    try:
        yield
    except OSError as error:
        what = f"cannot write temporary files into {tempfile.tempdir or 'any of the usual folders'}"
        why = error.strerror or str(error)
        if error.errno in _NO_ROOM:
            hint = "free some space there, or let TMPDIR name a folder on a larger disk"
            raise DiskFullError(what, why, hint) from error
        if error.errno in _TOO_MANY:
            raise InputError(what, why, "allow more open files (ulimit -n 4096) and try again") from error
        raise InputError(what, why, "let TMPDIR name a folder that can be written into") from error


def close_quietly(file: BufferedRandom) -> None:
    """Close a file whose last bytes may have found no room, which was said when they were written."""
    with suppress(OSError):
        file.close()
