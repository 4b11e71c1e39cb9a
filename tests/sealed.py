"""Captures and sessions changed with their checksums rewritten: damage is found, malice must be harmless."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from dataset.capture import schema
from dataset.capture.manifest import manifest_bytes
from dataset.session.checksum import USER_BLOCK_BYTES, write_checksum
from dataset.support.files import sha256_of


def seal_again(folder: Path, **changes: Any) -> None:
    """Rewrite a capture's manifest after a test has changed its files, with ``changes`` to its keys."""
    path = folder / schema.MANIFEST
    manifest = json.loads(path.read_text(encoding="utf-8"))
    for name in manifest["files"]:
        if (folder / name).is_file():
            manifest["files"][name] = {"sha256": sha256_of(folder / name), "size": (folder / name).stat().st_size}
    path.write_bytes(manifest_bytes({**manifest, **changes}))


@contextmanager
def edited_session(path: Path) -> Iterator[h5py.File]:
    """Yield a session file to change; its checksum is then rewritten."""
    with h5py.File(path, "r+") as file:
        yield file
    if not path.read_bytes()[:USER_BLOCK_BYTES].startswith(b"\x89HDF"):
        write_checksum(path)
