"""Fourth step: rest, contract and rest for each muscle, at the beginning of the recording; stored as events."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from acquire.protocol.cues import Cue
from acquire.screen.base import StepScreen
from acquire.screen.cell import SensorCell
from acquire.screen.controls import Control
from acquire.screen.figure import BodyFigure
from acquire.screen.messages import RecordWhenReady, StartRecording, Steer
from acquire.screen.steps import Step
from acquire.screen.view import View
from acquire.screen.widgets import CuePanel, StatusLine, last_row


class CalibrateScreen(StepScreen):
    """What to do, the muscle on the figure, and its sensor."""

    STEP = Step.CALIBRATE
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

    def show(self, view: View) -> None:
        """Show what to do; before it begins, say that enter begins."""
        super().show(view)
        snapshot = view.snapshot
        panel = self.query_one(CuePanel)
        if snapshot.phase != "recording":
            panel.cue = Cue(
                kind="ready", title="Rest, flex, rest", left_s=0.0, next_title="",
                text="once for every muscle; Enter starts the recording with this",
            )  # fmt: skip
        else:
            panel.cue = None
        panel.snapshot = snapshot
        self.query_one(StatusLine).snapshot = snapshot
        asked = view.calibrating
        channels = [s.sensor.channel for s in snapshot.sensors]
        past = channels[: channels.index(asked)] if asked in channels else []
        places = {c: "asked" if c == asked else "bound" if c in past else "open" for c in channels}
        self.query_one(BodyFigure).places = places
        shown = next((s for s in snapshot.sensors if s.sensor.channel == asked), None)
        self.query_one(SensorCell).display = shown is not None
        self.query_one(SensorCell).status = shown

    def standing_words(self, view: View) -> Text:
        """Return the last thing that happened."""
        return last_row(view.snapshot)

    def action_begin(self) -> None:
        """Start the recording, which begins with this."""
        if not self.is_recording:
            self.post_message(StartRecording(calibrate=True))

    def action_record_now(self) -> None:
        """Record without rest and contract."""
        self.post_message(RecordWhenReady())

    def action_control(self, what: str) -> None:
        """Steer: ``redo``, ``skip``, ``next``."""
        self.post_message(Steer(Control(what)))
