"""Attaches files to a closed capture: adds rows to its ``attachment`` table, rewrites the manifest, moves no file."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dataset.capture import schema
from dataset.capture.manifest import manifest_bytes, matches
from dataset.capture.reader import Capture
from dataset.capture.types import Attachment
from dataset.support.errors import CaptureError, InputError
from dataset.support.files import sha256_of, write_atomically, written_whole
from dataset.support.outputs import cannot_write
from dataset.support.text import path_text


def add_attachments(folder: Path, kind: str, files: Sequence[tuple[Path, str]]) -> tuple[Attachment, ...]:
    """Attach files to a closed capture by path and checksum; all or none.

    Parameters
    ----------
    folder : Path
        The capture's folder.
    kind : str
        ``video``.
    files : sequence of (Path, str)
        Each file with its SHA-256. One in the capture's folder is stored by relative path, so the folder can move.

    Returns
    -------
    tuple of Attachment
        The new rows; their numbers continue the existing ones.

    Raises
    ------
    CaptureError
        There is no closed capture, or its database has changed since it was closed.
    InputError
        A file is attached already, or the capture's folder cannot be written to.
    """
    with Capture.open(folder) as capture:
        folder, manifest, known = capture.folder, capture.manifest, capture.attachments()
    database = folder / schema.DATABASE
    pending = manifest.pop("pending", {})
    entries = (manifest.get("files", {}).get(schema.DATABASE), pending.get(schema.DATABASE))
    if not matches(database, *entries):
        raise CaptureError(
            f"{database} has changed since it was closed",
            "its SHA-256 is not that of the manifest",
            "see: mia-record verify",
        )
    if pending and {a.sha256 for a in known} >= {sha256 for _, sha256 in files}:
        # A program was killed after it had attached them, before the manifest was written.
        _finish(folder, manifest, len(known))
        return tuple(a for a in known if a.sha256 in {sha256 for _, sha256 in files})
    taken = {a.sha256: a.path for a in known}
    for path, sha256 in files:
        if sha256 in taken:
            raise InputError(f"{path} is attached already", f"it is the same file as {taken[sha256]}")
        taken[sha256] = str(path)
    first = max((a.ord for a in known), default=-1) + 1
    rows = tuple(
        Attachment(ord=first + i, kind=kind, path=_stored(path, folder), sha256=sha256, size=path.stat().st_size)
        for i, (path, sha256) in enumerate(files)
    )
    try:
        # On a copy: the capture is unchanged until everything is written.
        with written_whole(database) as part:
            shutil.copyfile(database, part)
            with contextlib.closing(sqlite3.connect(part, isolation_level=None)) as db:
                db.execute("BEGIN")
                values = [(r.ord, r.kind, r.path, r.sha256, r.size) for r in rows]
                db.executemany("INSERT INTO attachment VALUES (?,?,?,?,?)", values)
                db.execute("COMMIT")
            new = {"sha256": sha256_of(part), "size": part.stat().st_size}
            before = {**manifest, "pending": {schema.DATABASE: new}}
            write_atomically(folder / schema.MANIFEST, manifest_bytes(before))
        _finish(folder, manifest, len(known) + len(rows))
    except sqlite3.DatabaseError as error:
        raise CaptureError(f"the database of {folder} cannot be written", str(error)) from error
    except OSError as error:
        raise cannot_write(folder, error) from error
    return rows


def _finish(folder: Path, manifest: dict[str, Any], n_attached: int) -> None:
    """Write the manifest of the database as it is now."""
    database = folder / schema.DATABASE
    manifest["files"][schema.DATABASE] = {"sha256": sha256_of(database), "size": database.stat().st_size}
    manifest.setdefault("counts", {})["attachment"] = n_attached
    write_atomically(folder / schema.MANIFEST, manifest_bytes(manifest))


def _stored(path: Path, folder: Path) -> str:
    inside = path.resolve().is_relative_to(folder.resolve())
    return path_text(path.resolve().relative_to(folder.resolve()) if inside else path)
