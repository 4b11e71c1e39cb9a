"""What opens over a step: help, a marker's text, which sensor to reconnect, and whether to leave a recording."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from acquire.bluetooth.status import SensorStatus, trouble
from dataset.muscles import channel_from_name

_HELP = """\
[b]While recording[/b]
 ctrl+x stop; asks     spc pause, continue  m marker with text
 n next                s skip exercise      d redo the last one
 f flash               c clap cue           k reconnect a sensor
[b]The picture[/b]
 t 10, 30, 60 s        v camera or traces   p keypoints
[b]Everywhere[/b]
 ctrl+r record         esc  back            ctrl+p all commands
 ctrl+q leave; a recording asks first

[b]Signs[/b]
 ● streaming  ▲ stale  ✖ lost  ○ searching  ◌ retrying
 ↓20%  of the last second's values did not come
 !     too few or too many values since the beginning
 CLIP  the sensor is at the end of its range

What arrives is stored, whether it is drawn or not."""


class HelpScreen(ModalScreen[None]):
    """Keys and signs."""

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield Static(Text.from_markup(_HELP), classes="box")

    def on_key(self, event: events.Key) -> None:
        """Any key closes it."""
        event.stop()
        self.dismiss()


class StopScreen(ModalScreen[bool]):
    """A recording runs: stop it?"""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,y", "dismiss(True)", "Stop and save"),
        Binding("escape,n", "dismiss(False)", "Continue recording"),
    ]

    def compose(self) -> ComposeResult:
        """Lay out."""
        words = "[b]Stop the recording?[/b]\n\n enter  stop it and save it\n esc    continue recording"
        yield Static(Text.from_markup(words), classes="box")


class LeaveScreen(ModalScreen[bool]):
    """A recording runs: leave it?"""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", "Save and leave"),
        Binding("escape,n", "dismiss(False)", "Continue recording"),
    ]

    def compose(self) -> ComposeResult:
        """Lay out."""
        words = "[b]A recording runs.[/b]\n\n y  stop it, save it, leave\n n  continue recording"
        yield Static(Text.from_markup(words), classes="box")


class MarkerScreen(ModalScreen[str]):
    """Words for a marker; its time is that of the key that opened this."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss('')", "No marker")]

    def compose(self) -> ComposeResult:
        """Lay out."""
        with Vertical(classes="box"):
            yield Static("Marker, at the moment you pressed m (enter stores it, esc does not)")
            yield Input(placeholder="what happened", compact=True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Close with the words."""
        self.dismiss(event.value.strip() or "marker")


class ReconnectScreen(ModalScreen[int]):
    """Which sensor to connect anew: its number."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(0)", "None")]

    def __init__(self, sensors: tuple[SensorStatus, ...]) -> None:
        super().__init__()
        self._sensors = sensors

    def compose(self) -> ComposeResult:
        """Lay out."""
        text = Text("Reconnect which sensor? Its number; esc: none\n")
        for status in self._sensors:
            wrong = trouble(status)
            text.append(f"\n {status.sensor.slot}  {channel_from_name(status.sensor.channel).label:<14}")
            text.append(f"▲ {status.state}" if wrong else "●", "bold" if wrong else "dim")
        yield Static(text, classes="box")

    def on_key(self, event: events.Key) -> None:
        """A number closes it."""
        if event.character and event.character in {str(s.sensor.slot) for s in self._sensors}:
            event.stop()
            self.dismiss(int(event.character))
