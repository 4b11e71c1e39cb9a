"""An affine map from one clock to another with its covariance: the only one in the project."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from dataset.support.arrays import FloatArray

#: Two-sided 95 % of a normal distribution, in standard deviations.
Z95 = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockMap:
    """Map ``target_s = (1 + rate) * source_s + offset_s`` and how well it is known.

    Attributes
    ----------
    offset_s, rate : float
    reference_s : float
        Source time at which the covariance holds: about the middle of the evidence.
    covariance : ndarray, shape (2, 2)
        Of the map's value at ``reference_s`` (s) and of the rate (1). NaN where nothing is known.
    """

    offset_s: float
    rate: float = 0.0
    reference_s: float = 0.0
    covariance: FloatArray = field(default_factory=lambda: np.zeros((2, 2)))

    @classmethod
    def independent(
        cls, *, offset_s: float, rate: float, reference_s: float, offset_sd_s: float, rate_sd: float
    ) -> Self:
        """Return a map whose errors of value at ``reference_s`` and of rate are independent."""
        covariance = np.diag([offset_sd_s**2, rate_sd**2])
        return cls(offset_s=offset_s, rate=rate, reference_s=reference_s, covariance=covariance)

    @property
    def offset_sd_s(self) -> float:
        """Standard deviation of the map's value at ``reference_s``."""
        return math.sqrt(self.covariance[0, 0])

    @property
    def rate_sd(self) -> float:
        """Standard deviation of the rate."""
        return math.sqrt(self.covariance[1, 1])

    @property
    def rate_ppm(self) -> float:
        """The rate in parts per million."""
        return self.rate * 1e6

    def __call__(self, source_s: FloatArray | float) -> FloatArray:
        """Return the target's times."""
        return np.asarray((1 + self.rate) * np.asarray(source_s) + self.offset_s)

    def half_width_s(self, source_s: FloatArray | float) -> FloatArray:
        """Return the half-width of the 95 % interval at each source time."""
        x = np.asarray(source_s) - self.reference_s
        variance = self.covariance[0, 0] + 2 * x * self.covariance[0, 1] + x**2 * self.covariance[1, 1]
        return np.asarray(Z95 * np.sqrt(np.maximum(variance, 0.0)))

    def inverse(self) -> ClockMap:
        """Return the inverse map, to first order in its errors."""
        scale = 1 + self.rate
        # A map that is too late by e gives a source time that is too early by e / scale.
        turn = np.diag([-1 / scale, -1 / scale**2])
        return ClockMap(
            offset_s=-self.offset_s / scale,
            rate=1 / scale - 1,
            reference_s=float(self(self.reference_s)),
            covariance=turn @ self.covariance @ turn,
        )

    def after(self, first: ClockMap) -> ClockMap:
        """Return this map applied after ``first``, with independent errors of the two."""
        scale = 1 + self.rate
        lever_s = float(first(first.reference_s)) - self.reference_s
        reach = np.array([[1.0, lever_s], [0.0, 1 + first.rate]])
        return ClockMap(
            offset_s=float(self(first.offset_s)),
            rate=scale * (1 + first.rate) - 1,
            reference_s=first.reference_s,
            covariance=scale**2 * first.covariance + reach @ self.covariance @ reach.T,
        )

    def decorrelated(self) -> ClockMap:
        """Return the same map with its reference where the errors of value and rate are independent."""
        cross, of_rate = float(self.covariance[0, 1]), float(self.covariance[1, 1])
        if not of_rate > 0:
            return self
        return ClockMap.independent(
            offset_s=self.offset_s,
            rate=self.rate,
            reference_s=self.reference_s - cross / of_rate,
            offset_sd_s=math.sqrt(max(0.0, float(self.covariance[0, 0]) - cross**2 / of_rate)),
            rate_sd=math.sqrt(of_rate),
        )
