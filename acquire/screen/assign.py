"""Third step: flex one muscle after the other; the sensor that answers is bound to it."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from acquire.assignment import Answer, Assigned
from acquire.protocol.cues import Cue, muscle_title
from acquire.recording.take import Snapshot
from acquire.screen.base import StepScreen
from acquire.screen.figure import SIGNS, BodyFigure
from acquire.screen.palette import BAD, DIM, GOOD, PLAIN, WARN
from acquire.screen.widgets import CuePanel
from dataset.muscles import channel_from_name
from dataset.support.errors import MiaError


class AssignScreen(StepScreen):
    """The figure, the muscle asked for, and who answered."""

    STEP = "Assign"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "begin", "Begin", tooltip="Begin to assign, or begin again"),
        Binding("enter", "go", "Accept", tooltip="Accept who answered, go on"),
        Binding("s", "keep", "Keep the rig's", tooltip="Skip: keep what the rig says of each sensor"),
        Binding("ctrl+r", "record_now", "Record", tooltip="Record at once"),
    ]

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.answers: dict[str, Answer] = {}
        self.asked = ""
        self._until_s = 0.0
        self._enough = threading.Event()
        self._asking = False

    def compose_body(self) -> ComposeResult:
        """Lay out."""
        yield CuePanel()
        with Horizontal(id="assign"):
            yield BodyFigure()
            with Vertical():
                yield Static(id="answers")
        yield Static("a begins: let everything hang loose, then flex each muscle as it is named", classes="words")

    def action_begin(self) -> None:
        """Ask for each muscle in turn."""
        if not self._asking and self.capture_app.sensors_ready():
            self._asking = True
            self.answers = {}
            self.run_worker(self._ask(), exclusive=True, group="assign")

    async def _ask(self) -> None:
        self._enough.clear()
        try:
            self.answers = await asyncio.to_thread(
                self.flow.recorder.assigning.run, stop=self._enough, on_prompt=self._on_prompt
            )
        except MiaError as error:
            self.capture_app.tell(error)
        finally:
            self._enough.set()
            self._asking = False
            self.asked = ""

    def _on_prompt(self, channel: str, seconds: float) -> None:
        self.asked, self._until_s = channel, time.monotonic() + seconds
        self.answers = self.flow.recorder.assigning.answers()

    def on_unmount(self) -> None:
        """Ask no more."""
        self._enough.set()

    def show(self, snapshot: Snapshot) -> None:
        """Show who is asked and who answered."""
        super().show(snapshot)
        cue = self.query_one(CuePanel)
        cue.cue = self._cue()
        cue.snapshot = snapshot
        channels = [s.sensor.channel for s in snapshot.sensors]
        self.query_one(BodyFigure).places = {c: self._state(c) for c in channels}
        self.query_one("#answers", Static).update(answers_text(channels, self.answers, self.asked))

    def _state(self, channel: str) -> str:
        answer = self.answers.get(channel)
        if channel == self.asked:
            return "asked"
        return "open" if answer is None else "bound" if isinstance(answer, Assigned) else "refused"

    def _cue(self) -> Cue:
        if not self._asking:
            refused = sum(not isinstance(a, Assigned) for a in self.answers.values())
            title = "Flex" if not self.answers else "Not clear" if refused else "Assigned"
            text = "press a to begin" if not self.answers else f"{refused} not clear: a asks again; enter accepts"
            if self.answers and not refused:
                text = "every sensor answered to one muscle: enter goes on"
            kind = "done" if self.answers and not refused else "ready"
            return Cue(kind=kind, title=title, text=text, left_s=0.0, next_title="")
        left_s = max(0.0, self._until_s - time.monotonic())
        if self.asked:
            text = "flex it hard and hold"
            return Cue(kind="contract", title=muscle_title(self.asked), text=text, left_s=left_s, next_title="Rest")
        return Cue(kind="rest", title="Rest", text="let everything hang loose", left_s=left_s, next_title="")

    def action_go(self) -> None:
        """Bind those that answered and go on."""
        if self._asking:
            return
        if self.answers:
            try:
                self.flow.recorder.assigning.bind(self.answers)
            except MiaError as error:
                self.capture_app.tell(error)
                return
        self.capture_app.go("calibrate")

    def action_keep(self) -> None:
        """Keep what the rig says of each sensor."""
        self._enough.set()
        self.capture_app.go("calibrate")

    def action_record_now(self) -> None:
        """Record without rest and contract."""
        self._enough.set()
        self.flow.at_once = True
        self.capture_app.go("record")


def answers_text(channels: list[str], answers: dict[str, Answer], asked: str) -> Text:
    """Return a line for each muscle: who answered, how clearly, or why nobody is bound."""
    text = Text(overflow="ellipsis", no_wrap=True)
    hints: list[str] = []
    for channel in channels:
        answer = answers.get(channel)
        state = "asked" if channel == asked else "open" if answer is None else "bound"
        if answer is not None and not isinstance(answer, Assigned):
            state = "refused"
            hints.append(answer.hint)
        sign, colour = SIGNS[state]
        text.append(f" {sign} ", f"bold {colour}")
        text.append(f"{channel_from_name(channel).label:<14}", PLAIN)
        if state == "asked":
            text.append("flex it now", f"bold {WARN}")
        elif isinstance(answer, Assigned):
            text.append(f"sensor {answer.slot}  margin {answer.margin:.2f}", GOOD)
        elif answer is not None:
            slots = ", ".join(map(str, answer.slots))
            text.append(f"sensors {slots} alike" if len(answer.slots) > 1 else "nobody answered", BAD)
        else:
            text.append("-", DIM)
        text.append("\n")
    for hint in dict.fromkeys(hints):
        text.append(f"\n → {hint}", BAD)
    return text
