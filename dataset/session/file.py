"""Writes sessions atomically, and reads them with a check that reports each fault."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import fields, replace
from itertools import islice
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from dataset.session import schema
from dataset.session.checksum import USER_BLOCK_BYTES, has_changed, write_checksum
from dataset.session.content import content_problems
from dataset.session.dimensions import attach_scales
from dataset.session.structure import attributes_of, instances, structure_problems
from dataset.session.types import (
    Aligned,
    Calibration,
    ChannelTable,
    EmgStream,
    EventTable,
    ExerciseTable,
    Pose,
    Session,
    StreamSync,
    VideoInfo,
    provenance_lines,
)
from dataset.support.disk_arrays import blocks
from dataset.support.errors import InputError, OutputExistsError, SessionError
from dataset.support.files import written_whole
from dataset.support.outputs import cannot_write
from dataset.support.parsing import parse_json
from dataset.support.plain_hdf5 import open_hdf5
from dataset.support.stored_path import without_folders
from dataset.support.text import valid_text

#: Faults that are named of one file.
_MOST_PROBLEMS = 20
_READ_AS = {"f": np.float64, "i": np.int64, "b": np.bool_}


# -- writing ------------------------------------------------------------------------------------------------------


def write_session(path: Path, session: Session, *, first: Callable[[], object] = lambda: None) -> None:
    """Write ``session`` to ``path`` atomically.

    Parameters
    ----------
    path : Path
    session : Session
    first : callable
        Called when the session is written, before it gets its name: if it fails, there is none.

    Raises
    ------
    OutputExistsError
        ``path`` exists; sessions are never overwritten.
    InputError
        The folder is not writable, or the disk is full.
    """
    if path.exists():
        raise OutputExistsError(f"{path} exists", "sessions are never overwritten", "move it or choose another --out")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path, exclusive=True) as part:
            with h5py.File(part, "w", userblock_size=USER_BLOCK_BYTES) as file:
                _write(file, session)
            write_checksum(part)
            first()
    except FileExistsError as error:
        raise OutputExistsError(
            f"{path} exists", "another program has written it meanwhile", "move it or choose another --out"
        ) from error
    except OSError as error:
        raise cannot_write(path.parent, error) from error


def _write(file: h5py.File, session: Session) -> None:
    file.attrs.update(
        {
            "format": schema.FORMAT,
            "format_version": schema.FORMAT_VERSION,
            "session_uuid": session.session_uuid,
            "created_utc": session.created_utc,
            "subject": session.subject,
            "zero_host_ns": session.zero_host_ns,
            "verdict": session.verdict,
            "verdict_reason": session.verdict_reason,
            "rate_hz": session.rate_hz,
        }
    )
    units = dict(zip(session.channels.name, session.channels.unit, strict=True))
    every_unit = ", ".join(units.values() if len(set(units.values())) > 1 else set(units.values()))
    for group in (*schema.REQUIRED_GROUPS, "subject"):
        file.create_group(group)
    file["subject"].attrs.update(dict(session.subject_info))
    _write_record(file, "channels", session.channels)
    if session.calibration is not None:
        _write_record(file, "calibration", session.calibration, unit=every_unit)
    for channel, stream in session.emg.items():
        _write_record(file, f"emg/{group_name(channel)}", stream, pattern="emg/{channel}", unit=units.get(channel, ""))
    if session.video is not None:
        _write_record(file, "video", replace(session.video, file=without_folders(session.video.file)))
    if session.pose is not None:
        _write_record(file, "pose", session.pose)
        file["pose"].attrs["skeleton"] = "BODY_25"
    _write_record(file, "events", session.events)
    _write_record(file, "exercises", session.exercises)
    for name, sync in session.sync.items():
        group = f"sync/{group_name(name)}"
        _write_record(file, group, sync, pattern="sync/{stream}")
        file[group].attrs.update(dict(sync.constants))
    _write_record(file, "aligned", session.aligned, unit=every_unit)
    log = provenance_lines(tuple(without_folders(dict(step)) for step in session.provenance))
    _write_dataset(file, _specs()["provenance/log"], "provenance/log", log)
    attach_scales(file, {path: spec for spec in schema.DATASETS for path in instances(file, spec) if path in file})


def group_name(name: str) -> str:
    """Return the group name of a channel or stream: its own, with characters reserved by HDF5 percent-encoded.

    A slash separates groups, a single dot is the group itself, and a name may not be empty or contain a NUL; those are
    written as in a URL (``%2F``), as is a percent sign that looks like the start of such an escape.
    """
    if not name.strip("."):
        return "%2E" * len(name) or "%FF"
    return re.sub(r"/|\0|%(?=[0-9A-F]{2})", lambda match: f"%{ord(match[0]):02X}", name)


def _group_of(parent: h5py.Group, name: str) -> str | None:
    """Return the group of a channel in ``parent``; None if it has none."""
    return next((key for key in (group_name(name), name) if key and key in parent and key != "."), None)


def _specs() -> dict[str, schema.DatasetSpec]:
    return {spec.path: spec for spec in schema.DATASETS}


def _write_record(file: h5py.File, group: str, record: Any, *, pattern: str | None = None, unit: str = "") -> None:
    """Write a dataclass: fields named in the schema become datasets, the others attributes.

    ``unit`` is the unit of what has the channels' own; if they differ, one a channel, separated by commas.
    """
    specs = _specs()
    target = file.require_group(group)
    for f in fields(record):
        value = getattr(record, f.name)
        if value is None or isinstance(value, Mapping):
            continue
        spec = specs.get(f"{pattern or group}/{f.name}")
        if spec is None:
            target.attrs[f.name] = np.uint8(value) if isinstance(value, bool | np.bool_) else value
        else:
            if spec.unit == schema.CHANNEL_UNIT:
                spec = replace(spec, unit=unit)
            _write_dataset(file, spec, f"{group}/{f.name}", value)


def _write_dataset(file: h5py.File, spec: schema.DatasetSpec, path: str, value: Any) -> None:
    if spec.kind == "s":
        encoded = [str(text).encode() for text in value]
        width = max((len(text) for text in encoded), default=1) or 1
        dtype: Any = h5py.string_dtype("utf-8", width)
        data: NDArray[Any] = np.array(encoded, dtype=dtype)
    else:
        dtype = {"f": np.float64, "i": np.int64, "b": np.uint8}[spec.kind]
        data = np.asarray(value, dtype=dtype)
    options: dict[str, Any] = {}
    if data.size:
        chunk = (min(len(data), 1024), *data.shape[1:])
        options = {"chunks": chunk, "compression": "gzip", "compression_opts": 4, "shuffle": True, "fletcher32": True}
    dataset = file.create_dataset(path, shape=data.shape, dtype=dtype, **options)
    for rows in blocks(data):
        dataset[rows] = data[rows]
    dataset.attrs["unit"] = spec.unit
    dataset.attrs["description"] = spec.description


# -- reading ------------------------------------------------------------------------------------------------------


def read_session(path: Path | str) -> Session:
    """Read the session at ``path`` and check it against the schema.

    Raises
    ------
    SessionError
        The file is not a session, its format is newer, or a part is missing or of the wrong shape; the
        message names the part.
    """
    path = Path(path)
    if not path.is_file():
        raise SessionError(f"no session at {path}", "there is no such file")
    with ExitStack() as stack:
        try:
            if has_changed(path):
                raise SessionError(
                    f"{path} is damaged",
                    "its checksum differs: it has changed since it was written",
                    "copy it again, or make it again with: mia-sync run",
                )
            file = stack.enter_context(open_hdf5(path))
        except InputError as error:
            raise SessionError(error.what, error.why, error.hint) from error
        except OSError as error:
            raise SessionError(
                f"{path} is not a session",
                f"it is not a readable HDF5 file ({error})",
                "copy it again, or make one with: mia-sync run",
            ) from error
        try:
            _check_format(file, path)
            session = None
            problems = list(islice(structure_problems(file), _MOST_PROBLEMS))
            if not problems:
                session = _read(file, path)
                problems = list(islice(content_problems(session), _MOST_PROBLEMS))
        except (OSError, RuntimeError, ValueError, KeyError, MemoryError, OverflowError) as error:
            raise SessionError(
                f"{path} is damaged", str(error) or "it claims more than there is", "copy it again or make it again"
            ) from error
    if session is None or problems:
        raise SessionError(
            f"{path} is not a valid session", "; ".join(problems), "see mia-sync check, or make it again"
        )
    return session


def check_sessions(paths: list[Path]) -> dict[str, list[str]]:
    """Check every session in ``paths`` against the schema; see :func:`find_sessions`.

    A path without sessions does not stop the check of the others: it is listed with its fault.

    Returns
    -------
    dict
        By path: its faults, one sentence each; empty if there are none.
    """
    found: dict[str, list[str]] = {}
    for path in paths:
        try:
            found.update((str(file), check_session(file)) for file in find_sessions([path]))
        except SessionError as error:
            found[str(path)] = [error.why]
    return found


def check_session(path: Path | str) -> list[str]:
    """Return the faults of the session at ``path``, one sentence each; empty if there are none."""
    try:
        read_session(path)
    except SessionError as error:
        return (error.why or error.what).split("; ")
    return []


def find_sessions(paths: list[Path]) -> list[Path]:
    """Return the session files named by ``paths``; in folders, files that do not end in ``.h5`` are skipped.

    Raises
    ------
    SessionError
        A path does not exist, or a folder contains no session.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(path.rglob("*.h5"))
            if not inside:
                raise SessionError(
                    f"no session in {path}",
                    "it holds no file that ends in .h5",
                    "make one: mia-sync run CAPTURE --out DIR",
                )
            found.extend(inside)
        elif path.is_file():
            found.append(path)
        else:
            raise SessionError(
                f"no session at {path}", "there is no such file or folder", "give a .h5 file, or a folder of them"
            )
    return list(dict.fromkeys(found))


