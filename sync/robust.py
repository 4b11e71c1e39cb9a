"""Robust statistics shared by the estimators: spread by median absolute deviation, weights for outliers.

Huber and Ronchetti (2009), *Robust Statistics*, 5 and 7.
"""

from __future__ import annotations

import numpy as np

from dataset.support.arrays import FloatArray

#: Standard deviation of a normal distribution over its median absolute deviation, 1 / Phi^-1(3/4).
MAD_TO_SD = 1.4826


def mad_sd(values: FloatArray, centre: float | None = None) -> float:
    """Return the standard deviation estimated from the median absolute deviation (MAD).

    Parameters
    ----------
    values : ndarray
    centre : float, optional
        Centre of the deviations; by default the median. 0 for residuals of a fit.
    """
    return float(mad_sds(values.ravel(), centre))


def mad_sds(values: FloatArray, centre: FloatArray | float | None = None) -> FloatArray:
    """Return the standard deviation of each column estimated from its median absolute deviation (MAD)."""
    about = np.median(values, axis=0) if centre is None else centre
    return np.asarray(MAD_TO_SD * np.median(np.abs(values - about), axis=0))


def student_t_weight(standardised: FloatArray, degrees: float) -> FloatArray:
    """Return weights for iteratively reweighted least squares under Student's t: lower for larger residuals.

    Parameters
    ----------
    standardised : ndarray
        Residuals over their standard deviations.
    degrees : float
        Degrees of freedom; fewer give outliers less weight.
    """
    return np.minimum(1.0, (degrees + 1) / (degrees + standardised**2))


def cauchy_weight(standardised: FloatArray, reach: float = 2.0) -> FloatArray:
    """Return Cauchy weights, which fall to one half at ``reach`` standard deviations."""
    return np.asarray(1.0 / (1.0 + (standardised / reach) ** 2))
