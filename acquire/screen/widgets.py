"""Widgets of the capture screen; each shows a part of the recorder's snapshot and touches no file."""

from __future__ import annotations

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

from acquire.camera import CameraStatus
from acquire.microphone import SoundStatus
from acquire.screen.drawing import big_text, binned, braille_trace, nice_range
from acquire.sensors.status import SensorStatus, trouble
from acquire.take import Snapshot
from dataset.muscles import channel_from_name

#: Seconds of trace that the width of a cell stands for, about.
TRACE_S = 10.0
#: A sensor at rest must not look like one in a storm.
SMALLEST_SPAN = 40.0

GOOD, WARN, BAD, DIM, TRACE, PLAIN = "#56c8b0", "#f2b155", "#ff6f91", "#6f7d8f", "#6aa9ff", "#d8dee9"

#: Sign, colour and word of each state: told apart without colour too.
STATES = {
    "scanning": ("○", DIM, "searching"),
    "connecting": ("◐", DIM, "connecting"),
    "streaming": ("●", GOOD, ""),
    "stale": ("▲", WARN, "STALE"),
    "lost": ("✖", BAD, "LOST"),
    "reconnecting": ("◌", BAD, "reconnecting"),
    "stopped": ("■", DIM, "stopped"),
}


def clock_text(seconds: float) -> str:
    """Return seconds as ``m:ss``."""
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02}"


class TopBar(Widget):
    """One line: what is recorded, and how long."""

    snapshot: reactive[Snapshot | None] = reactive(None)

    def render(self) -> Text:
        """Draw."""
        snapshot = self.snapshot
        text = Text(no_wrap=True)
        text.append(" mia-record ", f"bold {PLAIN}")
        if snapshot is None:
            return text
        if snapshot.rig == "virtual":
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


