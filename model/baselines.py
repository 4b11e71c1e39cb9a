"""Baselines that a model must beat: a random window, channel means, and the nearest neighbour by skeleton.

``random`` and ``nn`` are the paper's. Baselines are computed on the same windows as the model, with the same metrics.
"""

from __future__ import annotations

import numpy as np

from dataset.pose.skeleton import JOINT
from dataset.support.arrays import FloatArray, IntArray
from dataset.windows import Windows

#: The baselines, in the order of tables.
BASELINES = ("random", "mean", "subject_mean", "nn", "nn_subject")

_ROWS_AT_ONCE = 512


def predict_baselines(train: Windows, test: Windows, *, seed: int = 0) -> dict[str, FloatArray]:
    """Return each baseline's prediction for the test windows, shape (N, L, C) each.

    ``random``: the sEMG of a random training window of the same exercise (of any exercise if there is none).
    ``mean``: the training mean of each channel. ``subject_mean``: the training mean of the same subject (``mean`` for
    a new subject). ``nn``: the sEMG of the training window whose skeleton has the lowest mean squared error over the
    whole window. ``nn_subject``: the same among the subject's windows (among all for a new subject). Values missing in
    the chosen window are taken from the mean.
    """
    mean = channel_means(train.emg)
    by_subject = {name: channel_means(train.emg[train.subject == name], mean) for name in np.unique(train.subject)}
    everybody = np.arange(len(train))
    shape = test.emg.shape
    nearest = nearest_windows(train, test, everybody, np.arange(len(test)))
    own = nearest.copy()
    for name in np.unique(test.subject):
        mine, theirs = np.flatnonzero(test.subject == name), np.flatnonzero(train.subject == name)
        if len(theirs):
            own[mine] = nearest_windows(train, test, theirs, mine)
    subject_mean = np.stack([by_subject.get(name, mean) for name in test.subject])[:, None]
    return {
        "random": _filled(train.emg[_random_windows(train, test, seed)], mean),
        "mean": np.broadcast_to(mean, shape).copy(),
        "subject_mean": np.broadcast_to(subject_mean, shape).copy(),
        "nn": _filled(train.emg[nearest], mean),
        "nn_subject": _filled(train.emg[own], mean),
    }


def nearest_windows(train: Windows, test: Windows, candidates: IntArray, queries: IntArray) -> IntArray:
    """Return for each query the candidate with the nearest skeleton, by mean squared error; indices into ``train``.

    3D joints are compared directly: pose networks give them relative to the body's centre. 2D keypoints are compared
    relative to the mid-hip, since the position in the picture is not part of the pose. Keypoints missing in either are
    left out of the mean; shape (len(queries),).
    """
    a, a_there = _flat(train, candidates)
    out = np.empty(len(queries), dtype=np.int64)
    a_square = (a * a).T
    for start in range(0, len(queries), _ROWS_AT_ONCE):
        rows = queries[start : start + _ROWS_AT_ONCE]
        b, b_there = _flat(test, rows)
        square = (b * b) @ a_there.T - 2.0 * (b @ a.T) + b_there @ a_square
        count = b_there @ a_there.T
        distance = np.where(count > 0, square / np.maximum(count, 1.0), np.inf)
        out[start : start + len(rows)] = candidates[np.argmin(distance, axis=1)]
    return out


def _flat(windows: Windows, rows: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return coordinates with 0 for missing ones, and a mask that is 1 for present ones; shape (N, L*25*D)."""
    joints = windows.keypoints[rows].astype(np.float64)
    if joints.shape[-1] == 2:
        joints = joints - joints[:, :, JOINT["mid_hip"], None]
    flat = joints.reshape(len(rows), -1)
    there = np.isfinite(flat)
    return np.where(there, flat, 0.0), there.astype(np.float64)


def _random_windows(train: Windows, test: Windows, seed: int) -> IntArray:
    draw = np.random.default_rng(seed)
    chosen = np.empty(len(test), dtype=np.int64)
    for i, exercise in enumerate(test.exercise):
        same = np.flatnonzero(train.exercise == exercise)
        chosen[i] = draw.choice(same if len(same) else len(train))
    return chosen


def channel_means(emg: FloatArray, instead: FloatArray | None = None) -> FloatArray:
    """Return the mean of each channel, shape (C,); a channel without values takes ``instead``, or 0."""
    count = np.isfinite(emg).sum((0, 1))
    mean = np.nansum(emg, axis=(0, 1)) / np.maximum(count, 1)
    return np.where(count > 0, mean, 0.0 if instead is None else instead)


def _filled(emg: FloatArray, mean: FloatArray) -> FloatArray:
    return np.where(np.isfinite(emg), emg, mean)
