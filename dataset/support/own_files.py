"""Safe access to files of an untrusted folder: no link out of it, no pipe, no device.

Captures and runs are shared as folders. A link, a pipe or a device in place of a file, or a name with ``..``
could make the reader open or overwrite files outside the folder, or wait for ever.
"""

from __future__ import annotations

import stat
from pathlib import Path, PurePosixPath, PureWindowsPath

from dataset.support.errors import InputError


def is_plain_name(name: str) -> bool:
    """Whether a text is a plain file name on every system: no separator, no drive, no ``..``."""
    return (
        name not in ("", ".", "..")
        and "\0" not in name
        and PurePosixPath(name).name == name
        and PureWindowsPath(name).name == name
    )


def check_own_file(folder: Path, name: str) -> bool:
    """Check that a name in a folder is a regular file inside it; return whether it exists.

    Raises
    ------
    InputError
        The name or a link leads out of the folder; or it is not a file but a pipe, a device or a folder.
    """
    what = f"{name!r} in {folder} is not a regular file of the folder"
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
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
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
    """Return the path of a folder's own file, existing or not; see :func:`check_own_file`."""
    check_own_file(folder, name)
    return folder / name
