"""The lines every screen has: what is recorded, which step of the flow this is, and the current message."""

from __future__ import annotations

import textwrap

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

from acquire.recording.take import Snapshot
from acquire.screen.lines import ELLIPSIS, TextLines
from acquire.screen.notices import Notice
from acquire.screen.palette import BAD, DIM, GOOD, PLAIN, WARN, clock_text, level_style
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


#: A long message takes so many lines; the rest of the screen makes room for it.
MOST_MESSAGE_ROWS = 3
_LEVELS = {"information": "info", "warning": "warning", "error": "error"}


class MessageLine(TextLines):
    """One line of its own: the current message, else the text the step always shows. It covers nothing."""

    DEFAULT_CSS = "MessageLine { height: 1; }"
    notice: reactive[Notice | None] = reactive(None, repaint=False)
    standing: reactive[Text] = reactive(Text(""), repaint=False)

    def watch_notice(self) -> None:
        """Take as many lines as the message needs."""
        self.styles.height = max(1, len(self._rows()))
        self.redraw()

    def watch_standing(self) -> None:
        """Draw what is new."""
        self.redraw()

    def _rows(self) -> list[str]:
        notice = self.notice
        if notice is None:
            return []
        sign, _ = level_style(_LEVELS[notice.level])
        times = f" {notice.count}x" if notice.count > 1 else ""
        words = f"{sign}{times} {notice.words}"
        width = max(20, self.app.size.width - 2)
        rows = [row for line in words.splitlines() for row in textwrap.wrap(line.strip(), width)]
        if len(rows) > MOST_MESSAGE_ROWS:
            rows[MOST_MESSAGE_ROWS - 1] += " " + ELLIPSIS
        return rows[:MOST_MESSAGE_ROWS]

    def render(self) -> Text:
        """Draw."""
        if self.notice is None:
            return self.standing
        _, colour = level_style(_LEVELS[self.notice.level])
        return Text("\n".join(self._rows()), PLAIN if self.notice.level == "information" else colour)


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
