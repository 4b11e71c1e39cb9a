"""The recording: what to do now, eight traces, the camera, what happened, and the keys that steer it."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical

from acquire.preflight.body_in_view import BodyFinder
from acquire.recording.take import Snapshot
from acquire.screen.base import StepScreen
from acquire.screen.cell import TRACES_S, SensorCell
from acquire.screen.modals import MarkerScreen, ReconnectScreen
from acquire.screen.picture import CameraView
from acquire.screen.widgets import CuePanel, Events, StatusLine
from dataset.pose.drawing import draw_skeleton
from dataset.support import clock
from dataset.support.errors import MiaError

#: The picture is drawn each so many updates: it costs more than all the traces.
PICTURE_EVERY = 3


class RecordScreen(StepScreen):
    """Sync sequence, exercises, sync sequence."""

    STEP = "Record"
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

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self._cells = [SensorCell() for _ in self.flow.recorder.snapshot().sensors]
        self._n_shown = 0
        self._stands = False
        self._points = self._looking = False

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
        self._stands = snapshot.paused or snapshot.pausing
        self._n_shown += 1
        if self.query_one("#side").display:
            self.query_one(Events).snapshot = snapshot
            if self._n_shown % PICTURE_EVERY == 0:
                self._show_picture(self.flow.recorder.picture())

    def _show_picture(self, picture: NDArray[np.uint8] | None) -> None:
        if not self._points or picture is None or self.capture_app.scanner is None:
            self.query_one(CameraView).picture = picture
        elif not self._looking:
            self._looking = True
            self.run_worker(self._look(self.capture_app.scanner, picture), group="look")

    async def _look(self, scanner: BodyFinder, picture: NDArray[np.uint8]) -> None:
        try:
            _, body = await asyncio.to_thread(scanner.look, picture)
        finally:
            self._looking = False
        drawn = picture if body is None else draw_skeleton(picture, body.keypoints_2d, body.confidence)
        self.query_one(CameraView).picture = drawn

    # -- keys -----------------------------------------------------------------------------------------------------

    def action_record(self) -> None:
        """Begin to record."""
        self.capture_app.start(calibrate=False)

    def action_pause(self) -> None:
        """Pause between exercises, or go on."""
        self.action_control("resume" if self._stands else "pause")

    def action_control(self, what: str) -> None:
        """Steer the running recording: ``next``, ``skip``, ``redo``, ``flash``, ``clap_cue``, ``pause``, ``resume``."""
        try:
            self.notify(getattr(self.flow.recorder, what)(), timeout=2)
        except MiaError as error:
            self.capture_app.tell(error)

    def action_mark(self) -> None:
        """Ask for a marker's words; its time is now."""
        pressed_ns = clock.now_ns()

        def store(words: str | None) -> None:
            if words:
                try:
                    self.flow.recorder.mark(words, t_ns=pressed_ns)
                except MiaError as error:
                    self.capture_app.tell(error)

        self.app.push_screen(MarkerScreen(), store)

    def action_reconnect(self) -> None:
        """Ask which sensor to connect anew."""

        def reconnect(slot: int | None) -> None:
            if slot:
                self.run_worker(lambda: self._reconnect(slot), thread=True, group="reconnect")

        self.app.push_screen(ReconnectScreen(self.flow.recorder.snapshot().sensors), reconnect)

    def _reconnect(self, slot: int) -> None:
        try:
            self.app.call_from_thread(self.notify, self.flow.recorder.reconnect(slot))
        except MiaError as error:
            self.app.call_from_thread(self.capture_app.tell, error)

    def action_view(self) -> None:
        """Show traces or camera where both do not fit."""
        self.toggle_class("camera-only")

    def action_keypoints(self) -> None:
        """Draw keypoints on the picture, or no longer; looking for them takes a fifth of a core."""
        self._points = not self._points

    def action_trace(self) -> None:
        """Show more or fewer seconds of trace."""
        for cell in self._cells:
            cell.trace_s = TRACES_S[(TRACES_S.index(cell.trace_s) + 1) % len(TRACES_S)]
        self.notify(f"{self._cells[0].trace_s:.0f} s of trace", timeout=1.5)
