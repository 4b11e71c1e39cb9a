"""Quality gates: PASS, WARNING or FAIL for each stream and for the session, each with its reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class Verdict(StrEnum):
    """Quality of a stream's or a session's alignment, ordered by severity: the worst of several is their maximum."""

    PASS = "PASS"
    WARNING = "WARNING"
    FAIL = "FAIL"

    @property
    def severity(self) -> int:
        """0 for PASS, 1 for WARNING, 2 for FAIL."""
        return list(Verdict).index(self)

    # Strings would compare alphabetically.
    def __lt__(self, other: str) -> bool:
        return self.severity < Verdict(other).severity

    def __le__(self, other: str) -> bool:
        return self.severity <= Verdict(other).severity

    def __gt__(self, other: str) -> bool:
        return self.severity > Verdict(other).severity

    def __ge__(self, other: str) -> bool:
        return self.severity >= Verdict(other).severity


#: Half-widths of the 95 % interval (s): up to the first a stream passes; the second separates the two warnings.
VIDEO_GATE_S = (0.010, 0.020)
FAST_SENSOR_GATE_S = (0.010, 0.020)
SLOW_SENSOR_GATE_S = (0.040, 0.080)
FAST_SENSOR_HZ = 100.0
#: A person's muscle lead varies by this from clap to clap: fast sensors resolve it, so it is not an error of theirs.
LEAD_SCATTER_S = 0.050
MIN_SENSORS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict and its reason."""

    verdict: Verdict
    reason: str


def sensor_gate_s(rate_hz: float) -> tuple[float, float]:
    """Return the limits on the half-width for a sensor of this rate: those for PASS and for the milder warning."""
    return FAST_SENSOR_GATE_S if rate_hz >= FAST_SENSOR_HZ else SLOW_SENSOR_GATE_S


def sensor_residual_gate_s(period_s: float) -> float:
    """Return the limit on a sensor's residuals: one sampling interval, or the scatter of a person's muscle lead."""
    return max(period_s, LEAD_SCATTER_S)


def robust_largest_s(residual_s: NDArray[np.float64]) -> float:
    """Return the 90th percentile of the absolute residuals: the largest one, robust to single outliers."""
    return float(np.percentile(np.abs(residual_s), 90)) if len(residual_s) else 0.0


def judge_precision(
    error_ci95_s: float, gate_s: tuple[float, float], residual_s: float, residual_gate_s: float, subject: str
) -> Judgement:
    """Return the verdict on a stream whose pairing was accepted, from its interval and its residuals.

    Parameters
    ----------
    error_ci95_s : float
        Largest half-width over the session.
    gate_s : (float, float)
        PASS and WARNING bounds.
    residual_s, residual_gate_s : float
        Largest robust residual and its limit: one frame, or one sampling interval.
    subject : str
        Subject of the reason's sentence, such as ``the video``.
    """
    width = f"{subject} is known within ±{1e3 * error_ci95_s:.1f} ms (95 %)"
    if not math.isfinite(error_ci95_s):
        return Judgement(verdict=Verdict.WARNING, reason=f"the error of {subject} could not be estimated")
    if residual_s > residual_gate_s:
        return Judgement(
            verdict=Verdict.WARNING,
            reason=f"{width}, but residuals reach {1e3 * residual_s:.0f} ms (limit {1e3 * residual_gate_s:.0f} ms)",
        )
    if error_ci95_s <= gate_s[0]:
        return Judgement(verdict=Verdict.PASS, reason=width)
    bound = gate_s[0] if error_ci95_s <= gate_s[1] else gate_s[1]
    return Judgement(verdict=Verdict.WARNING, reason=f"{width}, more than the limit of {1e3 * bound:.0f} ms")


def judge_whole(video: Judgement, sensors: Mapping[str, Judgement]) -> tuple[Verdict, list[str]]:
    """Return the session's verdict and its reasons, from the verdicts on the video and the sensors.

    The session fails if its video fails or fewer than four sensors are usable; a failed sensor alone is a warning,
    because only its column is left empty. A rig with fewer than four sensors needs all of them.
    """
    reasons: list[str] = []
    verdict = Verdict.PASS
    remaining = [name for name, j in sensors.items() if j.verdict != Verdict.FAIL]
    needed = min(MIN_SENSORS, len(sensors)) if sensors else 1
    if video.verdict == Verdict.FAIL:
        verdict = Verdict.FAIL
        reasons.append(f"video: {video.reason}")
    if len(remaining) < needed:
        verdict = Verdict.FAIL
        reasons.append(f"sensors: only {len(remaining)} of {len(sensors)} are usable ({needed} are needed)")
    alike: dict[str, list[str]] = {}
    for name, judgement in sensors.items():
        if judgement.verdict != Verdict.PASS:
            verdict = max(verdict, Verdict.WARNING)
            alike.setdefault(judgement.reason, []).append(name)
    for reason, names in alike.items():
        whole_rig = len(names) == len(sensors) > 1
        reasons.append(f"{'every sensor' if whole_rig else ', '.join(names)}: {reason}")
    if video.verdict == Verdict.WARNING:
        verdict = max(verdict, Verdict.WARNING)
        reasons.insert(0, f"video: {video.reason}")
    return verdict, reasons
