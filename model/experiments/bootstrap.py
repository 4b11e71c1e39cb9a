"""95 % intervals of errors by a bootstrap over recordings and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from dataset.support.arrays import BoolArray, FloatArray
from model.evaluation import ErrorSums

#: Draws of the bootstrap.
DRAWS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value and its 95 % bootstrap interval; None where it does not exist.

    With a single recording nothing can be resampled, and there is no interval.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """Weights of recordings and seeds in each bootstrap draw: first all once, then drawn with replacement.

    Recordings are resampled, not windows: neighbouring windows are similar, so an interval from windows would be too
    narrow for a new recording.
    """

    recordings: FloatArray  # (1 + DRAWS, R)
    seeds: FloatArray  # (1 + DRAWS, S)


def draws(there: BoolArray, n_seeds: int, *, seed: int = 0) -> Draws:
    """Return draws over the recordings that have test windows, shape (R,), and over seeds."""
    draw = np.random.default_rng(seed)
    rows = np.flatnonzero(there)
    recordings = np.zeros((1 + DRAWS, len(there)))
    recordings[:, rows] = np.vstack([np.ones(len(rows)), draw.multinomial(len(rows), _even(len(rows)), DRAWS)])
    seeds = np.vstack([np.ones(n_seeds), draw.multinomial(n_seeds, _even(n_seeds), DRAWS)])
    return Draws(recordings=recordings, seeds=seeds)


def _even(n: int) -> FloatArray:
    return np.full(n, 1.0 / n)


class Summary:
    """One system's metrics over its seeds, with bootstrap intervals.

    Parameters
    ----------
    runs : sequence of ErrorSums
        One per seed.
    """

    def __init__(self, runs: Sequence[ErrorSums]) -> None:
        self._runs = tuple(runs)
        self.there: BoolArray = np.asarray(runs[0].n.sum((1, 2)) > 0)
        self.n_recordings = int(self.there.sum())
        self.n_seeds = len(runs)
        drawn = draws(self.there, len(runs))
        self._sums = {f.name: self._summed(f.name, drawn) for f in fields(ErrorSums)}  # (1 + DRAWS, E, C) each

    def _summed(self, name: str, drawn: Draws) -> FloatArray:
        total = np.zeros((len(drawn.recordings), *self._runs[0].n.shape[1:]))
        for s, run in enumerate(self._runs):
            part = np.tensordot(drawn.recordings, getattr(run, name), axes=1)
            total += drawn.seeds[:, s, None, None] * part
        return total

    def mean_exercises(self, kind: str = "sse") -> FloatArray:
        """Return the mean over exercises of the RMSE in each; shape (1 + DRAWS,), the value itself first."""
        with np.errstate(invalid="ignore", divide="ignore"):
            each = np.sqrt(self._sums[kind].sum(2) / self._sums["n"].sum(2))  # (1 + DRAWS, E)
        known = np.isfinite(each)
        return np.asarray(np.where(known, each, 0.0).sum(1) / np.maximum(known.sum(1), 1))

    def rmse(self, kind: str = "sse") -> Estimate:
        """Return the mean over exercises of the RMSE, the paper's metric; ``kind`` is a field of ErrorSums."""
        return self._estimate(self.mean_exercises(kind))

    def pooled(self) -> Estimate:
        """Return the RMSE over all windows, frames and channels."""
        return self._root(self._sums["sse"].sum((1, 2)), self._sums["n"].sum((1, 2)))

    def exercise(self, e: int) -> Estimate:
        """Return the RMSE in one exercise."""
        return self._root(self._sums["sse"][:, e].sum(1), self._sums["n"][:, e].sum(1))

    def channel(self, c: int, kind: str = "sse") -> Estimate:
        """Return the RMSE of one channel, all exercises pooled."""
        return self._root(self._sums[kind][..., c].sum(1), self._sums["n"][..., c].sum(1))

    def r2(self, c: int) -> Estimate:
        """Return R2 of one channel, relative to the test part's own mean."""
        n, total, square, sse = (self._sums[k][..., c].sum(1) for k in ("n", "total", "square", "sse"))
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = square - total**2 / n
            return self._estimate(np.where(spread > 1e-9 * square, 1.0 - sse / spread, np.nan))

    def _root(self, sse: FloatArray, n: FloatArray) -> Estimate:
        with np.errstate(invalid="ignore", divide="ignore"):
            return self._estimate(np.sqrt(sse / n))

    def _estimate(self, values: FloatArray) -> Estimate:
        return interval(values, enough=self.n_recordings > 1)


def interval(values: FloatArray, *, enough: bool = True) -> Estimate:
    """Return the first value, with the 2.5th and 97.5th percentile of the others as its interval."""
    if not np.isfinite(values[0]):
        return Estimate(value=None)
    drawn = values[1:][np.isfinite(values[1:])]
    if not enough or not len(drawn):
        return Estimate(value=float(values[0]))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(value=float(values[0]), low=float(low), high=float(high))
