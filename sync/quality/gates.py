"""The gates: PASS, WARNING or FAIL for each stream and for the whole, with the reason in plain words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class Verdict(StrEnum):
    """How far a stream or a session can be trusted, in order: the worst of several is their maximum."""

    PASS = "PASS"
    WARNING = "WARNING"
    FAIL = "FAIL"

    @property
    def severity(self) -> int:
        """0 for PASS, 1 for WARNING, 2 for FAIL."""
        return list(Verdict).index(self)

    # A string's own order is the alphabet's.
    def __lt__(self, other: str) -> bool:
        return self.severity < Verdict(other).severity

    def __le__(self, other: str) -> bool:
        return self.severity <= Verdict(other).severity

    def __gt__(self, other: str) -> bool:
        return self.severity > Verdict(other).severity

    def __ge__(self, other: str) -> bool:
        return self.severity >= Verdict(other).severity


#: Half-widths in seconds up to which a stream passes, and up to which the warning is a mild one.
VIDEO_GATE_S = (0.010, 0.020)
FAST_SENSOR_GATE_S = (0.010, 0.020)
SLOW_SENSOR_GATE_S = (0.040, 0.080)
FAST_SENSOR_HZ = 100.0
#: People's leads differ by this from one clap to the next: a fast sensor sees it, and is not to blame.
LEAD_SCATTER_S = 0.050
MIN_SENSORS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict and why."""

    verdict: Verdict
    reason: str


def sensor_gate_s(rate_hz: float) -> tuple[float, float]:
    """Return the precision asked of a sensor of this rate."""
    return FAST_SENSOR_GATE_S if rate_hz >= FAST_SENSOR_HZ else SLOW_SENSOR_GATE_S


def sensor_residual_gate_s(period_s: float) -> float:
    """Return how far a sensor's answers may lie off: one value's interval, or what people's own leads scatter by."""
    return max(period_s, LEAD_SCATTER_S)


def robust_largest_s(residual_s: NDArray[np.float64]) -> float:
    """Return the residual that nine in ten events stay below: the largest, less what one odd event may do."""
    return float(np.percentile(np.abs(residual_s), 90)) if len(residual_s) else 0.0


def judge_precision(
    error_ci95_s: float, gate_s: tuple[float, float], residual_s: float, residual_gate_s: float, subject: str
) -> Judgement:
    """Judge a stream whose pairing is known.

    Parameters
    ----------
    error_ci95_s : float
        Largest half-width over the session.
    gate_s : (float, float)
        PASS and WARNING bounds.
    residual_s, residual_gate_s : float
        Largest robust residual and its bound: one frame, or one value's interval.
    subject : str
        What the sentence is about, such as ``the video``.
    """
    width = f"{subject} is known to within {1e3 * error_ci95_s:.1f} ms"
    if not math.isfinite(error_ci95_s):
        return Judgement(verdict=Verdict.WARNING, reason=f"how well {subject} is known could not be told")
    if residual_s > residual_gate_s:
        return Judgement(
            verdict=Verdict.WARNING,
            reason=f"{width}, but events lie up to {1e3 * residual_s:.0f} ms off (allowed {1e3 * residual_gate_s:.0f})",
        )
    if error_ci95_s <= gate_s[0]:
        return Judgement(verdict=Verdict.PASS, reason=width)
    bound = gate_s[0] if error_ci95_s <= gate_s[1] else gate_s[1]
    return Judgement(verdict=Verdict.WARNING, reason=f"{width}, which is more than {1e3 * bound:.0f} ms")


def judge_whole(video: Judgement, sensors: Mapping[str, Judgement]) -> tuple[Verdict, list[str]]:
    """Return the session's verdict and the reasons for it.

    The session fails when its video fails or fewer than four sensors remain; a failed sensor alone is a warning,
    since its column is left empty. A rig of fewer than four sensors needs all of them.
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
        reasons.append(f"sensors: {len(remaining)} of {len(sensors)} are usable and {needed} are needed")
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
