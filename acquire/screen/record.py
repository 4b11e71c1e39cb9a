"""The recording: what to do now, eight traces, the camera, what happened, and the keys that steer it."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical

from acquire.recording.take import Snapshot
from acquire.screen.base import StepScreen
from acquire.screen.cell import TRACES_S, SensorCell
from acquire.screen.controls import Control
from acquire.screen.messages import MarkerEntered, ReconnectSensor, Said, StartRecording, Steer
from acquire.screen.modals import MarkerScreen, ReconnectScreen
from acquire.screen.picture import CameraView
from acquire.screen.steps import Step
from acquire.screen.view import PictureKind, View
from acquire.screen.widgets import CuePanel, Events, StatusLine, last_row
from dataset.support import clock


class RecordScreen(StepScreen):
    """Sync sequence, exercises, sync sequence."""

    STEP = Step.RECORD
    #: Drawing it costs more than all the traces.
    PICTURE_EVERY = 3
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r", "record", "Record", tooltip="Begin to record"),
        Binding("ctrl+x", "stop", "Stop", tooltip="Stop and save; asks first"),
        Binding("space", "pause", "Pause", key_display="spc", tooltip="Pause between exercises; go on"),
        Binding("n", "control('next')", "Next", tooltip="Next: end this exercise, or begin the one that comes"),
        Binding("s", "control('skip')", "Skip", tooltip="Skip this exercise"),
        Binding("d", "control('redo')", "Redo", tooltip="Redo the last exercise"),
        Binding("m", "mark", "Mark", tooltip="Marker with text"),
        Binding("f", "control('flash')", "Flash", show=False, tooltip="Flash now"),
        Binding("c", "control('clap_cue')", "Clap", show=False, tooltip="Clap cue now"),
        Binding("k", "reconnect", "Link", tooltip="Reconnect a sensor"),
        Binding("v", "view", "View", show=False, tooltip="View the camera or the traces"),
        Binding("t", "trace", "Traces", show=False, tooltip="Traces of 10, 30 or 60 s"),
        Binding("p", "keypoints", "Points", show=False, tooltip="Keypoints on the picture"),
    ]
    WHILE_RECORDING = frozenset({"stop", "pause", "control", "mark"})
    WHILE_IDLE = frozenset({"record"})

    def __init__(self, snapshot: Snapshot, *, can_look: bool) -> None:
        super().__init__(snapshot)
        self._cells = [SensorCell() for _ in snapshot.sensors]
        self._can_look = can_look
        self._keypoints = False

    def compose_body(self) -> ComposeResult:
        """Lay out."""
        yield CuePanel()
        with Horizontal(id="live"):
            yield Container(*self._cells, id="sensors")
            with Vertical(id="side"):
                yield CameraView(id="camera")
                yield Events()
        yield StatusLine()

    def show(self, view: View) -> None:
        """Show the sensors and what happened, and a picture where there is a new one."""
        super().show(view)
        snapshot = view.snapshot
        self.query_one(CuePanel).snapshot = snapshot
        self.query_one(StatusLine).snapshot = snapshot
        for cell, status in zip(self._cells, snapshot.sensors, strict=True):
            cell.status = status
        shows_side = self.query_one("#side").display
        self.picture_kind = (
            PictureKind.NONE if not shows_side else PictureKind.KEYPOINTS if self._keypoints else PictureKind.PLAIN
        )
        if shows_side:
            self.query_one(Events).snapshot = snapshot
            if view.picture is not None:
                self.query_one(CameraView).picture = view.picture

    def standing_words(self, view: View) -> Text:
        """Return the last thing that happened."""
        return last_row(view.snapshot)

    # -- keys -----------------------------------------------------------------------------------------------------

    def action_record(self) -> None:
        """Begin to record."""
        self.post_message(StartRecording(calibrate=False))

    def action_pause(self) -> None:
        """Pause between exercises, or go on."""
        stands = self.snapshot.paused or self.snapshot.pausing
        self.post_message(Steer(Control.RESUME if stands else Control.PAUSE))

    def action_control(self, what: str) -> None:
        """Steer the running recording: ``next``, ``skip``, ``redo``, ``flash``, ``clap_cue``."""
        self.post_message(Steer(Control(what)))

    def action_mark(self) -> None:
        """Ask for a marker's words; its time is now."""
        pressed_ns = clock.now_ns()

        def store(words: str | None) -> None:
            if words:
                self.post_message(MarkerEntered(words, pressed_ns))

        self.app.push_screen(MarkerScreen(), store)

    def action_reconnect(self) -> None:
        """Ask which sensor to connect again."""

        def reconnect(slot: int | None) -> None:
            if slot:
                self.post_message(ReconnectSensor(slot))

        self.app.push_screen(ReconnectScreen(self.snapshot.sensors), reconnect)

    def action_view(self) -> None:
        """Show traces or camera where both do not fit."""
        self.toggle_class("camera-only")

    def action_keypoints(self) -> None:
        """Draw keypoints on the picture, or no longer; looking for them takes a fifth of a core."""
        self._keypoints = self._can_look and not self._keypoints

    def action_trace(self) -> None:
        """Show more or fewer seconds of trace."""
        for cell in self._cells:
            cell.trace_s = TRACES_S[(TRACES_S.index(cell.trace_s) + 1) % len(TRACES_S)]
        self.post_message(Said(f"{self._cells[0].trace_s:.0f} s of trace"))
