"""The virtual LED box: protocol, clock, and the process behind a real pseudo-terminal."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import serial
from hypothesis import given
from hypothesis import strategies as st

from acquire.event_log import EventLog
from acquire.ledbox.driver import LedBox
from acquire.virtual.devices.box import FLASH_RECORD, LONGEST_FLASH_MS, LONGEST_LINE, BoxClock, LineSplitter, answer
from acquire.virtual.devices.child import Child
from dataset.support.clock import now_ns
from dataset.support.errors import HardwareError

RATE_PPM = 80.0


@given(st.binary(max_size=300))
def test_every_line_gets_one_line_of_answer_and_only_a_flash_lights(line: bytes) -> None:
    reply = answer(line, 123)
    assert b"\n" not in reply.line
    assert reply.line.startswith((b"ID ", b"PONG ", b"FLASH ", b"ERR "))
    assert (reply.flash_ms > 0) == reply.line.startswith(b"FLASH ")


@given(st.integers(0, 9_999_999_999), st.integers(0, 2**32 - 1), st.integers(0, 99_999))
def test_numbers_come_back_and_flashes_have_bounds(n: int, micros: int, ms: int) -> None:
    assert answer(b"PING %d" % n, micros).line == b"PONG %d %d" % (n, micros)
    flash = answer(b"FLASH %d %d" % (n, ms), micros)
    if 1 <= ms <= LONGEST_FLASH_MS:
        assert flash.line == b"FLASH %d %d" % (n, micros)
        assert flash.flash_ms == ms
    else:
        assert flash.line.startswith(b"ERR")


@given(st.lists(st.binary(max_size=40).filter(lambda b: b"\n" not in b and not b.endswith(b"\r"))), st.integers(1, 9))
def test_lines_survive_any_cutting_of_the_stream(lines: list[bytes], step: int) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    splitter = LineSplitter()
    got = [line for i in range(0, len(stream), step) for line in splitter.feed(stream[i : i + step])]
    assert got == lines


def test_an_endless_line_is_not_kept() -> None:
    splitter = LineSplitter()
    for _ in range(100):
        assert splitter.feed(b"x" * 1000) == []
    (line,) = splitter.feed(b"\n")
    assert len(line) == LONGEST_LINE + 1
    assert answer(line, 0).line == b"ERR line too long"


def test_the_counter_wraps_at_32_bits() -> None:
    clock = BoxClock(zero_ns=0, first_us=2**32 - 10, rate_ppm=0.0)
    assert clock.micros(9_000) == 2**32 - 1
    assert clock.micros(12_000) == 2


@dataclass
class Port:
    serial: serial.Serial
    flashes_fd: int
    child: Child
    slave: int

    def ask(self, line: bytes) -> bytes:
        self.serial.write(line + b"\n")
        return self.serial.readline().removesuffix(b"\n")


@pytest.fixture
def port() -> Iterator[Port]:
    master, slave = os.openpty()
    flashes, flashes_end = os.pipe()
    arguments = ["--terminal-fd", str(master), "--flashes-fd", str(flashes_end), "--first-us", "4294000000"]
    arguments += ["--rate-ppm", str(RATE_PPM), "--latency-s", "0.0005", "0.002", "--seed", "1"]
    child = Child("acquire.virtual.devices.box", arguments, (master, flashes_end))
    try:
        child.wait_ready()
        with serial.Serial(os.ttyname(slave), 115200, timeout=10) as opened:
            yield Port(opened, flashes, child, slave)
    finally:
        child.close()
        for fd in (master, slave, flashes, flashes_end):
            os.close(fd)
    assert not child.alive


def test_the_box_answers_quickly_over_a_pseudo_terminal(port: Port) -> None:
    assert port.ask(b"ID") == b"ID mia-led-box 1"
    readings = []
    for n in range(30):
        before = now_ns()
        match = re.fullmatch(rb"PONG (\d+) (\d+)", port.ask(b"PING %d" % n))
        after = now_ns()
        assert match is not None
        assert int(match[1]) == n
        assert after - before > 1_000_000  # twice the shortest latency
        readings.append((after - before, (before + after) // 2, int(match[2])))
    round_trip_ns, host_ns, micros = min(readings)
    assert round_trip_ns < 8_000_000
    time.sleep(0.1)
    later = min((a - b, (a + b) // 2, m) for b, m, a in ((now_ns(), _micros(port), now_ns()) for _ in range(10)))
    elapsed_us = (later[2] - micros) % 2**32
    assert elapsed_us == pytest.approx((later[1] - host_ns) * 1e-3, abs=round_trip_ns * 1e-3)


def _micros(port: Port) -> int:
    return int(port.ask(b"PING 1").split()[2])


def test_garbage_is_answered_and_the_next_line_still_works(port: Port) -> None:
    port.serial.write(bytes(b for b in range(256) if b != 10) + b"\n")
    assert port.serial.readline().startswith(b"ERR")
    assert port.ask(b"") == b"ERR not understood"
    assert port.ask(b"PING 7").startswith(b"PONG 7 ")


def test_a_flash_is_reported_at_the_time_it_goes_on(port: Port) -> None:
    before = now_ns()
    assert port.ask(b"FLASH 3 80").startswith(b"FLASH 3 ")
    after = now_ns()
    on_ns, off_ns = FLASH_RECORD.unpack(os.read(port.flashes_fd, FLASH_RECORD.size))
    assert before < on_ns < after
    assert off_ns - on_ns == 80_000_000


def test_the_footswitch_reports_a_trigger(port: Port) -> None:
    port.child.order({"trigger": True})
    assert re.fullmatch(rb"TRIG \d+\n", port.serial.readline())


def test_a_reset_begins_the_counter_again_after_a_while_of_silence(port: Port) -> None:
    assert int(port.ask(b"PING 1").split()[2]) > 4_000_000_000
    port.child.order({"reset": True})
    said = port.serial.readline() + port.serial.readline()
    assert said.endswith(b"ID mia-led-box 1\n")
    port.serial.timeout = 0.2
    assert port.ask(b"PING 2") == b"", "the boot loader hears nothing"
    time.sleep(1.3)
    assert int(port.ask(b"PING 3").split()[2]) < 5_000_000


def test_a_mute_box_is_silent_and_a_garbled_one_still_answers(port: Port) -> None:
    port.child.order({"mute": 0.3})
    time.sleep(0.05)
    port.serial.timeout = 0.1
    assert port.ask(b"PING 1") == b""
    time.sleep(0.4)
    port.child.order({"garble": 5.0})
    time.sleep(0.05)
    port.serial.timeout = 5
    port.serial.write(b"PING 2\n")
    heard = b""
    while not re.search(rb"PONG 2 \d+\n", heard):
        heard += port.serial.readline()
    assert len(heard) > 24


@pytest.mark.slow
def test_the_driver_lives_through_all_of_it_on_the_real_process(port: Port) -> None:
    box = LedBox(os.ttyname(port.slave), EventLog())
    truths, flashes = [], []

    def flash() -> None:
        flashes.append(box.flash(20))
        truths.append(FLASH_RECORD.unpack(os.read(port.flashes_fd, FLASH_RECORD.size))[0])

    for k in range(300):
        if k == 100:
            port.child.order({"reset": True})
            time.sleep(2.5)
        if k == 200:
            port.child.order({"garble": 1.0})
            time.sleep(0.1)
            with contextlib.suppress(HardwareError):
                flash()  # its answer may be spoilt
            truths.clear()
            flashes.clear()
            time.sleep(1.5)
            with contextlib.suppress(BlockingIOError):
                os.set_blocking(port.flashes_fd, False)
                os.read(port.flashes_fd, 4096)
            os.set_blocking(port.flashes_fd, True)
        flash()
    box.close()
    error_ns = np.array([f.t_ns for f in flashes]) - truths
    assert np.mean(np.abs(error_ns) <= [f.uncertainty_ns for f in flashes]) > 0.88  # a hundred pulses
