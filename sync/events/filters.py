"""The zero-phase filters of raw sEMG, for a whole stream or for some of its rows.

What a filter remembers dies away at the pace of its slowest pole. So rows of a long stream are filtered together with
as many values on either side as it takes for the rest to be less than rounding, and come out as they do in the whole.
At a stream's own ends its values are padded as scipy pads them. A constant leaves no trace in either.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy import signal

from dataset.support.arrays import FloatArray


def envelope(value: FloatArray, rate_hz: float, cutoff_hz: float, rows: slice | None = None) -> FloatArray:
    """Return the linear envelope of raw sEMG: band-pass, rectify, low-pass, zero phase.

    Parameters
    ----------
    value : ndarray, shape (N,)
        Finite.
    rate_hz : float
    cutoff_hz : float
        Of the low-pass.
    rows : slice, optional
        The M rows wanted, its start and stop within N; all if not given.

    Returns
    -------
    ndarray, shape (M,)
        Of the rows wanted.
    """
    return _smoothed(np.abs, value, rate_hz, cutoff_hz, rows)


def smoothed_power(value: FloatArray, rate_hz: float, cutoff_hz: float, rows: slice | None = None) -> FloatArray:
    """Return the power of raw sEMG: band-pass, square, low-pass, zero phase; arguments as for :func:`envelope`."""
    return _smoothed(np.square, value, rate_hz, cutoff_hz, rows)


def band(value: FloatArray, rate_hz: float, rows: slice | None = None) -> FloatArray:
    """Return raw sEMG within its own band, 20-450 Hz where the rate allows; arguments as for :func:`envelope`."""
    sos, memory = _butterworth("bandpass", _edges_hz(rate_hz), rate_hz)
    return _of_rows(lambda y: _centred(sos, y), value, rows, memory)


def band_share(rate_hz: float) -> float:
    """Return the share that raw sEMG's own band has of all that the rate allows."""
    low, high = _edges_hz(rate_hz)
    return (high - low) / (0.5 * rate_hz)


def _smoothed(
    rectify: Callable[[FloatArray], FloatArray], value: FloatArray, rate_hz: float, cutoff_hz: float, rows: slice | None
) -> FloatArray:
    in_band, memory = _butterworth("bandpass", _edges_hz(rate_hz), rate_hz)
    low, more = _butterworth("lowpass", cutoff_hz, rate_hz)
    return _of_rows(lambda y: signal.sosfiltfilt(low, rectify(_centred(in_band, y))), value, rows, memory + more)


def _edges_hz(rate_hz: float) -> tuple[float, float]:
    high = min(450.0, 0.45 * rate_hz)
    return min(20.0, 0.4 * high), high


@lru_cache(maxsize=4)
def _butterworth(kind: str, edges_hz: float | tuple[float, float], rate_hz: float) -> tuple[FloatArray, int]:
    """Return a filter's second-order sections, and how many values later nothing is left of one but rounding."""
    sos = signal.butter(2, edges_hz, kind, fs=rate_hz, output="sos")
    slowest = float(np.max(np.abs(signal.sos2zpk(sos)[1])))
    return sos, math.ceil(math.log(np.finfo(np.float64).eps) / math.log(slowest))


def _centred(sos: FloatArray, value: FloatArray) -> FloatArray:
    """Return values less their median, filtered: a large constant would cost digits."""
    return np.asarray(signal.sosfiltfilt(sos, value - np.median(value)))


def _of_rows(
    work: Callable[[FloatArray], FloatArray], value: FloatArray, rows: slice | None, memory: int
) -> FloatArray:
    if rows is None:
        return work(value)
    first, stop = max(0, rows.start - memory), min(len(value), rows.stop + memory)
    return work(value[first:stop])[rows.start - first : rows.stop - first]
