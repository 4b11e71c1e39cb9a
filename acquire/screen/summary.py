"""Last step: what the recording left, what the synchroniser will make of it, and the command to run next."""

from __future__ import annotations

import tempfile
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from acquire.recording.take import Recording, Snapshot
from acquire.screen.base import StepScreen
from acquire.screen.flow import command
from acquire.screen.messages import AnotherTake, NextPerson
from acquire.screen.palette import BAD, DIM, GOOD, PLAIN, WARN, clock_text, level_style
from acquire.screen.process import run_beside
from acquire.screen.steps import Step
from dataset.muscles import channel_from_name
from dataset.support.parsing import parse_json
from dataset.support.text import clean_text

#: So many fit into 80 columns.
_STREAMS_A_LINE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What ``mia-sync run`` says of a capture.

    Attributes
    ----------
    verdict : str
        ``PASS``, ``WARNING``, ``FAIL``, or empty where there is none.
    streams : dict
        Verdict of each stream.
    """

    verdict: str
    reasons: tuple[str, ...]
    streams: dict[str, str]


def read_preview(text: str) -> Preview:
    """Return what ``mia-sync run --json`` printed; an error is a preview without a verdict."""
    try:
        found: dict[str, Any] = parse_json(text)
        made: dict[str, Any] = found["sessions"][0] if found.get("sessions") else {"error": found["error"]}
        if error := made.get("error"):
            return Preview(verdict="", reasons=(f"{error['what']}: {error['why']}",), streams={})
        streams = {name: str(stream["verdict"]) for name, stream in made["streams"].items()}
        return Preview(verdict=made["verdict"], reasons=tuple(made["reasons"]), streams=streams)
    except (ValueError, KeyError, TypeError, IndexError):
        words = text.strip().splitlines()
        return Preview(verdict="", reasons=(words[-1] if words else "mia-sync said nothing",), streams={})


async def preview_verdict(capture: Path) -> Preview:
    """Align a capture without keypoints into a folder that is thrown away; cancelling it ends the process."""
    with tempfile.TemporaryDirectory(prefix="mia-preview-") as folder:
        said = await run_beside([command("mia-sync"), "run", str(capture), "--out", folder, "--no-pose", "--json"])
        return read_preview(said.out or said.err)


class SummaryScreen(StepScreen):
    """Health, verdict's preview, next command."""

    STEP = Step.SUMMARY
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "again(True)", "Another take"),
        Binding("w", "again(False)", "New placement", tooltip="Another take after sensors were moved"),
        Binding("p", "person", "Next person"),
    ]
    preview: Preview | None = None

    def __init__(self, snapshot: Snapshot, recording: Recording, *, not_found: str) -> None:
        super().__init__(snapshot)
        self._recording_made = recording
        self._not_found = not_found

    def compose_body(self) -> ComposeResult:
        """Lay out."""
        with VerticalScroll():
            yield Static(id="not-found")
            yield Static(id="summary")
            yield Static(id="preview")
            yield Static(id="next")

    def on_mount(self) -> None:
        """Say what was recorded, and ask the synchroniser."""
        recording = self._recording_made
        self.query_one("#not-found").display = bool(self._not_found)
        self.query_one("#not-found", Static).update(Text(f" ✖ {self._not_found}", f"bold {BAD}"))
        self.query_one("#summary", Static).update(summary_text(recording, self.app.size.width - 4))
        self.query_one("#preview", Static).update(Text(" ◌ aligning, to see what its verdict will be ...", DIM))
        words = Text(" next:  ", DIM)
        words.append(clean_text(f"mia-sync run {recording.folder} --out sessions"), f"bold {PLAIN}")
        self.query_one("#next", Static).update(words)
        self.run_worker(self._ask(recording), exclusive=True, group="preview")

    async def _ask(self, recording: Recording) -> None:
        try:
            self.preview = await preview_verdict(recording.folder)
        except OSError as error:
            self.preview = Preview(verdict="", reasons=(f"mia-sync cannot be run: {error}",), streams={})
        self.query_one("#preview", Static).update(preview_text(self.preview))

    def action_back(self) -> None:
        """Go to the setup: what was recorded is saved, and no step before it can be had again."""
        self.post_message(NextPerson())

    def action_again(self, same_placement: bool) -> None:
        """Record another take; in the same placement, assigning and rest/contract are skipped."""
        self.post_message(AnotherTake(same_placement))

    def action_person(self) -> None:
        """Begin with another person."""
        self.post_message(NextPerson())


def summary_text(recording: Recording, width: int) -> Text:
    """Return what a recording left: a line for each sensor, frames, notes."""
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f" ✔ saved {recording.folder.parent.name}/{recording.folder.name}", f"bold {GOOD}")
    text.append(f"   {clock_text(recording.duration_s)}   seed {recording.seed}\n", DIM)
    if recording.disk_full:
        text.append(f" ✖ THE DISK IS FULL: {recording.disk_full}\n", f"bold {BAD}")
    for channel, health in recording.health.items():
        expected, received = health["expected"], health["received"]
        share = received / expected if expected else 1.0
        sign, colour = level_style("ok" if share >= 0.98 else "warning" if share >= 0.9 else "bad")
        text.append(f" {sign} {channel_from_name(channel).label:<14}", colour)
        text.append(f"{received:>6}" + (f" of {expected:<6}" if expected else " " * 10), PLAIN)
        text.append(f" {100 * share:5.1f} %  max gap {health['largest_gap_s']:.2f} s", DIM)
        if health["reconnects"]:
            text.append(f"  ▲ {health['reconnects']}x reconnected", WARN)
        text.append("\n")
    dropped = recording.frames_dropped
    text.append(f" {'▲' if dropped else '✔'} {'camera':<14}", WARN if dropped else GOOD)
    text.append(f"{recording.counts.get('frame', 0):>6} frames, {dropped} dropped\n", PLAIN)
    for note in recording.notes:
        text.append("\n".join(textwrap.wrap(f" ▲ {note}", width, subsequent_indent="   ")) + "\n", WARN)
    return text


def preview_text(preview: Preview) -> Text:
    """Return the verdict's preview."""
    text = Text()
    sign, colour = level_style(preview.verdict or "warning")
    text.append(f" {sign} {preview.verdict or 'no verdict'}", f"bold {colour}")
    text.append("  preview of the alignment, without keypoints\n", DIM)
    for reason in preview.reasons[:4]:
        text.append(f"   {reason}\n", colour)
    for n, (name, verdict) in enumerate(preview.streams.items()):
        sign, colour = level_style(verdict)
        text.append("\n" if n and n % _STREAMS_A_LINE == 0 else "")
        text.append(f" {sign} {name:<19}", colour)
    text.append("\n")
    return text
