"""Errors of predictions: RMSE and R2 of ``metrics.json``, and the sums that the experiments' bootstrap uses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from dataset.support.arrays import BoolArray, FloatArray
from dataset.windows import Windows
from model.baselines import predict_baselines


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorSums:
    """Sums over windows and frames, each of shape (R, E, C): recordings, exercises, channels.

    All results of the experiments and their intervals are computed from these.

    Attributes
    ----------
    n : number of measured values
    sse : squared error, counts squared
    sse_z : squared error in units of the subject's standard deviation in the known windows (new subject: test part)
    sse_shape : squared difference of truth and prediction, each standardised within the subject
    total, square : sums of the measured values and of their squares
    """

    n: FloatArray
    sse: FloatArray
    sse_z: FloatArray
    sse_shape: FloatArray
    total: FloatArray
    square: FloatArray

    def __add__(self, other: ErrorSums) -> ErrorSums:
        return ErrorSums(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})


class Errors:
    """Errors of predictions on test windows, in the channels' unit and in within-subject standard deviations.

    Parameters
    ----------
    known : Windows
        Training windows; each subject's standard deviation is computed from them.
    test : Windows
    predicted : ndarray, shape (N, T, C)
        In the channels' unit.
    """

    def __init__(self, known: Windows, test: Windows, predicted: FloatArray) -> None:
        self.test = test
        self.predicted = predicted
        self.raw = np.where(test.valid, predicted - test.emg, np.nan)  # (N, T, C), NaN where not measured
        self._known = known

    @cached_property
    def z(self) -> FloatArray:
        """Errors in standard deviations of the subject and channel, shape (N, T, C); NaN where undefined."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.raw / subject_spread(self._known, self.test)[:, None])

    def rmse(self) -> float | None:
        """Return the RMSE over windows, frames and channels."""
        return rms(self.raw)

    def rmse_z(self) -> float | None:
        """Return the RMSE in standard deviations of the subject and channel."""
        return rms(self.z)

    def rmse_by_exercise(self) -> dict[str, float | None]:
        """Return the RMSE within each exercise."""
        return {str(name): rms(self.raw[self.test.exercise == name]) for name in np.unique(self.test.exercise)}

    def rmse_by_channel(self) -> dict[str, float | None]:
        """Return the RMSE within each channel."""
        return {name: rms(self.raw[..., c]) for c, name in enumerate(self.test.channels)}

    def r2_by_channel(self) -> dict[str, float | None]:
        """Return R2 of each channel, against the test part's own mean."""
        return {name: _r2(self.raw[..., c], self.test.emg[..., c]) for c, name in enumerate(self.test.channels)}

    def sums(self, exercises: Sequence[str]) -> ErrorSums:
        """Return the sums by recording, exercise and channel; ``exercises`` must name all of the test part."""
        test, valid = self.test, self.test.valid
        place = (test.recording, np.searchsorted(np.array(exercises), test.exercise))

        def summed(values: FloatArray | BoolArray) -> FloatArray:
            out = np.zeros((len(test.recordings), len(exercises), len(test.channels)))
            np.add.at(out, place, values.sum(1))
            return out

        there = np.where(valid, test.emg, 0.0)
        return ErrorSums(
            n=summed(valid),
            sse=summed(np.where(valid, self.raw, 0.0) ** 2),
            sse_z=summed(np.nan_to_num(np.where(valid, self.z, 0.0)) ** 2),
            sse_shape=summed(np.where(valid, self._shape(), 0.0) ** 2),
            total=summed(there),
            square=summed(there**2),
        )

    def _shape(self) -> FloatArray:
        """Return predictions minus truth, both standardised within the subject and channel."""
        shape = np.zeros_like(self.raw)
        for name in np.unique(self.test.subject):
            mine = self.test.subject == name
            valid = self.test.valid[mine]
            shape[mine] = _standard(self.predicted[mine], valid) - _standard(self.test.emg[mine], valid)
        return shape


def measure(train: Windows, test: Windows, predicted: FloatArray, *, seed: int = 0) -> dict[str, Any]:
    """Return RMSE and R2 of predictions for the test windows, and the RMSE of the baselines.

    Parameters
    ----------
    train : Windows
        Training windows; baselines and within-subject standard deviations are computed from them.
    test : Windows
    predicted : ndarray, shape (N, T, C)
        In the channels' unit.
    seed : int
        Seed of the ``random`` baseline.

    Returns
    -------
    dict
        ``rmse``: root mean square error over windows, frames and channels, in the channels' unit.
        ``rmse_per_exercise``, ``rmse_per_channel``: the same within each; ``rmse_mean_exercises``: the mean of the
        former. ``rmse_normalised``: the RMSE in standard deviations of the same subject and channel in training (of
        the test part for a new subject). ``r2``: by channel, relative to the test part's own mean. ``floors``:
        ``rmse`` of each baseline. Values that were not measured are ignored; undefined numbers are None.
    """
    errors = Errors(train, test, predicted)
    exercises = errors.rmse_by_exercise()
    known = [value for value in exercises.values() if value is not None]
    return {
        "rmse": errors.rmse(),
        "rmse_per_exercise": exercises,
        "rmse_per_channel": errors.rmse_by_channel(),
        "rmse_mean_exercises": float(np.mean(known)) if known else None,
        "rmse_normalised": errors.rmse_z(),
        "r2": errors.r2_by_channel(),
        "floors": {
            name: Errors(train, test, baseline).rmse()
            for name, baseline in predict_baselines(train, test, seed=seed).items()
        },
    }


def rms(error: FloatArray) -> float | None:
    """Return the root mean square of the finite values; None if there are none."""
    there = error[np.isfinite(error)]
    return math.sqrt(float(np.mean(there**2))) if there.size else None


def _r2(error: FloatArray, truth: FloatArray) -> float | None:
    there = np.isfinite(error)
    if not there.any():
        return None
    total = float(np.sum((truth[there] - truth[there].mean()) ** 2))
    return 1.0 - float(np.sum(error[there] ** 2)) / total if total > 0 else None


def subject_spread(train: Windows, test: Windows) -> FloatArray:
    """Return each test window's within-subject standard deviations, shape (N, C); NaN where undefined."""
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


def _standard(values: FloatArray, valid: BoolArray) -> FloatArray:
    """Return values standardised per channel (mean 0, standard deviation 1); 0 where they do not vary."""
    count = np.maximum(valid.sum((0, 1)), 1)
    mean = np.where(valid, values, 0.0).sum((0, 1)) / count
    sd = np.sqrt((np.where(valid, values - mean, 0.0) ** 2).sum((0, 1)) / count)
    return np.where(sd > 1e-9, (values - mean) / np.where(sd > 1e-9, sd, 1.0), 0.0)
