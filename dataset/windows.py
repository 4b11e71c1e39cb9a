"""Cuts sessions into windows of fixed length for training and evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.session.types import LONGEST_BRIDGE_S, Aligned, Session
from dataset.support.arrays import BoolArray, FloatArray, IntArray, StrArray, true_runs
from dataset.support.errors import InputError

#: The paper's window: 30 frames at 10 Hz.
LENGTH = 30

#: Starts of neighbouring windows, in frames, where none is asked for: every frame is used as a start in recordings
#: that are short together, every fifth in larger sets.
SHORT_STRIDE, LONG_STRIDE = 1, 5
SHORT_SET_ROWS = 6000

#: A window that lacks more than this share of its keypoints, gaps bridged, is left out.
MOST_MISSING = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """N windows of L frames, in the order of their sessions and of time in each.

    Attributes
    ----------
    keypoints : ndarray of float32, shape (N, L, 25, D)
        D = 3: metres, y down; D = 2: pixels. NaN where a joint was not found.
    image_xy : ndarray of float32, shape (N, L, 25, 2), or None
        2D keypoints divided by the picture's width and height; None where a session has none.
    emg : ndarray, shape (N, L, C)
        In the channels' unit; NaN where not measured.
    valid : ndarray of bool, shape (N, L, C)
    subject, exercise : ndarray of str, shape (N,)
        ``exercise`` is empty where the session labels none.
    recording : ndarray of int64, shape (N,)
        Index into ``recordings``.
    run : ndarray of int64, shape (N,)
        Number of the uninterrupted stretch of one exercise within the recording.
    start_row : ndarray of int64, shape (N,)
        Row of the session's grid at which the window starts.
    start_s, stop_s : ndarray, shape (N,)
        Session time of the first frame, and of the end of the last.
    channels : tuple of str
    unit : str
    recordings : tuple of str
        Names of the recordings, in the order they were given.
    rate_hz : float
    stride : int
        Frames between the starts of neighbouring windows that was asked for.
    n_incomplete : int
        Windows left out because keypoints or all sEMG were missing.
    """

    keypoints: NDArray[np.float32]
    image_xy: NDArray[np.float32] | None
    emg: FloatArray
    valid: BoolArray
    subject: StrArray
    exercise: StrArray
    recording: IntArray
    run: IntArray
    start_row: IntArray
    start_s: FloatArray
    stop_s: FloatArray
    channels: tuple[str, ...]
    unit: str
    recordings: tuple[str, ...]
    rate_hz: float
    stride: int
    n_incomplete: int

    def __len__(self) -> int:
        return len(self.start_row)

    @property
    def length(self) -> int:
        """Frames of a window."""
        return int(self.emg.shape[1])

    @property
    def start_frame(self) -> IntArray:
        """First frame of each window, counted in frames of the recording's own time; shape (N,)."""
        return np.rint(self.start_s * self.rate_hz).astype(np.int64)

    def take(self, indices: IntArray) -> Windows:
        """Return the windows at ``indices``."""
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        picked: dict[str, Any] = {k: v[indices] if isinstance(v, np.ndarray) else v for k, v in values.items()}
        return Windows(**picked)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cut:
    """The windows of one session."""

    keypoints: NDArray[np.float32]
    image_xy: NDArray[np.float32] | None
    emg: FloatArray
    valid: BoolArray
    exercise: StrArray
    run: IntArray
    start_row: IntArray
    start_s: FloatArray
    stop_s: FloatArray
    n_incomplete: int


