"""Imports the published Muscles in Action windows, one session per subject; overlaps are detected from the data."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dataset.exercises import canonical_exercise
from dataset.muscles import MIA_CHANNELS
from dataset.sensors.profile import find_profile
from dataset.session.file import write_session
from dataset.session.types import Aligned, ChannelTable, EmgStream, EventTable, ExerciseTable, Session
from dataset.support import clock
from dataset.support.errors import InputError, OutputExistsError
from dataset.support.outputs import check_writable
from dataset.support.version import software

#: Rows of a published window, number of its joints that are used, and its rate.
WINDOW_ROWS = 30
N_JOINTS_STORED = 49
N_JOINTS = 25
RATE_HZ = 10.0

#: Pause inserted between windows that share no row; their recording times are not published.
GAP_FRAMES = 10

VERDICT = "WARNING"
VERDICT_REASON = "imported; alignment not verified"

_PARTS = ("train", "val", "test")
_SUBJECT = re.compile(r"Subject(\d+)")
_HINT = "give the folder MIADatasetOfficial, or the folder in it that holds Subject0, Subject1, ..."


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedSession:
    """Result of importing one subject's windows.

    Attributes
    ----------
    path : Path
        The session file.
    subject : str
    n_windows : int
    n_chains : int
        Runs of windows that each overlap the previous one; a single window is a chain of one.
    stride_frames : int or None
        Commonest number of frames between the starts of overlapping windows; None if
        no windows overlap.
    n_masked : int
        sEMG values outside the sensor's range: NaN on the grid, kept as received under ``/emg``.
    exercises : tuple of str
    """

    path: Path
    subject: str
    n_windows: int
    n_chains: int
    stride_frames: int | None
    n_masked: int
    exercises: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    number: int
    exercise: str
    emg: NDArray[np.float64]
    joints: NDArray[np.float64]


def import_mia(
    folder: Path,
    out: Path,
    *,
    progress: Callable[[float], None] | None = None,
    correct: Callable[[Session], Session] | None = None,
    stamp: str | None = None,
) -> tuple[ImportedSession, ...]:
    """Write one session per subject of a published Muscles in Action folder, chaining windows by shared rows.

    Each window becomes one ``segment`` of 30 rows, in the numeric order of the windows' ids. Where a window's rows
    continue those of the previous window (both sEMG and joints), their times overlap; otherwise
    it follows after a pause. Nothing is written unless all windows can be read.

    Parameters
    ----------
    folder : Path
        ``MIADatasetOfficial``, or its subfolder with ``SubjectK/Exercise/ID/``.
    out : Path
        Folder for ``sub-<K>_ses-<STAMP>.h5``.
    progress : callable, optional
        Called with 1 for each window read.
    correct : callable, optional
        Given each subject's session as published, returns the one to write.
    stamp : str, optional
        In the sessions' names; by default the time of the import.

    Raises
    ------
    InputError
        The folder is not one of these, or a file in it is missing or invalid.
    OutputExistsError
        A session of this name exists.
    """
    check_writable(out)
    read = {subject: _read_subject(folders, progress) for subject, folders in sorted(_window_folders(folder).items())}
    stamp = stamp or clock.stamp()
    paths = {subject: out / f"sub-{subject}_ses-{stamp}.h5" for subject in read}
    for path in paths.values():
        if path.exists():
            raise OutputExistsError(f"{path} exists", "sessions are never overwritten", "choose another --out")
    results, done = [], False
    try:
        for subject, windows in read.items():
            starts = _start_frames(windows)
            session = _session(str(subject), windows, starts)
            if correct is not None:
                session = correct(session)
            write_session(paths[subject], session)
            results.append(_result(paths[subject], session, windows, starts))
        done = True
    finally:
        if not done:
            for result in results:
                result.path.unlink(missing_ok=True)
    return tuple(results)


def count_windows(folder: Path) -> int:
    """Return the number of windows that :func:`import_mia` reads, for a progress bar."""
    return sum(len(folders) for folders in _window_folders(folder).values())


# -- reading ------------------------------------------------------------------------------------------------------


def _window_folders(folder: Path) -> Mapping[int, list[tuple[int, str, Path]]]:
    """Return ``(id, exercise, path)`` of every window, by subject, in numeric order of the ids."""
    if not folder.is_dir():
        raise InputError(f"no folder {folder}", "it does not exist or is not a folder", _HINT)
    roots = [root for root in (folder, *(folder / part for part in _PARTS)) if root.is_dir()]
    found: dict[int, list[tuple[int, str, Path]]] = {}
    for root in roots:
        for subject_folder in (f for f in root.iterdir() if f.is_dir()):
            match = _SUBJECT.fullmatch(subject_folder.name)
            if match is None:
                continue
            windows = found.setdefault(int(match[1]), [])
            for exercise in (f for f in subject_folder.iterdir() if f.is_dir()):
                for window in (f for f in exercise.iterdir() if f.is_dir()):
                    if not (window.name.isascii() and window.name.isdigit()):
                        raise InputError(f"{window} is not a window", "a window's folder is named by a number")
                    windows.append((int(window.name), canonical_exercise(exercise.name), window))
    found = {subject: sorted(windows) for subject, windows in found.items() if windows}
    if not found:
        raise InputError(f"no Muscles in Action windows in {folder}", "it has no SubjectK/Exercise/ID folders", _HINT)
    return found


def _read_subject(
    folders: Sequence[tuple[int, str, Path]], progress: Callable[[float], None] | None
) -> tuple[_Window, ...]:
    windows = []
    for number, exercise, path in folders:
        emg = _read_array(path / "emgvalues.npy", (WINDOW_ROWS, len(MIA_CHANNELS)))
        joints = _read_array(path / "joints3d.npy", (WINDOW_ROWS, N_JOINTS_STORED, 3))[:, :N_JOINTS]
        windows.append(_Window(number=number, exercise=exercise, emg=emg, joints=joints))
        if progress is not None:
            progress(1)
    return tuple(windows)


def _read_array(path: Path, shape: tuple[int, ...]) -> NDArray[np.float64]:
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise InputError(f"no {path}", "the window lacks it") from error
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} is not a readable .npy file", str(error)) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise InputError(f"{path} holds no numbers", f"it has type {getattr(array, 'dtype', type(array).__name__)}")
    if array.shape != shape:
        raise InputError(f"{path} has the wrong shape", f"{array.shape}, expected {shape}")
    return array.astype(np.float64)


# -- time ---------------------------------------------------------------------------------------------------------


def _start_frames(windows: Sequence[_Window]) -> NDArray[np.int64]:
    """Return each window's first frame: overlapping if rows are shared, else after a pause."""
    starts = np.zeros(len(windows), dtype=np.int64)
    for i in range(1, len(windows)):
        stride = _shared_stride(windows[i - 1], windows[i])
        starts[i] = starts[i - 1] + (WINDOW_ROWS + GAP_FRAMES if stride is None else stride)
    return starts


