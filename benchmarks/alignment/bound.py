"""Cramer-Rao bound of a sensor's response, with known burst shape and filter.

Each contact's burst has its own time and height, and the level at rest is unknown: three parameters per contact, of
which the time is estimated. The response is the mean of the times. Sensor clock, contacts and noise are taken as
known, so no estimator that has to estimate them can do better.
"""

from __future__ import annotations

import math

import numpy as np

from benchmarks.alignment.sensors import STEP_S
from benchmarks.alignment.synthetic import SyntheticSession
from dataset.muscles import CONTACT_OF_MUSCLE
from dataset.support.arrays import FloatArray

#: Time around each contact whose samples carry information on it.
_REACH_S = 1.0
#: Contacts with a larger standard deviation than this are left out.
_USELESS_S = 0.1
#: Share of a 1 kHz stream's samples that are independent: sEMG fills 20-450 of 500 Hz.
_INDEPENDENT = 0.86


def response_sd_s(session: SyntheticSession, channel: str) -> float:
    """Return the smallest standard deviation of ``channel``'s ``response_s``; NaN if no contact gives information.

    Notes
    -----
    For the 10 Hz level the noise is added: the Fisher matrix of (time, height, rest) is ``J^T J / sigma^2``. For raw
    sEMG the burst modulates the noise's variance ``v``: each independent sample adds ``(v'/v)(v'/v)^T / 2``
    (Kay 1993, *Fundamentals of Statistical Signal Processing: Estimation Theory*, 3.9).
    """
    sensor, truth = session.sensors[channel], session.truth.sensors[channel]
    contact_s = session.truth.contact_s[CONTACT_OF_MUSCLE[sensor.muscle]]
    raw = sensor.nominal_hz > 100
    shape: FloatArray = np.asarray(np.convolve(truth.burst / truth.burst.max(), truth.kernel), dtype=np.float64)
    if not raw:
        shape = shape / shape.max()
    slope: FloatArray = np.asarray(np.gradient(shape, STEP_S), dtype=np.float64)
    at: FloatArray = np.arange(len(shape), dtype=np.float64) * STEP_S
    variances = []
    for contact, lag, height in zip(contact_s, truth.lag_s, truth.height, strict=True):
        start_s = contact + lag - truth.burst_centroid_s
        near = np.abs(truth.emission_s - contact) < _REACH_S
        u = truth.emission_s[near] - start_s
        response, rise = _at(u, at, shape), _at(u, at, slope)
        jacobian = np.column_stack([-height * rise, response, np.ones(len(u))])
        information = (
            _of_variance(jacobian, height * response, truth.snr) if raw else jacobian.T @ jacobian * truth.snr**2
        )
        if len(u) <= 3 or np.linalg.cond(information) > 1e14:
            continue
        variance = float(np.linalg.inv(information)[0, 0])
        # A contact in a gap gives no information; the others are used.
        if variance < _USELESS_S**2:
            variances.append(variance)
    return math.sqrt(sum(variances)) / len(variances) if variances else math.nan


def _of_variance(jacobian: FloatArray, level: FloatArray, snr: float) -> FloatArray:
    """Return the Fisher information of a level that scales the amplitude of noise, plus noise of variance 1."""
    amplitude = snr * level
    variance = amplitude**2 + 1.0
    # The level at rest enters the variance directly, not through the amplitude.
    gradient = np.column_stack([2 * amplitude[:, None] * snr * jacobian[:, :2], jacobian[:, 2]]) / variance[:, None]
    return 0.5 * _INDEPENDENT * gradient.T @ gradient


def _at(u: FloatArray, grid: FloatArray, values: FloatArray) -> FloatArray:
    return np.interp(u, grid, values, left=0.0, right=0.0)
