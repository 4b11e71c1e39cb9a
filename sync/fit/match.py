"""Pairing two trains of events, some missing and some false, under an unknown affine map - or refusing to.

A wrong pairing can have small residuals, so residuals prove nothing. What proves a pairing is that no other one
comes near it: the second-best is looked for as hard as the best. And few events always fit somewhere: a pairing
counts only where trains that have nothing in common would hardly ever give one as good.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from dataset.support.arrays import FloatArray, IntArray
from sync.fit.clock_map import ClockMap

MIN_MATCHES = 3
MIN_MATCH_RATE = 0.5
MIN_MARGIN = 0.25
MAX_RATE_PPM = 200.0
#: Pairings as good as the one accepted that two unrelated trains are expected to give.
MAX_BY_CHANCE = 0.01
#: Maps refined at most, and offsets taken a rate; what is left out are the least supported ones.
_MAX_HYPOTHESES = 200
_OFFSETS_PER_RATE = 12
_MAX_RATES = 401


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Which events of two trains belong together, and how sure that is.

    Attributes
    ----------
    accepted : bool
    reason : str
        Why it was refused; empty where it was accepted.
    pairs : ndarray of int64, shape (M, 2)
        Index of the reference event and of the target event.
    residual_s : ndarray, shape (M,)
        Reference time minus target time by the affine map that fits the pairs best.
    n_reference, n_target : int
    match_rate : float
        Matches per event of the shorter train.
    ambiguity_margin : float
        ``(best - second - 1) / best`` in matches: one chance event must not decide.
    coverage : float
        Time between the first and the last match, per time between the first and the last reference event.
    largest_gap_s : float
        Longest stretch of the reference train's span without a match.
    """

    accepted: bool
    reason: str
    pairs: IntArray = field(default_factory=lambda: np.zeros((0, 2), dtype=np.int64))
    residual_s: FloatArray = field(default_factory=lambda: np.zeros(0))
    n_reference: int = 0
    n_target: int = 0
    match_rate: float = 0.0
    ambiguity_margin: float = 0.0
    coverage: float = 0.0
    largest_gap_s: float = math.nan

    @property
    def n_matched(self) -> int:
        """Number of pairs."""
        return len(self.pairs)


@dataclass(frozen=True, slots=True)
class _Hypothesis:
    pairs: IntArray
    clock: ClockMap
    cost: float


def match_events(
    reference_s: FloatArray,
    target_s: FloatArray,
    *,
    tolerance_s: float,
    max_rate_ppm: float = MAX_RATE_PPM,
    n_looks: int = 1,
) -> Pairing:
    """Pair the events of two trains.

    Parameters
    ----------
    reference_s, target_s : ndarray, shape (N,), (M,)
        Event times on either clock, ascending. The offset between the clocks is unknown and may be hours.
    tolerance_s : float
        Largest residual of a pair; about three standard deviations of the detectors' errors together.
    max_rate_ppm : float
        Bound of the clocks' relative rate.
    n_looks : int
        Target trains tried so far, this one included: the more, the likelier one fits by chance.

    Returns
    -------
    Pairing
        Refused with the reason in words where the gates are not passed: at least 3 matches, a match rate of 0.5,
        a second-best pairing that is clearly worse, and a fit that chance hardly ever gives.
    """
    n, m = len(reference_s), len(target_s)
    if min(n, m) < MIN_MATCHES:
        few = f"{n} reference and {m} detected events; at least {MIN_MATCHES} of each are needed"
        return Pairing(accepted=False, reason=few, n_reference=n, n_target=m)
    # Work near zero: offsets of hours would cost precision.
    ref = np.asarray(reference_s, dtype=np.float64) - reference_s[0]
    tar = np.asarray(target_s, dtype=np.float64) - target_s[0]
    hypotheses = [
        _refine(ref, tar, clock, tolerance_s, max_rate_ppm * 1e-6)
        for clock in _candidate_maps(ref, tar, tolerance_s, max_rate_ppm * 1e-6)
    ]
    best = max(hypotheses, key=lambda h: (len(h.pairs), -h.cost))
    second = max((len(h.pairs) for h in hypotheses if _conflicts(h.pairs, best.pairs) >= 2), default=0)
    k = len(best.pairs)
    span = float(ref[-1] - ref[0])
    matched = ref[best.pairs[:, 0]]
    knots = np.concatenate([[ref[0]], matched, [ref[-1]]])
    rate = k / min(n, m)
    margin = max(0.0, (k - second - 1) / k) if k else 0.0
    residual_s = matched - best.clock(tar[best.pairs[:, 1]])
    chance = n_looks * _expected_by_chance(ref, tar, residual_s, tolerance_s, max_rate_ppm * 1e-6)
    found = Pairing(
        accepted=True,
        reason="",
        pairs=best.pairs,
        residual_s=residual_s,
        n_reference=n,
        n_target=m,
        match_rate=rate,
        ambiguity_margin=margin,
        coverage=float(np.ptp(matched)) / span if span > 0 and k else 0.0,
        largest_gap_s=float(np.max(np.diff(knots))) if k else span,
    )
    reason = _why_refused(found, second, chance)
    return replace(found, accepted=not reason, reason=reason)


