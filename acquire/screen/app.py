"""The capture screen: shows the recorder's snapshot ten times a second, starts and stops it by keys."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from acquire.protocol import load_protocol
from acquire.recorder import Recorder
from acquire.rig import open_hardware
from acquire.screen.flash import TerminalFlasher
from acquire.screen.widgets import CuePanel, SensorCell, StatusLine, TopBar
from acquire.take import Recording, Take
from acquire.terminal import ending_signals
from dataset.capture_writer import check_subject
from dataset.console import STDERR, report_error
from dataset.errors import MiaError

UPDATE_EVERY_S = 0.1
TALL_FROM_ROWS = 34
LEAVE_TIMEOUT_S = 5.0

_HELP = """\
[b]Keys[/b]
 r   start a recording; again: stop and save it
 q   leave; a running recording is stopped and saved
 ?   this help; any key closes it

[b]Signs[/b]
 ● streaming   ▲ stale   ✖ lost   ○ searching   ◌ reconnecting
 ! before a rate: under 95 % of the values came, or too many

Nothing waits for this screen: what arrives is stored
whether it is drawn or not."""


class HelpScreen(ModalScreen[None]):
    """Keys and signs."""

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield Static(Text.from_markup(_HELP), id="help")

    def on_key(self, event: events.Key) -> None:
        """Any key closes it."""
        event.stop()
        self.dismiss()


class CaptureApp(App[int]):
    """The screen of ``mia-record``.

    Parameters
    ----------
    make_recorder : callable
        Makes a recorder on newly opened hardware; called again for each further take.
    """

    CSS_PATH = "screen.tcss"
    TITLE = "mia-record"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "record", "Record / stop"),
        Binding("q", "leave", "Quit"),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("ctrl+c", "leave", "Quit", show=False, priority=True),
    ]

    def __init__(self, make_recorder: Callable[[], Recorder]) -> None:
        super().__init__()
        self._make_recorder = make_recorder
        self.recorder = make_recorder()
        self.recordings: list[Recording] = []
        self.error: MiaError | None = None
        self._cells: list[SensorCell] = []
        self._ending: asyncio.Task[None] | None = None
        self._running_loop: asyncio.AbstractEventLoop | None = None
        self._flasher: TerminalFlasher | None = None

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield TopBar()
        yield CuePanel()
        self._cells = [SensorCell() for _ in self.recorder.snapshot().sensors]
        yield Container(*self._cells, id="sensors")
        yield StatusLine()
        yield Footer()

    def on_mount(self) -> None:
        """Open the rig and begin to draw."""
        self._running_loop = asyncio.get_running_loop()
        self._flasher = TerminalFlasher(self)
        self.set_interval(UPDATE_EVERY_S, self._draw)
        self._open()

    def on_resize(self, event: events.Resize) -> None:
        """Give traces and words more room where there is some."""
        self.screen.set_class(event.size.height >= TALL_FROM_ROWS, "tall")

    def post_display_hook(self) -> None:
        """Tell the flasher what was drawn."""
        if self._flasher is not None:
            self._flasher.on_display()

    def on_cursor_position(self) -> None:
        """Tell the flasher that the terminal answered."""
        if self._flasher is not None:
            self._flasher.on_answer()

    def _open(self) -> None:
        self.recorder.flasher = self._flasher
        self.run_worker(self._open_recorder, thread=True, exit_on_error=False, group="rig")

    def _open_recorder(self) -> None:
        try:
            self.recorder.open()
        except MiaError as error:
            self.call_from_thread(self._failed, error)

    def _failed(self, error: MiaError) -> None:
        self.error = error
        self.notify(f"{error}\n{error.hint}", title="error", severity="error", timeout=30)

    def _draw(self) -> None:
        recorder = self.recorder
        recorder.missing()
        snapshot = recorder.snapshot()
        base = self.screen_stack[0]
        base.query_one(TopBar).snapshot = snapshot
        base.query_one(CuePanel).snapshot = snapshot
        base.query_one(StatusLine).snapshot = snapshot
        for cell, status in zip(self._cells, snapshot.sensors, strict=True):
            cell.status = status
        if snapshot.phase == "recording" and recorder.finished.is_set():
            self._end()

    def _end(self) -> asyncio.Task[None]:
        """End and save the running recording, once; the screen goes on drawing meanwhile."""
        if self._ending is None or self._ending.done():
            self._ending = asyncio.create_task(self._close_recorder())
        return self._ending

    async def _close_recorder(self) -> None:
        try:
            recording = await asyncio.to_thread(self.recorder.close)
        except MiaError as error:
            self._failed(error)
            return
        if recording is not None:
            self.recordings.append(recording)

    def action_record(self) -> None:
        """Start, or stop and save, or open the rig for a further take."""
        phase = self.recorder.snapshot().phase
        if phase == "recording":
            self._end()
        elif phase == "ready":
            try:
                self.recorder.start()
            except MiaError as error:
                self._failed(error)
        elif phase == "waiting":
            names = ", ".join(s.sensor.channel for s in self.recorder.missing())
            self.notify(f"not every sensor streams yet: {names}", severity="warning")
        elif phase in ("done", "failed") and (self._ending is None or self._ending.done()):
            self.recorder = self._make_recorder()
            self._open()

    def action_help(self) -> None:
        """Show keys and signs."""
        self.push_screen(HelpScreen())

    async def action_leave(self) -> None:
        """Save what runs, release the rig, leave."""
        await self._end()
        self.exit(0)

    def end_from_signal(self, terminal_is_gone: bool) -> None:
        """Save and leave; called by a signal, in the main thread but outside the loop."""
        if terminal_is_gone:
            threading.Thread(target=self._leave_without_terminal, daemon=True).start()
        elif self._running_loop is not None:
            self._running_loop.call_soon_threadsafe(lambda: self.run_worker(self.action_leave()))

    def _leave_without_terminal(self) -> None:
        with contextlib.suppress(MiaError):  # there is nobody left to tell; what was committed is kept
            self.recorder.close()
        if self._running_loop is not None:
            self._running_loop.call_soon_threadsafe(self.exit, 0)
        time.sleep(LEAVE_TIMEOUT_S)
        os._exit(0)  # the screen waits for its dead terminal for ever; everything is stored and released


def run_screen(*, rig: str, out: Path, subject: str, protocol_path: Path | None, transport: str = "") -> int:
    """Show the capture screen until the person leaves; returns the exit code.

    Raises
    ------
    InputError
        The rig, the protocol or the subject is not what it should be.
    """
    check_subject(subject)
    plan, plan_toml = load_protocol(protocol_path)

    def make_recorder() -> Recorder:
        seed = secrets.randbits(31)
        hardware, rig_toml = open_hardware(rig, seed=seed, subject=subject, transport=transport)
        take = Take(
            protocol=plan, out=out, subject=subject, seed=seed, protocol_toml=plan_toml, rig_toml=rig_toml
        )  # fmt: skip
        return Recorder(hardware, take)

    app = CaptureApp(make_recorder)
    try:
        with ending_signals(app.end_from_signal):
            app.run()
    finally:
        recording = app.recorder.close()  # also where the terminal went away or the screen crashed
        if recording is not None:
            app.recordings.append(recording)
    for made in app.recordings:
        report_saved(made)
    if app.error is not None:
        report_error(app.error, as_json=False)
        return app.error.exit_code
    return app.return_code or 0


def report_saved(recording: Recording) -> None:
    """Say on stderr where a capture lies."""
    STDERR.print(f"saved {recording.folder}", markup=False, soft_wrap=True)
