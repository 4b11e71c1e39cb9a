"""What commands write is their user's alone, or the group's too where that is asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from acquire import cli as record_cli
from dataset.support.files import current_umask
from sync import cli as sync_cli
from tests.modes import modes
from tests.unit.phone import film

pytestmark = pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def call(monkeypatch: pytest.MonkeyPatch, main: Callable[[], None], *words: object) -> None:
    monkeypatch.setattr(sys, "argv", ["mia", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0
    assert current_umask() == 0o022


@pytest.mark.parametrize(
    ("words", "folders", "files"), [([], {"0700"}, {"0600"}), (["--group-readable"], {"0750"}, {"0640"})]
)
def test_an_imported_capture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], folders: set[str], files: set[str]
) -> None:
    film(tmp_path / "film.mp4", range(0, 400, 40), codec="libx264")
    (tmp_path / "emg.csv").write_text("time_s,left_biceps\n0.0,1\n0.1,2\n0.2,3\n")
    out = tmp_path / "captures" / "one"
    call(
        monkeypatch, sync_cli.main, "import", "files", "--out", out,
        "--video", tmp_path / "film.mp4", "--emg", tmp_path / "emg.csv", *words,
    )  # fmt: skip
    assert modes(tmp_path / "captures") == (folders, files)


@pytest.mark.slow
def test_a_simulated_capture_and_its_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captures, out = tmp_path / "captures", tmp_path / "sessions"
    call(monkeypatch, record_cli.main, "simulate", "--out", captures, "--subject", "A", "--minutes", 0.5, "--seed", 3)
    call(monkeypatch, sync_cli.main, "run", captures, "--out", out, "--no-pose", "--allow-unverified")
    assert modes(captures) == modes(out) == ({"0700"}, {"0600"})
