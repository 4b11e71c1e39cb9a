"""Files of a folder that somebody else may have made: nothing in it leads out of it, waits for ever, or never ends.

A capture or a run is handed on as a folder. A link in it, a pipe or a device in place of a file, or a name with ``..``
in it, would have its reader open or overwrite what the one who handed it on may not touch.
"""

from __future__ import annotations

import stat
from pathlib import Path, PurePosixPath, PureWindowsPath

from dataset.support.errors import InputError


def is_plain_name(name: str) -> bool:
    """Whether a text names an entry of a folder itself, on every system: no separator, no drive, no ``..``."""
    return (
        name not in ("", ".", "..")
        and "\0" not in name
        and PurePosixPath(name).name == name
        and PureWindowsPath(name).name == name
    )


def check_own_file(folder: Path, name: str) -> bool:
    """Check that what a folder has under a name is a file of its own; return whether it is there at all.

    Raises
    ------
    InputError
        The name leads out of the folder, or it is a link that does; or it is no file but a pipe, a device or a folder.
    """
    what = f"{name!r} in {folder} is no file of its own"
    if not is_plain_name(name):
        raise InputError(what, "it is a path, not a name")
    path = folder / name
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            if path.resolve().parent != folder.resolve():
                raise InputError(what, f"it is a link to {path.readlink()}", "put the file itself in its place")
            mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise InputError(what, "it is a link to nothing", "put the file itself in its place") from None
        return False
    except (OSError, RuntimeError) as error:  # RuntimeError: a circle of links
        raise InputError(what, getattr(error, "strerror", None) or str(error)) from error
    if not stat.S_ISREG(mode):
        raise InputError(what, f"it is {_KINDS.get(stat.S_IFMT(mode), 'something else')}")
    return True


_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def own_file(folder: Path, name: str) -> Path:
    """Return the path of a folder's own file, there or not; see :func:`check_own_file`."""
    check_own_file(folder, name)
    return folder / name
