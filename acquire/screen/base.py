"""What every step of the flow has: the lines at the top, the footer of keys, and a view ten times a second."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer

from acquire.recording.take import Snapshot
from acquire.screen.bars import MessageLine, StepBar, TopBar
from acquire.screen.messages import BackRequested, StopRequested
from acquire.screen.steps import Step
from acquire.screen.view import PictureKind, View


class StepScreen(Screen[None]):
    """One step; subclasses compose their body and show views. Keys become messages, which the app handles.

    Parameters
    ----------
    snapshot : Snapshot
        What is known when the step is made.
    """

    STEP: ClassVar[Step]
    #: A new picture is due each so many updates.
    PICTURE_EVERY: ClassVar[int] = 1
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "back", "Back", tooltip="Back to the step before")]
    #: Actions that are there while a recording runs, and those that are there while none does; others always are.
    WHILE_RECORDING: ClassVar[frozenset[str]] = frozenset({"stop"})
    WHILE_IDLE: ClassVar[frozenset[str]] = frozenset()
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 - Textual declares it so
    VERTICAL_BREAKPOINTS = [(0, "-low"), (34, "-tall")]  # noqa: RUF012

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        #: The newest there is, also while a terminal that does not read keeps the screen from being drawn.
        self.snapshot = snapshot
        self._recording = False
        #: Everything is in its place: views can be shown.
        self.laid_out = False
        #: Which picture the step shows now.
        self.picture_kind = PictureKind.NONE

    @property
    def is_recording(self) -> bool:
        """Whether a recording runs."""
        return self.snapshot.phase == "recording"

    def on_mount(self) -> None:
        """Take views once everything is in its place; Textual calls this beside a subclass's own."""
        self.call_after_refresh(setattr, self, "laid_out", True)

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield TopBar()
        yield StepBar(self.STEP)
        yield from self.compose_body()
        yield MessageLine()
        yield Footer(show_command_palette=False, compact=True)

    def compose_body(self) -> ComposeResult:
        """Lay out what is between the top and the keys."""
        yield from ()

    def show(self, view: View) -> None:
        """Show a view; called ten times a second while the terminal keeps up."""
        self.query_one(TopBar).snapshot = view.snapshot
        line = self.query_one(MessageLine)
        line.notice, line.standing = view.notice, self.standing_words(view)
        if self._recording != self.is_recording:
            self._recording = not self._recording
            self.refresh_bindings()

    def standing_words(self, view: View) -> Text:
        """Return the text of the message line while there is no message."""
        return Text("")

    def show_problem(self, words: str) -> bool:
        """Show why the step is not done yet; False where it has no place for that."""
        return False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the keys that do something now."""
        return action not in (self.WHILE_IDLE if self.is_recording else self.WHILE_RECORDING)

    def action_back(self) -> None:
        """Go back to the step before; out of a recording only by stopping it, which asks."""
        self.post_message(BackRequested())

    def action_stop(self) -> None:
        """Ask whether to stop the recording and save it."""
        self.post_message(StopRequested())
