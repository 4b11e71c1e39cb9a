"""The terminal's flash: white over everything, its time taken at the write, SSH told, nothing left behind."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Key
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, Static

from acquire.ledbox.flasher import Flash
from acquire.protocol.protocol import parse_protocol
from acquire.recording.recorder import Recorder
from acquire.recording.take import Take
from acquire.screen.app import CaptureApp
from acquire.screen.flash import FlashScreen, TerminalFlasher, over_ssh
from acquire.screen.flow import Plan
from acquire.screen.modals import HelpScreen
from acquire.screen.summary import Preview, SummaryScreen
from dataset.capture.reader import Capture
from dataset.support import clock
from tests.present import present


class Bare(App[None]):
    """The least that can flash."""

    flasher: TerminalFlasher | None = None

    def compose(self) -> ComposeResult:
        yield Static("behind")

    def on_mount(self) -> None:
        self.flasher = TerminalFlasher(self, {"TERM": "xterm"})

    def post_display_hook(self) -> None:
        if self.flasher is not None:
            self.flasher.on_display()

    def on_cursor_position(self) -> None:
        if self.flasher is not None:
            self.flasher.on_answer()


def shows(app: App[None], kind: type[Screen[None]]) -> bool:
    return isinstance(app.screen, kind)


async def test_the_screen_is_white_for_as_long_as_asked_and_then_as_before() -> None:
    app = Bare()
    flashes: list[Flash | None] = []
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        assert app.flasher is not None
        before_ns = clock.now_ns()
        app.flasher.request_flash(300, flashes.append)
        await pilot.pause(0.1)
        after_ns = clock.now_ns()
        assert shows(app, FlashScreen)
        cells = [segment for strip in app.screen._compositor.render_strips() for segment in strip]
        assert sum(len(s.text) for s in cells) == 400
        assert {present(s.style.bgcolor.triplet).hex for s in cells if s.style and s.style.bgcolor} == {"#ffffff"}
        await pilot.pause(0.4)
        assert not shows(app, FlashScreen)
    (flash,) = flashes
    assert flash is not None
    assert before_ns <= flash.t_ns - flash.uncertainty_ns <= flash.t_ns + flash.uncertainty_ns <= after_ns
    assert flash.detail["latency"] == "one-sided, not measured" and flash.detail["over_ssh"] is False


async def until(pilot: Pilot[None] | Pilot[int], condition: Callable[[], object]) -> None:
    """Wait for a condition, on a busy machine for long."""
    for _ in range(600):
        if condition():
            return
        await pilot.pause(0.05)
    raise AssertionError("it never came")


class Keyed(Bare):
    """Has a screen with a key and a field under the flash."""

    class Under(Screen[None]):
        BINDINGS: ClassVar[list[BindingType]] = [Binding("r", "count", "Count")]
        n = 0

        def compose(self) -> ComposeResult:
            yield Input()

        def action_count(self) -> None:
            self.n += 1


@pytest.mark.parametrize("typing", [False, True])
async def test_a_key_during_the_flash_is_for_the_screen_under_it(typing: bool) -> None:
    app = Keyed()
    async with app.run_test() as pilot:
        under = Keyed.Under()
        await app.push_screen(under)
        field = under.query_one(Input)
        if typing:
            field.focus()
        else:
            under.set_focus(None)
        await pilot.pause()
        assert app.flasher is not None
        app.flasher.request_flash(5000, lambda _: None)
        await until(pilot, lambda: isinstance(app.screen, FlashScreen))
        await pilot.press("r")
        await until(pilot, lambda: under.n or field.value)
        assert isinstance(app.screen, FlashScreen)
        assert (under.n, field.value) == ((0, "r") if typing else (1, ""))


async def test_a_key_that_arrives_when_the_white_is_gone_is_not_lost() -> None:
    app = Keyed()
    async with app.run_test() as pilot:
        under, white = Keyed.Under(), FlashScreen()
        await app.push_screen(under)
        await app.push_screen(white)
        await app.pop_screen()
        await pilot.pause()
        under.set_focus(None)
        white.on_key(Key("r", "r"))
        await until(pilot, lambda: under.n)


async def test_a_second_flash_while_one_is_being_drawn_is_refused() -> None:
    app = Bare()
    flashes: list[Flash | None] = []
    async with app.run_test() as pilot:
        await pilot.pause()
        assert app.flasher is not None
        app.flasher.request_flash(50, flashes.append)
        app.flasher.request_flash(50, flashes.append)
        await pilot.pause(0.2)
    assert flashes.count(None) == 1 and len(flashes) == 2


async def test_a_screen_opened_over_the_white_does_not_keep_it() -> None:
    app = Bare()
    async with app.run_test() as pilot:
        await pilot.pause()
        assert app.flasher is not None
        app.flasher.request_flash(100, lambda _: None)
        await pilot.pause(0.05)
        app.push_screen(HelpScreen())
        await pilot.pause(0.2)
        await pilot.press("x")
        await pilot.pause(0.3)
        assert not any(isinstance(screen, FlashScreen) for screen in app.screen_stack)


def test_ssh_is_noticed() -> None:
    assert over_ssh({"SSH_CONNECTION": "10.0.0.1 22 10.0.0.2 22"}) and over_ssh({"SSH_TTY": "/dev/pts/1"})
    assert not over_ssh({"TERM": "xterm", "SSH_CONNECTION": ""})


async def test_over_ssh_the_source_says_so() -> None:
    app = Bare()
    async with app.run_test():
        assert TerminalFlasher(app, {"SSH_TTY": "/dev/pts/1"}).source == "terminal over ssh"
        assert TerminalFlasher(app, {}).source == "terminal"


async def _no_preview(_: Path) -> Preview:
    return Preview(verdict="WARNING", reasons=(), streams={})


SHORT = """
name = "short"
lead_in_s = 0.2
[sync]
claps = 2
stomps = 1
shortest_gap_s = 0.4
longest_gap_s = 0.6
"""


async def test_a_recording_without_a_box_is_flashed_by_the_screen(
    fakes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("acquire.protocol.schedule.SETTLE_S", 0.2)
    monkeypatch.setattr("acquire.screen.summary.preview_verdict", _no_preview)

    def make_recorder(_: Plan) -> Recorder:
        return Recorder(
            fakes.hardware(fakes.sensors(1), camera=fakes.camera(30)),
            Take(protocol=parse_protocol(SHORT, "short"), out=tmp_path, subject="S1", seed=4),
        )

    app = CaptureApp(make_recorder)
    async with app.run_test() as pilot:
        await pilot.press("ctrl+r")
        # Whole, so that the app does not end while it comes up.
        await until(pilot, lambda: isinstance(app.step, SummaryScreen) and app.step.query("#next"))
    (made,) = app.recordings
    assert any("the terminal flashes" in note and "clap and stomp at every cue" in note for note in made.notes)
    with Capture.open(made.folder) as capture:
        flashes = capture.events("flash")
        planned = [p for p in app.recorder.schedule.prompts if p.kind == "flash"]
        assert len(flashes) == len(planned) == 6
        assert {e.source for e in flashes} == {"terminal"}
        # Never before its time of the schedule; on a busy machine later.
        (began_ns,) = (at_ns for at_ns, _, what, _ in capture.log() if what == "recording")
        late_s = [(e.t_ns - began_ns) * 1e-9 - p.at_s for e, p in zip(flashes, planned, strict=True)]
        assert all(-0.02 < late < 2.0 for late in late_s)


PROGRAM = """
import json, sys, threading
from tests.unit.acquire.screen.test_flash import Bare

