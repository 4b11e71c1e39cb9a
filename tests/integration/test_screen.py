"""The capture screen on the virtual rig: the whole flow, real keys under tmux, a terminal that is frozen."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acquire.assignment import Assigned
from acquire.preflight.body_in_view import BodyFinder
from acquire.screen.app import CaptureApp
from acquire.screen.assign import AssignScreen
from acquire.screen.calibrate import CalibrateScreen
from acquire.screen.check import CheckScreen
from acquire.screen.flow import Plan
from acquire.screen.record import RecordScreen
from acquire.screen.run import make_recorder_for
from acquire.screen.summary import SummaryScreen
from dataset.capture.reader import Capture, find_captures

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
PROTOCOL = """
name = "short"
lead_in_s = 1.0
rest_s = 0.5
[sync]
claps = 4
stomps = 4
[calibration]
rest_s = 2.5
contract_s = 1.5
[[exercises]]
name = "squat"
seconds = 4
[[exercises]]
name = "hook_punch"
seconds = 4
"""


async def until(condition: Any, what: str, timeout_s: float = 90.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"never {what}"
        await asyncio.sleep(0.1)


async def test_the_whole_flow_on_the_virtual_rig(tmp_path: Path) -> None:
    """Setup, check with the pose network, assigning by flexing, rest/contract, recording, verdict."""
    protocol = tmp_path / "short_protocol.toml"
    protocol.write_text(PROTOCOL, encoding="utf-8")
    scanner = BodyFinder()
    app = CaptureApp(make_recorder_for, Plan(out=tmp_path / "out", protocol=str(protocol)), scanner=scanner)

    def phase() -> str:
        return app.recorder.snapshot().phase

    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("enter")
        await until(lambda: isinstance(app.step, CheckScreen) and app.body_watch.body, "a body looked for")
        body = app.body_watch.body
        assert body is not None and not body.nobody and not body.unavailable
        await until(lambda: phase() == "ready", "ready")
        await pilot.press("enter")
        await until(lambda: isinstance(app.step, AssignScreen) and app.step.laid_out, "assigning")
        await pilot.press("a")
        assignment = app.conductor.assignment
        await until(lambda: len(assignment.answers) == 8 and not assignment.running, "eight answers")
        told = {channel: a for channel, a in assignment.answers.items() if isinstance(a, Assigned)}
        assert len(told) == 8, assignment.answers
        assert sorted(a.slot for a in told.values()) == list(range(1, 9))
        await pilot.press("enter")
        await until(lambda: isinstance(app.step, CalibrateScreen) and app.step.laid_out, "rest and contract")
        await pilot.press("enter")
        await until(lambda: phase() == "recording", "recording")
        await until(lambda: isinstance(app.step, RecordScreen), "every muscle rested and contracted")
        await until(lambda: isinstance(app.step, SummaryScreen) and app.step.preview, "a verdict", 180.0)
        summary = app.step
        assert isinstance(summary, SummaryScreen) and summary.preview is not None
        await pilot.press("ctrl+q")
        await pilot.pause(0.5)
    scanner.close()
    assert summary.preview.verdict in ("PASS", "WARNING"), summary.preview
    with Capture.open(app.recordings[0].folder) as capture:
        assert capture.closed
        contracted = [e.label for e in capture.events("contract_start")]
        assert sorted(contracted) == sorted(s.channel for s in capture.sensors)
        assert len(capture.events("rest_start")) == 16
        assert [e.label for e in capture.events("exercise_start")] == ["squat", "hook_punch"]


async def test_another_take_on_the_virtual_rig_finds_the_same_sensors(tmp_path: Path) -> None:
    """From start to a recorded session in three keys; the further take demands the sensors of the first."""
    protocol = tmp_path / "short_protocol.toml"
    protocol.write_text(PROTOCOL, encoding="utf-8")
    app = CaptureApp(make_recorder_for, Plan(out=tmp_path / "out", protocol=str(protocol)))

    def phase() -> str:
        return app.recorder.snapshot().phase

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+r")
        await until(lambda: phase() == "recording", "recording")
        await pilot.press("ctrl+x", "enter")
        await until(lambda: isinstance(app.step, SummaryScreen) and app.step.laid_out, "a summary")
        await pilot.press("a")
        await until(lambda: isinstance(app.step, CheckScreen) and phase() == "ready", "ready again")
        await pilot.press("ctrl+r")
        await until(lambda: phase() == "recording", "recording again")
        await asyncio.sleep(3.0)
        await pilot.press("ctrl+x", "enter")
        await until(lambda: len(app.recordings) == 2, "saved again")
        await pilot.press("ctrl+q")
        await pilot.pause(0.5)
    first, second = (Capture.open(r.folder) for r in app.recordings)
    assert [(s.channel, s.serial, s.address) for s in first.sensors] == [
        (s.channel, s.serial, s.address) for s in second.sensors
    ]
    assert first.meta["setup_id"] == second.meta["setup_id"] and first.meta["sync_seed"] != second.meta["sync_seed"]
    assert all(len(second.notifications(s.slot).payload) > 20 for s in second.sensors)
    first.close()
    second.close()


def test_real_keys_under_tmux(tmp_path: Path) -> None:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed: sudo apt install tmux")
    environment = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
    done = subprocess.run(
        ["sh", str(ROOT / "tests/tmux_screen.sh"), str(tmp_path)],
        env=environment, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert done.stdout.splitlines()[-1].startswith("ok: ")


class Terminal:
    """A pseudo-terminal of 120 x 40 whose reader may stop."""

    def __init__(self, command: list[str], cwd: Path) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, cwd=cwd, start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"},
        )  # fmt: skip
        os.close(slave)
        self.n_read = 0

    def read(self, seconds: float, until: bytes = b"") -> bool:
        """Read for some seconds, or until some bytes were seen."""
        deadline, seen = time.monotonic() + seconds, b""
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self.master], [], [], min(left, 0.2))[0]:
                try:
                    data = os.read(self.master, 65536)
                except OSError:  # the other end is closed
                    return False
                self.n_read += len(data)
                seen = (seen + data)[-200_000:]
                if until and until in seen:
                    return True
        return False

    def press(self, key: bytes) -> None:
        os.write(self.master, key)

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.master)


def test_a_frozen_terminal_neither_stalls_nor_loses(tmp_path: Path) -> None:
    """Nobody reads the terminal for 20 s, as over a hung SSH connection; then the recording is ended from outside."""
    command = [sys.executable, "-c", "from acquire.cli import main; main()", "--rig", "virtual", "--out", str(tmp_path)]
    terminal = Terminal(command, tmp_path)
    try:
        assert terminal.read(60.0, until=b"Setup")
        terminal.read(1.0)
        terminal.press(b"\x12")  # ctrl+r
        assert terminal.read(90.0, until=b"REC"), "it never recorded"
        terminal.read(2.0)
        frozen_ns = time.perf_counter_ns()
        time.sleep(20.0)
        thawed_ns = time.perf_counter_ns()
        terminal.process.send_signal(signal.SIGTERM)
        terminal.read(60.0, until=b"saved ")
        terminal.process.wait(timeout=30)
    finally:
        terminal.close()
    (folder,) = find_captures([tmp_path])
    with Capture.open(folder) as capture:
        assert capture.closed
        for sensor in capture.sensors:
            arrival_ns = capture.notifications(sensor.slot).arrival_ns
            inside = arrival_ns[(arrival_ns >= frozen_ns) & (arrival_ns <= thawed_ns)]
            assert len(inside) >= 0.98 * 10 * (thawed_ns - frozen_ns) * 1e-9, sensor.channel
            assert float(np.diff(inside).max()) * 1e-9 < 1.0, f"{sensor.channel} stalled"
            assert np.array_equal(
                capture.notifications(sensor.slot).host_seq, np.arange(len(arrival_ns))
            ), "none is lost between radio and disk"  # fmt: skip
