"""Training, validation and test part of each comparison; no two of them share a frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataset.splits import inferred_stride, shares_frames, split_windows
from dataset.support.arrays import BoolArray, IntArray
from dataset.support.errors import InputError
from dataset.windows import Windows

#: With as many recordings of every subject whole recordings are held out; with fewer, time.
_ENOUGH_RECORDINGS = 5
_HELD_SHARE = 0.2
_NONE: IntArray = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Three parts of a set of windows, as ascending indices; no window shares a frame with one of another part.

    Attributes
    ----------
    train : ndarray of int64
        What weights are learned from.
    validation : ndarray of int64
        What learning rates and checkpoints are chosen by.
    test : ndarray of int64
    how : str
        How they were made, for people.
    """

    train: IntArray
    validation: IntArray
    test: IntArray
    how: str

    @property
    def known(self) -> IntArray:
        """Training and validation part together: what baselines may take values from."""
        return np.union1d(self.train, self.validation)


def parts_of(windows: Windows, name: str) -> Parts:
    """Return the parts called ``name``.

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
        No parts of that name, or one of them would be empty.
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
    # Whatever the rule, what shares a frame is dropped: the guarantee is not left to the rule.
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
    return Parts(train=train, validation=validation, test=test, how=f"test: {how}; validation: {how_chosen}")


def _divide(windows: Windows, rows: IntArray) -> tuple[IntArray, IntArray, str]:
    """Return what is kept of ``rows``, what is held out, and how."""
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
    try:
        split = split_windows(windows.take(group), "time")
    except InputError:
        stride = inferred_stride(windows.take(group), int(windows.recording[group[0]]))
        between = 0 if stride is None else int(np.ceil(windows.length / stride))
        out = int(np.ceil(_HELD_SHARE * (len(group) - between)))
        if out < 1 or len(group) - between - out < 1:  # too few windows to hold any out
            return group, _NONE
        return group[: len(group) - between - out], group[len(group) - out :]
    return group[split.train], group[split.test]


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
