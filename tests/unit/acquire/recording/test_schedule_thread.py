"""The thread that drives a schedule: prompts given, flashes fired and rows stored in a real capture, on a fake clock.

What a command does to the schedule is tested without a thread in ``test_schedule_runner.py``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from acquire.event_log import EventLog
from acquire.ledbox.flasher import Flash, FlashCallback
from acquire.protocol.protocol import Protocol
from acquire.protocol.schedule import Prompt, build_schedule
from acquire.recording.row_writer import RowWriter
from acquire.recording.schedule_thread import Pacing, ScheduleThread
from dataset.capture.reader import Capture
from dataset.capture.types import Sensor
from dataset.capture.writer import CaptureWriter
from dataset.support import clock
from dataset.support.errors import HardwareError, InputError
from tests.unit.acquire.recording.schedules import BEGAN_NS, PLAN, SPANS, WITHOUT_SYNC, S


@dataclass
class Person:
    """Hears prompts, and does something at some of them, as a person with a keyboard."""

    on_prompt: dict[tuple[str, str], Callable[[], Any]] = field(default_factory=dict)
    heard: list[Prompt] = field(default_factory=list)

    def prompt(self, prompt: Prompt, _host_ns: int) -> None:
        self.heard.append(prompt)
        if (action := self.on_prompt.pop((prompt.kind, prompt.label), None)) is not None:
            action()


@dataclass
class HandClock:
    """A clock that goes on by waiting alone; every look takes a microsecond."""

    t_ns: int = BEGAN_NS
    on_wait: Callable[[], Any] | None = None

    def now_ns(self) -> int:
        self.t_ns += 1000
        return self.t_ns

    def wait(self, wake: threading.Event, seconds: float) -> None:
        if self.on_wait is not None:
            self.on_wait()
        if not wake.is_set():
            self.t_ns += round(seconds * S)


class Lamp:
    """Flashes at once, by the same clock; ``dark``: reports that it did not."""

    source = "lamp"

    def __init__(self, clock: HandClock, *, dark: bool = False) -> None:
        self._clock = clock
        self._dark = dark

    def request_flash(self, _duration_ms: int, done: FlashCallback) -> None:
        done(None if self._dark else Flash(t_ns=self._clock.now_ns(), uncertainty_ns=1000, detail={"number": 1}))


class Show:
    """A schedule under way in its thread, with a capture that is closed at the end."""

    def __init__(self, folder: Path, protocol: Protocol, *, lamp: bool = True, dark: bool = False) -> None:
        self.schedule = build_schedule(protocol, 3)
        self.person, self.clock, self.event_log, self.finished = Person(), HandClock(), EventLog(), threading.Event()
        self.folder, self.n_watched = folder, 0
        sensor = Sensor(slot=1, channel="left_biceps", muscle="biceps", side="left")
        self.writer = CaptureWriter(folder, subject="S1", sensors=[sensor])
        self.event_log.attach(self.writer)
        self.rows = RowWriter(self.writer, self.event_log)
        self.player = ScheduleThread(
            self.schedule,
            self.person,  # type: ignore[arg-type]
            self.event_log,
            finished=self.finished,
            watch=self._watch,
            pacing=Pacing(now_ns=self.clock.now_ns, wait=self.clock.wait),
        )
        self._lamp = Lamp(self.clock, dark=dark) if lamp else None

    def _watch(self) -> None:
        self.n_watched += 1

    def at(self, kind: str, label: str, action: Callable[[], Any]) -> None:
        """Let the person do something at a prompt."""
        self.person.on_prompt[kind, label] = action

    def play(self) -> Capture:
        """Play until it has ended, close, and return the capture."""
        self.player.start(self.rows, BEGAN_NS, self._lamp)
        assert self.finished.wait(20)
        self.player.stop(self.rows)
        self.event_log.detach()
        self.writer.close()
        return Capture.open(self.folder)


def kinds(capture: Capture, *wanted: str) -> list[tuple[str, str]]:
    events = sorted(capture.events(), key=lambda e: e.t_ns)
    return [(e.kind, e.label) for e in events if not wanted or e.kind in wanted]


def log_words(capture: Capture) -> list[str]:
    return [what for _, _, what, _ in capture.log()]


def test_played_through_every_prompt_is_given_and_stored(tmp_path: Path) -> None:
    show = Show(tmp_path, PLAN)
    capture = show.play()
    assert show.person.heard == list(show.schedule.prompts)
    assert kinds(capture) == [(p.kind, p.label) for p in show.schedule.prompts]
    assert {e.source for e in capture.events()} == {"schedule", "lamp"}
    really = [(e.t_ns - BEGAN_NS) / S for e in sorted(capture.events(), key=lambda e: e.t_ns)]
    assert really == pytest.approx([p.at_s for p in show.schedule.prompts], abs=0.001)
    assert [e.detail for e in capture.events("flash")] == [{"number": 1}] * 4
    assert len(capture.clock_anchors()) == int(show.schedule.duration_s // 10)
    assert show.n_watched >= 2 * int(show.schedule.duration_s)
    assert show.player.failure is None


def test_before_and_after_it_nothing_can_be_commanded(tmp_path: Path) -> None:
    show = Show(tmp_path, WITHOUT_SYNC)
    commands: list[Callable[[], str]] = [
        lambda: show.player.mark("x"),
        show.player.pause,
        show.player.flash,
        show.player.clap_cue,
    ]
    for _ in range(2):
        for refused in commands:
            with pytest.raises(InputError, match="nothing is being recorded"):
                refused()
        assert not show.player.paused and not show.player.pausing
        if show.person.heard:
            break
        show.play()


def test_what_the_person_does_meanwhile_is_stored_and_logged(tmp_path: Path) -> None:
    show = Show(tmp_path, WITHOUT_SYNC)
    player, words = show.player, []

    def at_squat() -> None:
        words.extend([player.mark("  knee \n hurts "), player.flash(), player.clap_cue(), player.pause()])
        player.note("reconnect", "left_biceps")

    def resume() -> None:
        if player.paused:
            words.append(player.resume())

    show.at("exercise_start", "squat", at_squat)
    show.clock.on_wait = resume
    show.at("exercise_start", "twist", lambda: words.append(player.redo()))
    show.at("exercise_start", "running", lambda: words.append(player.next()))
    capture = show.play()
    assert words == [
        "marked: knee hurts", "flash", "clap", "pauses after squat", "continues in 3 s", "again: twist",
        "ended: running"
    ]  # fmt: skip
    assert kinds(capture, *SPANS, "marker") == [
        ("exercise_start", "squat"), ("marker", "knee hurts"), ("marker", "reconnect left_biceps"),
        ("exercise_stop", "squat"), ("pause_start", ""), ("pause_stop", ""),
        ("exercise_start", "twist"), ("marker", "redo twist"), ("exercise_stop", "twist"),
        ("exercise_start", "twist"), ("exercise_stop", "twist"),
        ("exercise_start", "running"), ("marker", "next running"), ("exercise_stop", "running"),
    ]  # fmt: skip
    own = [e for e in capture.events("clap_cue") if e.source == "control"]
    asked = [e for e in capture.events("flash") if e.detail.get("asked")]
    assert len(own) == len(asked) == 1 and asked[0].source == "lamp" and asked[0].detail["number"] == 1
    assert {e.source for e in capture.events("marker", "pause_start", "pause_stop")} == {"control"}
    assert [e.detail["asked"] for e in capture.events("marker")] == ["marker", "reconnect", "redo", "next"]
    logged = log_words(capture)
    assert {"marker", "reconnect", "redo", "next", "paused", "resumed", "flash requested", "clap requested"} <= {
        *logged
    }
    assert "pause requested" in logged


@pytest.mark.parametrize("paused", [True, False])
def test_stopping_in_a_pause_and_in_an_exercise_leaves_nothing_open(tmp_path: Path, *, paused: bool) -> None:
    show = Show(tmp_path, WITHOUT_SYNC, lamp=False)

    def at_squat() -> None:
        with pytest.raises(HardwareError, match="nothing can flash"):
            show.player.flash()
        if paused:
            show.player.pause()
        else:
            show.finished.set()

    show.at("exercise_start", "squat", at_squat)
    show.clock.on_wait = lambda: show.finished.set() if show.player.paused else None
    capture = show.play()
    last = sorted(capture.events(), key=lambda e: e.t_ns)[-1]
    assert last.kind == ("pause_stop" if paused else "exercise_stop") and last.detail == {"cut_short": True}
    assert [p.kind for p in show.person.heard].count("exercise_stop") == (1 if paused else 0)


@pytest.mark.parametrize(("lamp", "what"), [(False, "flashes skipped"), (True, "no flash was made")])
def test_flashes_that_are_not_given_are_logged_and_leave_no_event(tmp_path: Path, *, lamp: bool, what: str) -> None:
    show = Show(tmp_path, PLAN, lamp=lamp, dark=True)
    capture = show.play()
    assert not capture.events("flash")
    assert sum(words.startswith(what) for words in log_words(capture)) == (4 if lamp else 1)
    assert sum(p.kind == "flash" for p in show.person.heard) == (4 if lamp else 0)


def test_a_prompt_that_fails_ends_the_schedule_and_leaves_nothing_open(tmp_path: Path) -> None:
    show = Show(tmp_path, WITHOUT_SYNC)

    def fail() -> None:
        raise RuntimeError("nobody to tell")

    show.at("exercise_start", "twist", fail)
    capture = show.play()
    assert isinstance(show.player.failure, RuntimeError)
    assert kinds(capture)[-2:] == [("exercise_start", "twist"), ("exercise_stop", "twist")]
    assert "the schedule broke off" in log_words(capture)


def test_a_command_wakes_the_thread_at_once(tmp_path: Path) -> None:
    show = Show(tmp_path, WITHOUT_SYNC)
    asked_ns: list[int] = []

    def end_it() -> None:
        if show.person.heard and show.person.heard[-1].kind == "exercise_start" and not asked_ns:
            asked_ns.append(show.clock.t_ns)
            assert show.player.next() == "ended: squat"

    show.clock.on_wait = end_it
    capture = show.play()
    assert 0 < capture.events("exercise_stop")[0].t_ns - asked_ns[0] < 100_000


def test_by_the_hosts_clock_it_takes_the_time_it_says(tmp_path: Path) -> None:
    show = Show(tmp_path, WITHOUT_SYNC)
    show.player = ScheduleThread(
        show.schedule,
        show.person,  # type: ignore[arg-type]
        show.event_log,
        finished=show.finished,
        watch=lambda: None,
    )
    began_ns = clock.now_ns()
    show.player.start(show.rows, began_ns, None)
    assert show.finished.wait(20)
    assert show.schedule.duration_s <= (clock.now_ns() - began_ns) / S < show.schedule.duration_s + 2.0
    show.player.stop(show.rows)
    show.writer.close()
    events = sorted(Capture.open(tmp_path).events(), key=lambda e: e.t_ns)
    late_s = [(e.t_ns - began_ns) / S - p.at_s for e, p in zip(events, show.schedule.prompts, strict=True)]
    assert min(late_s) >= -1e-6 and max(late_s) < 0.5
