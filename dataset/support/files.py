"""Atomic writing of files, and their checksums."""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def current_umask() -> int:
    """Return the umask of this process."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@contextmanager
def written_whole(path: Path, *, exclusive: bool = False) -> Iterator[Path]:
    """Yield a ``*.part`` beside ``path`` to write to; at the end of the block it is synced to disk and renamed.

    Its name is unique, so that several programs can write the same path at once. If the block fails, the part is
    removed and ``path`` is unchanged. A link put in the part's place is not followed. Parts that killed programs have
    left of the same file are removed.

    Parameters
    ----------
    path : Path
    exclusive : bool
        Never replace a file that has appeared meanwhile.

    Raises
    ------
    FileExistsError
        ``exclusive``, and ``path`` exists at the end.
    """
    remove_stale_parts(path)
    part = path.with_name(f"{_part_start(path)}{_HOST}-{os.getpid()}-{secrets.token_hex(3)}.part")
    part.touch(exist_ok=False)
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        if exclusive:
            _put_in_place(part, path)
        else:
            part.replace(path)
        sync_folder(path.parent)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


#: Ends of the names of what a killed program leaves: parts, and the journals of databases among them.
PARTS = (".part", ".part-journal", ".part-wal", ".part-shm")
#: Part of a name that tells machines apart, which may share a folder.
_HOST = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]
#: Of a file's name that its part repeats; names have at most 255 bytes.
_LONGEST_NAME = 60


def _part_start(path: Path) -> str:
    return f"{path.name[:_LONGEST_NAME]}."


def remove_stale_parts(path: Path) -> None:
    """Remove the parts of a file whose programs, on this machine, have been killed."""
    start = _part_start(path)
    with suppress(OSError):
        for part in path.parent.glob(f"{glob.escape(start)}{_HOST}-*.part"):
            pid = part.name.removeprefix(start).split("-")[1]
            if pid.isdecimal() and not _is_running(int(pid)):
                part.unlink(missing_ok=True)


def _is_running(pid: int) -> bool:
    if os.name != "posix":
        return True  # signal 0 would end a process on Windows
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _put_in_place(part: Path, path: Path) -> None:
    """Give a part its name unless there is such a file: making a hard link either succeeds or fails, as one step."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError as error:  # a file system without hard links
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
        part.replace(path)


def sync_folder(folder: Path) -> None:
    """Write a folder's entries to the disk: until then a power failure can undo a rename.

    Does nothing where folders cannot be synced (Windows, some network disks).
    """
    if not hasattr(os, "O_DIRECTORY"):
        return
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EROFS):
            raise
    finally:
        os.close(handle)


def write_atomically(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` atomically."""
    with written_whole(path) as part:
        part.write_bytes(content)


def sync_tree(folder: Path) -> None:
    """Write the files of a folder, and its entries, to the disk."""
    for path in folder.iterdir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    sync_folder(folder)