def windows_from_sessions(
    sessions: Sequence[Session], *, length: int = LENGTH, stride: int | None = None, n_dims: int | None = None
) -> Windows:
    """Cut sessions into windows.

    A window never crosses a segment or exercise boundary. Rows outside every segment (-1) are left out, and, where
    a session labels exercises, rows between them. Gaps of a joint up to 0.5 s are bridged
    linearly within a segment; a window that then lacks more than a fifth of its keypoints, or has no sEMG at all, is
    left out and counted.

    Parameters
    ----------
    sessions : sequence of Session
        With the same channels, units and rate.
    length : int
        Frames of a window.
    stride : int, optional
        Frames between neighbouring starts, counted from the start of each stretch. By default 1 where the sessions
        hold under ten minutes at 10 Hz (6000 rows), else 5.
    n_dims : {2, 3}, optional
        Which keypoints are used. By default 3D where every session has them, else 2D.

    Raises
    ------
    InputError
        No sessions, sessions that do not fit together, or not one whole window in them.
    """
    if not sessions:
        raise InputError("no sessions to cut into windows")
    if length < 1 or (stride is not None and stride < 1):
        raise InputError("a window's length and stride are at least one frame", f"length {length}, stride {stride}")
    _check_alike(sessions)
    rows = sum(len(s.aligned.time_s) for s in sessions)
    step = stride or (SHORT_STRIDE if rows < SHORT_SET_ROWS else LONG_STRIDE)
    in_3d = n_dims == 3 if n_dims else all(s.aligned.keypoints_3d is not None for s in sessions)
    in_picture = all(s.aligned.keypoints_2d is not None and s.video is not None for s in sessions)
    cuts = [_cut(s, length, step, in_3d=in_3d, in_picture=in_picture) for s in sessions]
    counts = [len(cut.start_row) for cut in cuts]
    n_incomplete = sum(cut.n_incomplete for cut in cuts)
    if not sum(counts):
        raise InputError(
            f"no whole window of {length} frames in the session{'s' if len(sessions) > 1 else ''}",
            f"{n_incomplete} lack keypoints or sEMG; the others are cut by gaps or by exercises that are too short",
            "record longer, or with the whole body in the picture",
        )
    first = sessions[0]
    return Windows(
        keypoints=np.concatenate([cut.keypoints for cut in cuts]),
        image_xy=np.concatenate([cut.image_xy for cut in cuts if cut.image_xy is not None]) if in_picture else None,
        emg=np.concatenate([cut.emg for cut in cuts]),
        valid=np.concatenate([cut.valid for cut in cuts]),
        subject=np.repeat(np.array([s.subject for s in sessions]), counts),
        exercise=np.concatenate([cut.exercise for cut in cuts]),
        recording=np.repeat(np.arange(len(sessions)), counts),
        run=np.concatenate([cut.run for cut in cuts]),
        start_row=np.concatenate([cut.start_row for cut in cuts]),
        start_s=np.concatenate([cut.start_s for cut in cuts]),
        stop_s=np.concatenate([cut.stop_s for cut in cuts]),
        channels=first.channels.name,
        unit=first.channels.unit[0] if first.channels.unit else "",
        recordings=tuple(s.name for s in sessions),
        rate_hz=first.rate_hz,
        stride=step,
        n_incomplete=n_incomplete,
    )


def _check_alike(sessions: Sequence[Session]) -> None:
    first = sessions[0]
    seen: dict[str, Session] = {}
    for s in sessions:
        if s.session_uuid in seen:
            raise InputError(
                f"{s.path or s.name} and {seen[s.session_uuid].path or s.name} are the same session",
                "one would be trained on and tested with the other",
                "give each session once",
            )
        seen[s.session_uuid] = s
        for what, one, other in (
            ("channels", first.channels.name, s.channels.name),
            ("units", first.channels.unit, s.channels.unit),
            ("rate", first.rate_hz, s.rate_hz),
        ):
            if one != other:
                raise InputError(
                    f"{s.name} and {first.name} do not fit together",
                    f"their {what} differ: {_words(other)} against {_words(one)}",
                    "train on sessions of one setup",
                )
        if s.aligned.keypoints_2d is None and s.aligned.keypoints_3d is None:
            raise InputError(f"{s.name} has no keypoints", "it was made without a video or without pose")
    if any(s.aligned.keypoints_3d is None for s in sessions) and any(s.aligned.keypoints_2d is None for s in sessions):
        raise InputError("the sessions have no keypoints in common", "some have only 2D, others only 3D")


