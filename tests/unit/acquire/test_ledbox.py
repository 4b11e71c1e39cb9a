"""The LED box's driver against a box on a pseudo-terminal: true times, garbage, silence, resets."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acquire.journal import Journal
from acquire.ledbox import LedBox
from dataset.capture import Capture
from dataset.capture_writer import CaptureWriter
from dataset.errors import HardwareError


def test_flashes_have_their_host_time_across_a_wrap_of_the_clock(
    box_twin: Callable[..., Any], fakes: Any, tmp_path: Path
) -> None:
    twin = box_twin(rate=1.003)
    box = LedBox(twin.port, Journal())
    writer = CaptureWriter(tmp_path, subject="S1", sensors=fakes.slots(1))
    box.attach(writer)
    flashes = []
    for _ in range(12):
        flashes.append(box.flash(50))
        time.sleep(0.04)
    box.close()
    writer.close()
    error_ms = (np.array([f.t_ns for f in flashes]) - twin.flashes_host_ns) * 1e-6
    assert np.median(np.abs(error_ms)) < 1.5
    assert sum(abs(e) <= f.uncertainty_ns * 1e-6 + 0.1 for e, f in zip(error_ms, flashes, strict=True)) >= 11
    assert flashes[-1].detail["box_us"] > 1 << 32, "the clock wrapped on the way"
    with Capture.open(tmp_path) as capture:
        lines = capture.serial_lines()
    assert sum(payload.startswith(b"FLASH ") for _, _, payload in lines) == 12
    assert {source for source, _, _ in lines} == {"led-box"}


def test_a_silent_port_is_said_and_does_not_hang(box_twin: Callable[..., Any]) -> None:
    began = time.monotonic()
    with pytest.raises(HardwareError, match="no LED box answers"):
        LedBox(box_twin(mute=True).port, Journal(), open_timeout_s=0.6)
    assert time.monotonic() - began < 5


def test_something_else_on_the_port_is_named_by_what_it_sent(box_twin: Callable[..., Any]) -> None:
    with pytest.raises(HardwareError, match="no LED box: it sent") as caught:
        LedBox(box_twin(mute=True, garbage=b"\xff\x00GPS $GPGGA\r\n").port, Journal(), open_timeout_s=0.6)
    assert "115200" in caught.value.hint


def test_garbage_between_the_lines_changes_nothing(box_twin: Callable[..., Any]) -> None:
    twin = box_twin(garbage=b"\xfe\xfePONG 999999 1\nFLASH x y\n")
    box = LedBox(twin.port, Journal())
    flash = box.flash(50)
    box.close()
    assert abs(flash.t_ns - twin.flashes_host_ns[0]) < 20_000_000


def test_a_box_that_falls_silent_gives_no_time(box_twin: Callable[..., Any]) -> None:
    twin = box_twin()
    box = LedBox(twin.port, Journal())
    twin.mute = True
    with pytest.raises(HardwareError, match="did not answer"):
        box.flash(50)
    box.close()


def test_a_reset_is_noticed_and_times_stay_true(box_twin: Callable[..., Any]) -> None:
    twin, journal = box_twin(start_us=900_000_000), Journal()
    box = LedBox(twin.port, journal)
    box.flash(50)
    twin.reset()
    flash = box.flash(50)
    box.close()
    assert abs(flash.t_ns - twin.flashes_host_ns[1]) < 20_000_000
    assert [r.what for r in journal.recent(9)] == ["the LED box began again"]


def test_answers_that_lay_unread_for_a_while_are_no_reset(box_twin: Callable[..., Any]) -> None:
    twin, journal = box_twin(), Journal()
    box = LedBox(twin.port, journal)
    box.flash(50)
    twin.answer_late_s = 0.2
    flash = box.flash(50)
    twin.answer_late_s = 0.0
    box.flash(50)
    box.close()
    assert not journal.recent(9)
    assert abs(flash.t_ns - twin.flashes_host_ns[1]) <= flash.uncertainty_ns + 100_000


def test_a_trigger_comes_with_its_host_time(box_twin: Callable[..., Any], fakes: Any) -> None:
    twin = box_twin()
    heard: list[tuple[int, int]] = []
    box = LedBox(twin.port, Journal(), on_trigger=lambda t, u: heard.append((t, u)))
    at_ns = time.perf_counter_ns()
    twin.send(f"TRIG {twin.micros()}\n".encode())
    fakes.wait_until(lambda: bool(heard))
    box.close()
    assert abs(heard[0][0] - at_ns) < 20_000_000


def test_no_such_port_is_said() -> None:
    with pytest.raises(HardwareError, match="cannot be opened"):
        LedBox("/dev/no-such-port", Journal())