class CuePanel(Widget):
    """What to do now in big words, how long still, and what comes next."""

    snapshot: reactive[Snapshot | None] = reactive(None)

    def watch_snapshot(self, snapshot: Snapshot | None) -> None:
        """Colour the panel by what is asked."""
        kind = "idle" if snapshot is None or snapshot.cue is None else snapshot.cue.kind
        for name in ("idle", "ready", "contact", "exercise", "rest", "done"):
            self.set_class(name == kind, name)

    def render(self) -> Text:
        """Draw."""
        snapshot = self.snapshot
        width, height = self.content_size.width, self.content_size.height
        if snapshot is None or width < 10:
            return Text("")
        if snapshot.cue is not None:
            cue = snapshot.cue
            left = f"{cue.left_s:.0f}" if cue.left_s >= 10 else f"{max(0.0, cue.left_s):.1f}"
            title, text, coming = cue.title, cue.text, f"next: {cue.next_title}" if cue.next_title else ""
        else:
            title, text = idle_words(snapshot)
            left, coming = "", "r: another take" if snapshot.phase == "done" else ""
        count = big_text(left, 20)
        count_width = max(map(len, count))
        rows = big_text(title, width - count_width - 2)
        body = Text(no_wrap=True)
        body.append("\n" * max(0, (height - 5) // 2))
        for row, digits in zip(rows, count, strict=True):
            body.append(row.ljust(width - count_width) + digits.rjust(count_width) + "\n", "bold")
        body.append(text[: width - len(coming) - 1].ljust(width - len(coming)) + coming)
        if height >= 5 and snapshot.phase == "recording":
            total_s = snapshot.elapsed_s + snapshot.remaining_s
            done = round(width * snapshot.elapsed_s / total_s) if total_s > 0 else 0
            body.append("\n" + "━" * done + "─" * (width - done), DIM)
        return body


def idle_words(snapshot: Snapshot) -> tuple[str, str]:
    """Return title and line for the time outside a recording."""
    streaming = sum(s.state == "streaming" for s in snapshot.sensors)
    last = next((row.what for row in reversed(snapshot.rows) if row.level == "error"), "")
    return {
        "closed": ("Starting", "opening the rig"),
        "opening": ("Starting", "opening the rig"),
        "waiting": ("Connecting", f"{streaming} of {len(snapshot.sensors)} sensors stream"),
        "ready": ("Ready", f"{streaming} of {len(snapshot.sensors)} sensors stream; press r to record"),
        "closing": ("Saving", "closing the capture"),
        "done": ("Saved", f"{snapshot.folder.parent.name}/{snapshot.folder.name}")
        if snapshot.folder
        else ("Closed", "nothing was recorded"),
    }.get(snapshot.phase, ("Failed", last or "see the line below"))


class SensorCell(Widget):
    """One sensor: sign and colour of its state, muscle, last value, received rate, live trace."""

    status: reactive[SensorStatus | None] = reactive(None)

    def render(self) -> Text:
        """Draw."""
        status = self.status
        width, height = self.content_size.width, self.content_size.height
        if status is None or width < 12 or height < 1:
            return Text("")
        text = Text(no_wrap=True)
        self._headline(text, status, width)
        if height > 1:
            n_dots = 2 * width
            size = max(1, round(status.health.rate_hz * TRACE_S / n_dots))
            trace = status.health.trace
            values = binned(trace, max(0, status.health.received - len(trace)), size)[-n_dots:]
            low, high = nice_range(values, SMALLEST_SPAN)
            style = TRACE if status.state == "streaming" else DIM
            for row in braille_trace(values, width, height - 1, low, high):
                text.append("\n" + row, style)
        return text

    @staticmethod
    def _headline(text: Text, status: SensorStatus, width: int) -> None:
        sign, colour, word = STATES.get(status.state, ("?", BAD, status.state))
        health = status.health
        channel = channel_from_name(status.sensor.channel)
        text.append(f"{sign} ", f"bold {colour}")
        text.append(f"{channel.label:<13}", f"bold {PLAIN}")
        value = "----" if health.value is None else f"{health.value:.0f}"
        text.append(f"{value:>5}", f"bold {PLAIN}" if status.state == "streaming" else DIM)
        if word:
            gone = status.state in ("stale", "lost", "reconnecting") and health.silent_s < 1e6
            silent = f" {health.silent_s:.0f} s" if gone else ""
            right, style = word + silent, f"bold {colour}"
        else:
            wrong = trouble(status)
            mark = "!" if wrong else ""
            right, style = f"{mark}{health.rate_hz:.1f}/s", WARN if wrong else GOOD
            if width >= 44:
                right += f"  gap {health.largest_gap_s:.2f} s"
            if width >= 56 and status.battery_percent is not None:
                right += f"  bat {status.battery_percent} %"
        text.pad_right(max(1, width - text.cell_len - len(right)))
        text.append(right, style)


class StatusLine(Widget):
    """Camera, sound, LED box, and the last thing that happened."""

    snapshot: reactive[Snapshot | None] = reactive(None)

    def render(self) -> Text:
        """Draw."""
        text = Text(no_wrap=True, overflow="ellipsis")
        if self.snapshot is None:
            return text
        if self.snapshot.phase == "done" and self.snapshot.folder is not None:
            return saved_words(text, self.snapshot)
        camera_words(text, self.snapshot.camera)
        sound_words(text, self.snapshot.sound)
        text.append("  box ", DIM)
        text.append("● ready" if self.snapshot.box else "– none", GOOD if self.snapshot.box else DIM)
        disk_words(text, self.snapshot)
        if self.snapshot.rows:
            row = self.snapshot.rows[-1]
            sign, colour = {"error": ("✖", BAD), "warning": ("▲", WARN)}.get(row.level, ("·", DIM))
            where = f"{row.detail['channel']}: " if "channel" in row.detail else ""
            text.append(f"\n {sign} ", colour)
            text.append(f"{where}{row.what}", colour)
        return text


def saved_words(text: Text, snapshot: Snapshot) -> Text:
    """Append what a recording left and the command to run next."""
    received = sum(s.health.received for s in snapshot.sensors)
    text.append(f" {clock_text(snapshot.elapsed_s)}  {received} values from {len(snapshot.sensors)} sensors", GOOD)
    if snapshot.camera is not None:
        text.append(f", {snapshot.camera.written} frames", GOOD)
        text.append(f", {snapshot.camera.dropped} dropped", WARN if snapshot.camera.dropped else GOOD)
    text.append(f"\n next: mia-sync run {snapshot.folder} --out sessions", DIM)
    return text


def disk_words(text: Text, snapshot: Snapshot) -> None:
    """Append how long the disk lasts."""
    if snapshot.disk is not None:
        short = snapshot.disk.minutes_left * 60 < snapshot.remaining_s
        text.append("  disk ", DIM)
        text.append(f"▲ {snapshot.disk.time_left}" if short else snapshot.disk.time_left, WARN if short else DIM)


def camera_words(text: Text, camera: CameraStatus | None) -> None:
    """Append the camera's state."""
    text.append(" camera ", DIM)
    if camera is None:
        text.append("– none", DIM)
        return
    if camera.state == "running":
        text.append(f"● {camera.rate_hz:.1f}/s", GOOD)
    else:
        text.append(f"✖ {camera.state.upper()}", f"bold {BAD}")
    text.append(f" {camera.width}x{camera.height}", DIM)
    if camera.dropped:
        text.append(f" ▲ {camera.dropped} dropped", f"bold {WARN}")
    else:
        text.append(" 0 dropped", DIM)


def sound_words(text: Text, sound: SoundStatus | None) -> None:
    """Append a level meter from -60 dB to full scale."""
    text.append("  sound ", DIM)
    if sound is None:
        text.append("– none", DIM)
        return
    lit = max(0, min(8, round((sound.level_db + 60) / 60 * 8)))
    text.append("▮" * lit, GOOD if lit < 8 else BAD)
    text.append("▯" * (8 - lit), DIM)
    text.append(f" {sound.level_db:.0f} dB", DIM)