def _why_refused(found: Pairing, second: int, chance: float) -> str:
    """Return which gate a pairing misses, in words; empty where it passes all.

    Parameters
    ----------
    found : Pairing
    second : int
        Pairs of the second-best pairing.
    chance : float
        Pairings as good that unrelated trains are expected to give.
    """
    k, n, m = found.n_matched, found.n_reference, found.n_target
    rate, margin = found.match_rate, found.ambiguity_margin
    if k < MIN_MATCHES:
        return f"only {k} of {n} reference events were found among {m} detected; at least {MIN_MATCHES} are needed"
    if rate < MIN_MATCH_RATE:
        return f"only {k} of {n} reference and {m} detected events fit together (match rate {rate:.2f}, needed 0.50)"
    if margin < MIN_MARGIN:
        return (
            f"the pairing is ambiguous: {k} events fit one way and {second} fit another "
            f"(margin {margin:.2f}, needed {MIN_MARGIN})"
        )
    if chance > MAX_BY_CHANCE:
        return (
            f"the pairing may be chance: {k} of {n} reference and {m} detected events fit together, and unrelated "
            f"events do so in {min(1.0, chance):.0%} of cases (allowed {MAX_BY_CHANCE:.0%})"
        )
    return ""


def _expected_by_chance(
    ref: FloatArray, tar: FloatArray, residual_s: FloatArray, tolerance_s: float, max_rate: float
) -> float:
    """Return how many pairings of as many events, as close, two unrelated trains are expected to give.

    Notes
    -----
    The number of false alarms of a-contrario detection (Desolneux, Moisan & Morel 2000, *Meaningful alignments*):
    each pair of events proposes a map, at as many rates as can be told apart; under it every further event of the
    shorter train finds a partner within the largest residual with the probability that the gaps allow.
    """
    n, m, k = len(ref), len(tar), len(residual_s)
    if k < MIN_MATCHES:
        return math.inf
    # Detectors are no better than this; a lucky fit of three is not stronger evidence.
    reach = max(float(np.max(np.abs(residual_s))), tolerance_s / 4)
    gap = max(1e-9, min(float(np.median(np.diff(ref))), float(np.median(np.diff(tar)))))
    found = min(1.0, 2 * reach / gap)
    maps = n * m * (1 + max_rate * float(np.ptp(tar)) / reach)
    return maps * math.comb(min(n, m) - 1, k - 1) * found ** (k - 1)


