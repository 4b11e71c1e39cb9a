"""Two shapes for a response nobody knows: a bell that rises and falls differently, and one with a filter's tail.

A burst alone is a bell, more or less skewed; a sensor's causal filter gives it an exponential tail. Either may fit a
given muscle and sensor better, so both are tried and weighed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from dataset.support.arrays import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstTemplate:
    """A family of shapes with a place and two widths, all in seconds.

    Attributes
    ----------
    name : str
    shape : callable
        ``shape(t, at_s, first_s, second_s)``: values at ``t``, of a height near 1.
    centroid_s : callable
        ``centroid_s(at_s, first_s, second_s)``.
    slope : callable
        Derivatives of the centroid by place and by the logarithms of the widths.
    """

    name: str
    shape: Callable[[FloatArray, float, float, float], FloatArray]
    centroid_s: Callable[[float, float, float], float]
    slope: Callable[[float, float], FloatArray]


_HALF = math.sqrt(2.0 / math.pi)


def _two_sided(t: FloatArray, at: float, rise: float, fall: float) -> FloatArray:
    width = np.where(t < at, rise, fall)
    return np.asarray(np.exp(-0.5 * ((t - at) / width) ** 2))


def _with_tail(t: FloatArray, at: float, width: float, tail: float) -> FloatArray:
    """Return a Gaussian about ``at`` convolved with an exponential tail (ex-Gaussian), of a height near 1."""
    z = (t - at) / width
    reach = (width / tail - z) / math.sqrt(2.0)
    # erfcx keeps digits before the peak; far behind it the tail alone is left and erfcx would overflow.
    near = np.exp(-0.5 * z**2) * special.erfcx(np.maximum(reach, -5.0))
    far = np.exp(np.minimum(0.5 * (width / tail) ** 2 - (t - at) / tail, 50.0)) * special.erfc(np.minimum(reach, -5.0))
    density = np.where(reach < -5.0, far, near) * math.sqrt(math.pi / 2.0) * width / tail
    return np.asarray(density * math.sqrt(1.0 + (tail / width) ** 2))


TWO_SIDED = BurstTemplate(
    name="two-sided bell",
    shape=_two_sided,
    centroid_s=lambda at, rise, fall: at + _HALF * (fall - rise),
    slope=lambda rise, fall: np.array([1.0, -_HALF * rise, _HALF * fall]),
)
WITH_TAIL = BurstTemplate(
    name="bell with a tail",
    shape=_with_tail,
    centroid_s=lambda at, width, tail: at + tail,
    slope=lambda width, tail: np.array([1.0, 0.0, tail]),
)
BURST_TEMPLATES = (TWO_SIDED, WITH_TAIL)


def centroid_sd_s(
    template: BurstTemplate, widths_s: tuple[float, float], jacobian: FloatArray, residual: FloatArray, spread_s: float
) -> float:
    """Return the standard deviation of a fitted centroid: the larger of what noise and what the pieces' misfits say.

    Parameters
    ----------
    template : BurstTemplate
    widths_s : (float, float)
        As fitted.
    jacobian : ndarray, shape (P * M + R, 3)
        Of residuals in standard deviations, and of R further rows, by the widths' logarithms and the place.
    residual : ndarray, shape (P, M)
        What is left of each of P contacts' values.
    spread_s : float
        By which single contacts scatter.
    """
    n = len(residual)
    by_place, *by_widths = template.slope(*widths_s)
    noise, misfit = variances_of(np.array([*by_widths, by_place]), jacobian, residual)
    known = 1.0 / (float(jacobian[:, 2] @ jacobian[:, 2]) + 1e-12)
    lead = max(0.0, spread_s**2 - n * known) / n
    return math.sqrt(max(noise + lead, misfit))


def variances_of(slope: FloatArray, jacobian: FloatArray, residual: FloatArray) -> tuple[float, float]:
    """Return the variance of a combination of fitted parameters, by independent noise and by the pieces' misfits.

    Parameters
    ----------
    slope : ndarray, shape (K,)
        The combination.
    jacobian : ndarray, shape (P * M + R, K)
        Of residuals in standard deviations, and of R further rows.
    residual : ndarray, shape (P, M)
        What is left of each of P contacts' values.

    Notes
    -----
    The misfits' is the sandwich estimator with one cluster a contact (Liang & Zeger 1986): it sees leads that differ,
    heights that do, and movement under a response, which independent noise does not.
    """
    n, width = residual.shape
    bread = slope @ np.linalg.pinv(jacobian.T @ jacobian)
    pulls = np.einsum("pmk,pm->pk", jacobian[: n * width].reshape(n, width, -1), residual)
    misfit = float(np.sum((pulls @ bread) ** 2)) * n / max(1, n - 2)
    return float(bread @ slope), misfit
