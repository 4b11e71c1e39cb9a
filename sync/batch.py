"""Batches of captures, run in worker processes on this machine or on a Dask cluster.

A capture is one task: its path is sent, and the object that ``--json`` prints is returned. Neither a bad capture nor a
worker that dies stops the others.
"""

from __future__ import annotations

import socket
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset.capture.reader import Capture
from dataset.session.file import read_session
from dataset.support import cluster
from dataset.support.errors import InputError, MiaError, UsageError
from dataset.support.outputs import cannot_write
from sync.options import BatchOptions, SyncOptions
from sync.pipeline import run_capture, session_name
from sync.recording_types import Progress
from sync.result import stream_dict

EXIT_BUG = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Captures of a run, and those that are done already.

    Attributes
    ----------
    captures : tuple of Path
        In the order given.
    done : mapping of Path to dict
        Captures whose session exists already, with its result.
    """

    captures: tuple[Path, ...]
    done: Mapping[Path, dict[str, Any]]

    @property
    def left(self) -> tuple[Path, ...]:
        """Captures that still have to be synchronised."""
        return tuple(c for c in self.captures if c not in self.done)


def plan_run(captures: Sequence[Path], out: Path, *, resume: bool) -> Plan:
    """Determine which captures have to be synchronised.

    Parameters
    ----------
    captures : sequence of Path
        Capture folders.
    out : Path
        Folder of sessions.
    resume : bool
        Skip captures whose session, made from the same capture, is in ``out`` already. A refused capture has no
        session and is processed again.

    Raises
    ------
    UsageError
        Two captures would make a session of the same name.
    """
    names: dict[str, Path] = {}
    done: dict[Path, dict[str, Any]] = {}
    for folder in captures:
        try:
            with Capture.open(folder) as capture:
                name, identity = session_name(capture), str(capture.meta.get("capture_uuid", ""))
        except MiaError:
            continue  # the error is reported when the capture is processed
        if name in names:
            raise UsageError(
                f"{names[name]} and {folder} would make the same session {name}.h5",
                "their subject and time stamp are the same",
                "run them separately, into two --out folders",
            )
        names[name] = folder
        session_path = out / f"{name}.h5"
        if resume and session_path.exists():
            made = _as_done(folder, session_path, identity)
            if made is not None:
                done[folder] = made
    return Plan(captures=tuple(captures), done=done)


def _as_done(folder: Path, session_path: Path, identity: str) -> dict[str, Any] | None:
    """Return the result of an existing session if it was made from this capture, else None."""
    try:
        session = read_session(session_path)
    except MiaError:
        return None
    made_of = {str(step.get("capture_uuid", "")) for step in session.provenance}
    if not identity or identity not in made_of:
        return None
    return {
        "capture": str(folder), "session": str(session_path), "report": str(session_path.with_suffix(".html")),
        "subject": session.subject, "zero_host_ns": session.zero_host_ns, "verdict": session.verdict,
        "reasons": [session.verdict_reason], "exit_code": 0, "error": None, "resumed": True,
        "streams": {name: stream_dict(sync) for name, sync in session.sync.items()},
    }  # fmt: skip


def sync_one(capture: str, out: str, options: SyncOptions, progress: Progress | None = None) -> dict[str, Any]:
    """Synchronise one capture and return what ``--json`` prints for it; errors are included, not raised."""
    try:
        result = run_capture(Path(capture), Path(out), options, progress)
    except MiaError as error:
        return failed(capture, error)
    except Exception as error:  # noqa: BLE001 - a bug shows as exit code 1, with its traceback
        return failed(capture, MiaError(f"internal error: {error!r}", traceback.format_exc()), exit_code=EXIT_BUG)
    return result.as_dict()


def _at_work(capture: str, out: str, options: SyncOptions, sent_from: str | None) -> dict[str, Any]:
    """Synchronise one capture in a worker.

    ``sent_from`` is the machine that can access the capture, as the worker should; None if it cannot either, and
    reading the capture reports the error.
    """
    unseen = [folder for folder in (capture, out) if not Path(folder).is_dir()]
    if unseen and sent_from is not None:
        return failed(
            capture,
            InputError(
                f"a worker on {socket.gethostname()} cannot access {unseen[0]}",
                f"it exists on {sent_from}",
                "captures and --out must be in folders that all machines share under the same path",
            ),
        )
    return sync_one(capture, out, options)


def failed(capture: str, error: MiaError, exit_code: int | None = None) -> dict[str, Any]:
    """Return the object of a capture that could not be synchronised."""
    return {
        "capture": capture, "session": None, "report": None, "subject": None, "zero_host_ns": None,
        "verdict": "FAIL", "reasons": [error.what if exit_code else str(error)],
        "exit_code": error.exit_code if exit_code is None else exit_code, "error": error.as_dict(), "streams": {},
    }  # fmt: skip


def run_many(
    captures: Sequence[Path],
    out: Path,
    options: SyncOptions,
    batch: BatchOptions = BatchOptions(),
    *,
    each: Callable[[dict[str, Any]], None] = lambda result: None,
) -> list[dict[str, Any]]:
    """Synchronise captures in worker processes and return their results in the order given.

    Parameters
    ----------
    captures : sequence of Path
    out : Path
    options : SyncOptions
    batch : BatchOptions
        Its worker processes, or its scheduler.
    each : callable
        Called with each result when it is ready.

    Raises
    ------
    MissingDependencyError
        A scheduler is named, and ``dask[distributed]`` is not installed.
    UsageError
        The scheduler does not respond.
    InputError
        ``out`` cannot be created.
    MiaError
        No worker process could be started on this machine.
    """
    sent_from = socket.gethostname()
    tasks = [
        cluster.Task(
            name=f"{capture.parent.name}_{capture.name}",
            arguments=(str(capture.resolve()), str(out.resolve()), options, sent_from if capture.is_dir() else None),
        )
        for capture in captures
    ]
    results: dict[int, dict[str, Any]] = {}
    with cluster.workers(batch.jobs or 1, batch.scheduler) as workers:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(out, error) from error
        for k, found in workers.run(_at_work, tasks):
            results[k] = _result_of(found, str(captures[k]))
            each(results[k])
    return [results[k] for k in range(len(captures))]


def _result_of(found: dict[str, Any] | cluster.Lost, capture: str) -> dict[str, Any]:
    """Return a worker's result, or the error that ended it; other captures are not affected."""
    if isinstance(found, cluster.Lost):
        return failed(capture, MiaError(f"{capture} was abandoned", found.why, found.hint))
    return {**found, "capture": capture}
