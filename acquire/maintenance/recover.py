"""Closes captures that were cut off, and verifies captures against their manifest."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from acquire.maintenance.stream_ends import Ends, find_ends
from dataset.capture import schema
from dataset.capture.closing import roll_back, seal
from dataset.capture.manifest import differing_files
from dataset.capture.reader import Capture
from dataset.support.files import PARTS, sha256_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """Contents of a recovered capture.

    Attributes
    ----------
    was_closed : bool
        It was already closed; nothing was changed.
    counts : dict
        Rows of each table.
    ends : Ends
        When each stream ended, and the exercise at that time.
    """

    folder: Path
    was_closed: bool
    counts: dict[str, int]
    ends: Ends
    has_video: bool

    def as_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        told: dict[str, Any] = asdict(self) | {"folder": str(self.folder)}
        ends: dict[str, Any] = told.pop("ends")
        return told | ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """One file that differs from the manifest: ``missing``, ``changed`` or ``not in the manifest``."""

    file: str
    problem: str


def recover(folder: Path) -> Recovered:
    """Close a recording that was cut off, by SQLite's rollback, and report its contents; a closed one is unchanged.

    Raises
    ------
    CaptureError
        There is no capture, it is damaged, or its recording is still running.
    DiskFullError
        There is no room to close it.
    """
    if folder.name == schema.DATABASE:
        folder = folder.parent
    if not (folder / schema.MANIFEST).is_file():
        roll_back(folder)
    with Capture.open(folder, allow_unclosed=True) as capture:
        folder, was_closed, counts = capture.folder, capture.closed, dict(capture.manifest.get("counts", {}))
        ends, has_video = find_ends(capture), capture.video_path is not None
    if not was_closed:
        counts = seal(folder, {"recovered": asdict(ends)})["counts"]
    return Recovered(folder=folder, was_closed=was_closed, counts=counts, ends=ends, has_video=has_video)


def verify(folder: Path) -> tuple[Mismatch, ...]:
    """Compare the checksum of every file of a closed capture with the manifest, and of every attached one with its row.

    Empty if nothing has changed.

    Raises
    ------
    CaptureError
        There is no capture, it was cut off, or its manifest cannot be read.
    """
    with Capture.open(folder) as capture:
        folder, manifest, attached = capture.folder, capture.manifest, capture.attachments()
        paths = [capture.path_of(attachment) for attachment in attached]
    found = [Mismatch(file=name, problem=problem) for name, problem in differing_files(folder, manifest)]
    for attachment, path in zip(attached, paths, strict=True):
        if not path.is_file():
            found.append(Mismatch(file=attachment.path, problem="missing"))
        elif path.stat().st_size != attachment.size or sha256_of(path) != attachment.sha256:
            found.append(Mismatch(file=attachment.path, problem="changed"))
    known = {*manifest["files"], *(path.name for path in paths if path.parent == folder), schema.MANIFEST, "truth.json"}
    strangers = (p.name for p in sorted(folder.iterdir()) if p.name not in known and not p.name.endswith(PARTS))
    found.extend(Mismatch(file=name, problem="not in the manifest") for name in strangers)
    return tuple(found)
