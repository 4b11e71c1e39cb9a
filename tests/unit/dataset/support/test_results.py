"""Results on a stdout that is closed, full or a pipe that has ended: no traceback, in every program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = {"mia-record": "acquire", "mia-sync": "sync", "mia-train": "model"}


def shell(words: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {words}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )


def command(program: str, words: str) -> str:
    return f"'{sys.executable}' -c 'from {PROGRAMS[program]}.cli import main; main()' {words}"


@pytest.fixture
def session(tmp_path: Path) -> Path:
    import lzma

    golden = Path(__file__).resolve().parents[3] / "golden" / "session-1-virtual.h5.xz"
    (tmp_path / "s.h5").write_bytes(lzma.decompress(golden.read_bytes()))
    return tmp_path / "s.h5"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has /dev/full")
@pytest.mark.parametrize("as_json", ["", "--json"])
@pytest.mark.parametrize(("stdout", "why"), [(">/dev/full", "No space left on device"), (">&-", "closed")])
def test_a_result_that_cannot_be_printed_is_one_line(
    session: Path, tmp_path: Path, stdout: str, why: str, as_json: str
) -> None:
    done = shell(command("mia-sync", f"show {session} {as_json} {stdout}"), tmp_path)
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    assert done.returncode == 2, done.stderr
    if not as_json:
        assert why in done.stderr and done.stderr.count("error:") == 1


def test_a_reader_that_leaves_is_no_error(session: Path, tmp_path: Path) -> None:
    done = shell(command("mia-sync", f"show {session} | true"), tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has /dev/full")
@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("where", [">/dev/full", ">&-", "2>/dev/full", "2>&-", ">/dev/full 2>/dev/full", ">&- 2>&-"])
def test_help_and_errors_end_without_a_traceback(program: str, where: str, tmp_path: Path) -> None:
    for words in ("--help", "none-such", "show none-such"):
        done = shell(command(program, f"{words} {where}"), tmp_path)
        assert "Traceback" not in done.stderr + done.stdout
        assert done.returncode in (0, 2), (words, done.stderr)
