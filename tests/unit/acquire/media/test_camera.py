"""The camera's watch: reads that fail, hang or repeat a picture; each connection an epoch; nothing waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from acquire.event_log import EventLog
from acquire.media.camera import Camera, CameraWaits
from acquire.media.orientation import UPRIGHT


class Taken:
    """Takes the place of a muxer."""

    n_written = n_dropped = 0

    def __init__(self) -> None:
        self.frames: list[tuple[int, int]] = []

    def frame(self, epoch: int, arrival_ns: int, _image: Any) -> None:
        self.frames.append((epoch, arrival_ns))


class Misbehaving:
    """A camera that does what it is told from its ``n``-th frame on: ``hang``, ``fail``, ``raise`` or ``repeat``."""

    width, height, nominal_hz = 64, 48, 100.0
    turn = UPRIGHT

    def __init__(self, what: str = "", n: int = 20, *, picture: int | None = None) -> None:
        self.what, self.n, self.picture = what, n, picture
        self.asked: Mapping[str, Any] = {}
        self.n_read = 0
        self.let_go = threading.Event()
        self.released = False

    def read(self) -> Any:
        time.sleep(0.01)
        self.n_read += 1
        shown = self.n_read if self.picture is None else self.picture
        if self.n_read > self.n:
            if self.what == "hang":
                self.let_go.wait()
            elif self.what == "fail":
                return None
            elif self.what == "raise":
                raise RuntimeError("cable pulled")
            elif self.what == "repeat":
                shown = self.n
        return np.full((48, 64, 3), shown % 251, dtype=np.uint8)

    def release(self) -> None:
        self.released = True


HURRIED = CameraWaits(silent_s=0.3, watch_every_s=0.02, reopen_every_s=0.05)


def said(event_log: EventLog) -> list[str]:
    return [row.what for row in event_log.recent(30) if row.what != "the camera's rate"]


WORDS = {
    "hang": "the camera is silent; opening it again",
    "fail": "the camera delivers no frames; opening it again",
    "raise": "the camera delivers no frames; opening it again",
    "repeat": "the picture does not change; opening it again",
}


@pytest.mark.parametrize("what", list(WORDS))
def test_whatever_fails_the_camera_is_opened_again_under_a_new_epoch(
    fakes: Any, what: str, request: pytest.FixtureRequest
) -> None:
    first, second, event_log, taken = Misbehaving(what), Misbehaving(), EventLog(), Taken()
    request.addfinalizer(first.let_go.set)
    camera = Camera(first, lambda: second, event_log, HURRIED)
    camera.attach(taken)  # type: ignore[arg-type]
    fakes.wait_until(lambda: second.n_read > 10, 5)
    assert camera.status().state == "running"
    health = camera.health()
    camera.close()
    assert second.released and first.released == (what != "hang")
    assert {epoch for epoch, _ in taken.frames} == {0, 1}
    assert [epoch for epoch, _ in taken.frames] == sorted(epoch for epoch, _ in taken.frames)
    assert [e["epoch"] for e in health["epochs"]] == [0, 1]
    rows = said(event_log)
    assert rows[0] == "camera opened"
    assert rows[-2:] == [WORDS[what], "the camera is back"]
    if what == "raise":
        assert "cable pulled" in event_log.recent(30)[1].detail["error"]


def test_a_hung_read_that_returns_late_delivers_nothing_and_lets_go_of_its_camera(fakes: Any) -> None:
    first, second, taken = Misbehaving("hang"), Misbehaving(picture=7), Taken()
    camera = Camera(first, lambda: second, EventLog(), HURRIED)
    camera.attach(taken)  # type: ignore[arg-type]
    fakes.wait_until(lambda: any(epoch == 1 for epoch, _ in taken.frames), 5)
    n_first = sum(epoch == 0 for epoch, _ in taken.frames)
    first.let_go.set()
    fakes.wait_until(lambda: first.released, 5)
    camera.close()
    assert sum(epoch == 0 for epoch, _ in taken.frames) == n_first == 20


def test_opening_that_hangs_is_given_up_with_growing_patience(fakes: Any) -> None:
    opened_s: list[float] = []
    let_go = threading.Event()

    def open_hangs() -> Any:
        opened_s.append(time.monotonic())
        let_go.wait()

    event_log = EventLog()
    camera = Camera(Misbehaving("fail"), open_hangs, event_log, replace(HURRIED, open_patience_s=0.1))
    fakes.wait_until(lambda: len(opened_s) == 3, 5)
    waits_s = np.diff(opened_s)
    assert waits_s[1] > 1.5 * waits_s[0]
    assert camera.status().state == "lost"
    camera.close()
    let_go.set()
    assert said(event_log).count("opening the camera hangs; trying again") >= 2


def test_a_picture_that_stays_the_same_after_opening_again_is_what_the_camera_sees(fakes: Any) -> None:
    opened: list[Misbehaving] = []

    def reopen() -> Misbehaving:
        opened.append(Misbehaving(picture=0))
        return opened[-1]

    event_log = EventLog()
    camera = Camera(Misbehaving(picture=0), reopen, event_log, HURRIED)
    fakes.wait_until(lambda: bool(opened) and opened[-1].n_read > 100, 10)
    assert camera.status().state == "running"
    camera.close()
    assert len(opened) == 1
    assert said(event_log).count("the picture does not change; opening it again") == 1


def test_a_camera_that_comes_back_with_another_size_is_refused_and_said(fakes: Any) -> None:
    other = Misbehaving()
    other.width = 32
    event_log = EventLog()
    sources = iter([other, Misbehaving()])
    camera = Camera(Misbehaving("fail"), lambda: next(sources, None), event_log, HURRIED)
    fakes.wait_until(lambda: "the camera is back" in said(event_log), 5)
    camera.close()
    assert other.released
    assert "the camera came back with another size" in said(event_log)


def test_closing_does_not_wait_for_a_read_that_hangs(fakes: Any, request: pytest.FixtureRequest) -> None:
    source, event_log = Misbehaving("hang", n=3), EventLog()
    request.addfinalizer(source.let_go.set)
    camera = Camera(source, lambda: None, event_log, HURRIED)
    fakes.wait_until(lambda: source.n_read > 3, 5)
    began = time.monotonic()
    camera.close()
    assert time.monotonic() - began < 3.5
    assert said(event_log)[-1] == "the camera's read hangs; abandoned"


def test_what_was_asked_and_what_is_given_are_logged(fakes: Any) -> None:
    source = fakes.camera(50.0)
    source.asked = {"asked": {"width": 1280}, "codec": "MJPG"}
    event_log = EventLog()
    waits = replace(HURRIED, rate_window_s=0.4, judge_rate_every_s=0.05)
    camera = Camera(source, lambda: None, event_log, waits)
    measured: Callable[[], Any] = lambda: [r for r in event_log.recent(9) if r.what == "the camera's rate"]  # noqa: E731
    fakes.wait_until(lambda: bool(measured()), 5)
    camera.close()
    opened = event_log.recent(9)[0]
    assert (opened.detail["asked"], opened.detail["width"], opened.detail["codec"]) == ({"width": 1280}, 64, "MJPG")
    assert measured()[0].detail["declared_hz"] == 50.0
    assert 30 < measured()[0].detail["measured_hz"] <= 51
