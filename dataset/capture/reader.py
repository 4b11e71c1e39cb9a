"""Reads a capture: the raw rows of one recording, exactly as received."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any, Self

import numpy as np

from dataset.capture import schema
from dataset.capture.manifest import checked_manifest
from dataset.capture.rows import checked_rows, structure_fault
from dataset.capture.types import Attachment, AudioBlocks, Event, Frames, Notifications, Sensor
from dataset.sensors.stored import stored_profile
from dataset.support.arrays import IntArray
from dataset.support.errors import CaptureCutOffError, CaptureError, InputError
from dataset.support.labels import is_subject
from dataset.support.own_files import check_own_file
from dataset.support.parsing import parse_json, read_json
from dataset.support.text import path_from_text

_MANIFEST_HINT = "take it from a backup, or remove it and run: mia-record recover"
#: Notifications read at once.
NOTIFICATIONS_A_BLOCK = 8192


class Capture:
    """A closed recording, opened for reading.

    Use :meth:`open`; it checks the format and refuses a recording that was cut off. Read-only.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection, *, closed: bool) -> None:
        self.folder = folder
        self.closed = closed
        self._db = connection
        self.meta: dict[str, str] = dict(self._rows("meta", "key, value"))

    @classmethod
    def open(cls, folder: Path | str, *, allow_unclosed: bool = False) -> Self:
        """Open the capture in ``folder``.

        Parameters
        ----------
        folder : path
            The ``ses-...`` folder, or its ``capture.db``.
        allow_unclosed : bool
            Also open a recording without a manifest (for ``recover``).

        Raises
        ------
        CaptureError
            There is no capture, its format is newer, or its database is damaged.
        CaptureCutOffError
            The recording was never closed.
        """
        folder = Path(folder)
        if folder.name == schema.DATABASE:
            folder = folder.parent
        database = folder / schema.DATABASE
        if not database.is_file():
            raise CaptureError(
                f"no capture at {folder}", f"there is no {schema.DATABASE}", "name the ses-... folder of a recording"
            )
        for name in schema.OWN_FILES:
            try:
                check_own_file(folder, name)
            except InputError as error:
                raise CaptureError(error.what, error.why, error.hint) from error
        closed = (folder / schema.MANIFEST).is_file()
        if not closed and not allow_unclosed:
            raise CaptureCutOffError(
                f"the capture {folder} was cut off",
                f"it has no {schema.MANIFEST}, so its recording never ended cleanly",
                f"close it with: mia-record recover {folder}",
            )
        try:
            connection = sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False)
            connection.execute("PRAGMA trusted_schema=OFF")
            fault = structure_fault(connection)
        except sqlite3.DatabaseError as error:
            raise _damaged(folder, error) from error
        if fault:
            connection.close()
            raise CaptureError(f"{database} is not a capture", fault)
        try:
            capture = cls(folder, connection, closed=closed)
        except BaseException:
            connection.close()
            raise
        try:
            capture._check_format(database)
        except BaseException:
            capture.close()
            raise
        return capture

    def _check_format(self, database: Path) -> None:
        if self.meta.get("format") != schema.FORMAT:
            raise CaptureError(f"{database} is not a capture", f"its format is {self.meta.get('format')!r}")
        version = self.meta.get("format_version", "")
        if version != schema.FORMAT_VERSION:
            raise CaptureError(
                f"{database} has capture format version {version}",
                f"this program reads version {schema.FORMAT_VERSION}",
                "update muscles-in-action",
            )
        lacking = [key for key in schema.META_KEYS if key not in self.meta]
        if lacking:
            raise CaptureError(f"{database} is damaged", f"its table meta lacks {', '.join(lacking)}")
        if not is_subject(self.subject):  # it becomes part of a session's path
            raise CaptureError(
                f"{database} is damaged",
                f"its subject {self.subject!r} is not a valid label: only letters and digits are allowed",
            )

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _checked(self, table: str, columns: str, order: str = "") -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a table, each value checked against its column's type."""
        ordered = f" ORDER BY {order}" if order else ""
        try:
            rows = self._db.execute(f"SELECT {columns} FROM {table}{ordered}")  # names of ours
            yield from checked_rows(table, columns.split(", "), rows)
        except (sqlite3.DatabaseError, ValueError) as error:
            raise _damaged(self.folder, error) from error

    def _rows(self, table: str, columns: str, order: str = "") -> list[tuple[Any, ...]]:
        return list(self._checked(table, columns, order))

    def _integers(self, table: str, columns: str, order: str) -> list[IntArray]:
        # Row by row into arrays: as tuples, an hour's rows take tens of megabytes.
        numbers = array("q")
        for row in self._checked(table, columns, order):
            numbers.extend(-1 if value is None else value for value in row)
        n_columns = len(columns.split(", "))
        values = np.array(numbers, dtype=np.int64).reshape(-1, n_columns)
        return [np.ascontiguousarray(values[:, i]) for i in range(n_columns)]

    @property
    def subject(self) -> str:
        """Subject label."""
        return self.meta["subject"]

    @property
    def is_virtual(self) -> bool:
        """Whether it was recorded from the virtual rig."""
        return bool(self.sensors) and all(sensor.adapter == "virtual" for sensor in self.sensors)

    @property
    def name(self) -> str:
        """Name of the session made from this capture: ``sub-<ID>_ses-<STAMP>``."""
        return f"{self.folder.parent.name}_{self.folder.name}"

    @property
    def sensors(self) -> tuple[Sensor, ...]:
        """The sensors in slot order.

        Raises
        ------
        InputError
            A profile is neither built in nor stored in the capture.
        """
        names = ("slot", "channel", "muscle", "side", "name", "address", "serial", "profile", "adapter", "placement",
                 "electrode")  # fmt: skip
        rows = [dict(zip(names, row, strict=True)) for row in self._rows("sensor", ", ".join(names), "slot")]
        channels = [row["channel"] for row in rows]
        if len(set(channels)) != len(channels):
            twice = next(c for c in channels if channels.count(c) > 1)
            raise _damaged(self.folder, ValueError(f"two sensors have the channel {twice!r}"))
        return tuple(
            Sensor(**{**row, "profile": stored_profile(self.meta, row["profile"], str(self.folder))}) for row in rows
        )

    @property
    def slot_of_channel(self) -> dict[str, int]:
        """The channels and their slots, even of unknown profiles."""
        return dict(self._rows("sensor", "channel, slot", "slot"))

    def notifications(self, slot: int) -> Notifications:
        """Return every notification of ``slot`` in order of reception.

        Slots on one device (columns of one armband, say) share its rows, stored once under the first slot.
        """
        found = list(self.notification_blocks(slot))
        return Notifications(
            epoch=np.concatenate([block.epoch for block in found]),
            host_seq=np.concatenate([block.host_seq for block in found]),
            arrival_ns=np.concatenate([block.arrival_ns for block in found]),
            characteristic=tuple(chain.from_iterable(block.characteristic for block in found)),
            payload=tuple(chain.from_iterable(block.payload for block in found)),
        )

    def notification_blocks(self, slot: int, *, block: int = NOTIFICATIONS_A_BLOCK) -> Iterator[Notifications]:
        """Yield what :meth:`notifications` returns in blocks: a fast sensor's hours take gigabytes in memory.

        There is at least one block, which may be empty.

        Parameters
        ----------
        slot : int
        block : int, optional
            How many notifications each holds at most.
        """
        slot = self._source_slot(slot)
        known: dict[str, str] = {}
        try:
            columns = ("epoch", "host_seq", "arrival_ns", "characteristic", "payload")
            found = self._db.execute(
                f"SELECT {', '.join(columns)} FROM notification WHERE slot=? ORDER BY host_seq", (slot,)
            )
            checked = checked_rows("notification", columns, found)
            rows = list(islice(checked, block))
            while True:
                epoch, host_seq, arrival_ns, characteristic, payload = zip(*rows, strict=True) if rows else [()] * 5
                yield Notifications(
                    epoch=np.array(epoch, dtype=np.int64),
                    host_seq=np.array(host_seq, dtype=np.int64),
                    arrival_ns=np.array(arrival_ns, dtype=np.int64),
                    characteristic=tuple(known.setdefault(c, c) for c in characteristic),
                    payload=payload,
                )
                rows = list(islice(checked, block))
                if not rows:
                    return
        except (sqlite3.DatabaseError, ValueError) as error:
            raise _damaged(self.folder, error) from error

    def _source_slot(self, slot: int) -> int:
        addresses = {s.slot: s.address for s in self.sensors}
        return min((s for s, a in addresses.items() if a and a == addresses.get(slot)), default=slot)

    def frames(self) -> Frames:
        """Return the ``frame`` table in order of the frame index."""
        epoch, index, arrival, pts = self._integers("frame", "epoch, frame_index, arrival_ns, pts_ns", "frame_index")
        return Frames(epoch=epoch, frame_index=index, arrival_ns=arrival, pts_ns=pts)

    def audio_blocks(self) -> AudioBlocks:
        """Return the ``audio_block`` table in order of its samples."""
        columns = "epoch, first_sample, n_samples, arrival_ns"
        epoch, first, n, arrival = self._integers("audio_block", columns, "first_sample")
        return AudioBlocks(epoch=epoch, first_sample=first, n_samples=n, arrival_ns=arrival)

    def events(self, *kinds: str) -> tuple[Event, ...]:
        """Return all events, or those of the given kinds, in time order."""
        events = (
            Event(t_ns=t, uncertainty_ns=u, kind=k, label=label, source=source, detail=self._detail(detail))
            for t, u, k, label, source, detail in self._rows(
                "event", "t_ns, uncertainty_ns, kind, label, source, detail", "t_ns"
            )
        )
        return tuple(e for e in events if not kinds or e.kind in kinds)

    def log(self) -> list[tuple[int, str, str, dict[str, Any]]]:
        """Return ``(t_ns, level, what, detail)`` rows in time order."""
        rows = self._rows("log", "t_ns, level, what, detail", "t_ns")
        return [(t, level, what, self._detail(detail)) for t, level, what, detail in rows]

    def _detail(self, text: str) -> dict[str, Any]:
        try:
            detail = parse_json(text, nan_as_none=True)
            if not isinstance(detail, dict):
                raise ValueError("it is not an object")
        except (TypeError, ValueError) as error:
            raise CaptureError(f"a detail in {self.folder} is not JSON", f"{error}: {str(text)[:40]!r}") from error
        return detail

    def serial_lines(self) -> list[tuple[str, int, bytes]]:
        """Return ``(source, arrival_ns, payload)`` rows in time order."""
        return self._rows("serial_line", "source, arrival_ns, payload", "arrival_ns")

    def clock_anchors(self) -> list[tuple[int, int]]:
        """Return ``(host_ns, utc_ns)`` pairs."""
        return self._rows("clock_anchor", "host_ns, utc_ns", "host_ns")

    def attachments(self) -> tuple[Attachment, ...]:
        """Return the attached files in order."""
        rows = self._rows("attachment", "ord, kind, path, sha256, size", "ord")
        return tuple(Attachment(ord=o, kind=k, path=p, sha256=s, size=n) for o, k, p, s, n in rows)

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest written when the recording was closed; empty if there is none."""
        path = self.folder / schema.MANIFEST
        if not path.is_file():
            return {}
        try:
            return checked_manifest(read_json(path, hint=_MANIFEST_HINT, error=CaptureError))
        except ValueError as error:
            raise CaptureError(f"{path} is damaged", str(error), _MANIFEST_HINT) from error

    @property
    def closed_utc(self) -> datetime | None:
        """When the recording was closed, by the manifest; None if not stated.

        Raises
        ------
        CaptureError
            The stated time is invalid.
        """
        text = self.manifest.get("closed_utc")
        if text is None:
            return None
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except (TypeError, ValueError, OverflowError) as error:
            raise CaptureError(
                f"{self.folder / schema.MANIFEST} is damaged",
                f"closed_utc {text!r} is not a valid time: {error}",
                _MANIFEST_HINT,
            ) from error

    @property
    def video_path(self) -> Path | None:
        """The recording's own video, else the first attached one, else None."""
        return next(iter(self.videos), None)

    @property
    def videos(self) -> tuple[Path, ...]:
        """The recording's own video, else every attached one: the parts of one recording, in order."""
        own = self.folder / schema.VIDEO
        if own.is_file():
            return (own,)
        return tuple(self.path_of(a) for a in self.attachments() if a.kind == "video")

    def path_of(self, attachment: Attachment) -> Path:
        """Return the path of an attached file: in the capture's folder, or the absolute path given by the user.

        Raises
        ------
        CaptureError
            The path leaves the folder through ``..`` or a link, or is not a file.
        """
        path = Path(attachment.path.replace("\0", "\\0"))  # not allowed in a path on any system
        what = f"the attachment {attachment.path!r} of {self.folder} cannot be used"
        hint = "attach the file itself, with its whole path"
        if not path.is_absolute():
            path = self.folder / path
            if ".." in path.parts[len(self.folder.parts) :] or not path.resolve().is_relative_to(self.folder.resolve()):
                raise CaptureError(what, "it leads out of the capture's folder", hint)
        path = path_from_text(path)  # its name may hold bytes that are not UTF-8
        if path.exists() and not path.is_file():
            raise CaptureError(what, "it is not a file", hint)
        return path


def find_captures(paths: list[Path]) -> list[Path]:
    """Return the capture folders named by ``paths``; a folder of captures stands for all of them.

    Any other path is returned unchanged, so that opening it reports the error.
    """
    found: list[Path] = []
    for path in paths:
        inside = sorted(p.parent for p in path.rglob(schema.DATABASE)) if path.is_dir() else []
        found.extend(inside or [path])
    return list(dict.fromkeys(found))


def _damaged(folder: Path, error: Exception) -> CaptureError:
    return CaptureError(
        f"the database of {folder} cannot be read",
        str(error),
        "it was cut off or damaged: copy it again, or try: mia-record recover",
    )
