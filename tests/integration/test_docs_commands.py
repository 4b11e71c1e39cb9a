"""Shell blocks of the documentation marked ``<!-- run: NAME -->`` run as written, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_MARKED = re.compile(r"^<!-- run: (\w+) -->\n```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = [
    pytest.param(block, id=f"{page.stem}-{name}")
    for page in sorted((ROOT / "docs").glob("*.md"))
    for name, block in _MARKED.findall(page.read_text(encoding="utf-8"))
]


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_runs_as_written(block: str, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for command in ("record", "sync", "train"):
        program = programs / f"mia-{command}"
        program.write_text(f"#!{sys.executable}\nimport mia_entry\nmia_entry.{command}()\n")
        program.chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(work.glob("sessions/*.h5")) and list(work.glob("sessions/*.html")) and (work / "runs").is_dir()


def test_start_is_marked() -> None:
    assert any(parameter.id == "start-start" for parameter in BLOCKS)
