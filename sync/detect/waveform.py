"""The response of raw sEMG to contacts, by the likelihood of its power.

Raw sEMG is noise that a muscle makes louder. The powers of burst and rest add up, and a mean of a few squares scatters
in proportion to itself, as a gamma distribution says. A burst's feet, where the rest is still seen, then tell as much
as its top, and its height beside the rest no longer moves its centroid, as it does where an envelope is fitted.

Source: Kay (1993), *Fundamentals of Statistical Signal Processing: Estimation Theory*, 3.9 (variance as signal);
McCullagh and Nelder (1989), *Generalized Linear Models*, 8 (gamma errors, deviance, reweighting).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import OptimizeResult, least_squares

from dataset.arrays import FloatArray, IntArray
from sync.detect.bells import TWO_SIDED, centroid_sd_s
from sync.detect.pieces import WAVEFORM_HZ, band, cut_pieces

#: Squares are averaged over so long: short against any burst.
_BIN_S = 0.005
#: Raw sEMG has no filter's tail, so only the two-sided bell is tried. What its widths and place may be.
_BELL = TWO_SIDED
_NARROWEST_S, _WIDEST_S = 0.01, 0.40
_EARLIEST_S, _LATEST_S = -0.4, 0.7
_START_S = 0.08
#: How far one sensor's shape may differ from its limb's (standard deviation of the logarithm).
_SHAPE_SD = 0.25
_FEWEST_PIECES = 3
_ROUNDS = 6
#: Bins further off than so many standard deviations weigh less.
_FAR_SD = 3.0
#: Places are fitted as 1 s later, since the solver's steps are relative and a place may be 0.
_LATER_S = 1.0
_STEPS = 1e-3


@dataclass(frozen=True, slots=True)
class PowerFit:
    """One sensor's common answer: its centroid after the contact, its bell's widths, and what the fit left.

    Attributes
    ----------
    centroid_s : float
    widths_s : (float, float)
    jacobian, residual : ndarray
        As :func:`sync.detect.bells.centroid_sd_s` takes them.
    """

    centroid_s: float
    widths_s: tuple[float, float]
    jacobian: FloatArray
    residual: FloatArray

    def sd_s(self, spread_s: float) -> float:
        """Return the centroid's standard deviation where single contacts scatter by ``spread_s``."""
        return centroid_sd_s(_BELL, self.widths_s, self.jacobian, self.residual, spread_s)


@dataclass(frozen=True, slots=True)
class _Powers:
    """Mean squares about P answered contacts: their times after it, values and whether they count, shape (P, M)."""

    t: FloatArray
    power: FloatArray
    weight: FloatArray
    #: Independent values in a bin, halved: the shape of the gamma distribution.
    shape: float


def fit_powers(
    contact_s: FloatArray,
    streams: Mapping[str, tuple[FloatArray, FloatArray]],
    answered: Mapping[str, tuple[float, IntArray]],
) -> dict[str, PowerFit]:
    """Return the common answer of each sensor of a limb whose values are a waveform without too many gaps.

    Parameters
    ----------
    contact_s : ndarray, shape (E,)
        Sound of each contact on the host clock.
    streams : mapping of str to (time_s, value)
        De-jittered arrivals on the same clock, and values.
    answered : mapping of str to (float, ndarray)
        About where each sensor answers, and the indices of the contacts that it answers.
    """
    powers: dict[str, _Powers] = {}
    for name, (_, contact) in answered.items():
        time_s, value = streams[name]
        rate_hz = 1.0 / float(np.median(np.diff(time_s)))
        if rate_hz >= WAVEFORM_HZ:
            found = _powers(contact_s, contact, time_s, value, rate_hz)
            if len(found.t) >= _FEWEST_PIECES:
                powers[name] = found
    if not powers:
        return {}
    start = np.full(2, math.log(_START_S))
    alone = {name: _fit(p, start, answered[name][0], None) for name, p in powers.items()}
    limb = np.median([fit.x[:2] for fit in alone.values()], axis=0)
    fits: dict[str, PowerFit] = {}
    for name, p in powers.items():
        result = _fit(p, limb, _centroid_s(alone[name].x), limb)
        n, width = p.t.shape
        fits[name] = PowerFit(
            centroid_s=_centroid_s(result.x),
            widths_s=(math.exp(result.x[0]), math.exp(result.x[1])),
            jacobian=result.jac,
            residual=result.fun[: n * width].reshape(n, width),
        )
    return fits


