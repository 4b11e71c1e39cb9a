"""Splits of windows into training, validation and test parts that share no frame.

:func:`split_windows` is what ``mia-train fit`` divides by, :func:`split_for_experiment` what the experiments do, which
need a validation part too; :func:`windows_not_trained_on` divides the windows of a later evaluation.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset.exercises import canonical_exercise
from dataset.support.arrays import BoolArray, IntArray
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

#: Of an experiment: with as many recordings of every subject whole recordings are held out; with fewer, time.
_ENOUGH_RECORDINGS = 5
_HELD_SHARE = 0.2

_NONE: IntArray = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Parts of a set of windows; no window shares a frame with one of another part.

    Attributes
    ----------
    name : str
    train : ndarray of int64
        Windows for training; indices into the windows, ascending, as in the other parts.
    validation : ndarray of int64
        Windows to choose learning rates and checkpoints by; empty if nothing is chosen.
    test : ndarray of int64
    how : str
        The rule in words.
    embargo_frames : int
        Frames between the training part's last window start and the test part's first that are left out; 0 where
        the parts are apart anyway.
    seed : int
    held_out : tuple of str
        Recordings, exercises or subjects of the test part; empty where the rule names none.
    n_dropped : int
        Windows in no part.
    """

    name: str
    train: IntArray
    validation: IntArray
    test: IntArray
    how: str
    embargo_frames: int = 0
    seed: int = 0
    held_out: tuple[str, ...] = ()
    n_dropped: int

    @property
    def known(self) -> IntArray:
        """Training and validation part together: what baselines may take values from."""
        return np.union1d(self.train, self.validation)


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
        validation=_NONE,
        test=test,
        how=SPLITS[name],
        embargo_frames=embargo,
        seed=seed,
        held_out=chosen,
        n_dropped=len(windows) - len(train) - len(test),
    )


