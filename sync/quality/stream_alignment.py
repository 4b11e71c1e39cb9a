"""Alignment of one stream: its map onto the host clock, the evidence, typed constants and a verdict.

Only :func:`stream_entry` converts them to the attributes of a ``/sync`` group.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar, Self

import numpy as np

from dataset.session.types import StreamSync
from dataset.support.arrays import FloatArray
from sync.events.contacts import ContactKind
from sync.fit.clock_map import Z95, ClockMap
from sync.fit.match import Pairing
from sync.quality.gates import Verdict
from sync.recording_types import FlashSource


class DelaySource(StrEnum):
    """Origin of a sensor's delay: its own responses, other sensors of its model, or its model's prior alone."""

    MEASURED = "measured"
    ASSUMED = "assumed"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Constants:
    """Named constants of a stream, read from a file's attributes and written to them."""

    ENUMS: ClassVar[Mapping[str, type[StrEnum]]] = {}

    @classmethod
    def read(cls, attributes: Mapping[str, float | str]) -> Self:
        """Return the constants among attributes; missing ones, and unknown enum values, take their defaults."""
        found: dict[str, Any] = {}
        for name in (f.name for f in fields(cls) if f.name in attributes):
            kind, value = cls.ENUMS.get(name), attributes[name]
            if kind is None:
                found[name] = float(value)
            elif value in [str(member) for member in kind]:
                found[name] = kind(str(value))
        return cls(**found)

    def as_attributes(self) -> dict[str, float | str]:
        """Return the constants as numbers and strings by name, without those that are None."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {k: str(v) if isinstance(v, StrEnum) else v for k, v in values.items() if v is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoConstants(_Constants):
    """Constants of the video.

    Attributes
    ----------
    av_skew_s, av_skew_sd_s : float
        Lag of the file's sound behind its picture.
    screen_latency_s, screen_latency_sd_s : float
        Delay from a flash's stored time to its light.
    flash_source : FlashSource
    readout_s, exposure_s : float
        Of the camera's rolling shutter; NaN where the flashes do not measure them.
    """

    ENUMS: ClassVar[Mapping[str, type[StrEnum]]] = {"flash_source": FlashSource}

    av_skew_s: float = 0.0
    av_skew_sd_s: float = math.nan
    screen_latency_s: float = math.nan
    screen_latency_sd_s: float = math.nan
    flash_source: FlashSource = FlashSource.NONE
    readout_s: float = math.nan
    exposure_s: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundConstants(_Constants):
    """Constants of the sound; ``acoustic_delay_s`` is the delay from a contact to its sound at the microphone."""

    av_skew_s: float = 0.0
    av_skew_sd_s: float = math.nan
    acoustic_delay_s: float = math.nan
    acoustic_delay_sd_s: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorConstants(_Constants):
    """Constants of a sensor.

    Attributes
    ----------
    response_s : float
        Measured latency from a contact to the centroid of its response; NaN where not measured.
    burst_prior_s, burst_prior_sd_s : float
        Assumed latency from a contact to the muscle's burst.
    contact : ContactKind or None
        Kind of contact it responds to.
    sample_period_s, rate_hz : float
        As measured.
    delivered : float
        Share of its values that arrived.
    n_lost : float
    film_ci95_s : float or None
        Largest half-width over the session of its response against the contacts in the film: what contacts measure,
        without the burst's prior and without the film's offset from the host clock. None without a mapped film.
    left_right_ci95_s, between_sensors_ci95_s : float or None
        Half-width of the difference between its offset and another sensor's: the other side's, and the largest over
        all sensors; None without another sensor.
    delay_source : DelaySource
    """

    ENUMS: ClassVar[Mapping[str, type[StrEnum]]] = {"contact": ContactKind, "delay_source": DelaySource}

    response_s: float = math.nan
    burst_prior_s: float = math.nan
    burst_prior_sd_s: float = math.nan
    contact: ContactKind | None = None
    sample_period_s: float = math.nan
    rate_hz: float = math.nan
    delivered: float = math.nan
    n_lost: float = math.nan
    film_ci95_s: float | None = None
    left_right_ci95_s: float | None = None
    between_sensors_ci95_s: float | None = None
    delay_source: DelaySource = DelaySource.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamAlignment:
    """One stream's map onto the host clock, its error, the evidence and the verdict.

    Attributes
    ----------
    method : str
        How the map was obtained, in words.
    map : ClockMap
    error_ci95_s : float
        Largest half-width over the session.
    pairing : Pairing
        Events on the host's clock and in the stream; coverage and largest gap refer to the session's span.
    residual_s : ndarray, shape (M,)
        Residuals of the pairs under the final map.
    extrapolated_s : float
        How far the session extends beyond the first or the last pair.
    constants : VideoConstants, SoundConstants or SensorConstants
    verdict : Verdict
    reason : str
    epochs : ndarray, shape (P, 3)
        Stream time of the first and last value of each epoch, and its offset.
    """

    method: str
    map: ClockMap
    error_ci95_s: float
    pairing: Pairing
    residual_s: FloatArray
    extrapolated_s: float = math.nan
    constants: VideoConstants | SoundConstants | SensorConstants
    verdict: Verdict
    reason: str
    epochs: FloatArray = field(default_factory=lambda: np.zeros((0, 3)))


def stream_entry(stream: StreamAlignment) -> StreamSync:
    """Return the attributes of a stream's ``/sync`` group."""
    clock, pairing, residual = stream.map, stream.pairing, stream.residual_s
    # At its reference a map's error is known even if its rate's error is not.
    offset_ci95_s = Z95 * clock.offset_sd_s if clock.reference_s == 0.0 else float(clock.half_width_s(0.0))
    return StreamSync(
        method=stream.method,
        verdict=str(stream.verdict),
        reason=stream.reason,
        offset_s=clock.offset_s,
        rate_ppm=clock.rate_ppm,
        offset_ci95_s=offset_ci95_s,
        rate_ci95_ppm=Z95 * 1e6 * clock.rate_sd,
        error_ci95_s=stream.error_ci95_s,
        n_reference=pairing.n_reference,
        n_target=pairing.n_target,
        n_matched=pairing.n_matched if pairing.accepted else 0,
        match_rate=pairing.match_rate,
        ambiguity_margin=pairing.ambiguity_margin,
        max_residual_s=float(np.max(np.abs(residual))) if len(residual) else math.nan,
        rms_residual_s=float(np.sqrt(np.mean(residual**2))) if len(residual) else math.nan,
        coverage=pairing.coverage,
        largest_gap_s=pairing.largest_gap_s,
        extrapolated_s=stream.extrapolated_s,
        constants=stream.constants.as_attributes(),
        matches=pairing.pairs,
        residual_s=residual if pairing.accepted else np.zeros(len(pairing.pairs)),
        epochs=stream.epochs,
    )
