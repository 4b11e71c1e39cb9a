"""Check of output folders before the work, so that no work is lost to an unusable folder."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from dataset.support.errors import InputError


def check_writable(folder: Path) -> None:
    """Check that files can be written into ``folder``, which need not exist yet; nothing is created.

    Raises
    ------
    InputError
        A file is in the way, or the nearest existing folder is not writable.
    """
    try:
        existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    except OSError as error:
        raise cannot_write(folder, error) from error
    if not existing.is_dir():
        raise InputError(f"cannot write into {folder}", f"{existing} is not a folder", "choose another --out")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(
            f"cannot write into {folder}", f"this user may not write into {existing}", "choose another --out"
        )


def cannot_write(folder: Path, error: OSError) -> InputError:
    """Return the error for a failed write into ``folder``."""
    return InputError(f"cannot write into {folder}", reason_of(error), "choose another --out")


def failed_file(error: OSError) -> InputError:
    """Return the error for a file that could not be read or written, wherever in the work."""
    name = error.filename if isinstance(error.filename, str | bytes) else ""
    file = name.decode(errors="replace") if isinstance(name, bytes) else name
    full = error.errno in _FULL or any(f"errno = {code}" in str(error) for code in _FULL)
    hint = "free some space, or write to another disk" if full else ""
    return InputError(f"cannot use {file}" if file else "a file cannot be read or written", reason_of(error), hint)


def reason_of(error: OSError) -> str:
    """Return why the system refused; HDF5 hides the error's number in a long text."""
    found = re.search(r"errno = (\d+)", str(error))
    return os.strerror(int(found[1])) if found else error.strerror or str(error)


_FULL = (errno.ENOSPC, errno.EDQUOT)
