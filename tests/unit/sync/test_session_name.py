"""A session's name comes from its capture, whose texts nobody has to believe."""

from __future__ import annotations

import re
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest

from dataset.capture.reader import Capture
from dataset.capture.types import Sensor
from dataset.capture.writer import CaptureWriter, new_capture_folder
from sync import cli
from sync.pipeline import session_name
from tests.sealed import seal_again


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    folder = new_capture_folder(tmp_path / "captures", "S01", "20260101T000000")
    CaptureWriter(folder, subject="S01", sensors=[Sensor(slot=1, channel="c", muscle="c", side="")]).close()
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> object:
    monkeypatch.setattr(sys, "argv", ["mia-sync", "run", *map(str, words), "--no-pose"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return left.value.code


def everything(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["taken", "sub-S01_ses-x", "ses-٢٠٢٦٠١٠١T٠٠٠٠٠٠"])
def test_it_is_made_of_letters_and_digits_wherever_the_capture_lies(capture: Path, tmp_path: Path, name: str) -> None:
    moved = tmp_path / "sub-S01" / name
    moved.parent.mkdir()
    shutil.move(capture, moved)
    with Capture.open(moved) as opened:
        assert re.fullmatch(r"sub-S01_ses-[0-9]{8}T[0-9]{6}", session_name(opened))
        assert opened.closed_utc is not None
        assert session_name(opened).endswith(f"{opened.closed_utc:%Y%m%dT%H%M%S}")


@pytest.mark.parametrize("said", ["/../../victim/index", "../../victim/index"])
def test_a_manifest_writes_nothing_outside_the_folder_of_sessions(
    capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], said: str
) -> None:
    moved = tmp_path / "taken"
    shutil.move(capture, moved)
    seal_again(moved, closed_utc=said)
    out = tmp_path / "out"
    (out / "sub-S01_ses-").mkdir(parents=True)
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "index.html").write_text("mine")
    before = everything(tmp_path)
    assert run(monkeypatch, moved, "--out", out, "--allow-unverified") == 2
    assert "is not a valid time" in capsys.readouterr().err
    assert everything(tmp_path) == before


def test_a_subject_writes_nothing_outside_the_folder_of_sessions(
    capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = tmp_path / "taken"
    shutil.move(capture, moved)
    database = sqlite3.connect(moved / "capture.db")
    with database:
        database.execute("UPDATE meta SET value = '/../../victim' WHERE key = 'subject'")
    database.close()
    before = everything(tmp_path)
    assert run(monkeypatch, moved, "--out", tmp_path / "out") == 2
    assert "is not a valid label" in capsys.readouterr().err
    assert everything(tmp_path) == before
