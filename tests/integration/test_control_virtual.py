"""Assigning, calibrating and control on the live virtual rig: real GATT servers in real time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acquire.assignment import Assigned
from acquire.maintenance.recover import recover, verify
from acquire.protocol.protocol import parse_protocol
from acquire.recording.recorder import Recorder
from acquire.recording.take import Take
from acquire.virtual.faults import Faults
from acquire.virtual.rig import VirtualHardware, VirtualRigOptions
from dataset.capture.reader import Capture

pytestmark = pytest.mark.slow

SHORT = """
name = "short"
lead_in_s = 0.5
rest_s = 1.0
[sync]
claps = 1
stomps = 0
[calibration]
rest_s = 2.5
contract_s = 2.0
[[exercises]]
name = "squat"
seconds = 4
"""
MIA_RECORD = [sys.executable, "-c", "from acquire.cli import main; main()"]


def until(what: Callable[[], Any], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


def test_sensors_that_are_mixed_up_are_assigned_calibrated_and_controlled(tmp_path: Path) -> None:
    """The rig is wrong about every sensor; after flexing, each channel shows what its muscle did."""
    hardware = VirtualHardware(31, "S1", VirtualRigOptions(faults=Faults(rest_counts=(70.0, 870.0)), mixed_up=True))
    true_slot = {s.channel: s.slot for s in hardware._devices.rig_sensors()}
    assert all(true_slot[s.channel] != s.slot for s in hardware.sensors)
    plan = parse_protocol(SHORT, "short")
    take = Take(protocol=plan, out=tmp_path, subject="S1", seed=31, protocol_toml=SHORT, calibrate=True, setup_id="a")
    recorder = Recorder(hardware, take)
    try:
        recorder.open()
        recorder.wait_ready(90)
        answers = recorder.assigning.run()
        found = {channel: a.slot for channel, a in answers.items() if isinstance(a, Assigned)}
        assert found == true_slot
        recorder.assigning.bind(answers)
        recorder.start()
        until(lambda: recorder.snapshot().cue.kind == "exercise", 90)  # type: ignore[union-attr]
        recorder.mark("deep enough")
        recorder.clap_cue()
        recorder.flash()
        recorder.redo()
        until(recorder.finished.is_set)
    finally:
        made = recorder.close()
    assert made is not None and verify(made.folder) == ()
    truth = json.loads((made.folder / "truth.json").read_text())
    with Capture.open(made.folder) as capture:
        assert {s.channel: s.slot for s in capture.sensors} == true_slot
        events = sorted(capture.events(), key=lambda e: e.t_ns)
        assert [e.label for e in events if e.kind == "marker"] == ["deep enough", "redo squat"]
        assert len(truth["claps_host_ns"]) == 3  # one at each end, one asked for
        assert len(truth["flashes_host_ns"]) == len(capture.events("flash")) == 3
        assert [x["name"] for x in truth["exercises"]] == ["squat", "squat"]
        for sensor in capture.sensors:
            spans = [
                next(e.t_ns for e in events if (e.kind, e.label) == (kind, sensor.channel))
                for kind in ("rest_start", "rest_stop", "contract_start", "contract_stop")
            ]
            got = capture.notifications(sensor.slot)
            value = np.array([int.from_bytes(p, "little") for p in got.payload])
            at = got.arrival_ns
            rest = value[(at > spans[0] + 5 * 10**8) & (at < spans[1])]
            flex = value[(at > spans[2] + 10**9) & (at < spans[3])]
            assert np.median(flex) > np.median(rest) + 25, sensor.channel


def started(out: Path, runtime: Path) -> subprocess.Popen[str]:
    run = subprocess.Popen(
        [*MIA_RECORD, "run", "--headless", "--rig", "virtual", "--out", str(out), "--subject", "S1", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_RUNTIME_DIR": str(runtime)},
    )
    until(lambda: list(out.glob("sub-S1/ses-*/video.mkv")) or run.poll() is not None)
    return run


def asked(runtime: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MIA_RECORD, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "XDG_RUNTIME_DIR": str(runtime)},
    )


def test_another_terminal_sees_and_marks_a_recording_and_a_kill_leaves_it_recoverable(tmp_path: Path) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir()
    nobody = asked(runtime, "status", "--json")
    assert nobody.returncode == 2 and json.loads(nobody.stdout)["error"]["what"] == "no recording runs"
    run = started(tmp_path / "out", runtime)
    try:
        status = json.loads(asked(runtime, "status", "--json").stdout)
        assert status["phase"] == "recording" and len(status["sensors"]) == 8
        marked = asked(runtime, "mark", "mein Knie schmerzt")
        assert (marked.returncode, marked.stdout.strip()) == (0, "marked: mein Knie schmerzt")
        empty = asked(runtime, "mark", " ")
        assert empty.returncode == 2 and "a marker needs a text" in empty.stderr
        assert "recording: subject S1" in asked(runtime, "status").stdout
        time.sleep(1.0)
    finally:
        run.send_signal(signal.SIGKILL)
        run.communicate(timeout=30)
    gone = asked(runtime, "mark", "too late")
    assert gone.returncode == 2 and "no recording runs" in gone.stderr
    assert not list(runtime.glob("mia-record/*.sock"))
    folder = Path(status["capture"])
    assert not recover(folder).was_closed
    with Capture.open(folder) as capture:
        assert [e.label for e in capture.events("marker")] == ["mein Knie schmerzt"]


def test_a_terminal_that_goes_away_leaves_the_recording_closed_with_its_marks(tmp_path: Path) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir()
    run = started(tmp_path / "out", runtime)
    asked(runtime, "mark", "last words")
    run.send_signal(signal.SIGHUP)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 0, err
    folder = Path(json.loads(out)["capture"])
    assert verify(folder) == ()
    with Capture.open(folder) as capture:
        assert [e.label for e in capture.events("marker")] == ["last words"]
    assert not list(runtime.glob("mia-record/*.sock"))


CRASHING = """
import sys, time
from pathlib import Path
from acquire.protocol.protocol import load_protocol
from acquire.recording.recorder import Recorder
from acquire.recording.take import Take
from acquire.virtual.rig import VirtualHardware
plan, text = load_protocol(None)
recorder = Recorder(VirtualHardware(5, "S1"), Take(protocol=plan, out=Path(sys.argv[1]), subject="S1", seed=5))
recorder.open()
recorder.wait_ready(90)
recorder.start()
time.sleep(2)
recorder.mark("before the crash")
raise RuntimeError("the screen crashed")
"""


def test_a_crash_of_whoever_records_leaves_the_recording_closed(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", CRASHING, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 1 and run.stderr.count("Traceback") == 1 and "the screen crashed" in run.stderr
    (folder,) = tmp_path.glob("sub-S1/ses-*")
    assert verify(folder) == ()
    with Capture.open(folder) as capture:
        assert [e.label for e in capture.events("marker")] == ["before the crash"]
        assert (folder / "truth.json").is_file() and len(capture.notifications(1).payload) > 10
