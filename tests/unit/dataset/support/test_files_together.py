"""Several programs write one path at once: each file is whole, nobody's is removed, parts of killed ones go."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dataset.support.files import PARTS, written_whole

WRITE = """
import sys
from pathlib import Path
from dataset.support.files import written_whole
for i in range(60):
    with written_whole(Path(sys.argv[1])) as part:
        part.write_text(sys.argv[2] * 5000)
        assert part.read_text() == sys.argv[2] * 5000
"""


def test_three_writers_leave_one_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    writers = [subprocess.Popen([sys.executable, "-c", WRITE, str(path), letter]) for letter in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert len(set(path.read_text())) == 1 and len(path.read_text()) == 5000
    assert list(tmp_path.iterdir()) == [path]


def test_an_exclusive_file_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "session.h5"
    with pytest.raises(FileExistsError), written_whole(path, exclusive=True) as part:
        part.write_text("mine")
        path.write_text("theirs")
    assert path.read_text() == "theirs" and list(tmp_path.iterdir()) == [path]


def test_parts_of_killed_programs_are_removed_and_of_running_ones_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with written_whole(path) as mine:
        host = mine.name.removeprefix("x.json.").split("-")[0]
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        stale = tmp_path / f"x.json.{host}-{gone.pid}-abcdef.part"
        alive = tmp_path / f"x.json.{host}-{os.getppid()}-abcdef.part"
        elsewhere = tmp_path / f"x.json.000000-{gone.pid}-abcdef.part"
        for part in (stale, alive, elsewhere):
            part.touch()
        with written_whole(path) as other:
            other.write_text("{}")
        assert not stale.exists() and alive.exists() and elsewhere.exists() and mine.exists()
        assert all(part.name.endswith(PARTS) for part in (mine, stale))


def test_a_name_at_the_limit_of_the_file_system_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    with written_whole(path) as part:
        part.write_text("x")
    assert path.read_text() == "x"
