"""Second step: connect, and see what stands in the way of a good recording."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Static

from acquire.bluetooth.status import SensorStatus
from acquire.preflight.checks import Check, preflight, ready_to_go, sensor_trouble
from acquire.quality.limits import battery_is_low
from acquire.recording.take import Snapshot
from acquire.screen.base import StepScreen
from acquire.screen.drawing import hint_lines
from acquire.screen.messages import RecordWhenReady, ReopenRig, StepDone
from acquire.screen.palette import BAD, DIM, GOOD, PLAIN, STATES, WARN, level_style
from acquire.screen.picture import CameraView
from acquire.screen.steps import Step
from acquire.screen.view import PictureKind, View
from dataset.muscles import channel_from_name

#: Between what was found and what to do.
_BESIDE = "  "


class CheckScreen(StepScreen):
    """Each sensor's state as it changes, and the preflight's lines."""

    STEP = Step.CHECK
    #: Once a second; each look takes some hundredths of a second, in a thread.
    PICTURE_EVERY = 10
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go", "Continue"),
        Binding("ctrl+r", "record_now", "Record", tooltip="Record at once"),
        Binding("o", "reopen", "Open again"),
    ]

    def compose_body(self) -> ComposeResult:
        """Lay out."""
        with Horizontal(id="check-top"):
            yield Static(id="check-sensors")
            yield CameraView(id="check-picture")
        with VerticalScroll(id="check-list"):
            yield Static(id="checks")

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(snapshot)
        self.picture_kind = PictureKind.KEYPOINTS

    def show(self, view: View) -> None:
        """Show the sensors, the checks, and a picture where there is a new one."""
        super().show(view)
        snapshot = view.snapshot
        if view.picture is not None:
            self.query_one(CameraView).picture = view.picture
        checks = preflight(snapshot, view.body)
        self.query_one("#check-sensors", Static).update(sensors_text(snapshot.sensors))
        self.query_one("#checks", Static).update(
            checks_text(checks, self.query_one("#check-list").content_size.width - 1)
        )

    def standing_words(self, view: View) -> Text:
        """Return how many problems there are, and what Enter does."""
        checks = preflight(view.snapshot, view.body)
        bad = sum(c.level == "bad" for c in checks)
        if ready_to_go(checks):
            return Text("✔ no problems; Enter continues, Ctrl+R records at once")
        if bad:
            return Text(f"✖ {bad} problem{'s' if bad > 1 else ''}; Enter continues anyway")
        return Text("◌ opening" if view.snapshot.phase in ("closed", "opening") else "◌ waiting")

    def action_go(self) -> None:
        """Go on to assigning, or to the recording where nothing was moved since the last take."""
        self.post_message(StepDone())

    def action_reopen(self) -> None:
        """Open the rig again: a cable was put in, a camera was freed."""
        self.post_message(ReopenRig())

    def action_record_now(self) -> None:
        """Record as soon as every sensor streams."""
        self.post_message(RecordWhenReady())


def sensors_text(sensors: tuple[SensorStatus, ...]) -> Text:
    """Return a line for each sensor: sign, muscle, device, battery, strength, rate."""
    text = Text(no_wrap=True, overflow="ellipsis")
    for status in sensors:
        sign, colour, word = STATES.get(status.state, ("?", BAD, status.state))
        text.append(f" {sign} ", f"bold {colour}")
        text.append(f"{channel_from_name(status.sensor.channel).label:<13}", PLAIN)
        device = status.sensor.serial or status.sensor.address or "-"
        text.append(f"{device[-12:]:<13}", DIM)
        percent = status.battery_percent
        low = battery_is_low(percent)
        text.append("   - %" if percent is None else f"{'▲' if low else ' '}{percent:>3} %", WARN if low else DIM)
        text.append("        " if status.rssi_dbm is None else f"{status.rssi_dbm:>4} dBm", DIM)
        trouble = sensor_trouble(status)
        right = word or f"{status.health.rate_hz:.1f}/s"
        text.append(f"  {right}\n", f"bold {colour}" if word else WARN if trouble else GOOD)
    return text


def checks_text(checks: tuple[Check, ...], width: int) -> Text:
    """Return a line for each check: sign, what was found, what to do.

    What to do stands on lines of its own where it does not fit beside what was found, and where it is a problem.
    """
    text = Text(no_wrap=True, overflow="ellipsis")
    for check in checks:
        sign, colour = level_style(check.level)
        text.append(f" {sign} {check.name:<11}", f"bold {colour}")
        text.append(f"{check.found:<22}", PLAIN if check.level != "bad" else f"bold {BAD}")
        room = width - len(f" {sign} {check.name:<11}{check.found:<22}") - len(_BESIDE)
        if check.do and check.level != "bad" and len(check.do) <= room:
            text.append(_BESIDE + check.do, colour)
        elif check.do:
            style = f"bold {colour}" if check.level == "bad" else colour
            text.append("\n" + hint_lines(check.do, width, indent=5), style)
        text.append("\n")
    return text
