"""Common form of an estimator's results, so that all methods are scored alike."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from dataset.support.arrays import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoEstimate:
    """The video's map, ``host_s = (1 + rate) * pts_s + offset_s``.

    Attributes
    ----------
    offset_s, rate : float
    half_width_s : ndarray, shape (3,)
        Of the 95 % interval at the first, the middle and the last frame; NaN if the estimator gives none.
    """

    offset_s: float
    rate: float
    half_width_s: FloatArray = field(default_factory=lambda: np.full(3, np.nan))


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorEstimate:
    """One sensor's response: from the contact to the response's centroid at de-jittered arrivals.

    Attributes
    ----------
    response_s, half_width_s : float
    film_s : ndarray, shape (3,) or (0,)
        Host time of the response's centroid to a contact whose sound is at the first, middle and last frame's time in
        the film; empty if the estimator gives none.
    film_half_width_s : float
    """

    response_s: float
    half_width_s: float = math.nan
    film_s: FloatArray = field(default_factory=lambda: np.zeros(0))
    film_half_width_s: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetEstimate:
    """One sensor's offset: minus its delay.

    Attributes
    ----------
    offset_s, half_width_s : float
    source : {"measured", "assumed", "none"}
        Whether its response was measured by contacts, taken from other sensors of its model, or not measured.
    left_right_half_width_s : float
        Of this offset minus that of the same muscle on the other side; NaN if there is none.
    """

    offset_s: float
    half_width_s: float
    source: str
    left_right_half_width_s: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Results of one estimator on one session.

    Attributes
    ----------
    video : VideoEstimate or None
        None where the video was refused.
    sensors : dict of SensorEstimate
        Those sensors whose response was measured; the others were refused.
    offsets : dict of OffsetEstimate
        Of all sensors that are used.
    clock_s : dict of ndarray
        De-jittered arrival of each value, by channel.
    reason : str
        The estimator's reason for its verdict.
    """

    video: VideoEstimate | None = None
    sensors: dict[str, SensorEstimate] = field(default_factory=dict)
    offsets: dict[str, OffsetEstimate] = field(default_factory=dict)
    clock_s: dict[str, FloatArray] = field(default_factory=dict)
    reason: str = ""
