"""Checksum of a session file in its HDF5 user block: SHA-256 of everything after the block.

HDF5 leaves the first 512 bytes of a file to its user; every reader of the format skips them. Files of earlier versions,
and those that another program has rewritten, have no such block: of them only HDF5's own checksums of the values
are known.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

USER_BLOCK_BYTES = 512
_MAGIC = b"mia-session sha256 "
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def _block(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(USER_BLOCK_BYTES)
        digest = hashlib.file_digest(file, "sha256").hexdigest().encode()
    return (_MAGIC + digest + b"\n").ljust(USER_BLOCK_BYTES, b"\0")


def write_checksum(path: Path) -> None:
    """Write the checksum into the user block of a closed file that was created with one."""
    with path.open("rb+") as file:
        file.write(_block(path))


def has_changed(path: Path) -> bool:
    """Whether a file has a checksum and differs from it.

    Raises
    ------
    OSError
        It cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(USER_BLOCK_BYTES)
        beyond = file.read(len(_SIGNATURE))
    if start.startswith(_SIGNATURE) or (not start.startswith(_MAGIC[:4]) and beyond != _SIGNATURE):
        return False  # no user block, or no HDF5 file, which the reader reports
    return start != _block(path)