def find_each_session(paths: list[Path]) -> list[Path]:
    """Return what :func:`find_sessions` does; a path without sessions stands for itself, and reading it reports why."""
    found: list[Path] = []
    for path in paths:
        try:
            found.extend(find_sessions([path]))
        except SessionError:
            found.append(path)
    return list(dict.fromkeys(found))


def _check_format(file: h5py.File, path: Path) -> None:
    found = attributes_of(file)
    if str(found.get("format")) != schema.FORMAT:
        raise SessionError(
            f"{path} is not a session",
            f"its root attribute format is {found.get('format')!r}, not {schema.FORMAT!r}",
            "make one with: mia-sync run, or mia-sync import",
        )
    version = str(found.get("format_version", ""))
    if version not in schema.READABLE_VERSIONS:
        newer = _numbers(version) > _numbers(schema.FORMAT_VERSION)
        raise SessionError(
            f"{path} is a session of another format",
            f"it has format_version {version!r} and this program reads {' and '.join(schema.READABLE_VERSIONS)}",
            "update muscles-in-action" if newer else "make it again from its capture",
        )


def _numbers(version: str) -> tuple[int, ...]:
    """Return a version's numbers, to compare it; empty if it has others."""
    parts = version.split(".")
    return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else ()


def _read(file: h5py.File, path: Path) -> Session:
    attrs = attributes_of(file)
    return Session(
        subject=attrs["subject"],
        session_uuid=attrs["session_uuid"],
        created_utc=attrs["created_utc"],
        zero_host_ns=int(attrs["zero_host_ns"]),
        verdict=attrs["verdict"],
        verdict_reason=attrs["verdict_reason"],
        rate_hz=float(attrs["rate_hz"]),
        subject_info=attributes_of(file["subject"]) if "subject" in file else {},
        channels=ChannelTable(**_record(file, "channels", ChannelTable)),
        calibration=Calibration(**_record(file, "calibration", Calibration)) if "calibration" in file else None,
        emg={
            name: EmgStream(**_record(file, f"emg/{group}", EmgStream, pattern="emg/{channel}"))
            for name in _texts(file["channels/name"])
            if (group := _group_of(file["emg"], name)) is not None
        },
        video=VideoInfo(**_record(file, "video", VideoInfo)) if "video" in file else None,
        pose=Pose(**_record(file, "pose", Pose)) if "pose" in file else None,
        events=EventTable(**_record(file, "events", EventTable)),
        exercises=ExerciseTable(**_record(file, "exercises", ExerciseTable)),
        sync=_read_syncs(file),
        aligned=Aligned(**_record(file, "aligned", Aligned)),
        provenance=tuple(_step(line) for line in _texts(file["provenance/log"])),
        path=path,
    )