def _shared_stride(first: _Window, second: _Window) -> int | None:
    """Return by how many frames ``second`` starts after ``first``, or None if they share no rows.

    At least three rows must agree in sEMG and joints: joints have sub-millimetre resolution, so that
    chance agreement is excluded.
    """
    if first.exercise != second.exercise:
        return None
    for stride in range(WINDOW_ROWS - 2):
        rows = WINDOW_ROWS - stride
        if np.array_equal(first.emg[stride:], second.emg[:rows], equal_nan=True) and np.array_equal(
            first.joints[stride:], second.joints[:rows], equal_nan=True
        ):
            return stride
    return None


def _chains(starts: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the indices of the windows of each chain."""
    breaks = np.flatnonzero(np.diff(starts) >= WINDOW_ROWS) + 1
    return [np.asarray(chain, dtype=np.int64) for chain in np.split(np.arange(len(starts)), breaks)]


def _common_stride(starts: NDArray[np.int64]) -> int | None:
    steps = np.diff(starts)
    overlapping = Counter(int(step) for step in steps if 0 < step < WINDOW_ROWS)
    return overlapping.most_common(1)[0][0] if overlapping else None


# -- the session --------------------------------------------------------------------------------------------------


def _session(subject: str, windows: Sequence[_Window], starts: NDArray[np.int64]) -> Session:
    n, c = len(windows), len(MIA_CHANNELS)
    stream = find_profile("anr-m40").stream
    frames = (starts[:, None] + np.arange(WINDOW_ROWS)).ravel()
    counts = np.concatenate([w.emg for w in windows])
    with np.errstate(invalid="ignore"):
        valid = np.isfinite(counts) & (counts >= (stream.minimum or 0)) & (counts <= (stream.maximum or np.inf))
    names = tuple(channel.name for channel in MIA_CHANNELS)
    unique, first = np.unique(frames, return_index=True)
    chains = _chains(starts)
    blank = ("",) * c
    return Session(
        subject=subject,
        session_uuid=str(uuid.uuid4()),
        created_utc=clock.utc_iso(),
        zero_host_ns=-1,
        verdict=VERDICT,
        verdict_reason=VERDICT_REASON,
        rate_hz=RATE_HZ,
        channels=ChannelTable(
            name=names,
            muscle=tuple(channel.muscle for channel in MIA_CHANNELS),
            side=tuple(channel.side for channel in MIA_CHANNELS),
            unit=(stream.unit,) * c,
            profile=("anr-m40",) * c,
            serial=blank,
            placement=blank,
            electrode=blank,
        ),
        emg={
            name: EmgStream(
                time_s=unique / RATE_HZ,
                value=counts[first, i],
                arrival_s=np.full(len(unique), np.nan),
                index_inferred=False,
            )
            for i, name in enumerate(names)
        },
        events=EventTable(time_s=np.zeros(0), uncertainty_s=np.zeros(0), kind=(), label=(), source=()),
        exercises=ExerciseTable(
            name=tuple(windows[chain[0]].exercise for chain in chains),
            start_s=np.array([starts[chain[0]] / RATE_HZ for chain in chains]),
            stop_s=np.array([(starts[chain[-1]] + WINDOW_ROWS) / RATE_HZ for chain in chains]),
        ),
        sync={},
        aligned=Aligned(
            time_s=frames / RATE_HZ,
            emg=np.where(valid, counts, np.nan),
            emg_valid=valid,
            segment=np.repeat(np.arange(n, dtype=np.int64), WINDOW_ROWS),
            exercise=tuple(w.exercise for w in windows for _ in range(WINDOW_ROWS)),
            keypoints_3d=np.concatenate([w.joints for w in windows]),
        ),
        provenance=(
            {
                "step": "import mia",
                "version": software(),
                "window_ids": [w.number for w in windows],
                "chains": len(chains),
                "stride_frames": _common_stride(starts),
                "gap_between_chains_s": GAP_FRAMES / RATE_HZ,
                "values_out_of_range": int((~valid).sum()),
                "joints": "first 25 of joints3d, BODY_25, metres, y down",
            },
        ),
    )


def _result(path: Path, session: Session, windows: Sequence[_Window], starts: NDArray[np.int64]) -> ImportedSession:
    return ImportedSession(
        path=path,
        subject=session.subject,
        n_windows=len(windows),
        n_chains=len(_chains(starts)),
        stride_frames=_common_stride(starts),
        n_masked=int((~session.aligned.emg_valid).sum()),
        exercises=tuple(sorted({w.exercise for w in windows})),
    )
