"""The Arduino sketch of docs/hardware, compiled for this machine and driven over a real pseudo-terminal."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import time
import tty
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import serial
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acquire.event_log import EventLog
from acquire.ledbox.driver import PROGRAM, LedBox
from acquire.ledbox.flasher import Flash
from acquire.virtual.devices.box import answer

SKETCH = Path(__file__).resolve().parents[4] / "docs/hardware/mia_led_box/mia_led_box.ino"
COMPILER = shutil.which("g++") or shutil.which("c++")

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C++ compiler")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sketch as a program of this machine."""
    out = tmp_path_factory.mktemp("sketch") / "box"
    shim = Path(__file__).parent / "sketch"
    command = [str(COMPILER), "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-I", str(shim), "-include",
               "Arduino.h", "-x", "c++", str(SKETCH), "-o", str(out)]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, text=True)
    return out


@dataclass
class Board:
    """A running sketch."""

    port: str
    process: subprocess.Popen[bytes]
    light: Any

    def went_on_ns(self) -> list[int]:
        """Host times at which the light went on."""
        lines = [line.split() for line in os.read(self.light, 65536).splitlines()]
        return [int(at) for level, at in lines if level == b"1"]


@pytest.fixture
def board(program: Path) -> Iterator[Board]:
    master, slave = pty.openpty()
    tty.setraw(master)
    tty.setraw(slave)
    light, light_end = os.pipe()

    def take_light() -> None:
        os.dup2(light_end, 3)

    process = subprocess.Popen(
        [program, "4294000000"], stdin=master, stdout=master, pass_fds=(3, light_end), preexec_fn=take_light
    )  # a counter near its end: it wraps within a second
    os.close(light_end)
    yield Board(os.ttyname(slave), process, light)
    process.kill()
    process.wait()
    for fd in (master, slave, light):
        os.close(fd)


def test_the_recorder_drives_it_and_dates_its_light(board: Board) -> None:
    box = LedBox(board.port, EventLog())
    flashes: list[Flash] = []
    while len(flashes) < 20 or (flashes[-1].detail["box_us"] <= 1 << 32 and len(flashes) < 200):
        flashes.append(box.flash(20))
        time.sleep(0.03)
    box.close()
    error_ns = np.array([f.t_ns for f in flashes]) - board.went_on_ns()
    assert np.abs(error_ns).max() < 3_000_000
    # Here nothing is on a wire, so the sketch's wait for the wire's bytes shows: half of it, about half a millisecond.
    assert np.median(error_ns) == pytest.approx(-450_000, abs=450_000)
    assert flashes[-1].detail["box_us"] > 1 << 32


def test_the_switch_reports_once_however_it_bounces(board: Board, fakes: Any) -> None:
    heard: list[int] = []
    box = LedBox(board.port, EventLog(), on_trigger=lambda t, _: heard.append(t))
    at_ns = time.perf_counter_ns()
    for _ in range(3):
        board.process.send_signal(signal.SIGUSR1)
        time.sleep(0.003)
    fakes.wait_until(lambda: bool(heard), 5)
    time.sleep(0.1)
    box.close()
    assert len(heard) == 1 and abs(heard[0] - at_ns) < 20_000_000


KNOWN = (
    b"ID", b"PING 7", b"PING 0000000012", b"FLASH 3 80", b"FLASH 3 0", b"FLASH 3 5000", b"FLASH 3 5001", b"PING",
    b"PING x", b"PING 12345678901", b"FLASH 1", b"FLASH 1 2 3", b"", b"x" * 64, b"x" * 65, b"FLASH 3 80\r",
)  # fmt: skip
LINES = st.sampled_from(KNOWN) | st.binary(max_size=80).filter(lambda b: b"\n" not in b and b"\x00" not in b)


@given(st.lists(LINES, max_size=8))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_answers_every_line_as_the_virtual_box_does(board: Board, lines: list[bytes]) -> None:
    with serial.Serial(board.port, 115200, timeout=5) as port:
        port.reset_input_buffer()
        port.write(b"PING 99\n")
        while not port.readline().startswith(b"PONG 99 "):
            pass
        for line in lines:
            port.write(line + b"\n")
            got = port.readline()
            assert got.endswith(b"\n")
            expected = answer(line.removesuffix(b"\r"), 0).line
            if expected.startswith((b"PONG", b"FLASH")):
                got, expected = got.rsplit(b" ", 1)[0], expected.rsplit(b" ", 1)[0]
            assert got.strip() == expected.strip(), line


def test_it_says_which_program_it_is() -> None:
    assert SKETCH.read_text().count(f'"ID {PROGRAM}"') == 2