def split_for_experiment(windows: Windows, name: str) -> Split:
    """Divide windows into a training, a validation and a test part, by the rule called ``name``.

    ``in-distribution``: everybody and everything in each part. ``exercise:E``: exercise E is the test part.
    ``subject:S``: subject S is. ``source:S``: subject S alone, nobody else. ``target:S:E,F``: subject S, of whom only
    exercises E and F are learned from, and all are tested.

    Where every subject has at least five recordings, a fifth of them is held out whole. Otherwise a fifth of each
    subject's passes of each exercise, evenly spaced, and of them what lies a window's length from the others. Where
    there is one pass only, the last fifth of its windows (of what lies beyond the embargo, where that would be none),
    and where they overlap as many are dropped between the parts as a window is long. The validation part is taken from
    what is left in the same way.

    Raises
    ------
    InputError
        No rule of that name, or one part would be empty.
    """
    kind, _, what = name.partition(":")
    everything = np.arange(len(windows))
    if kind == "in-distribution":
        rest, test, how = _divide(windows, everything)
    elif kind in ("exercise", "subject"):
        labels = windows.exercise if kind == "exercise" else windows.subject
        rest, test, how = everything[labels != what], everything[labels == what], f"{kind} left out"
    elif kind in ("source", "target"):
        subject, _, exercises = what.partition(":")
        rest, test, how = _divide(windows, everything[windows.subject == subject])
        if kind == "target":
            rest = rest[np.isin(windows.exercise[rest], exercises.split(","))]
    else:
        raise InputError(f"no parts {name!r}")
    train, validation, how_chosen = _divide(windows, rest)
    # Whatever the rule, windows that share a frame are dropped: the guarantee does not depend on the rule.
    train_or_validation = np.union1d(train, validation)
    test = test[~shares_frames(windows, train_or_validation, test)]
    validation = validation[~shares_frames(windows, train, validation)]
    for part, indices in (("training", train), ("validation", validation), ("test", test)):
        if not len(indices):
            raise InputError(
                f"the {part} part of {name!r} would be empty",
                f"of {len(windows)} windows",
                "give longer or more sessions",
            )
    return Split(
        name=name,
        train=train,
        validation=validation,
        test=test,
        how=f"test: {how}; validation: {how_chosen}",
        held_out=(what,) if kind in ("exercise", "subject") else (),
        n_dropped=len(windows) - len(train) - len(validation) - len(test),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedOn:
    """A recording that a model was fitted on, and the windows of it that were held out for testing.

    Attributes
    ----------
    recording : int
        Index into the recordings of the windows to divide.
    test_rows : sequence of int
        First rows of the test windows.
    """

    recording: int
    test_rows: Sequence[int]


def windows_not_trained_on(windows: Windows, fitted: Sequence[TrainedOn]) -> IntArray:
    """Return the windows for evaluating a model: of recordings it was fitted on, only its test windows."""
    keep = np.ones(len(windows), dtype=np.bool_)
    for one in fitted:
        mine = windows.recording == one.recording
        keep[mine] = np.isin(windows.start_row[mine], one.test_rows)
    return np.flatnonzero(keep)


def shares_frames(windows: Windows, train: IntArray, test: IntArray) -> BoolArray:
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


def _by_time(windows: Windows) -> tuple[BoolArray, BoolArray, int]:
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


def _by_pass(windows: Windows) -> tuple[BoolArray, BoolArray]:
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


def _divide(windows: Windows, rows: IntArray) -> tuple[IntArray, IntArray, str]:
    """Return the kept and the held-out part of ``rows``, and the rule."""
    recordings = {s: np.unique(windows.recording[rows[windows.subject[rows] == s]]) for s in _names(windows, rows)}
    if recordings and min(map(len, recordings.values())) >= _ENOUGH_RECORDINGS:
        held = [r for mine in recordings.values() for r in mine[-int(np.ceil(_HELD_SHARE * len(mine))) :]]
        is_held = np.isin(windows.recording[rows], held)
        return rows[~is_held], rows[is_held], "the last fifth of each subject's recordings"
    kept, out = [_NONE], [_NONE]
    for subject in recordings:
        mine = rows[windows.subject[rows] == subject]
        for exercise in np.unique(windows.exercise[mine]):
            a, b = _divide_exercise(windows, mine[windows.exercise[mine] == exercise])
            kept.append(a)
            out.append(b)
    return np.sort(np.concatenate(kept)), np.sort(np.concatenate(out)), "a fifth of each subject's each exercise"


def _divide_exercise(windows: Windows, group: IntArray) -> tuple[IntArray, IntArray]:
    """Divide one subject's windows of one exercise: by passes where there are several, else in time."""
    passes, which = np.unique(np.stack([windows.recording[group], windows.run[group]]), axis=1, return_inverse=True)
    n = passes.shape[1]
    if n < 2:
        return _divide_in_time(windows, group)
    count = int(np.ceil(_HELD_SHARE * n))
    held = np.round((np.arange(count) + 1) * n / count).astype(np.int64) - 1  # evenly spaced, the last among them
    is_held = np.isin(which, held)
    kept, out = group[~is_held], group[is_held]
    return kept, out[~_near(windows, kept, out)]


def _divide_in_time(windows: Windows, group: IntArray) -> tuple[IntArray, IntArray]:
    """Divide one pass as ``--split time`` does; where that leaves nothing beyond the embargo, a fifth of the rest."""
    some = windows.take(group)
    is_train, is_test, _ = _by_time(some)
    train, test = np.flatnonzero(is_train), np.flatnonzero(is_test)
    test = test[~shares_frames(some, train, test)]
    if len(train) and len(test):
        return group[train], group[test]
    stride = inferred_stride(some, int(windows.recording[group[0]]))
    between = 0 if stride is None else math.ceil(windows.length / stride)
    out = math.ceil(_HELD_SHARE * (len(group) - between))
    if out < 1 or len(group) - between - out < 1:  # too few windows to hold any out
        return group, _NONE
    return group[: len(group) - between - out], group[len(group) - out :]


def _near(windows: Windows, kept: IntArray, out: IntArray) -> BoolArray:
    """Return which of ``out`` lie less than a window's length from one of ``kept`` in the same recording."""
    start = windows.start_frame
    near = np.zeros(len(out), dtype=np.bool_)
    for recording in np.unique(windows.recording[out]):
        mine = windows.recording[out] == recording
        others = start[kept[windows.recording[kept] == recording]]
        if len(others):
            near[mine] = abs(start[out[mine]][:, None] - others).min(1) < 2 * windows.length
    return near


def _names(windows: Windows, rows: IntArray) -> list[str]:
    return [str(name) for name in np.unique(windows.subject[rows])]
