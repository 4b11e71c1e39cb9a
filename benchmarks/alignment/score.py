"""Errors, refusals, coverage and silent errors of every estimator on one session, and their summary over many."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.alignment.estimate import Estimate
from benchmarks.alignment.synthetic import SyntheticSensor, SyntheticSession
from dataset.support.arrays import FloatArray

#: An accepted result with an error above these, and above three half-widths, is a silent error.
SILENT_FAST_S, SILENT_SLOW_S = 0.050, 0.100
FAST_HZ = 100.0
SLOW, FAST = "10 Hz", "1 kHz"
#: Offsets of sensors whose response was measured, of those with the delay of their model's other sensors, and of those
#: with their model's prior; and differences of a muscle's left and right side, if both were measured.
OFFSETS = ("offsets", "assumed offsets", "prior offsets", "left minus right")
#: A measured response against the contacts in the film, at its beginning, middle and end.
FILM = "film"
_OF_SOURCE = {"measured": OFFSETS[0], "assumed": OFFSETS[1], "none": OFFSETS[2]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Score of one estimator on one stream of one session.

    Attributes
    ----------
    stratum, estimator : str
    seed : int
    stream : str
        ``video``, ``sensors 10 Hz`` or ``sensors 1 kHz``; :data:`FILM` or one of :data:`OFFSETS`, with a rate.
    accepted : bool
    error_s, half_width_s : ndarray
        At the session's start, middle and end for the video and the film; else one value. Empty where refused.
    frame_s : float
        Spacing of the frames.
    rolling : bool
        The shutter's readout takes more than 5 ms, and the flashes light at least half of the rows.
    bound_sd_s : float
        Cramer-Rao bound of a sensor's response for a known burst shape; NaN elsewhere.
    clock_rms_s, clock_max_s : float
        Errors of a sensor's de-jittered arrivals relative to their median, which contacts measure; NaN elsewhere.
    reason : str
    """

    stratum: str
    estimator: str
    seed: int
    stream: str
    accepted: bool
    error_s: FloatArray = field(default_factory=lambda: np.zeros(0))
    half_width_s: FloatArray = field(default_factory=lambda: np.zeros(0))
    frame_s: float = math.nan
    rolling: bool = False
    bound_sd_s: float = math.nan
    clock_rms_s: float = math.nan
    clock_max_s: float = math.nan
    reason: str = ""

    @property
    def silent(self) -> bool:
        """Whether it is a silent error: accepted, with an error far outside its interval."""
        if not self.accepted:
            return False
        least = SILENT_SLOW_S if self.stream.endswith(SLOW) else SILENT_FAST_S
        width = np.where(np.isfinite(self.half_width_s), self.half_width_s, 0.0)
        return bool(np.any(np.abs(self.error_s) > np.maximum(least, 3 * width)))


def score(
    session: SyntheticSession,
    estimator: str,
    estimate: Estimate,
    bound: Callable[[SyntheticSession, str], float] | None,
) -> list[Score]:
    """Return the video's score, if the estimator aligns video, and each sensor's."""
    truth = session.truth
    pts_s = session.frame_pts_s
    at = np.array([pts_s[0], 0.5 * (pts_s[0] + pts_s[-1]), pts_s[-1]])
    video = estimate.video
    error = np.zeros(0)
    if video is not None:
        error = ((1 + video.rate) * at + video.offset_s) - ((1 + truth.video_rate) * at + truth.video_offset_s)
    scores = [
        Score(
            stratum=session.stratum, estimator=estimator, seed=session.seed, stream="video", accepted=video is not None,
            error_s=error, half_width_s=np.zeros(0) if video is None else video.half_width_s,
            frame_s=1.0 / truth.fps, rolling=abs(truth.readout_s) > 0.005 and truth.lit_bands >= 0.5,
            reason=estimate.reason,
        )
    ]  # fmt: skip
    for name, sensor in session.sensors.items():
        found, wanted = estimate.sensors.get(name), truth.sensors[name].response_s
        off = np.array([found.response_s - wanted]) if found is not None and math.isfinite(wanted) else np.zeros(0)
        if found is not None and not math.isfinite(wanted):
            off = np.array([math.inf])  # it measured a response that does not exist
        clock_rms_s, clock_max_s = _clock_error_s(session, estimate, name)
        scores.append(
            Score(
                stratum=session.stratum, estimator=estimator, seed=session.seed,
                clock_rms_s=clock_rms_s, clock_max_s=clock_max_s,
                stream=f"sensors {_rate(sensor)}",
                accepted=found is not None, error_s=off,
                half_width_s=np.array([found.half_width_s]) if found is not None else np.zeros(0),
                bound_sd_s=bound(session, name) if bound is not None and math.isfinite(wanted) else math.nan,
            )
        )  # fmt: skip
    return scores + _score_film(session, estimator, estimate) + _score_offsets(session, estimator, estimate)


