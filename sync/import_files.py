"""Import other apps' files as a capture: a video, a CSV table of sEMG, and optional tables of flashes and exercises."""

from __future__ import annotations

import csv
import math
import shutil
import struct
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dataset.capture.types import Sensor
from dataset.capture.writer import CaptureHeader, CaptureWriter, check_subject
from dataset.exercises import canonical_exercise
from dataset.importers.emg_columns import EmgColumns, choose_columns, not_emg_by_name
from dataset.media.video import probe_video
from dataset.sensors.profile import find_profile
from dataset.support.errors import InputError, OutputExistsError
from dataset.support.files import current_umask
from dataset.support.outputs import cannot_write
from sync.options import ImportOptions
from sync.table_times import one_epoch, times_in_seconds
from sync.time_unit import TimeUnit

FloatArray = NDArray[np.float64]

PROFILE = "float64-le"
_TIME_COLUMN = "time_s"

#: The largest time (s) that a capture can store as 64-bit nanoseconds, 292 years.
_LATEST_S = 2**63 * 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class EmgTable:
    """A table of sEMG.

    Attributes
    ----------
    channels : tuple of str
        Names of the columns other than the time, as in the table.
    time_s : ndarray, shape (N,)
    value : ndarray, shape (N, C)
        NaN where the table is blank.
    """

    channels: tuple[str, ...]
    time_s: FloatArray
    value: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tables:
    """Contents of another app's tables, in seconds of the logger's clock."""

    emg: EmgTable
    columns: EmgColumns
    flash_s: FloatArray
    exercises: list[tuple[str, float, float]]


def import_files(out: Path, options: ImportOptions, report: Callable[[EmgColumns], None] | None = None) -> Path:
    """Import files recorded by another app as a capture.

    Parameters
    ----------
    out : Path
        Folder of the new capture; it must not exist.
    options : ImportOptions
        The files, and how their tables are read.
    report : callable, optional
        Called with the columns that are imported and those that are left out.

    Returns
    -------
    Path
        ``out``.

    Raises
    ------
    InputError
        A file is missing, or a table is malformed; the message names row and column.
    VideoError
        The video cannot be decoded.
    OutputExistsError
        ``out`` exists.
    """
    if out.exists():
        raise OutputExistsError(f"{out} exists", "captures are never overwritten", "choose another --out")
    check_subject(options.subject)
    tables = _read_tables(options)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        # Built in a temporary folder and renamed, so that a failure leaves nothing behind.
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise cannot_write(out.parent, error) from error
    try:
        _write(folder, tables, options)
        folder.chmod(0o777 & ~current_umask())  # temporary folders are private to their owner
        folder.rename(out)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if report is not None:
        report(tables.columns)
    return out


def _read_tables(options: ImportOptions) -> _Tables:
    unit = options.time_unit
    video_s = probe_video(options.video).duration_s
    emg = read_emg(options.emg, options.channels, time_unit=unit, epoch=options.epoch, film_s=video_s)
    return _Tables(
        emg=emg,
        columns=choose_columns(str(options.emg), emg.channels, emg.time_s, emg.value, options.channels),
        flash_s=read_flashes(options.flashes, unit) if options.flashes else np.zeros(0),
        exercises=read_exercises(options.exercises, unit) if options.exercises else [],
    )


def _write(folder: Path, tables: _Tables, options: ImportOptions) -> None:
    emg, taken = tables.emg, [c.index for c in tables.columns.taken]
    profile = find_profile(PROFILE)
    sensors = [
        Sensor(slot=slot, channel=c.channel, muscle=c.muscle, side=c.side, name=c.column, profile=profile)
        for slot, c in enumerate(tables.columns.taken, start=1)
    ]
    characteristic = profile.stream.characteristic
    writer = CaptureWriter(
        folder, subject=options.subject, sensors=sensors, header=CaptureHeader(host_clock="file", clock_resolution_ns=1)
    )
    try:
        writer.log("info", "columns", tables.columns.as_dict(), t_ns=_ns(emg.time_s[0]))
        for row, at_s in enumerate(emg.time_s):
            for slot, value in enumerate(emg.value[row, taken], start=1):
                if not math.isnan(value):
                    writer.notification(slot, 0, characteristic, _ns(at_s), struct.pack("<d", value))
        for at_s in tables.flash_s:
            writer.event(_ns(at_s), "flash", source="file")
        for name, start_s, stop_s in tables.exercises:
            writer.event(_ns(start_s), "exercise_start", label=name, source="file")
            writer.event(_ns(stop_s), "exercise_stop", label=name, source="file")
        writer.attachment("video", options.video.resolve())
    finally:
        writer.close()


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


# -- tables -------------------------------------------------------------------------------------------------------


