"""The command line: exit codes, one JSON object, one bad input never stops the rest."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from dataset.session.file import write_session
from dataset.session.types import Session
from sync import cli


def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str | Path
) -> tuple[str | int | None, str, str]:
    """Run ``mia-sync`` and return its exit code, stdout and stderr."""
    monkeypatch.setattr(sys, "argv", ["mia-sync", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    told = capsys.readouterr()
    return left.value.code, told.out, told.err


@pytest.mark.parametrize(
    "arguments", [["--help"], ["-h"], ["run", "--help"], ["import", "files", "--help"], ["show", "--help"]]
)
def test_help_is_complete(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    code, out, _ = call(monkeypatch, capsys, *arguments)
    assert code == 0
    assert "Usage" in out


@pytest.mark.parametrize("arguments", [[], ["import"]])
def test_no_command_is_answered_with_the_help_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    code, out, err = call(monkeypatch, capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("Usage:")
    assert "error: no command was given" in err


def test_no_such_capture_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, err = call(monkeypatch, capsys, "run", tmp_path / "none", "--out", tmp_path / "S")
    assert code == 2
    assert out == ""
    assert "no capture at" in err
    assert not (tmp_path / "S").exists()


def test_every_bad_input_is_told_in_the_one_object(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, _ = call(monkeypatch, capsys, "run", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "S", "--json")
    assert code == 2
    told = json.loads(out)["sessions"]
    assert [t["exit_code"] for t in told] == [2, 2]
    assert all(t["error"]["code"] == "bad-capture" and t["session"] is None for t in told)


def test_a_file_that_is_no_session_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "x.h5"
    path.write_bytes(b"nothing")
    assert call(monkeypatch, capsys, "show", path)[0] == 2
    assert call(monkeypatch, capsys, "check", path)[0] == 2


def test_a_newer_session_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "new.h5"
    with h5py.File(path, "w") as file:
        file.attrs["format"] = "mia-session"
        file.attrs["format_version"] = "99"
    code, _, err = call(monkeypatch, capsys, "show", path)
    assert code == 2
    assert "99" in err
    assert "hint: update" in err


def test_every_session_is_checked_though_one_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "x.h5").write_bytes(b"nothing")
    code, out, _ = call(monkeypatch, capsys, "check", tmp_path / "none.h5", tmp_path / "x.h5", "--json")
    assert code == 2
    assert ["no such file" in told["problems"][0] for told in json.loads(out)["sessions"]] == [True, False]


def test_an_output_that_is_a_file_is_told_before_the_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from dataset.capture.types import Sensor
    from dataset.capture.writer import CaptureWriter, new_capture_folder

    folder = new_capture_folder(tmp_path, "S01")
    CaptureWriter(folder, subject="S01", sensors=[Sensor(slot=1, channel="a", muscle="a", side="")]).close()
    (tmp_path / "out").write_text("x")
    code, out, _ = call(monkeypatch, capsys, "run", folder, "--out", tmp_path / "out", "--json")
    assert code == 2
    assert "not a folder" in json.loads(out)["sessions"][0]["error"]["why"]


def test_text_in_a_table_is_named_by_row_and_column(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table = tmp_path / "e.csv"
    table.write_text("time_s,a\n0,1\n0.1,x\n")
    video = tmp_path / "v.avi"
    import cv2

    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for _ in range(20):
        writer.write(np.full((48, 64, 3), 90, dtype=np.uint8))
    writer.release()
    code, out, _ = call(
        monkeypatch, capsys, "import", "files", "--out", tmp_path / "c", "--video", video, "--emg", table, "--json"
    )
    assert code == 2
    assert "row 3" in json.loads(out)["error"]["why"]


def test_lag_tells_every_session_in_files_and_folders(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    moving_session: Callable[..., Session],
) -> None:
    write_session(tmp_path / "late.h5", moving_session(0.6))
    (tmp_path / "more").mkdir()
    write_session(tmp_path / "more" / "noise.h5", moving_session(0.0, unrelated=True))
    (tmp_path / "more" / "notes.txt").write_text("no session")
    code, out, _ = call(monkeypatch, capsys, "lag", tmp_path / "late.h5", tmp_path / "more", "--json")
    assert code == 0
    late, noise = json.loads(out)["sessions"]
    assert {"session", "subject", "lag_s", "r", "r_at_zero", "aliases", "channels"} <= set(late)
    assert late["lag_s"] == pytest.approx(0.6, abs=0.05)
    assert late["r"] > late["r_at_zero"]
    assert all(set(alias) == {"lag_s", "r"} for alias in late["aliases"])
    assert set(late["channels"]) == {"left_biceps", "right_biceps", "left_quadriceps", "right_quadriceps"}
    assert late["channels"]["left_quadriceps"]["lag_s"] == pytest.approx(0.6, abs=0.05)
    assert late["channels"]["left_biceps"]["lag_s"] is None
    assert noise["lag_s"] is None
    code, out, _ = call(monkeypatch, capsys, "lag", tmp_path / "late.h5", tmp_path / "more")
    assert code == 0
    assert "Estimated from motion: sEMG lags by 0.60 s" in out
    assert "lag cannot be estimated" in out


@pytest.mark.parametrize("bad", ["none.h5", "empty", "text.h5"])
def test_lag_refuses_what_is_no_session(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, bad: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.h5").write_text("no session")
    code, out, err = call(monkeypatch, capsys, "lag", tmp_path / bad)
    assert (code, out) == (2, "")
    assert bad in err
    assert "Traceback" not in err


@pytest.mark.realdata
def test_fix_lag_tells_what_it_removed_of_each_subject(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, shared_data: Path
) -> None:
    folder = shared_data / "mia_squat" / "MIADatasetOfficial"
    code, out, _ = call(monkeypatch, capsys, "import", "mia", folder, "--out", tmp_path / "S", "--fix-lag", "--json")
    assert code == 0
    rows = json.loads(out)["sessions"]
    assert [row["lag"]["removed_s"] for row in rows] == pytest.approx([0.5, 1.1, 0.8, 0.9])
    assert all(row["lag"]["alignment"] == "relative" for row in rows)
    code, out, _ = call(monkeypatch, capsys, "show", rows[1]["session"])
    assert "relative: sEMG was shifted 1.1 s earlier" in out
