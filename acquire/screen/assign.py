"""Third step: flex one muscle after the other; the sensor that responds is bound to it."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from acquire.assignment import Assigned
from acquire.protocol.cues import Cue, muscle_title
from acquire.protocol.prompts import REST_TEXT
from acquire.recording.assignment_procedure import flex_prompt
from acquire.screen.base import StepScreen
from acquire.screen.drawing import hint_lines
from acquire.screen.figure import SIGNS, BodyFigure
from acquire.screen.messages import AssignmentAccepted, AssignmentSkipped, AssignmentWanted, RecordWhenReady
from acquire.screen.palette import BAD, DIM, GOOD, PLAIN, WARN
from acquire.screen.steps import Step
from acquire.screen.view import AssignmentView, View
from acquire.screen.widgets import CuePanel
from dataset.muscles import channel_from_name


class AssignScreen(StepScreen):
    """The figure, the muscle asked for, and which sensor responded."""

    STEP = Step.ASSIGN
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "begin", "Begin", tooltip="Begin to assign, or begin again"),
        Binding("enter", "go", "Accept", tooltip="Accept the assignment, continue"),
        Binding("s", "keep", "Keep the rig's", tooltip="Skip: keep what the rig says of each sensor"),
        Binding("ctrl+r", "record_now", "Record", tooltip="Record at once"),
    ]

    def compose_body(self) -> ComposeResult:
        """Lay out."""
        yield CuePanel()
        with Horizontal(id="assign"):
            yield BodyFigure()
            with Vertical():
                yield Static(id="answers")

    def show(self, view: View) -> None:
        """Show which muscle is asked for and which sensors responded."""
        super().show(view)
        assignment = view.assignment
        cue = self.query_one(CuePanel)
        cue.cue = assignment_cue(assignment)
        cue.snapshot = view.snapshot
        answers = self.query_one("#answers", Static)
        channels = [s.sensor.channel for s in view.snapshot.sensors]
        self.query_one(BodyFigure).places = {c: _place(c, assignment) for c in channels}
        answers.update(answers_text(channels, assignment, answers.content_size.width))

    def standing_words(self, view: View) -> Text:
        """Return what begins, and what it asks for."""
        return Text(f"a begins: {REST_TEXT}, then flex each muscle as it is named")

    def action_begin(self) -> None:
        """Ask for each muscle in turn."""
        self.post_message(AssignmentWanted())

    def action_go(self) -> None:
        """Bind the sensors that responded and go on."""
        self.post_message(AssignmentAccepted())

    def action_keep(self) -> None:
        """Keep what the rig says of each sensor."""
        self.post_message(AssignmentSkipped())

    def action_record_now(self) -> None:
        """Record without rest and contract."""
        self.post_message(RecordWhenReady())


def _place(channel: str, assignment: AssignmentView) -> str:
    answer = assignment.answers.get(channel)
    if channel == assignment.asked:
        return "asked"
    return "open" if answer is None else "bound" if isinstance(answer, Assigned) else "refused"


def assignment_cue(assignment: AssignmentView) -> Cue:
    """Return what the person is asked to do now."""
    answers, left_s = assignment.answers, assignment.left_s
    if not assignment.running:
        refused = sum(not isinstance(a, Assigned) for a in answers.values())
        title = "Flex" if not answers else "Not clear" if refused else "Assigned"
        text = "press a to begin" if not answers else f"{refused} not clear: a asks again, Enter accepts"
        if answers and not refused:
            text = "every muscle has its sensor; Enter continues"
        kind = "done" if answers and not refused else "ready"
        return Cue(kind=kind, title=title, text=text, left_s=0.0, next_title="")
    if assignment.asked:
        title, text = muscle_title(assignment.asked), flex_prompt(assignment.asked).text
        return Cue(kind="contract", title=title, text=text, left_s=left_s, next_title="Rest")
    return Cue(kind="rest", title="Rest", text=REST_TEXT, left_s=left_s, next_title="")


def answers_text(channels: list[str], assignment: AssignmentView, width: int) -> Text:
    """Return a line for each muscle: which sensor responded, how clearly, or why none is bound."""
    text = Text(overflow="ellipsis", no_wrap=True)
    hints: list[str] = []
    for channel in channels:
        answer = assignment.answers.get(channel)
        state = "asked" if channel == assignment.asked else "open" if answer is None else "bound"
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
            text.append(f"sensors {slots} alike" if len(answer.slots) > 1 else "no sensor responded", BAD)
        else:
            text.append("-", DIM)
        text.append("\n")
    for hint in dict.fromkeys(hints):
        text.append("\n" + hint_lines(hint, width, indent=1), BAD)
    return text
