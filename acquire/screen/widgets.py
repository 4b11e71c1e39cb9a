"""What to do now, and what else is to know: each widget shows a part of the snapshot and touches no file."""

from __future__ import annotations

import math

from rich.text import Text
from textual.reactive import reactive

from acquire.event_log import LogRow
from acquire.media.camera import CameraStatus
from acquire.media.microphone import SoundStatus
from acquire.preflight.checks import SILENT_DB
from acquire.protocol.cues import Cue
from acquire.recording.take import Snapshot
from acquire.screen.drawing import big_text
from acquire.screen.lines import TextLines
from acquire.screen.palette import BAD, DIM, GOOD, WARN, clock_text, level_style
from dataset.muscles import channel_from_name
from dataset.support import clock

#: Sound from here on may be cut off at the end of its range.
LOUD_DB = -4.0
#: Rows of the log that say no more than the sensors' counts, and would push out the others.
COUNTED = ("values came late", "overdue: late or lost")


class CuePanel(TextLines):
    """What to do now in big words, how long still, and what comes next."""

    KINDS = ("idle", "ready", "contact", "exercise", "rest", "contract", "paused", "done")
    snapshot: reactive[Snapshot | None] = reactive(None, repaint=False)
    #: What a step asks for outside a recording.
    cue: reactive[Cue | None] = reactive(None)

    def _now(self) -> Cue | None:
        return self.cue or (self.snapshot.cue if self.snapshot else None)

    def watch_snapshot(self) -> None:
        """Colour the panel by what is asked."""
        cue = self._now()
        kind = "idle" if cue is None else cue.kind
        for name in self.KINDS:
            self.set_class(name == kind, name)
        self.redraw()

    def render(self) -> Text:
        """Draw."""
        snapshot, cue = self.snapshot, self._now()
        width, height = self.content_size.width, self.content_size.height
        if snapshot is None or width < 10:
            return Text("")
        if cue is not None:
            left = f"{cue.left_s:.0f}" if cue.left_s >= 10 else f"{cue.left_s:.1f}" if cue.left_s > 0.0 else ""
            title, text, coming = cue.title, cue.text, f"next: {cue.next_title}" if cue.next_title else ""
            if cue.repetitions:
                left = f"{cue.repetition}/{cue.repetitions}"
            if cue.kind == "paused":
                text = "Space continues"
            elif snapshot.pausing:
                text = "pauses after this; Space cancels that"
        else:
            title, text = idle_words(snapshot)
            left, coming = "", ""
        count = big_text(left, 24)
        count_width = max(map(len, count))
        rows = big_text(title, width - count_width - 2)
        body = Text(no_wrap=True)
        body.append("\n" * max(0, (height - 5) // 2))
        for row, digits in zip(rows, count, strict=True):
            body.append(row.ljust(width - count_width) + digits.rjust(count_width) + "\n", "bold")
        if len(text) + len(coming) >= width:  # what to do now matters more than what comes
            coming = coming.replace("next: ", "› ")
            coming = coming if len(text) + len(coming) < width else ""
        body.append(text.ljust(width - len(coming)) + coming)
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
        "ready": ("Ready", f"{streaming} of {len(snapshot.sensors)} sensors stream; Ctrl+R records"),
        "closing": ("Saving", "closing the capture"),
        "done": ("Saved", f"{snapshot.folder.parent.name}/{snapshot.folder.name}")
        if snapshot.folder
        else ("Closed", "nothing was recorded"),
    }.get(snapshot.phase, ("Failed", last or "see the line below"))


class StatusLine(TextLines):
    """Camera, sound, LED box and disk."""

    snapshot: reactive[Snapshot | None] = reactive(None, repaint=False)

    def watch_snapshot(self) -> None:
        """Draw what is new."""
        self.redraw()

    def render(self) -> Text:
        """Draw."""
        text = Text(no_wrap=True, overflow="ellipsis")
        if self.snapshot is None:
            return text
        camera_words(text, self.snapshot.camera, with_size=self.size.width >= 100)
        sound_words(text, self.snapshot.sound)
        text.append("  box ", DIM)
        text.append("●" if self.snapshot.box else "– none", GOOD if self.snapshot.box else DIM)
        disk_words(text, self.snapshot)
        return text


class Events(TextLines):
    """The last things that happened, the newest at the bottom."""

    snapshot: reactive[Snapshot | None] = reactive(None, repaint=False)

    def watch_snapshot(self) -> None:
        """Draw what is new."""
        self.redraw()

    def render(self) -> Text:
        """Draw."""
        text = Text(no_wrap=True, overflow="ellipsis")
        if self.snapshot is None:
            return text
        now_ns = clock.now_ns()
        rows = [row for row in self.snapshot.rows if row.what not in COUNTED]
        for row in rows[-max(1, self.size.height) :]:
            at_s = self.snapshot.elapsed_s - (now_ns - row.t_ns) * 1e-9
            recording = self.snapshot.phase == "recording" and at_s >= 0
            text.append(f" {clock_text(at_s):>5}" if recording else "      ", DIM)
            row_words(text, row)
            text.append("\n")
        return text


def last_row(snapshot: Snapshot) -> Text:
    """Return the log's last row; a clap hides no warning."""
    text = Text(no_wrap=True, overflow="ellipsis")
    logged = [row for row in snapshot.rows if row.level != "event"]
    if logged:
        row_words(text, logged[-1])
    return text[1:] if text.plain.startswith(" ") else text


def row_words(text: Text, row: LogRow) -> None:
    """Append one row of the log, or one event: sign, channel, words, label."""
    sign, colour = level_style(row.level)
    where = f"{channel_from_name(row.detail['channel']).label}: " if "channel" in row.detail else ""
    label = f" {row.detail['label']}" if "label" in row.detail else ""
    text.append(f" {sign} {where}{row.what.replace('_', ' ')}{label}", colour)


def disk_words(text: Text, snapshot: Snapshot) -> None:
    """Append how long the disk lasts."""
    if snapshot.disk is not None:
        short = snapshot.disk.minutes_left * 60 < snapshot.remaining_s
        text.append("  disk ", DIM)
        text.append(f"▲ {snapshot.disk.time_left}" if short else snapshot.disk.time_left, WARN if short else DIM)


def camera_words(text: Text, camera: CameraStatus | None, *, with_size: bool) -> None:
    """Append the camera's state."""
    text.append(" camera ", DIM)
    if camera is None:
        text.append("– none", DIM)
        return
    if camera.state == "running":
        text.append(f"● {camera.rate_hz:.1f}/s", GOOD)
    else:
        text.append(f"✖ {camera.state.upper()}", f"bold {BAD}")
    if with_size:
        text.append(f" {camera.width}x{camera.height}", DIM)
    if camera.dropped:
        text.append(f" ▲ {camera.dropped} dropped", f"bold {WARN}")
    else:
        text.append(" 0 dropped", DIM)


def sound_words(text: Text, sound: SoundStatus | None) -> None:
    """Append a level meter from the floor of a muted microphone to full scale: what is not silent fills some of it."""
    text.append("  sound ", DIM)
    if sound is None:
        text.append("– none", DIM)
        return
    lit = max(0, min(8, math.ceil((sound.level_db - SILENT_DB) / -SILENT_DB * 8)))
    text.append("▮" * lit, GOOD if sound.level_db < LOUD_DB else BAD)
    text.append("▯" * (8 - lit), DIM)
    text.append(f" {sound.level_db:.0f} dB", DIM)