def _candidate_maps(ref: FloatArray, tar: FloatArray, tolerance_s: float, max_rate: float) -> list[ClockMap]:
    """Return the maps under which the most pairs fall together, most supported first."""
    reach = 0.5 * float(tar[-1])
    n_rates = min(_MAX_RATES, 1 + 2 * math.ceil(max_rate * reach / (0.5 * tolerance_s)))
    found: list[tuple[int, float, float]] = []
    for rate in np.linspace(-max_rate, max_rate, n_rates) if n_rates > 1 else (0.0,):
        differences = np.sort((ref[:, None] - ClockMap(offset_s=0.0, rate=float(rate))(tar)[None, :]).ravel())
        stops = np.searchsorted(differences, differences + 2 * tolerance_s, side="right")
        support = stops - np.arange(len(differences))
        taken: list[float] = []
        for i in np.argsort(-support, kind="stable")[: 40 * _OFFSETS_PER_RATE]:
            offset = float(np.median(differences[i : stops[i]]))
            if all(abs(offset - other) > tolerance_s for other in taken):
                taken.append(offset)
                found.append((int(support[i]), float(rate), offset))
            if len(taken) >= _OFFSETS_PER_RATE:
                break
    found.sort(key=lambda f: -f[0])
    return [ClockMap(offset_s=offset, rate=rate) for _, rate, offset in found[:_MAX_HYPOTHESES]]


def _refine(ref: FloatArray, tar: FloatArray, clock: ClockMap, tolerance_s: float, max_rate: float) -> _Hypothesis:
    """Return the pairing that grows from a first map by pairing and fitting in turn."""
    best = _Hypothesis(np.zeros((0, 2), dtype=np.int64), clock, math.inf)
    for _ in range(4):
        pairs = _nearest_pairs(ref, clock(tar), tolerance_s)
        if len(pairs) == 0:
            break
        x, y = tar[pairs[:, 1]], ref[pairs[:, 0]] - tar[pairs[:, 1]]
        fitted_rate, fitted_offset = _line(x, y, tolerance_s, max_rate)
        cost = float(np.sum((y - fitted_rate * x - fitted_offset) ** 2)) / tolerance_s**2
        if (len(pairs), -cost) <= (len(best.pairs), -best.cost):
            break
        clock = ClockMap(offset_s=fitted_offset, rate=fitted_rate)
        best = _Hypothesis(pairs, clock, cost)
    return best


def _line(x: FloatArray, y: FloatArray, tolerance_s: float, max_rate: float) -> tuple[float, float]:
    """Least squares of ``y = rate * x + height``, the rate held small unless the span can tell it."""
    centred = x - x.mean()
    # Prior: rates are about max_rate / 2; it decides only where the events are too close together.
    weight = (tolerance_s / 3) ** 2 / (max_rate / 2) ** 2 if max_rate > 0 else math.inf
    spread = float(np.sum(centred**2))
    rate = float(np.sum(centred * (y - y.mean()))) / (spread + weight) if math.isfinite(weight) else 0.0
    rate = min(max(rate, -max_rate), max_rate)
    return rate, float(y.mean() - rate * x.mean())


def _nearest_pairs(ref: FloatArray, mapped: FloatArray, tolerance_s: float) -> IntArray:
    """Return one-to-one pairs of mutual nearest neighbours within the tolerance, in time order."""
    if len(ref) == 0 or len(mapped) == 0:
        return np.zeros((0, 2), dtype=np.int64)
    to_ref = _nearest(ref, mapped)
    to_mapped = _nearest(mapped, ref)
    targets = np.arange(len(mapped))
    mutual = to_mapped[to_ref] == targets
    close = np.abs(ref[to_ref] - mapped) <= tolerance_s
    good = targets[mutual & close]
    return np.column_stack([to_ref[good], good]).astype(np.int64)


def _nearest(sorted_values: FloatArray, wanted: FloatArray) -> IntArray:
    right = np.clip(np.searchsorted(sorted_values, wanted), 1, max(1, len(sorted_values) - 1))
    left = right - 1
    right = np.minimum(right, len(sorted_values) - 1)
    nearer_left = np.abs(wanted - sorted_values[left]) <= np.abs(wanted - sorted_values[right])
    return np.where(nearer_left, left, right).astype(np.int64)


def _conflicts(pairs: IntArray, best: IntArray) -> int:
    """Number of pairs that the best pairing does not have."""
    return len({(int(a), int(b)) for a, b in pairs} - {(int(a), int(b)) for a, b in best})
