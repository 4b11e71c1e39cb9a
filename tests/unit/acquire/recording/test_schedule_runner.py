"""What a person may do with a running schedule, and the events that remain of it in a real capture."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from acquire.event_log import EventLog
from acquire.ledbox.flasher import Flash, FlashCallback
from acquire.protocol.protocol import Protocol, parse_protocol
from acquire.protocol.schedule import Prompt, build_schedule
from acquire.recording.schedule_runner import ScheduleRunner
from dataset.capture.reader import Capture
from dataset.capture.types import Sensor
from dataset.capture.writer import CaptureWriter
from dataset.support import clock
from dataset.support.errors import HardwareError, InputError

PLAN = parse_protocol(
    """
name = "three"
lead_in_s = 0.1
rest_s = 0.3
[sync]
claps = 1
stomps = 1
shortest_gap_s = 0.1
longest_gap_s = 0.2
[calibration]
rest_s = 2.5
contract_s = 1.5
[[exercises]]
name = "squat"
seconds = 0.4
[[exercises]]
name = "twist"
repetitions = 2
seconds_each = 0.2
[[exercises]]
name = "running"
seconds = 0.4
rest_s = 0.5
""",
    "three",
)


@dataclass
class Person:
    """Hears prompts."""

    heard: list[Prompt] = field(default_factory=list)

    def prompt(self, prompt: Prompt, _host_ns: int) -> None:
        self.heard.append(prompt)


class Lamp:
    """Flashes at once."""

    source = "lamp"

    def request_flash(self, _duration_ms: int, done: FlashCallback) -> None:
        done(Flash(t_ns=clock.now_ns(), uncertainty_ns=1000, detail={"number": 1}))


class Show:
    """A player under way, with a capture that is closed at the end."""

    def __init__(self, folder: Path, protocol: Protocol, *, lamp: bool = True, calibrate: tuple[str, ...] = ()) -> None:
        self.schedule = build_schedule(protocol, 3, calibrate=calibrate)
        self.person, self.event_log, self.finished = Person(), EventLog(), threading.Event()
        sensor = Sensor(slot=1, channel="left_biceps", muscle="biceps", side="left")
        self.folder = folder
        self.writer = CaptureWriter(folder, subject="S1", sensors=[sensor])
        self.event_log.attach(self.writer)
        self.player = ScheduleRunner(
            self.schedule,
            self.person,  # type: ignore[arg-type]
            self.event_log,
            finished=self.finished,
            watch=lambda: None,
        )
        self._lamp = Lamp() if lamp else None

    def start(self) -> None:
        self.player.start(self.writer, clock.now_ns(), self._lamp)

    def until(self, what: Callable[[], Any], timeout_s: float = 10.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not what():
            assert time.monotonic() < deadline, "it did not come"
            time.sleep(0.005)

    def until_heard(self, kind: str, label: str = "", times: int = 1) -> None:
        self.until(lambda: sum((p.kind, p.label) == (kind, label) for p in list(self.person.heard)) >= times)

    def end(self) -> Capture:
        """Play to the end, close, and return the capture."""
        assert self.finished.wait(20)
        return self.stop()

    def stop(self) -> Capture:
        self.player.stop(self.writer)
        self.event_log.detach()
        self.writer.close()
        return Capture.open(self.folder)


WITHOUT_SYNC = PLAN.model_copy(update={"sync": PLAN.sync.model_copy(update={"claps": 0, "stomps": 0})})


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Show]:
    monkeypatch.setattr("acquire.protocol.schedule.SETTLE_S", 0.2)
    monkeypatch.setattr("acquire.recording.schedule_runner.COUNTDOWN_S", 0.3)
    made = Show(tmp_path, PLAN)
    yield made
    made.finished.set()


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Show]:
    """Without sync sequences."""
    monkeypatch.setattr("acquire.recording.schedule_runner.COUNTDOWN_S", 0.3)
    made = Show(tmp_path, WITHOUT_SYNC)
    yield made
    made.finished.set()


def kinds(capture: Capture, *wanted: str) -> list[tuple[str, str]]:
    events = sorted(capture.events(), key=lambda e: e.t_ns)
    return [(e.kind, e.label) for e in events if not wanted or e.kind in wanted]


SPANS = ("exercise_start", "exercise_stop", "pause_start", "pause_stop")
SYNC = ("sync_start", "clap_cue", "stomp_cue", "sync_stop")


def assert_both_sequences_are_whole(capture: Capture) -> None:
    """Each end has its sequence in full, in its own time: whatever was done between."""
    events = [e for e in sorted(capture.events(), key=lambda e: e.t_ns) if e.kind in SYNC and e.source == "schedule"]
    assert [e.kind for e in events] == list(SYNC) * 2
    flashes = capture.events("flash")
    planned = [p for p in build_schedule(PLAN, 3).prompts if p.kind in SYNC]
    for first in (0, 4):
        really = [(e.t_ns - events[first].t_ns) * 1e-9 for e in events[first : first + 4]]
        wanted = [p.at_s - planned[first].at_s for p in planned[first : first + 4]]
        assert really == pytest.approx(wanted, abs=0.08)
        span = events[first].t_ns, events[first + 3].t_ns
        assert sum(span[0] <= f.t_ns <= span[1] for f in flashes) >= 2


def test_played_through_it_is_the_schedule(show: Show) -> None:
    show.start()
    capture = show.end()
    assert kinds(capture, *SPANS) == [
        (f"exercise_{end}", name) for name in ("squat", "twist", "running") for end in ("start", "stop")
    ]
    assert_both_sequences_are_whole(capture)
    with pytest.raises(InputError, match="nothing is being recorded"):
        show.player.mark("too late")


def test_a_pause_asked_for_in_an_exercise_begins_at_its_end_and_ends_with_a_countdown(plain: Show) -> None:
    plain.start()
    plain.until_heard("exercise_start", "squat")
    assert plain.player.pause() == "pauses after squat"
    assert plain.player.pausing and not plain.player.paused
    plain.until(lambda: plain.player.paused)
    assert plain.player.cue().kind == "paused" and plain.player.cue().next_title == "Twist"
    left_s = plain.player.remaining_s()
    time.sleep(0.4)
    assert plain.player.remaining_s() == left_s and not plain.finished.is_set()
    with pytest.raises(InputError, match="paused already"):
        plain.player.pause()
    assert "goes on" in plain.player.resume()
    cue = plain.player.cue()
    assert cue.kind == "ready" and 0.0 < cue.left_s <= 0.3
    capture = plain.end()
    assert kinds(capture, *SPANS)[:5] == [
        ("exercise_start", "squat"), ("exercise_stop", "squat"), ("pause_start", ""), ("pause_stop", ""),
        ("exercise_start", "twist"),
    ]  # fmt: skip
    begun, ended = capture.events("pause_start")[0].t_ns, capture.events("pause_stop")[0].t_ns
    stop = next(e.t_ns for e in capture.events("exercise_stop") if e.label == "squat")
    again = next(e.t_ns for e in capture.events("exercise_start") if e.label == "twist")
    assert (begun - stop) * 1e-9 < 0.05 and (ended - begun) * 1e-9 > 0.4
    assert (again - ended) * 1e-9 == pytest.approx(0.3 + PLAN.rest_s, abs=0.1)


def test_whatever_is_done_between_both_sequences_stay_whole(show: Show) -> None:
    show.start()
    show.until_heard("sync_start")
    assert show.player.pause() == "pauses after the sync sequence"
    assert show.player.resume() == "goes on without a pause"
    with pytest.raises(InputError, match="not paused"):
        show.player.resume()
    show.until_heard("clap_cue")
    for refused in (show.player.redo, show.player.skip, show.player.next):
        with pytest.raises(InputError, match="sync sequence runs"):
            refused()
    show.player.pause()
    show.until(lambda: show.player.paused)
    show.player.resume()
    show.until_heard("exercise_start", "squat")
    show.player.redo()
    show.until_heard("exercise_start", "squat", times=2)
    show.player.next()
    show.until_heard("exercise_stop", "squat", times=2)
    show.player.skip()
    show.until_heard("exercise_stop", "running")
    with pytest.raises(InputError, match="nothing to skip"):
        show.player.skip()
    show.player.next()
    show.until_heard("sync_start", times=2)
    with pytest.raises(InputError, match="this is the last"):
        show.player.pause()
    capture = show.end()
    assert_both_sequences_are_whole(capture)
    assert [k for k, _ in kinds(capture, "pause_start", "sync_stop")] == ["sync_stop", "pause_start", "sync_stop"]


def test_redoing_cuts_what_runs_and_does_it_again(plain: Show) -> None:
    plain.start()
    plain.until_heard("exercise_start", "twist")
    assert plain.player.redo() == "again: twist"
    assert plain.person.heard[-1].kind == "exercise_stop"
    assert plain.player.cue().kind == "ready" and plain.player.cue().next_title == "Twist"
    plain.until_heard("exercise_start", "twist", times=2)
    assert plain.player.cue().repetitions == 2
    capture = plain.end()
    twists = [e for e in capture.events() if e.label == "twist"]
    assert [e.kind for e in twists] == ["exercise_start", "exercise_stop"] * 2
    assert [e.detail for e in twists] == [{}, {"cut_short": True}, {"attempt": 2}, {}]
    assert (twists[3].t_ns - twists[2].t_ns) * 1e-9 == pytest.approx(0.4, abs=0.08)
    assert kinds(capture, "marker") == [("marker", "redo twist")]
    assert any(what == "redo" and detail == {"label": "twist"} for _, _, what, detail in capture.log())


def test_redoing_in_the_rest_goes_back_to_the_exercise_before(plain: Show) -> None:
    plain.start()
    plain.until_heard("exercise_stop", "squat")
    assert plain.player.redo() == "again: squat"
    capture = plain.end()
    assert [label for _, label in kinds(capture, "exercise_start")] == ["squat", "squat", "twist", "running"]


def test_skipping_leaves_out_what_comes_or_cuts_what_runs(plain: Show) -> None:
    plain.start()
    plain.until_heard("exercise_stop", "squat")
    assert plain.player.skip() == "skipped: twist"
    plain.until_heard("exercise_start", "running")
    assert plain.player.skip() == "skipped: running"
    capture = plain.end()
    assert kinds(capture, *SPANS) == [
        ("exercise_start", "squat"), ("exercise_stop", "squat"),
        ("exercise_start", "running"), ("exercise_stop", "running"),
    ]  # fmt: skip
    assert capture.events("exercise_stop")[-1].detail == {"cut_short": True}


def test_skipping_what_a_pause_waits_for_begins_the_pause(plain: Show) -> None:
    plain.start()
    plain.until_heard("exercise_start", "squat")
    plain.player.pause()
    plain.player.skip()
    assert plain.player.paused and plain.player.cue().next_title == "Twist"
    capture = plain.stop()
    assert kinds(capture, *SPANS) == [
        ("exercise_start", "squat"), ("exercise_stop", "squat"), ("pause_start", ""), ("pause_stop", "")
    ]  # fmt: skip


def test_going_on_ends_what_runs_begins_what_comes_and_ends_a_pause(plain: Show) -> None:
    plain.start()
    plain.until_heard("exercise_start", "squat")
    began = time.monotonic()
    assert plain.player.next() == "ended: squat"
    plain.until_heard("exercise_stop", "squat")
    assert plain.player.next() == "begins: twist"
    plain.until_heard("exercise_start", "twist")
    assert time.monotonic() - began < 0.3
    plain.player.pause()
    plain.until(lambda: plain.player.paused)
    assert plain.player.next() == "begins: running"
    plain.until_heard("exercise_start", "running")
    capture = plain.end()
    assert all(e.detail == {} for e in capture.events("exercise_stop"))
    assert [k for k, _ in kinds(capture, "pause_start", "pause_stop")] == ["pause_start", "pause_stop"]


def test_marks_flashes_and_claps_beside_the_schedule_are_stored(plain: Show) -> None:
    plain.start()
    plain.until_heard("exercise_start", "squat")
    assert plain.player.mark("  knee \n hurts ") == "marked: knee hurts"
    for text, why in (("  ", "it is empty"), ("x" * 501, "501 of at most 500")):
        with pytest.raises(InputError, match=why):
            plain.player.mark(text)
    plain.player.flash()
    plain.player.clap_cue()
    assert (plain.player.cue().kind, plain.player.cue().title) == ("contact", "Clap")
    assert [p.kind for p in plain.person.heard][-2:] == ["flash", "clap_cue"]
    capture = plain.end()
    marker = capture.events("marker")[0]
    assert (marker.label, marker.source) == ("knee hurts", "control")
    own = [e for e in capture.events("clap_cue") if e.source == "control"]
    asked = [e for e in capture.events("flash") if e.detail.get("asked")]
    assert len(own) == len(asked) == 1 and asked[0].source == "lamp" and asked[0].detail["number"] == 1
    logged = {what for _, _, what, _ in capture.log()}
    assert {"marker", "flash asked for", "clap asked for"} <= logged


@pytest.mark.parametrize("paused", [True, False])
def test_stopping_in_a_pause_and_in_an_exercise_leaves_nothing_open(tmp_path: Path, *, paused: bool) -> None:
    show = Show(tmp_path, WITHOUT_SYNC, lamp=False)
    show.start()
    show.until_heard("exercise_start", "squat")
    if paused:
        show.player.pause()
        show.until(lambda: show.player.paused)
    with pytest.raises(HardwareError, match="nothing can flash"):
        show.player.flash()
    capture = show.stop()
    last = sorted(capture.events(), key=lambda e: e.t_ns)[-1]
    assert last.kind == ("pause_stop" if paused else "exercise_stop") and last.detail == {"cut_short": True}


def test_a_muscles_calibration_is_cut_and_gone_through_whole(tmp_path: Path) -> None:
    plan = WITHOUT_SYNC.model_copy(update={"exercises": ()})
    show = Show(tmp_path, plan, lamp=False, calibrate=("left_biceps", "left_triceps"))
    show.start()
    show.until_heard("rest_start", "left_biceps")
    assert show.player.cue().kind == "rest"
    show.player.next()
    show.until_heard("contract_start", "left_biceps")
    assert (show.player.cue().kind, show.player.cue().title) == ("contract", "Flex: left biceps")
    assert show.player.skip() == "skipped: left_biceps"
    show.until_heard("rest_start", "left_triceps")
    for kind in ("rest_stop", "contract_start", "contract_stop", "rest_start"):
        show.player.next()
        show.until_heard(kind, "left_triceps", times=2 if kind == "rest_start" else 1)
    show.player.next()
    capture = show.end()
    begun: set[tuple[str, str]] = set()
    for kind, label in kinds(capture):
        span, _, end = kind.rpartition("_")
        if end == "start":
            assert (span, label) not in begun
            begun.add((span, label))
        elif end == "stop":
            begun.remove((span, label))
    assert not begun
    labels = [label for kind, label in kinds(capture, "contract_stop")]
    assert labels == ["left_biceps", "left_triceps"]
