"""The tools' commands: exit codes, one clear line, one JSON object."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from acquire import cli
from acquire.tools import radio
from dataset.sensors.profile import builtin_profiles


def run(*arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run ``mia-record`` in this process; returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["mia-record", *arguments])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    return int(exit_.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("rig", "init", "there.toml"), "never overwritten"),
        (("rig", "check", "--rig", "none.toml"), "cannot read the rig"),
        (("identify", "1", "--rig", "none.toml"), "cannot read the rig"),
        (("identify", "0"), "greater than or equal to 1"),
        (("profile", "check", "none.toml"), "cannot read the profile"),
        (("profile", "check", "there.toml"), "there.toml is wrong: name"),
        (("listen", "AA", "--profile", "none"), "no sensor profile 'none'"),
        (("scan", "--seconds", "0"), "--seconds"),
        (("scan", "--transport", "nowhere:1"), "nowhere:1"),
        (("scan", "--transport", "usb:0", "--rig", "virtual"), "radio of its own"),
    ],
)
def test_bad_input_is_exit_2_and_one_line(
    arguments: tuple[str, ...],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.toml").write_text('title = "x"\n')
    assert run(*arguments, monkeypatch=monkeypatch) == 2
    told = capfd.readouterr()
    assert words in told.err and "Traceback" not in told.err and not told.out
    assert Path("there.toml").read_text() == 'title = "x"\n'


def test_a_profile_is_printed_as_json_and_a_wrong_one_as_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "own.toml"
    path.write_text(builtin_profiles()["gforce"].text)
    assert run("profile", "check", str(path), "--json", monkeypatch=monkeypatch) == 0
    assert json.loads(capfd.readouterr().out)["profile"]["stream"]["samples"] == 16
    path.write_text(builtin_profiles()["gforce"].text.replace('format = "8B"', 'format = "8Q"'))
    assert run("profile", "check", str(path), "--json", monkeypatch=monkeypatch) == 2
    error = json.loads(capfd.readouterr().out)["error"]
    assert "own.toml" in error["what"] and "byte order" in error["why"]


def test_rig_check_refuses_where_not_all_are_at_rate(
    fakes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    sensors = fakes.sensors(2)
    sensors[0].period_s = 0.084  # asyncio.sleep is late on a busy machine
    sensors[1].silent = True
    monkeypatch.setattr(radio, "tool_hardware", lambda rig, transport: fakes.hardware(sensors))
    given = ("rig", "check", "--rig", "virtual", "--seconds", "1.5", "--patience", "0.5", "--json")
    assert run(*given, monkeypatch=monkeypatch) == 3
    found = json.loads(capfd.readouterr().out)
    assert found["all_at_rate"] is False and found["at_rate"] == 1 and len(found["sensors"]) == 2


def test_scan_prints_one_object(fakes: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(radio, "tool_hardware", lambda rig, transport: fakes.hardware(fakes.sensors(3)))
    assert run("scan", "--seconds", "0.5", "--ask", "--json", monkeypatch=monkeypatch) == 0
    devices = json.loads(capfd.readouterr().out)["devices"]
    assert sorted(d["serial"] for d in devices) == ["SN001", "SN002", "SN003"]
    assert all(d["profiles"] == ["anr-m40"] for d in devices)
