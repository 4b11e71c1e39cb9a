"""How good predictions are: the errors that ``metrics.json`` holds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dataset.support.arrays import FloatArray
from dataset.windows import Windows
from model.baselines import predict_baselines


def measure(train: Windows, test: Windows, predicted: FloatArray, *, seed: int = 0) -> dict[str, Any]:
    """Return the errors of predictions for the test windows, and those of the baselines.

    Parameters
    ----------
    train : Windows
        What was learned from: the baselines and the within-subject spread come from it.
    test : Windows
    predicted : ndarray, shape (N, L, C)
        In the channels' unit.
    seed : int
        Of the ``random`` baseline.

    Returns
    -------
    dict
        ``rmse``: root of the mean square over windows, frames and channels, in the channels' unit.
        ``rmse_per_exercise``, ``rmse_per_channel``: the same within each; ``rmse_mean_exercises``: the mean of the
        former. ``rmse_normalised``: the error in standard deviations of the same subject and channel in training (in
        the test part where the subject is new). ``r2``: by channel, against the test part's own mean. ``floors``:
        ``rmse`` of each. Values that were not measured count nowhere; a number that does not exist is None.
    """
    error = np.where(test.valid, predicted - test.emg, np.nan)
    exercises = {str(name): _rms(error[test.exercise == name]) for name in np.unique(test.exercise)}
    known = [value for value in exercises.values() if value is not None]
    return {
        "rmse": _rms(error),
        "rmse_per_exercise": exercises,
        "rmse_per_channel": {name: _rms(error[..., c]) for c, name in enumerate(test.channels)},
        "rmse_mean_exercises": float(np.mean(known)) if known else None,
        "rmse_normalised": _rms(error / subject_spread(train, test)[:, None]),
        "r2": {name: _r2(error[..., c], test.emg[..., c]) for c, name in enumerate(test.channels)},
        "floors": {
            name: _rms(np.where(test.valid, baseline - test.emg, np.nan))
            for name, baseline in predict_baselines(train, test, seed=seed).items()
        },
    }


def _rms(error: FloatArray) -> float | None:
    there = error[np.isfinite(error)]
    return math.sqrt(float(np.mean(there**2))) if there.size else None


def _r2(error: FloatArray, truth: FloatArray) -> float | None:
    there = np.isfinite(error)
    if not there.any():
        return None
    total = float(np.sum((truth[there] - truth[there].mean()) ** 2))
    return 1.0 - float(np.sum(error[there] ** 2)) / total if total > 0 else None


def subject_spread(train: Windows, test: Windows) -> FloatArray:
    """Return each test window's within-subject standard deviations, shape (N, C); NaN where there is none."""
    spread = np.full((len(test), len(test.channels)), np.nan)
    for name in np.unique(test.subject):
        mine = test.subject == name
        theirs = train.emg[train.subject == name]
        emg = theirs if len(theirs) else test.emg[mine]
        count = np.isfinite(emg).sum((0, 1))
        mean = np.nansum(emg, axis=(0, 1)) / np.maximum(count, 1)
        sd = np.sqrt(np.nansum((emg - mean) ** 2, axis=(0, 1)) / np.maximum(count, 1))
        spread[mine] = np.where(sd > 0, sd, np.nan)
    return spread
