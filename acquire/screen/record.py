"""The recording: what to do now, eight traces, the camera, what happened, and the keys that steer it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical

from acquire.screen.base import StepScreen
from acquire.screen.cell import TRACES_S, SensorCell
from acquire.screen.modals import MarkerScreen, ReconnectScreen
from acquire.screen.picture import CameraView
from acquire.screen.widgets import CuePanel, Events, StatusLine
from acquire.take import Snapshot
from dataset import clock
from dataset.errors import MiaError

#: The picture is drawn each so many updates: it costs more than all the traces.
PICTURE_EVERY = 3


class RecordScreen(StepScreen):
    """Sync sequence, exercises, sync sequence."""

    STEP = "Record"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "record", "Rec/stop"),
        Binding("space", "pause", "Pause", key_display="spc"),
        Binding("n", "control('next')", "Next"),
        Binding("s", "control('skip')", "Skip"),
        Binding("d", "control('redo')", "Redo"),
        Binding("m", "mark", "Mark"),
        Binding("f", "control('flash')", "Flash"),
        Binding("c", "control('clap_cue')", "Clap"),
        Binding("k", "reconnect", "Reconn"),
        Binding("v", "view", "View"),
        Binding("t", "trace", "10-60s", show=False),
    ]

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self._cells = [SensorCell() for _ in self.flow.recorder.snapshot().sensors]
        self._n_shown = 0

    def compose_body(self) -> ComposeResult:
        """Lay out."""
        yield CuePanel()
        with Horizontal(id="live"):
            yield Container(*self._cells, id="sensors")
            with Vertical(id="side"):
                yield CameraView(id="camera")
                yield Events()
        yield StatusLine()

    def on_mount(self) -> None:
        """Open the rig, where it is not open yet."""
        self.capture_app.open_rig()

    def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot, and the picture now and then."""
        super().show(snapshot)
        self.query_one(CuePanel).snapshot = snapshot
        self.query_one(StatusLine).snapshot = snapshot
        for cell, status in zip(self._cells, snapshot.sensors, strict=True):
            cell.status = status
        self._n_shown += 1
        if self.query_one("#side").display:
            self.query_one(Events).snapshot = snapshot
            if self._n_shown % PICTURE_EVERY == 0:
                self.query_one(CameraView).picture = self.flow.recorder.picture()

    # -- keys -----------------------------------------------------------------------------------------------------

    def action_record(self) -> None:
        """Start; or stop and save."""
        self.capture_app.start_or_stop()

    def action_pause(self) -> None:
        """Pause between exercises, or go on."""
        self.action_control("resume" if self.flow.recorder.paused else "pause")

    def action_control(self, what: str) -> None:
        """Steer the running recording: ``next``, ``skip``, ``redo``, ``flash``, ``clap_cue``, ``pause``, ``resume``."""
        try:
            getattr(self.flow.recorder, what)()
        except MiaError as error:
            self.notify(f"{error}\n{error.hint}", severity="warning")

    def action_mark(self) -> None:
        """Ask for a marker's words; its time is now."""
        pressed_ns = clock.now_ns()

        def store(words: str | None) -> None:
            if words:
                try:
                    self.flow.recorder.mark(words, t_ns=pressed_ns)
                except MiaError as error:
                    self.notify(f"{error}\n{error.hint}", severity="warning")

        self.app.push_screen(MarkerScreen(), store)

    def action_reconnect(self) -> None:
        """Ask which sensor to connect anew."""

        def reconnect(slot: int | None) -> None:
            if slot:
                self.flow.recorder.reconnect(slot)

        self.app.push_screen(ReconnectScreen(self.flow.recorder.snapshot().sensors), reconnect)

    def action_view(self) -> None:
        """Show traces or camera where both do not fit."""
        self.toggle_class("camera-only")

    def action_trace(self) -> None:
        """Show more or fewer seconds of trace."""
        for cell in self._cells:
            cell.trace_s = TRACES_S[(TRACES_S.index(cell.trace_s) + 1) % len(TRACES_S)]
        self.notify(f"{self._cells[0].trace_s:.0f} s of trace", timeout=1.5)
