"""The lines at the top of every screen: what is recorded, and which step of the flow this is."""

from __future__ import annotations

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

from acquire.recording.take import Snapshot
from acquire.screen.lines import TextLines
from acquire.screen.palette import BAD, DIM, GOOD, PLAIN, WARN, clock_text
from acquire.screen.steps import Step

#: What each step is called.
STEP_NAMES = {
    Step.SETUP: "Setup",
    Step.CHECK: "Check",
    Step.ASSIGN: "Assign",
    Step.CALIBRATE: "Rest/contract",
    Step.RECORD: "Record",
    Step.SUMMARY: "Summary",
}


class TopBar(TextLines):
    """One line: what is recorded, and how long."""

    snapshot: reactive[Snapshot | None] = reactive(None, repaint=False)

    def watch_snapshot(self) -> None:
        """Draw what is new."""
        self.redraw()

    def render(self) -> Text:
        """Draw."""
        snapshot = self.snapshot
        text = Text(no_wrap=True)
        text.append(" mia-record ", f"bold {PLAIN}")
        if snapshot is None:
            return text
        if snapshot.rig.startswith("virtual"):
            text.append(" VIRTUAL RIG ", f"bold {WARN}")
        else:
            text.append(f" rig {snapshot.rig} ", DIM)
        text.append(f" subject {snapshot.subject}", DIM)
        if snapshot.phase == "recording":
            total_s = snapshot.elapsed_s + snapshot.remaining_s
            times = (snapshot.elapsed_s, total_s, snapshot.remaining_s)
            right = "● REC  {} / {}  -{} ".format(*map(clock_text, times))
            style = f"bold {BAD}"
        else:
            right, style = f"{snapshot.phase} ", DIM
        text.pad_right(max(0, self.size.width - text.cell_len - len(right)))
        text.append(right, style)
        return text


class StepBar(Widget):
    """The six steps, the present one bold, those behind ticked."""

    DEFAULT_CSS = "StepBar { height: 1; background: #141b25; }"

    def __init__(self, step: Step) -> None:
        super().__init__()
        self._at = tuple(STEP_NAMES).index(step)

    def render(self) -> Text:
        """Draw."""
        text = Text(" ", no_wrap=True)
        for n, name in enumerate(STEP_NAMES.values()):
            if n:
                text.append(" › ", DIM)
            if n < self._at:
                text.append(f"✔ {name}", GOOD)
            elif n == self._at:
                text.append(f"▶ {name}", f"bold {WARN}")
            else:
                text.append(name, DIM)
        return text
