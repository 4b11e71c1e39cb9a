"""Check of output folders before the work, so that no work is lost to an unusable folder."""

from __future__ import annotations

import os
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
    return InputError(f"cannot write into {folder}", error.strerror or str(error), "choose another --out")
