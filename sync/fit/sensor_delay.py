"""Sensors' delays from their responses: a hierarchical Gaussian model in which sensors of one model share a delay.

A contact measures one sum, ``response = delay + burst``: the sensor's own delay, and the muscle's burst relative to the
contact. The split is assumed: a prior for the burst (:mod:`sync.fit.priors`), correlated within a limb and less so
between its muscles and sides. Sensors of one model have similar delays, so the responses of arms and legs both inform
it, and their common part is known better than either. How similar the delays are is not assumed: the spread of the
sensors of a model is an unknown of the session, marginalised with the weights that the responses give.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from dataset.sensors.profile import Delay
from dataset.support.arrays import BoolArray, FloatArray
from sync.events.contacts import ContactKind
from sync.fit.priors import BURST, BURST_OF_MUSCLE, BURST_OF_PERSON, BURST_OF_SIDE

#: Spread of sensors' delays within a model in one rig (standard deviations, seconds), equally likely a priori: from
#: identical filters and radios to unrelated sensors. More weight on the smallest would narrow the intervals where
#: delays agree within a millisecond, but miss one in ten differences where they agree within ten.
SPREADS_S = (0.002, 0.004, 0.008, 0.015, 0.025, 0.040, 0.060)
#: Prior of a model's delay if any of its sensors was measured: wide, so that the responses determine it.
_UNKNOWN_SD_S = 1.0
_SIDES = {"left", "right"}
_NINETY_FIVE = 0.95
_HALVINGS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorResponse:
    """Inputs of the split for one sensor: model, place, prior and measured response.

    Attributes
    ----------
    model : str
        Sensors of one model share a delay.
    kind : ContactKind
    muscle, side : str
    prior : Delay
        Prior of the model's delay; used where none of its sensors was measured.
    response_s : float
        NaN where no contact measured it.
    """

    model: str
    kind: ContactKind
    muscle: str
    side: str
    prior: Delay
    response_s: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorDelays:
    """Posterior of a rig's sensor delays: a mixture of normal distributions, one for each spread within a model.

    Attributes
    ----------
    sensors : mapping of channel to SensorResponse, length N
    weight : ndarray, shape (K,)
    mean_s : ndarray, shape (K, N)
    covariance_s2 : ndarray, shape (K, N, N)
    burst_sd_s : ndarray, shape (N,)
        Standard deviation of each sensor's burst latency; NaN where no contact measured the sensor.
    """

    sensors: Mapping[str, SensorResponse]
    weight: FloatArray
    mean_s: FloatArray
    covariance_s2: FloatArray
    burst_sd_s: FloatArray

    def of(self, combination: Mapping[str, float]) -> tuple[float, float]:
        """Return the mean of a linear combination of delays and the half-width of its 95 % interval, in seconds."""
        vector = np.array([combination.get(channel, 0.0) for channel in self.sensors])
        means = self.mean_s @ vector
        value = float(self.weight @ means)
        variance = np.einsum("i,kij,j->k", vector, self.covariance_s2, vector)
        return value, _half_width(means - value, np.sqrt(np.maximum(variance, 1e-18)), self.weight)

    def differences(self, channel: str) -> dict[str, float]:
        """Return the half-widths of differences between a sensor's offset and others': the other side's, the largest.

        Returns
        -------
        dict of str to float
            ``left_right_ci95_s`` and ``between_sensors_ci95_s``, half-widths of 95 % intervals, where they exist.
        """
        own, found = self.sensors[channel], {}
        widths = {other: self.of({channel: 1.0, other: -1.0})[1] for other in self.sensors if other != channel}
        twins = [n for n, s in self.sensors.items() if s.muscle == own.muscle and {s.side, own.side} == _SIDES]
        if twins:
            found["left_right_ci95_s"] = widths[twins[0]]
        if widths:
            found["between_sensors_ci95_s"] = max(widths.values())
        return found


def split_responses(sensors: Mapping[str, SensorResponse], error_s2: FloatArray) -> SensorDelays:
    """Return the posterior of every sensor's delay, by Gaussian conditioning, averaged over the spread of a model.

    Parameters
    ----------
    sensors : mapping by channel
    error_s2 : ndarray, shape (N, N)
        Covariance of the responses' errors, in the mapping's order; for a sensor without a response, its arrivals'.
    """
    listed = tuple(sensors.values())
    response_s = np.array([s.response_s for s in listed])
    seen = np.isfinite(response_s)
    burst_s2 = _burst_covariance(listed)
    burst_mean_s = np.array([BURST[s.kind].value_s for s in listed])
    measured_models = {s.model for s in listed if math.isfinite(s.response_s)}
    prior_s = np.array([s.prior.prior_s for s in listed])
    means, covariances, evidences, burst_variances = [], [], [], []
    for spread_s in SPREADS_S:
        delay_s2 = _delay_covariance(listed, measured_models, spread_s)
        gap_s = (response_s - prior_s - burst_mean_s)[seen]
        total = (delay_s2 + burst_s2 + error_s2)[np.ix_(seen, seen)]
        gain = np.linalg.solve(total, delay_s2[seen]).T
        means.append(prior_s + gain @ gap_s)
        covariances.append(delay_s2 - gain @ delay_s2[seen] + np.diag(np.where(seen, 0.0, np.diag(error_s2))))
        evidences.append(-0.5 * (gap_s @ np.linalg.solve(total, gap_s) + np.linalg.slogdet(total)[1]))
        burst_variances.append(_burst_variance(burst_s2, total, seen))
    log_weight = np.array(evidences) - max(evidences)
    weight = np.exp(log_weight) / np.exp(log_weight).sum()
    return SensorDelays(
        sensors=dict(sensors),
        weight=weight,
        mean_s=np.array(means),
        covariance_s2=np.array(covariances),
        burst_sd_s=np.sqrt(weight @ (np.array(burst_variances) + _about_mean(np.array(means), weight))),
    )


def _burst_covariance(listed: Sequence[SensorResponse]) -> FloatArray:
    """Return the prior covariance of bursts: correlated within a limb, less between muscles and sides."""
    kind, muscle = (np.array([getattr(s, key) for s in listed]) for key in ("kind", "muscle"))
    same_kind = kind[:, None] == kind[None, :]
    same_muscle = same_kind & (muscle[:, None] == muscle[None, :])
    total = np.array([BURST[s.kind].sd_s ** 2 for s in listed])
    of_limb = np.sqrt(np.outer(total, total)) - BURST_OF_MUSCLE.sd_s**2 - BURST_OF_SIDE.sd_s**2
    return np.asarray(
        np.where(same_kind, of_limb, BURST_OF_PERSON.sd_s**2)
        + np.where(same_muscle, BURST_OF_MUSCLE.sd_s**2, 0.0)
        + np.eye(len(listed)) * BURST_OF_SIDE.sd_s**2
    )


def _delay_covariance(listed: Sequence[SensorResponse], measured: set[str], spread_s: float) -> FloatArray:
    """Return the prior covariance of delays: one per model, plus each sensor's deviation from its model."""
    model = np.array([s.model for s in listed])
    known = np.array([s.model in measured for s in listed])
    prior_sd_s = np.array([s.prior.prior_sd_s for s in listed])
    # A model's prior describes any one of its sensors, so it includes a sensor's own deviation.
    own_s = np.where(known, spread_s, np.minimum(spread_s, prior_sd_s))
    sd_s = np.where(known, _UNKNOWN_SD_S, np.sqrt(prior_sd_s**2 - np.minimum(spread_s, prior_sd_s) ** 2))
    same = model[:, None] == model[None, :]
    return np.asarray(np.where(same, np.outer(sd_s, sd_s), 0.0) + np.diag(own_s**2))


def _burst_variance(burst_s2: FloatArray, total: FloatArray, seen: BoolArray) -> FloatArray:
    """Return the posterior variance of the bursts of measured sensors, NaN for the others."""
    variance = np.full(len(seen), np.nan)
    of_seen = burst_s2[np.ix_(seen, seen)]
    variance[seen] = np.diag(of_seen) - np.einsum("ij,ji->i", of_seen, np.linalg.solve(total, of_seen))
    return np.asarray(np.maximum(variance, 0.0))


def _about_mean(means: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the squared distance of each component's mean from the mixture's."""
    return np.asarray((means - weight @ means) ** 2)


def _half_width(off_s: FloatArray, sd_s: FloatArray, weight: FloatArray) -> float:
    """Return the half-width about 0 that holds 95 % of a mixture of normals, by bisection."""
    low, high = 0.0, float(np.max(np.abs(off_s) + 4.0 * sd_s))
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        inside = weight @ (special.ndtr((middle - off_s) / sd_s) - special.ndtr((-middle - off_s) / sd_s))
        low, high = (middle, high) if inside < _NINETY_FIVE else (low, middle)
    return high
