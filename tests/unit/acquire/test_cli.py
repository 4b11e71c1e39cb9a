"""The command line: exit codes and one clear line; what works is tested where it lives."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from acquire import cli
from dataset.capture.writer import CaptureWriter


def run(*arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run ``mia-record`` in this process; returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["mia-record", *arguments])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    return int(exit_.value.code or 0)


BASE = ("--headless", "--subject", "S1")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", *BASE, "--rig", "none.toml", "--out", "o"), "cannot read the rig"),
        (("run", *BASE, "--rig", "rig.toml", "--out", "o", "--protocol", "none.toml"), "cannot read the protocol"),
        (("run", *BASE, "--rig", "rig.toml", "--out", "o", "--protocol", "rig.toml"), "the protocol rig.toml is wrong"),
        (("run", "--headless", "--subject", "a b", "--rig", "rig.toml", "--out", "o"), "not a valid label"),
        (("run", *BASE, "--rig", "rig.toml", "--out", "o", "--duration", "long"), "--duration"),
        (("run", *BASE, "--rig", "rig.toml", "--out", "o", "--duration", "-3"), "--duration"),
        (("run", *BASE, "--rig", "rig.toml", "--out", "o", "--duration", "inf"), "--duration"),
        (("run", *BASE, "--rig", "rig.toml", "--out", "o", "--duration", "nan"), "--duration"),
        (("simulate", "--out", "o", "--subject", "S1", "--minutes", "nan", "--seed", "1"), "--minutes"),
        (("run", *BASE, "--rig", "rig.toml", "--out", "o", "--seed", "x"), "--seed"),
        (("run", *BASE, "--out", "o"), "--rig"),
        (("run", "--subject", "S1", "--rig", "rig.toml", "--out", "o"), "--headless"),
        (("run", *BASE, "--rig", "rig.toml", "--out", "rig.toml"), "cannot write into rig.toml"),
        (("recover", "nowhere"), "no capture"),
        (("verify", "nowhere"), "no capture"),
        (("simulate", "--out", "o", "--subject", "S1", "--minutes", "0", "--seed", "1"), "--minutes"),
        (("simulate", "--out", "o", "--subject", "S1", "--minutes", "1", "--seed", "1", "--stamp", "../x"), "name"),
        (("simulate", "--out", "o", "--subject", "S1", "--minutes", "1", "--seed", "1", "--protocol", "x"), "built in"),
        (("explode",), "explode"),
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
    Path("rig.toml").write_text("name = 'r'\n[[slots]]\nchannel = 'left_biceps'\n")
    assert run(*arguments, monkeypatch=monkeypatch) == 2
    told = capfd.readouterr()
    assert words in told.err and "Traceback" not in told.err and not told.out
    assert not Path("o").exists()


def test_an_error_is_one_json_object_with_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("verify", str(tmp_path), "--json", monkeypatch=monkeypatch) == 2
    assert json.loads(capfd.readouterr().out)["error"]["code"] == "bad-capture"


def test_verify_and_recover_tell_what_they_found(
    fakes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    CaptureWriter(tmp_path, subject="S1", sensors=fakes.slots(1)).close()
    assert run("verify", str(tmp_path), "--json", monkeypatch=monkeypatch) == 0
    assert json.loads(capfd.readouterr().out)["ok"] is True
    assert run("recover", str(tmp_path), monkeypatch=monkeypatch) == 0
    assert "was closed already" in capfd.readouterr().out
    (tmp_path / "capture.db").write_bytes((tmp_path / "capture.db").read_bytes() + b"\0")
    assert run("verify", str(tmp_path), monkeypatch=monkeypatch) == 2
    assert "capture.db is changed" in capfd.readouterr().err


def test_help_lists_the_commands_that_work_without_loading_the_heavy_ones(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import subprocess

    code = (
        "import sys; sys.argv = ['mia-record', '--help']\n"
        "from acquire.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'cv2', 'av', 'torch', 'textual', 'bleak', 'bumble', 'mediapipe', 'numpy'} & set(sys.modules)\n"
        "sys.exit(str(sorted(heavy)) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for command in ("run", "simulate", "recover", "verify"):
        assert command in done.stdout


def test_progress_tells_phase_sensors_camera_and_time(fakes: Any, tmp_path: Path) -> None:
    from acquire.protocol.protocol import load_protocol
    from acquire.recording.recorder import Recorder
    from acquire.recording.take import Take

    plan, _ = load_protocol(None)
    hardware = fakes.hardware(fakes.sensors(2), camera=fakes.camera())
    recorder = Recorder(hardware, Take(protocol=plan, out=tmp_path, subject="S1", seed=1))
    recorder.open()
    recorder.wait_ready()
    recorder.start()
    line = cli.progress_text(recorder.snapshot())
    made = recorder.close()
    assert line.startswith("recording | 2 of 2 sensors | camera ") and line.endswith("Get ready")
    assert re.search(r"\| disk (\d+ (min|h)|over 100 h) \|", line)
    assert made is not None
    text = cli.recording_text(made)
    assert text.startswith(str(made.folder)) and "left_biceps" in text and "0 dropped" in text
