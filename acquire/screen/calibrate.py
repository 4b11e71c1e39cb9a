"""Fourth step: rest, contract and rest for each muscle, at the beginning of the recording; stored as events."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from acquire.protocol.cues import Cue
from acquire.recording.take import Snapshot
from acquire.screen.base import StepScreen
from acquire.screen.cell import SensorCell
from acquire.screen.figure import BodyFigure
from acquire.screen.widgets import CuePanel, StatusLine
from dataset.support.errors import MiaError


class CalibrateScreen(StepScreen):
    """What to do, the muscle on the figure, and its sensor; goes on to the recording when the last one rested."""

    STEP = "Rest/contract"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "begin", "Begin", key_display="enter"),
        Binding("ctrl+x", "stop", "Stop", tooltip="Stop and save; asks first"),
        Binding("d", "control('redo')", "Redo muscle"),
        Binding("s", "control('skip')", "Skip muscle"),
        Binding("n", "control('next')", "Next"),
        Binding("ctrl+r", "record_now", "Record without", tooltip="Record without rest and contract"),
    ]
    WHILE_RECORDING = frozenset({"stop", "control"})
    WHILE_IDLE = frozenset({"begin", "record_now"})

    def compose_body(self) -> ComposeResult:
        """Lay out."""
        yield CuePanel()
        with Horizontal(id="calibrate"):
            yield BodyFigure()
            yield SensorCell()
        yield StatusLine()

    def show(self, snapshot: Snapshot) -> None:
        """Show what to do; before it begins, say that enter begins."""
        super().show(snapshot)
        panel = self.query_one(CuePanel)
        if snapshot.phase != "recording":
            panel.cue = Cue(
                kind="ready", title="Rest, flex, rest", left_s=0.0, next_title="",
                text="for every muscle once; enter begins and starts the recording",
            )  # fmt: skip
        else:
            panel.cue = None
        panel.snapshot = snapshot
        self.query_one(StatusLine).snapshot = snapshot
        asked = self.flow.recorder.calibrating()
        channels = [s.sensor.channel for s in snapshot.sensors]
        past = channels[: channels.index(asked)] if asked in channels else []
        places = {c: "asked" if c == asked else "bound" if c in past else "open" for c in channels}
        self.query_one(BodyFigure).places = places
        shown = next((s for s in snapshot.sensors if s.sensor.channel == asked), None)
        self.query_one(SensorCell).display = shown is not None
        self.query_one(SensorCell).status = shown
        if snapshot.phase == "recording" and snapshot.cue is not None and not asked:
            self.capture_app.go("record")

    def action_begin(self) -> None:
        """Start the recording, which begins with this."""
        if self.flow.recorder.snapshot().phase != "recording":
            self.capture_app.start(calibrate=True)

    def action_record_now(self) -> None:
        """Record without rest and contract."""
        if self.flow.recorder.snapshot().phase != "recording":
            self.flow.at_once = True
            self.capture_app.go("record")

    def action_control(self, what: str) -> None:
        """Steer: ``redo``, ``skip``, ``next``."""
        try:
            getattr(self.flow.recorder, what)()
        except MiaError as error:
            self.capture_app.tell(error)