def _words(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _cut(session: Session, length: int, step: int, *, in_3d: bool, in_picture: bool) -> _Cut:
    grid = session.aligned
    longest = round(LONGEST_BRIDGE_S * session.rate_hz)
    flat = _bridged(grid.keypoints_3d if in_3d else grid.keypoints_2d, grid.segment, longest)
    picture = None
    if in_picture and session.video is not None:
        size = np.array([session.video.width, session.video.height], dtype=np.float64)
        picture = (_bridged(grid.keypoints_2d, grid.segment, longest) / size).astype(np.float32)
    starts, run = _starts(grid, length, step)
    rows = starts[:, None] + np.arange(length)
    keypoints = flat[rows].astype(np.float32)
    valid = grid.emg_valid[rows] & np.isfinite(grid.emg[rows])
    missing = np.isnan(keypoints).any(-1).mean((1, 2))
    complete = (missing <= MOST_MISSING) & valid.any((1, 2))
    rows, starts = rows[complete], starts[complete]
    exercise = np.array(grid.exercise, dtype=np.str_)
    return _Cut(
        keypoints=keypoints[complete],
        image_xy=None if picture is None else picture[rows],
        emg=np.where(valid[complete], grid.emg[rows], np.nan),
        valid=valid[complete],
        exercise=exercise[starts],
        run=run[starts],
        start_row=starts,
        start_s=grid.time_s[starts],
        stop_s=grid.time_s[rows[:, -1]] + 1.0 / session.rate_hz,
        n_incomplete=int((~complete).sum()),
    )


def _starts(grid: Aligned, length: int, step: int) -> tuple[IntArray, IntArray]:
    """Return the starting rows, and the run of each row of the grid: a new one wherever the exercise changes."""
    n = len(grid.time_s)
    exercise = np.array(grid.exercise, dtype=np.str_)
    changed = np.flatnonzero(exercise[1:] != exercise[:-1]) + 1
    run = np.zeros(n, dtype=np.int64)
    run[changed] = 1
    run = np.cumsum(run)
    cuts = np.union1d(changed, np.flatnonzero(np.diff(grid.segment)) + 1)
    edges = [0, *cuts.tolist(), n]
    labelled = bool(np.any(exercise != ""))
    starts = [
        np.arange(a, b - length + 1, step)
        for a, b in pairwise(edges)
        if b - a >= length and grid.segment[a] >= 0 and (exercise[a] != "" or not labelled)
    ]
    return (np.concatenate(starts) if starts else np.zeros(0, dtype=np.int64)), run


def _bridged(keypoints: FloatArray | None, segment: IntArray, longest: int) -> FloatArray:
    """Return keypoints with gaps of at most ``longest`` frames inside a segment bridged; a joint is lost as a whole."""
    if keypoints is None:
        raise InputError("a session lacks the keypoints that are asked for", "it has only 2D, or only 3D")
    filled = np.array(keypoints, dtype=np.float64)
    lost: BoolArray = np.asarray(np.isnan(filled).any(-1))
    filled[lost] = np.nan
    if not lost.any():
        return filled
    for rows in np.split(np.arange(len(filled)), np.flatnonzero(np.diff(segment)) + 1):
        for joint in np.flatnonzero(lost[rows].any(0)):
            _bridge_track(filled, rows, int(joint), lost[rows, joint], longest)
    return filled


def _bridge_track(filled: FloatArray, rows: IntArray, joint: int, lost: BoolArray, longest: int) -> None:
    for a, b in true_runs(lost):
        if a == 0 or b == len(rows) or b - a > longest:
            continue
        share = (np.arange(1, b - a + 1) / (b - a + 1))[:, None]
        before, after = filled[rows[a - 1], joint], filled[rows[b], joint]
        filled[rows[a:b], joint] = before + share * (after - before)