def _score_film(session: SyntheticSession, estimator: str, estimate: Estimate) -> list[Score]:
    """Return the score of each measured response against the contacts in the film."""
    truth, pts_s = session.truth, session.frame_pts_s
    at = np.array([pts_s[0], 0.5 * (pts_s[0] + pts_s[-1]), pts_s[-1]])
    contact_s = (1 + truth.sound_rate) * at + truth.sound_offset_s - truth.acoustic_delay_s
    return [
        Score(
            stratum=session.stratum, estimator=estimator, seed=session.seed,
            stream=f"{FILM} {_rate(session.sensors[name])}", accepted=True,
            error_s=found.film_s - contact_s - truth.sensors[name].response_s,
            half_width_s=np.full(3, found.film_half_width_s),
        )
        for name, found in estimate.sensors.items()
        if len(found.film_s) and math.isfinite(truth.sensors[name].response_s)
    ]  # fmt: skip


def _score_offsets(session: SyntheticSession, estimator: str, estimate: Estimate) -> list[Score]:
    """Return the score of each offset that the estimator gives, and of each muscle's left-right difference."""
    scores: list[Score] = []

    def add(stream: str, error_s: float, half_width_s: float) -> None:
        scores.append(
            Score(
                stratum=session.stratum, estimator=estimator, seed=session.seed, stream=stream, accepted=True,
                error_s=np.array([error_s]), half_width_s=np.array([half_width_s]),
            )
        )  # fmt: skip

    off_s = {n: found.offset_s + session.truth.sensors[n].delay_s for n, found in estimate.offsets.items()}
    for name, found in estimate.offsets.items():
        sensor = session.sensors[name]
        add(f"{_OF_SOURCE[found.source]} {_rate(sensor)}", off_s[name], found.half_width_s)
        twin = estimate.offsets.get(f"right_{sensor.muscle}")
        if sensor.side == "left" and twin is not None and {found.source, twin.source} == {"measured"}:
            error_s = off_s[name] - off_s[f"right_{sensor.muscle}"]
            add(f"{OFFSETS[3]} {_rate(sensor)}", error_s, found.left_right_half_width_s)
    return scores


def _rate(sensor: SyntheticSensor) -> str:
    return FAST if sensor.nominal_hz >= FAST_HZ else SLOW


def _clock_error_s(session: SyntheticSession, estimate: Estimate, channel: str) -> tuple[float, float]:
    if channel not in estimate.clock_s:
        return math.nan, math.nan
    truth = session.truth.sensors[channel]
    error = estimate.clock_s[channel] - truth.emission_s
    error -= np.median(error)
    return float(np.sqrt(np.mean(error**2))), float(np.max(np.abs(error)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Summary of the scores of one stratum, stream and estimator; times in milliseconds."""

    n: int
    refused: float
    mid_median_ms: float
    mid_p95_ms: float
    mid_max_ms: float
    end_median_ms: float
    end_p95_ms: float
    end_max_ms: float
    mid_p95_frames: float
    end_p95_frames: float
    coverage: float
    width_ms: float
    bound_median_ms: float
    bound_p95_ms: float
    silent: int
    silent_seeds: tuple[int, ...]


def summarise(scores: Sequence[Score]) -> Summary:
    """Summarise scores for a row of a table."""
    accepted = [s for s in scores if s.accepted]
    mid = np.array([abs(s.error_s[len(s.error_s) // 2]) for s in accepted])
    end = np.array([float(np.max(np.abs(s.error_s[[0, -1]]))) for s in accepted])
    frames = np.array([s.frame_s for s in accepted])
    inside = [np.abs(s.error_s) <= s.half_width_s for s in accepted if np.isfinite(s.half_width_s).all()]
    widths = [float(np.mean(s.half_width_s)) for s in accepted if np.isfinite(s.half_width_s).all()]
    bound = np.array([s.bound_sd_s for s in accepted if math.isfinite(s.bound_sd_s)])
    silent = sorted({s.seed for s in accepted if s.silent})
    return Summary(
        n=len(scores),
        refused=1 - len(accepted) / max(1, len(scores)),
        mid_median_ms=_ms(mid, 50), mid_p95_ms=_ms(mid, 95), mid_max_ms=_ms(mid, 100),
        end_median_ms=_ms(end, 50), end_p95_ms=_ms(end, 95), end_max_ms=_ms(end, 100),
        mid_p95_frames=_ms(mid / frames, 95) / 1e3, end_p95_frames=_ms(end / frames, 95) / 1e3,
        coverage=float(np.mean(np.concatenate(inside))) if inside else math.nan,
        width_ms=1e3 * float(np.mean(widths)) if widths else math.nan,
        # Quantiles of a normal error with the bound's standard deviations.
        bound_median_ms=_normal_ms(bound, 50), bound_p95_ms=_normal_ms(bound, 95),
        silent=sum(s.silent for s in accepted),
        silent_seeds=tuple(silent),
    )  # fmt: skip


def _ms(values: FloatArray, q: float) -> float:
    return 1e3 * float(np.percentile(values, q)) if len(values) else math.nan


def _normal_ms(sd_s: FloatArray, q: float) -> float:
    """Return a quantile of the absolute error over a mixture of normal errors."""
    if len(sd_s) == 0:
        return math.nan
    steps = np.abs(np.random.default_rng(0).normal(0, 1, (200, 1)))
    return _ms((steps * sd_s).ravel(), q)
