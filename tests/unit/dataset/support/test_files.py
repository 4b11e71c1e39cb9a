"""Files that are there whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from dataset.support.files import sha256_of, write_atomically, written_whole


def test_what_is_written_replaces_what_was_there_and_leaves_no_part(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]
    assert sha256_of(path) == hashlib.sha256(b"new").hexdigest()


def test_a_failure_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_atomically(path, b"old")
    with pytest.raises(RuntimeError, match="half way"), written_whole(path) as part:
        part.write_bytes(b"half of the n")
        raise RuntimeError("half way")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