def _read_syncs(file: h5py.File) -> dict[str, StreamSync]:
    channels = {group_name(name): name for name in _texts(file["channels/name"])}
    return {channels.get(group, group): _read_sync(file, group) for group in file["sync"]}


def _read_sync(file: h5py.File, name: str) -> StreamSync:
    record = _record(file, f"sync/{name}", StreamSync, pattern="sync/{stream}")
    known = {f.name for f in fields(StreamSync)}
    record["constants"] = {k: v for k, v in attributes_of(file[f"sync/{name}"]).items() if k not in known}
    return StreamSync(**record)


def _record(file: h5py.File, group: str, kind: type, *, pattern: str | None = None) -> dict[str, Any]:
    """Read the fields of dataclass ``kind`` from the datasets and attributes of ``group``."""
    specs = _specs()
    node = file[group]
    values: dict[str, Any] = {}
    attributes = attributes_of(node)
    for f in fields(kind):
        spec = specs.get(f"{pattern or group}/{f.name}")
        if spec is None:
            if f.name in attributes:
                values[f.name] = attributes[f.name] if f.name not in schema.BOOLEANS else bool(attributes[f.name])
            elif f.name != "constants":
                raise SessionError(
                    f"{file.filename} is not a valid session", f"attribute {f.name} of /{group} is missing"
                )
        elif f.name not in node:
            values[f.name] = None
        elif spec.kind == "s":
            values[f.name] = _texts(node[f.name])
        else:
            values[f.name] = node[f.name].astype(_READ_AS[spec.kind])[()]
    return values


def _step(line: str) -> dict[str, Any]:
    """Return one processing step of the provenance."""
    step = parse_json(line, nan_as_none=True)
    if not isinstance(step, dict):
        raise ValueError("a line of /provenance/log is not a JSON object")
    return step


def _texts(dataset: h5py.Dataset) -> tuple[str, ...]:
    found = (text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else str(text) for text in dataset[()])
    return tuple(valid_text(text) for text in found)
