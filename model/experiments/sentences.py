"""Sentences computed from bootstrap draws: which of the paper's statements the results agree with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from dataset.support.arrays import FloatArray
from model.experiments.bootstrap import Estimate, Summary, interval


def figure(estimate: Estimate, digits: int = 1) -> str:
    """Return a value with its interval: ``12.3 (11.0 to 13.9)``."""
    if estimate.value is None:
        return "-"
    text = f"{estimate.value:.{digits}f}"
    if estimate.low is None or estimate.high is None:
        return text
    return f"{text} ({estimate.low:.{digits}f} to {estimate.high:.{digits}f})"


def is_lower(name: str, lower: Summary, other_name: str, other: Summary, unit: str) -> str:
    """Return a sentence on whether the first's mean error is lower, by paired draws of the same recordings."""
    return below(f"{name} against {other_name}", lower.mean_exercises(), other.mean_exercises(), unit,
                 enough=lower.n_recordings > 1)  # fmt: skip


def below(what: str, lower: FloatArray, other: FloatArray, unit: str, *, enough: bool, digits: int = 1) -> str:
    """Return a sentence on whether ``lower`` is below ``other``, by paired bootstrap draws, the values first."""
    gap = interval(lower - other, enough=enough)
    if gap.value is None:
        return f"{what}: **unknown**, one of them has no value."
    sizes = f"{lower[0]:.{digits}f} against {other[0]:.{digits}f} {unit}"
    if gap.low is None or gap.high is None:
        alike = f"{abs(gap.value):.{digits}f}" == f"{0.0:.{digits}f}"
        word = "equal" if alike else "lower" if gap.value < 0 else "not lower"
        return f"{what}: {word} ({sizes}), from one recording: **no interval**."
    sizes += f"; difference {gap.value:+.{digits}f}, 95 % interval {gap.low:+.{digits}f} to {gap.high:+.{digits}f}"
    if gap.high < 0:
        return f"{what}: **agrees** ({sizes})."
    if gap.low > 0:
        return f"{what}: **disagrees** ({sizes})."
    return f"{what}: **no significant difference** ({sizes})."


def ordering(summaries: Mapping[str, Summary], order: Sequence[tuple[str, str]], unit: str) -> list[str]:
    """Return a sentence for each step of the paper's order, worst first; ``order`` has names and keys in tables."""
    there = [(name, key) for name, key in order if key in summaries]
    return [
        is_lower(better_name, summaries[better], worse_name, summaries[worse], unit)
        for (worse_name, worse), (better_name, better) in pairwise(there)
    ]
