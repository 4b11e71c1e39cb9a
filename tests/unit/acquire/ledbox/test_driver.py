"""The LED box's driver against a box on a pseudo-terminal: true times, garbage, silence, resets."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acquire.event_log import EventLog
from acquire.ledbox.driver import LedBox, LedBoxWaits
from acquire.recording.row_writer import RowWriter
from dataset.capture.reader import Capture
from dataset.capture.writer import CaptureWriter
from dataset.support.errors import HardwareError


def test_flashes_have_their_host_time_across_a_wrap_of_the_clock(
    box_twin: Callable[..., Any], fakes: Any, tmp_path: Path
) -> None:
    twin = box_twin(rate=1.003)
    box = LedBox(twin.port, EventLog())
    writer = CaptureWriter(tmp_path, subject="S1", sensors=fakes.slots(1))
    box.attach(RowWriter(writer, EventLog()).box_line)
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
    with pytest.raises(HardwareError, match="no reply from an LED box"):
        LedBox(box_twin(mute=True).port, EventLog(), open_timeout_s=0.6)
    assert time.monotonic() - began < 5


def test_something_else_on_the_port_is_named_by_what_it_sent(box_twin: Callable[..., Any]) -> None:
    with pytest.raises(HardwareError, match="not an LED box: it sent") as caught:
        LedBox(box_twin(mute=True, garbage=b"\xff\x00GPS $GPGGA\r\n").port, EventLog(), open_timeout_s=0.6)
    assert "115200" in caught.value.hint


def test_garbage_between_the_lines_changes_nothing(box_twin: Callable[..., Any]) -> None:
    twin = box_twin(garbage=b"\xfe\xfePONG 999999 1\nFLASH x y\n")
    box = LedBox(twin.port, EventLog())
    flash = box.flash(50)
    box.close()
    assert abs(flash.t_ns - twin.flashes_host_ns[0]) < 20_000_000


def test_a_box_that_falls_silent_gives_no_time(box_twin: Callable[..., Any]) -> None:
    twin = box_twin()
    box = LedBox(twin.port, EventLog())
    twin.mute = True
    with pytest.raises(HardwareError, match="did not reply"):
        box.flash(50)
    box.close()


def test_a_reset_is_noticed_and_times_stay_true(box_twin: Callable[..., Any]) -> None:
    twin, event_log = box_twin(start_us=900_000_000), EventLog()
    box = LedBox(twin.port, event_log)
    box.flash(50)
    twin.reset()
    flash = box.flash(50)
    box.close()
    assert abs(flash.t_ns - twin.flashes_host_ns[1]) < 20_000_000
    assert [r.what for r in event_log.recent(9)] == ["the LED box restarted"]


def test_a_greeting_answered_twice_is_no_reset_and_a_banner_later_is_one(box_twin: Callable[..., Any]) -> None:
    twin, event_log = box_twin(), EventLog()
    twin.banners = 3
    box = LedBox(twin.port, event_log)
    box.flash(20)
    assert not event_log.recent(9)
    time.sleep(2.1)
    twin.reset()
    twin.send(b"ID mia-led-box 1\n")
    flash = box.flash(20)
    box.close()
    assert abs(flash.t_ns - twin.flashes_host_ns[-1]) < 20_000_000
    assert [r.what for r in event_log.recent(9)] == ["the LED box restarted"]


def test_answers_that_lay_unread_for_a_while_are_no_reset(box_twin: Callable[..., Any]) -> None:
    twin, event_log = box_twin(), EventLog()
    box = LedBox(twin.port, event_log)
    box.flash(50)
    twin.answer_late_s = 0.2
    flash = box.flash(50)
    twin.answer_late_s = 0.0
    box.flash(50)
    box.close()
    assert not event_log.recent(9)
    assert abs(flash.t_ns - twin.flashes_host_ns[1]) <= flash.uncertainty_ns + 100_000


def test_a_trigger_comes_with_its_host_time(box_twin: Callable[..., Any], fakes: Any) -> None:
    twin = box_twin()
    heard: list[tuple[int, int]] = []
    box = LedBox(twin.port, EventLog(), on_trigger=lambda t, u: heard.append((t, u)))
    at_ns = time.perf_counter_ns()
    twin.send(f"TRIG {twin.micros()}\n".encode())
    fakes.wait_until(lambda: bool(heard))
    box.close()
    assert abs(heard[0][0] - at_ns) < 20_000_000


def test_no_such_port_is_said() -> None:
    with pytest.raises(HardwareError, match="cannot be opened"):
        LedBox("/dev/no-such-port", EventLog())


def test_a_wrong_speed_is_named_as_such_and_does_not_hang(box_twin: Callable[..., Any]) -> None:
    # What 9600 baud looks like at 115200: no line end in it for a long time, and no text.
    twin = box_twin(mute=True, garbage=bytes([0xE6, 0x1E, 0x98, 0xFE, 0x00, 0x78, 0x80]))
    began = time.monotonic()
    with pytest.raises(HardwareError, match=r"not text.*wrong baud rate") as caught:
        LedBox(twin.port, EventLog(), open_timeout_s=1.2)
    assert time.monotonic() - began < 6
    assert "115200" in caught.value.hint


def test_an_unplugged_box_is_lost_found_and_dated_again(box_twin: Callable[..., Any], fakes: Any) -> None:
    first, second, event_log = box_twin(), box_twin(start_us=77), EventLog()
    # The system gives it another name when it is plugged in again.
    box = LedBox(
        first.port, event_log, waits=LedBoxWaits(reopen_every_s=0.1), find=lambda _identity, _port: second.port
    )
    box.flash(50)
    first.unplug()
    fakes.wait_until(lambda: bool(box.failure), 5)
    answers: list[Any] = []
    box.request_flash(50, answers.append)
    fakes.wait_until(lambda: not box.failure, 10)
    flash = box.flash(50)
    box.close()
    assert answers == [None], "what was asked of a box that is away is refused, not fired late"
    assert abs(flash.t_ns - second.flashes_host_ns[-1]) <= flash.uncertainty_ns + 500_000
    rows = [r.what for r in event_log.recent(9)]
    assert rows == ["the LED box is lost; looking for it", "the LED box is back"]
    assert box.port == second.port


def test_a_box_whose_program_hangs_is_said_once_and_when_it_answers_again(
    box_twin: Callable[..., Any], fakes: Any
) -> None:
    twin, event_log = box_twin(), EventLog()
    box = LedBox(twin.port, event_log, waits=LedBoxWaits(silent_s=0.3, pings_every_s=0.1))
    twin.mute = True
    fakes.wait_until(lambda: len(event_log.recent(9)) == 1, 5)
    time.sleep(0.7)
    twin.mute = False
    fakes.wait_until(lambda: len(event_log.recent(9)) == 2, 5)
    box.close()
    rows = [r.what for r in event_log.recent(9)]
    assert rows == ["the LED box is silent; its flashes are lost", "the LED box replies again"]


def test_a_trigger_right_after_a_reset_is_dated_by_its_arrival(box_twin: Callable[..., Any], fakes: Any) -> None:
    twin, event_log = box_twin(start_us=900_000_000), EventLog()
    heard: list[tuple[int, int]] = []
    box = LedBox(twin.port, event_log, on_trigger=lambda t, u: heard.append((t, u)))
    twin.reset()
    at_ns = time.perf_counter_ns()
    twin.send(f"TRIG {twin.micros()}\n".encode())
    fakes.wait_until(lambda: bool(heard))
    box.close()
    (t_ns, uncertainty_ns), *_ = heard
    assert t_ns - uncertainty_ns <= at_ns <= t_ns
    assert "a trigger is dated by its arrival only" in [r.what for r in event_log.recent(9)]


@pytest.mark.slow
def test_the_interval_covers_as_it_says_over_a_real_pseudo_terminal(box_twin: Callable[..., Any]) -> None:
    rng = random.Random(4)
    twin = box_twin(delay_s=lambda: 0.0004 + rng.expovariate(1 / 0.0005))
    box = LedBox(twin.port, EventLog())
    flashes = [box.flash(20) for _ in range(1000)]
    box.close()
    error_ns = np.array([f.t_ns for f in flashes]) - np.array(twin.flashes_host_ns)
    covered = np.mean(np.abs(error_ns) <= [f.uncertainty_ns for f in flashes])
    # This test's twin shares the interpreter with the driver, which lengthens one way now and then.
    assert 0.91 <= covered <= 0.99, covered
    assert np.median(np.abs(error_ns)) < 200_000