class Program(Bare):
    def on_mount(self):
        super().on_mount()
        self.set_timer(0.5, lambda: self.flasher.request_flash(200, self.done))

    def done(self, flash):
        with open(sys.argv[1], "w") as file:
            json.dump([flash.t_ns, flash.uncertainty_ns, flash.detail["answered_ms"]], file)
        self.set_timer(0.5, self.exit)

Program().run()
"""


@pytest.mark.slow
@pytest.mark.parametrize("answers", [True, False])
def test_a_real_terminal_gets_the_white_at_the_time_that_is_stored(tmp_path: Path, answers: bool) -> None:
    master, slave = pty.openpty()
    told = tmp_path / "told.json"
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": "80", "LINES": "24"}
    run = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(told)], stdin=slave, stdout=slave, stderr=slave, env=environment,
        start_new_session=True, cwd=Path(__file__).parents[4],
    )  # fmt: skip
    os.close(slave)
    white_ns = 0
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and run.poll() is None:
        if not select.select([master], [], [], 0.1)[0]:
            continue
        try:
            chunk = os.read(master, 65536)
        except OSError:
            break
        if not white_ns and re.search(rb"48;2;255;255;255", chunk):
            white_ns = clock.now_ns()
        if answers and b"\x1b[6n" in chunk:
            time.sleep(0.05)  # a terminal at the other end of a slow line
            os.write(master, b"\x1b[1;1R")
    os.close(master)
    assert run.wait(10) == 0
    t_ns, uncertainty_ns, answered_ms = json.loads(told.read_text())
    assert white_ns, "the terminal was never white"
    late_ms = (white_ns - t_ns) * 1e-6
    assert -uncertainty_ns * 1e-6 - 1 < late_ms < 60, late_ms
    assert uncertainty_ns < 60_000_000
    assert (answered_ms >= 50 and answered_ms > late_ms) if answers else answered_ms is None
