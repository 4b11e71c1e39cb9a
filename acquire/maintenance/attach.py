"""Attaches videos of a phone or another camera to a capture: examined, checked, stored by path and SHA-256."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from dataset.capture.attachments import add_attachments
from dataset.capture.reader import Capture
from dataset.capture.schema import VIDEO
from dataset.capture.types import Attachment
from dataset.media.facts import VideoFacts, examine_video
from dataset.media.sequence import check_sequence
from dataset.support.errors import InputError
from dataset.support.files import sha256_of

#: Parts that are further apart than this by their creation times are probably not one recording.
_PAUSE_S = 3.0

Progress = Callable[[str, float | None], AbstractContextManager[Callable[[float], None]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """Result of attaching videos.

    Attributes
    ----------
    rows : tuple of Attachment
    facts : tuple of VideoFacts
    One per row.
    notes : tuple of str
        Notes for the user.
    """

    folder: Path
    rows: tuple[Attachment, ...]
    facts: tuple[VideoFacts, ...]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        videos = [{**f.as_dict(), "ord": r.ord, "sha256": r.sha256, "size": r.size} for r, f in zip(
            self.rows, self.facts, strict=True)]  # fmt: skip
        return {"capture": str(self.folder), "videos": videos, "notes": list(self.notes)}


def attach_videos(folder: Path, videos: Sequence[Path], *, progress: Progress | None = None) -> Attached:
    """Attach videos to a closed capture by path and checksum; several are the parts of one recording, in order.

    Nothing is copied or re-encoded; the files stay where they are.

    Parameters
    ----------
    folder : Path
        The capture's folder.
    videos : sequence of Path
    progress : callable, optional
        Shows progress; see :func:`dataset.support.console.progress`.

    Raises
    ------
    CaptureError
        There is no closed capture.
    VideoError
        A file is missing or not a video, or the files are not parts of one recording.
    InputError
        A file is named twice or attached already; the capture cannot be written to.
    """
    with Capture.open(folder) as capture:
        folder, own = capture.folder, (capture.folder / VIDEO).is_file()
        before = [capture.path_of(a) for a in capture.attachments() if a.kind == "video"]
    paths = [path.resolve() for path in videos]
    twice = next((path for path in paths if paths.count(path) > 1), None)
    if twice is not None:
        raise InputError(f"{twice} is named twice", "each part of a recording is attached once")
    with progress("examining", len(paths)) if progress else nullcontext(lambda _: None) as advance:
        examined = [examine_video(path) for path in before if path.is_file()]
        facts, named = [], []
        for path in paths:
            facts.append(examine_video(path))
            named.append((path, sha256_of(path)))
            advance(1)
    check_sequence([*examined, *facts])
    rows = add_attachments(folder, "video", named)
    return Attached(folder=folder, rows=rows, facts=tuple(facts), notes=_notes([*examined, *facts], own=own))


def _notes(facts: Sequence[VideoFacts], *, own: bool) -> tuple[str, ...]:
    notes = []
    if own:
        notes.append("the capture has its own video, which mia-sync run uses; to use the attached one: --video FILE")
    first = facts[0]
    if not first.sound_codec:
        notes.append("no sound track: without claps and stomps no sensor delay can be measured")
    if any(f.priming_told is False for f in facts):
        notes.append(
            "the AAC sound does not state its encoder delay: it may be 21 to 48 ms late; an LED box's "
            "beeps measure that"
        )
    for earlier, later in pairwise(facts):
        gap_s = _gap_s(earlier, later)
        if gap_s is not None and abs(gap_s) > _PAUSE_S:
            notes.append(
                f"by their own clocks {later.path.name} begins {gap_s:.0f} s after {earlier.path.name} ends: "
                "they may not be one recording, or not in order"
            )
    return tuple(notes)


def _gap_s(earlier: VideoFacts, later: VideoFacts) -> float | None:
    """Return the seconds between two files by their creation times; None if unknown."""
    try:
        began = [datetime.fromisoformat(f.created_utc.replace("Z", "+00:00")) for f in (earlier, later)]
        return (began[1] - began[0]).total_seconds() - (earlier.end_s - earlier.first_s)
    except (ValueError, TypeError):
        return None