def _powers(contact_s: FloatArray, contact: IntArray, time_s: FloatArray, value: FloatArray, rate_hz: float) -> _Powers:
    filtered, share = band(value, rate_hz)
    size = max(2, round(_BIN_S * rate_hz))
    n = len(value) // size
    times = time_s[: n * size].reshape(n, size)
    power = np.mean(filtered[: n * size].reshape(n, size) ** 2, axis=1)
    # A bin with a gap inside would hide it.
    whole = np.ptp(times, axis=1) < 1.5 * size / rate_hz
    pieces = cut_pieces(contact_s, times.mean(axis=1)[whole], power[whole])
    pieces = pieces.only(np.isin(pieces.contact, contact))
    inside = pieces.weight > 0
    least = 1e-6 * float(np.max(power, initial=0.0)) + 1e-30
    return _Powers(pieces.t, np.where(inside, np.maximum(pieces.whole, least), 1.0), pieces.weight, 0.5 * share * size)


def _centroid_s(x: FloatArray) -> float:
    return _BELL.centroid_s(float(x[2]) - _LATER_S, math.exp(x[0]), math.exp(x[1]))


def _fit(p: _Powers, widths: FloatArray, centroid_s: float, limb: FloatArray | None) -> OptimizeResult:
    """Fit logarithms of widths, drawn to the limb's, and a place to all pieces."""

    def residuals(x: FloatArray) -> FloatArray:
        bell = _BELL.shape(p.t, float(x[2]) - _LATER_S, math.exp(x[0]), math.exp(x[1])) ** 2 * p.weight
        left = (_deviance(p, _expected(p, bell)) * p.weight).ravel()
        return left if limb is None else np.concatenate([left, (x[:2] - limb) / _SHAPE_SD])

    place = centroid_s - _BELL.centroid_s(0.0, math.exp(widths[0]), math.exp(widths[1]))
    low = np.array([math.log(_NARROWEST_S)] * 2 + [_LATER_S + _EARLIEST_S])
    high = np.array([math.log(_WIDEST_S)] * 2 + [_LATER_S + _LATEST_S])
    x = np.clip(np.array([*widths, place + _LATER_S]), low + 1e-6, high - 1e-6)
    return least_squares(residuals, x, bounds=(low, high), loss="soft_l1", f_scale=2.0, x_scale=0.1, diff_step=_STEPS)


def _expected(p: _Powers, bell: FloatArray) -> FloatArray:
    """Return each piece's rest plus its height times ``bell``, as likely as can be, shape (P, M).

    Reweighted least squares: a bin's variance is its expectation squared.
    """
    count = np.maximum(1.0, p.weight.sum(axis=1))
    mean = np.sum(p.power * p.weight, axis=1) / count
    expected: FloatArray = np.repeat(mean[:, None], p.t.shape[1], axis=1)
    for _ in range(_ROUNDS):
        far = np.abs(p.power / expected - 1.0) * math.sqrt(p.shape)
        weight = p.weight / expected**2 * np.minimum(1.0, _FAR_SD / np.maximum(far, 1e-9))
        one, b, bb = (np.sum(weight * bell**k, axis=1) for k in range(3))
        y, by = np.sum(weight * p.power, axis=1), np.sum(weight * bell * p.power, axis=1)
        determinant = one * bb - b * b
        solved = determinant > 1e-12 * one * bb
        height = np.maximum(0.0, np.where(solved, (one * by - b * y) / np.where(solved, determinant, 1.0), 0.0))
        rest = np.maximum((y - b * height) / one, 1e-3 * mean)
        expected = rest[:, None] + height[:, None] * bell
    return expected


def _deviance(p: _Powers, expected: FloatArray) -> FloatArray:
    """Return the signed root of each bin's deviance: about normal with variance 1."""
    ratio = p.power / expected
    return np.asarray(np.sign(ratio - 1.0) * np.sqrt(2.0 * p.shape * np.maximum(0.0, ratio - 1.0 - np.log(ratio))))
