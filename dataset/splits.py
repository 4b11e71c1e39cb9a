"""Splits of windows into a training and a test part that share no frame."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset.exercises import canonical_exercise
from dataset.support.arrays import IntArray
from dataset.support.errors import InputError
from dataset.windows import Windows

#: Names of the splits and what each holds out.
SPLITS = {
    "time": "the last fifth of each recording",
    "recording": "whole recordings (by default a fifth of them)",
    "exercise": "one exercise, or those named",
    "subject": "one subject, or those named",
    "pass": "every run of an exercise in a recording but the first",
}

_TRAIN_SHARE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Two parts of a set of windows.

    Attributes
    ----------
    name : str
    train, test : ndarray of int64
        Indices into the windows, ascending; the windows they name share no frame.
    embargo_frames : int
        Frames between the training part's last window start and the test part's first that are given up; 0 where
        the parts are apart anyway.
    seed : int
    held_out : tuple of str
        Recordings, exercises or subjects of the test part; empty for ``time`` and ``pass``.
    n_dropped : int
        Windows in neither part.
    """

    name: str
    train: IntArray
    test: IntArray
    embargo_frames: int
    seed: int
    held_out: tuple[str, ...]
    n_dropped: int


def split_windows(windows: Windows, name: str, *, seed: int = 0, held_out: tuple[str, ...] = ()) -> Split:
    """Divide windows into a training and a test part.

    ``time``: in each recording the first ``int(0.8 n)`` windows train; where its windows overlap, ``ceil(length /
    stride)`` windows are dropped from the start of the test part (the stride is inferred from the windows' times).
    ``recording``, ``exercise``, ``subject``: what ``held_out`` names is the test part; where it names nothing the seed
    chooses (one exercise, one subject, a fifth of the recordings). ``pass``: in each recording the first run of each
    exercise trains, later runs test. Whatever the split, a test window that still shares a frame with a training
    window is dropped.

    Raises
    ------
    InputError
        No such split, nothing of that name to hold out, or one part would be empty.
    """
    embargo = 0
    chosen: tuple[str, ...] = ()
    if name == "time":
        is_train, is_test, embargo = _by_time(windows)
    elif name == "pass":
        is_train, is_test = _by_pass(windows)
    elif name in ("recording", "exercise", "subject"):
        labels = {
            "recording": np.array(windows.recordings, dtype=np.str_)[windows.recording],
            "exercise": windows.exercise,
            "subject": windows.subject,
        }[name]
        chosen = _chosen(labels, name, held_out, seed)
        is_test = np.isin(labels, chosen)
        is_train = ~is_test
    else:
        raise InputError(f"no split {name!r}", f"there are: {', '.join(SPLITS)}")
    train, test = np.flatnonzero(is_train), np.flatnonzero(is_test)
    test = test[~shares_frames(windows, train, test)]
    if not len(train) or not len(test):
        raise InputError(
            f"--split {name} leaves no window to {'train' if not len(train) else 'test'} on",
            f"{len(windows)} windows from {len(windows.recordings)} recordings",
            _advice(name),
        )
    return Split(
        name=name,
        train=train,
        test=test,
        embargo_frames=embargo,
        seed=seed,
        held_out=chosen,
        n_dropped=len(windows) - len(train) - len(test),
    )


def shares_frames(windows: Windows, train: IntArray, test: IntArray) -> NDArray[np.bool_]:
    """Return, for each index in ``test``, whether that window shares a frame with a window of ``train``."""
    start = windows.start_frame
    shared = np.zeros(len(test), dtype=np.bool_)
    for recording in np.unique(windows.recording[test]):
        mine = windows.recording[test] == recording
        others = np.sort(start[train[windows.recording[train] == recording]])
        if not len(others):
            continue
        first = start[test[mine]]
        nearest = np.searchsorted(others, first)
        after = others[np.minimum(nearest, len(others) - 1)]
        before = others[np.maximum(nearest - 1, 0)]
        shared[mine] = (abs(after - first) < windows.length) | (abs(before - first) < windows.length)
    return shared


def inferred_stride(windows: Windows, recording: int) -> int | None:
    """Return the commonest distance in frames between overlapping neighbours, or None where none overlap."""
    start = windows.start_frame[windows.recording == recording]
    steps = Counter(int(step) for step in np.diff(start) if 0 < step < windows.length)
    return steps.most_common(1)[0][0] if steps else None


def _by_time(windows: Windows) -> tuple[NDArray[np.bool_], NDArray[np.bool_], int]:
    is_train = np.zeros(len(windows), dtype=np.bool_)
    is_test = np.zeros(len(windows), dtype=np.bool_)
    embargo_frames = 0
    for recording in range(len(windows.recordings)):
        mine = np.flatnonzero(windows.recording == recording)
        n_train = int(_TRAIN_SHARE * len(mine))
        is_train[mine[:n_train]] = True
        stride = inferred_stride(windows, recording)
        dropped = 0 if stride is None else math.ceil(windows.length / stride)
        if stride is not None and dropped:
            # In short recordings of many short runs the embargo would take the whole test part, most of it from runs
            # that lie apart from the training part anyway: there, only windows that share frames are dropped.
            dropped = dropped if n_train + dropped < len(mine) else 0
            embargo_frames = max(embargo_frames, dropped * stride)
        is_test[mine[n_train + dropped :]] = True
    return is_train, is_test, embargo_frames


def _by_pass(windows: Windows) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    is_train = np.zeros(len(windows), dtype=np.bool_)
    for recording in range(len(windows.recordings)):
        mine = windows.recording == recording
        for exercise in np.unique(windows.exercise[mine]):
            runs = mine & (windows.exercise == exercise)
            is_train |= runs & (windows.run == windows.run[runs].min())
    return is_train, ~is_train


def _chosen(labels: NDArray[np.str_], name: str, held_out: tuple[str, ...], seed: int) -> tuple[str, ...]:
    there = [str(label) for label in np.unique(labels) if label != ""]
    if held_out:
        wanted = tuple(canonical_exercise(label) if name == "exercise" else label for label in held_out)
        unknown = [label for label in wanted if label not in there]
        if unknown:
            raise InputError(f"no {name} {', '.join(unknown)} to hold out", f"there are: {', '.join(there)}")
        return wanted
    if len(there) < 2:
        raise InputError(
            f"--split {name} needs at least two {name}s", f"there is {'one' if there else 'none'}", _advice(name)
        )
    count = math.ceil((1 - _TRAIN_SHARE) * len(there)) if name == "recording" else 1
    picked = np.random.default_rng(seed).choice(len(there), size=count, replace=False)
    return tuple(there[i] for i in sorted(picked))


def _advice(name: str) -> str:
    if name == "pass":
        return "record every exercise at least twice, or use --split time"
    if name == "time":
        return "record longer, or use --split pass"
    return "add sessions, or use --split time"
