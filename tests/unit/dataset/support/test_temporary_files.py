"""Temporary files that find no room say what to do."""

from __future__ import annotations

import errno
import subprocess
import sys
import tempfile

import pytest

from dataset.support.disk_arrays import temporary_file, temporary_file_errors
from dataset.support.errors import InputError

#: A file may grow to a megabyte here, as on a disk that is nearly full.
LIMITED = """
import resource
import numpy as np
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
from dataset.support.errors import DiskFullError
from dataset.support.disk_arrays import concatenate, full
small, large = np.zeros(1000), np.zeros(10**6)
kept = concatenate([(small,)], (np.float64,))[0]
full((1000,), 0.0)
nearly, little = np.zeros(2**20 - 100, dtype=np.uint8), np.zeros(3000, dtype=np.uint8)
for work in (
    lambda: concatenate([(small, large)], (np.float64,) * 2), lambda: full((10**6,), 0.0),
    # A small write, which is kept back, finds no room.
    lambda: concatenate([(nearly,), (little,)], (np.uint8,)),
):
    try:
        work()
    except DiskFullError as error:
        print(error.what, "|", error.why, "|", error.hint)
print(len(kept), kept.sum())
"""


def test_no_room_says_where_and_what_to_do() -> None:
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, timeout=60, check=True)
    *reported, kept = done.stdout.splitlines()
    assert len(reported) == 3
    for line in reported:
        assert line.startswith(f"cannot write temporary files into {tempfile.gettempdir()} | File too large | ")
        assert "TMPDIR" in line
    assert kept == "1000 0.0"
    assert done.stderr == ""


def test_a_folder_that_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/no/such/folder")
    with pytest.raises(InputError, match="/no/such/folder"):
        temporary_file()


def test_too_many_open_files_are_told_apart() -> None:
    with pytest.raises(InputError) as caught, temporary_file_errors():
        raise OSError(errno.EMFILE, "Too many open files")
    assert "ulimit" in caught.value.hint and "TMPDIR" not in caught.value.hint