def read_emg(
    path: Path,
    given: Collection[str] = (),
    *,
    time_unit: TimeUnit | None = None,
    epoch: int | None = None,
    film_s: float = math.nan,
) -> EmgTable:
    """Read a table of sEMG; see :func:`import_files`. ``film_s`` is the video's length, which may reveal a wrong unit.

    Text is refused, except in columns whose names are not sEMG and which are not ``given`` a channel.

    Raises
    ------
    InputError
        The message names row and column.
    """
    header, rows = _read_rows(path)
    if header[0] != _TIME_COLUMN:
        raise InputError(
            f"{path} is not a table of sEMG",
            f"its first column is {header[0]!r}, not {_TIME_COLUMN!r}",
            f"name the column with the logger's time in seconds {_TIME_COLUMN}",
        )
    channels = tuple(name.strip() for name in header[1:])
    if not channels:
        raise InputError(f"{path} is not a table of sEMG", "it has no column except time_s")
    other = [n not in given and bool(not_emg_by_name(n)) for n in channels]
    of_column = [_number, *(_number_or_blank if o else _number for o in other)]
    numbers = np.array(
        [[read(path, i, n, t) for read, n, t in zip(of_column, header, row, strict=True)] for i, row in rows]
    )
    if len(numbers) < 2:
        raise InputError(f"{path} is too short", f"it has {len(numbers)} row(s) of values")
    missing = np.flatnonzero(np.isnan(numbers[:, 0]))
    if len(missing):
        raise InputError(f"{path} lacks a time", f"row {rows[missing[0]][0]}, column {_TIME_COLUMN!r} is blank")
    if np.isnan(numbers[:, 1:]).all():
        raise InputError(f"{path} has no values", "every cell except those of time_s is blank")
    per_second = _per_second(time_unit)
    for (i, row), at in zip(rows, numbers[:, 0], strict=True):
        _check_time(path, i, _TIME_COLUMN, row[0], at / per_second)
    if not np.any(np.diff(numbers[:, 0]) > 0):
        raise InputError(
            f"the times of {path} do not increase",
            f"from row {rows[1][0]} on, column {_TIME_COLUMN!r} is never later than in the row before",
        )
    time_s = times_in_seconds(path, numbers[:, 0], time_unit, film_s)
    kept = one_epoch(path, [i for i, _ in rows], _TIME_COLUMN, time_s, epoch)
    time_s, value = time_s[kept], numbers[kept, 1:]
    if len(time_s) < 2 or np.isnan(value).all():
        raise InputError(f"{path} is too short", f"epoch {epoch} has {len(time_s)} row(s)")
    return EmgTable(channels=channels, time_s=time_s, value=value)


def read_flashes(path: Path, time_unit: TimeUnit | None = None) -> FloatArray:
    """Read a table of flashes; return their times in ascending order, in seconds."""
    header, rows = _read_rows(path)
    if _TIME_COLUMN not in header:
        raise InputError(f"{path} is not a table of flashes", f"it has no column {_TIME_COLUMN!r}")
    column = header.index(_TIME_COLUMN)
    unit = _per_second(time_unit)
    times = np.array([_required_time(path, i, _TIME_COLUMN, row[column], unit) for i, row in rows], dtype=np.float64)
    return np.sort(times)


def read_exercises(path: Path, time_unit: TimeUnit | None = None) -> list[tuple[str, float, float]]:
    """Read a table of exercises; return ``(name, start_s, stop_s)`` in order of their starts, in seconds."""
    header, rows = _read_rows(path)
    for needed in ("name", "start_s", "stop_s"):
        if needed not in header:
            raise InputError(f"{path} is not a table of exercises", f"it has no column {needed!r}")
    name, start, stop = (header.index(n) for n in ("name", "start_s", "stop_s"))
    found = []
    for i, row in rows:
        label = canonical_exercise(row[name])
        if not label:
            raise InputError(f"{path} has an exercise without a name", f"row {i}, column 'name' is blank")
        unit = _per_second(time_unit)
        begin, end = (_required_time(path, i, n, row[at], unit) for n, at in (("start_s", start), ("stop_s", stop)))
        if end <= begin:
            raise InputError(f"an exercise of {path} ends before it starts", f"row {i}, column 'stop_s'")
        found.append((label, begin, end))
    return sorted(found, key=lambda f: f[1])


def _read_rows(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the header and the rows with their line numbers; blank rows are skipped."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [name.strip() for name in next(reader, [])]
            rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"cannot read the table {path}", why, "it should be a CSV file in UTF-8") from error
    if not header:
        raise InputError(f"the table {path} is empty", "it has no header row")
    foreign = next((mark for mark in (";", "\t") if len(header) == 1 and mark in header[0]), None)
    if foreign is not None:
        raise InputError(
            f"the columns of {path} are not separated by commas",
            f"its header is {header[0]!r}",
            "save it with commas between columns and decimal points in numbers",
        )
    for line, row in rows:
        if len(row) != len(header):
            raise InputError(
                f"the rows of the table {path} differ in length",
                f"row {line} has {len(row)} columns and the header {len(header)}",
                "give every row as many columns as the header, and use a decimal point",
            )
    return header, rows


def _number(path: Path, line: int, column: str, text: str) -> float:
    if not text.strip():
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(
            f"{path} has text in place of a number",
            f"row {line}, column {column!r} is {text.strip()!r}",
            "use a decimal point" if "," in text else "leave the cell blank where there is no value",
        )
    return value


def _number_or_blank(path: Path, line: int, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _per_second(unit: TimeUnit | None) -> float:
    return 1.0 if unit is None else unit.per_second


def _required_time(path: Path, line: int, column: str, text: str, per_second: float) -> float:
    value = _number(path, line, column, text)
    if math.isnan(value):
        raise InputError(f"{path} lacks a number", f"row {line}, column {column!r} is blank")
    _check_time(path, line, column, text, value / per_second)
    return value / per_second


def _check_time(path: Path, line: int, column: str, text: str, at_s: float) -> None:
    if abs(at_s) >= _LATEST_S:
        raise InputError(
            f"{path} has a time out of range",
            f"row {line}, column {column!r} is {text.strip()}",
            "times are in seconds; give other units with --time-unit ms or us",
        )
