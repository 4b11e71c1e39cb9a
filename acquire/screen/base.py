"""What every step of the flow has: the lines at the top, the footer of keys, and a snapshot ten times a second."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer

from acquire.recording.take import Snapshot
from acquire.screen.bars import StepBar, TopBar

if TYPE_CHECKING:
    from acquire.screen.app import CaptureApp
    from acquire.screen.flow import Flow


class StepScreen(Screen[None]):
    """One step; subclasses compose their body and show snapshots."""

    #: One of :data:`acquire.screen.bars.STEPS`.
    STEP: ClassVar[str] = ""
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "back", "Back", tooltip="Back to the step before")]
    #: Actions that are there while a recording runs, and those that are there while none does; others always are.
    WHILE_RECORDING: ClassVar[frozenset[str]] = frozenset({"stop"})
    WHILE_IDLE: ClassVar[frozenset[str]] = frozenset()
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 - Textual declares it so
    VERTICAL_BREAKPOINTS = [(0, "-low"), (34, "-tall")]  # noqa: RUF012

    def __init__(self, flow: Flow) -> None:
        super().__init__()
        self.flow = flow
        self._recording = False
        #: Everything is in its place: snapshots can be shown.
        self.laid_out = False

    @property
    def capture_app(self) -> CaptureApp:
        """The app, which moves between the steps."""
        return cast("CaptureApp", self.app)

    def on_mount(self) -> None:
        """Take snapshots once everything is in its place; Textual calls this beside a subclass's own."""
        self.call_after_refresh(setattr, self, "laid_out", True)

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield TopBar()
        yield StepBar(self.STEP)
        yield from self.compose_body()
        yield Footer(show_command_palette=False, compact=True)

    def compose_body(self) -> ComposeResult:
        """Lay out what is between the top and the keys."""
        yield from ()

    def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot; called ten times a second while the terminal keeps up."""
        self.query_one(TopBar).snapshot = snapshot
        if self._recording != (snapshot.phase == "recording"):
            self._recording = not self._recording
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the keys that do something now."""
        recording = self.flow.recorder.snapshot().phase == "recording"
        return action not in (self.WHILE_IDLE if recording else self.WHILE_RECORDING)

    def action_back(self) -> None:
        """Go back to the step before; out of a recording only by stopping it, which asks."""
        if self.flow.recorder.snapshot().phase == "recording":
            self.action_stop()
        else:
            self.capture_app.back()

    def action_stop(self) -> None:
        """Ask whether to stop the recording and save it."""
        self.capture_app.ask_to_stop()
