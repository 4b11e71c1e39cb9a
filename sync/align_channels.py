"""Alignment of two devices' recordings by one channel each, of a shared light, trigger, tap, sound or movement.

Three or more edges are matched as trains; waveforms that share their energy's course are correlated; one or two edges
are the last resort.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dataset.importers.channels import Channel
from dataset.support.arrays import FloatArray
from sync.events.edges import Edge, detect_edges
from sync.fit.envelope_correlation import EnvelopeMatch, agreed, correlate_envelopes
from sync.fit.match import MAX_RATE_PPM, MIN_MATCHES, match_events
from sync.quality.gates import Verdict

#: Edge shapes are cross-correlated within this time around the edges.
_SHAPE_S = (-0.05, 0.15)
#: With few edges, their spacings must agree within this, in addition to their own uncertainty.
_SPACING_S = 0.002
#: Two edges whose spacing is known no better than this prove little more than one: any two would agree.
_LOOSEST_SPACING_S = 0.02
#: Largest half-width at which a pairing of many edges passes.
_PASS_S = 0.010


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelAlignment:
    """Map of one recording's clock onto another's, with its verdict.

    Attributes
    ----------
    verdict : Verdict
        Never PASS with fewer than three edges; FAIL is a refusal and has no offset.
    reason : str
    method : {"trains", "envelopes", "few edges", "single edge", "none"}
    offset_s, half_width_s : float
        ``reference_s = (1 + rate_ppm * 1e-6) * target_s + offset_s`` and the half-width of its 95 % interval, at
        the matched edges; NaN where it is refused. For a single edge, the interval assumes that it is the same event.
    rate_ppm : float
        NaN where there are too few edges to measure it; the map then uses 0.
    pairs_s : ndarray, shape (M, 2)
        Times of the matched edges on each clock.
    n_reference, n_target : int
        Number of edges detected in each channel.
    r, second_r, second_offset_s : float
        By envelopes: correlation, that of the second-best peak, and its offset; else NaN.
    """

    verdict: Verdict
    reason: str
    method: str
    offset_s: float
    half_width_s: float
    rate_ppm: float
    pairs_s: FloatArray
    n_reference: int
    n_target: int
    r: float = math.nan
    second_r: float = math.nan
    second_offset_s: float = math.nan

    @property
    def n_matched(self) -> int:
        """Number of matched edges."""
        return len(self.pairs_s)


def align_channels(reference: Channel, target: Channel, *, single_edge: bool = False) -> ChannelAlignment:
    """Map ``target``'s clock onto ``reference``'s by trains of edges, else by correlation of envelopes, else two edges.

    Parameters
    ----------
    reference, target : Channel
    single_edge : bool
        One edge each may be taken for the same event if nothing better is found.

    Notes
    -----
    Values are not correlated as recorded: that peaks wherever both levels are high, which for a light that stays on is
    the recordings' overlap and not the switch, and it gives no error. A single edge in each recording can always be
    laid upon the other, so it proves nothing.
    """
    ours = detect_edges(reference.time_s, reference.value)
    theirs = detect_edges(target.time_s, target.value)
    matches = correlate_envelopes(reference, target)
    shared = agreed(matches)
    by_edges = _by_trains(reference, target, ours, theirs)
    if by_edges is not None and by_edges.verdict != Verdict.FAIL:
        return _confirmed(by_edges, shared, ours, theirs)
    if shared is not None:
        return _by_envelopes(shared, ours, theirs)
    if by_edges is not None:
        return by_edges
    for channel, edges in ((reference, ours), (target, theirs)):
        if not edges:
            why = f"no clear edge in {channel.name}, and {_why_no_shape(matches)}"
            return _refused(f"{why}; choose a channel that recorded a light, a trigger or a tap", ours, theirs)
    by_edges = _by_few(reference, target, ours, theirs)
    if by_edges.n_matched == 1 and not single_edge:
        return _refused(
            "there is one edge each, which can always be laid upon the other and proves nothing; switch the light "
            "three times or more, unevenly, while both record, or say that it is the same event by --single-edge",
            ours, theirs,
        )  # fmt: skip
    return by_edges


def _confirmed(
    found: ChannelAlignment, shared: EnvelopeMatch | None, ours: tuple[Edge, ...], theirs: tuple[Edge, ...]
) -> ChannelAlignment:
    """Return an alignment by edges unless the envelopes clearly say something else."""
    if shared is None:
        return found
    at_s = float(np.median(found.pairs_s[:, 0] - found.pairs_s[:, 1]))
    # Over an hour clocks part by up to MAX_RATE_PPM, which one lag does not follow.
    parted_s = MAX_RATE_PPM * 1e-6 * float(np.ptp(found.pairs_s[:, 0]))
    if abs(shared.offset_s - at_s) <= found.half_width_s + shared.half_width_s + 1.0 / shared.cutoff_hz + parted_s:
        return found
    return _refused(
        f"edges say {at_s:+.3f} s, the course of the channels' energy {shared.offset_s:+.3f} s: one of them is wrong",
        ours, theirs,
    )  # fmt: skip


def _by_envelopes(found: EnvelopeMatch, ours: tuple[Edge, ...], theirs: tuple[Edge, ...]) -> ChannelAlignment:
    drift_ms = MAX_RATE_PPM * 1e-6 * 60 * 1e3
    return ChannelAlignment(
        verdict=Verdict.WARNING,
        reason=(
            f"the course of the energy is alike (r {found.r:.2f}, next best {found.second_r:.2f} at "
            f"{found.second_s:+.2f} s); what either sensor is late by is not known, nor the rate of the clocks (up to "
            f"{drift_ms:.0f} ms per minute)"
        ),
        method="envelopes", offset_s=found.offset_s, half_width_s=found.half_width_s, rate_ppm=math.nan,
        pairs_s=np.zeros((0, 2)), n_reference=len(ours), n_target=len(theirs),
        r=found.r, second_r=found.second_r, second_offset_s=found.second_s,
    )  # fmt: skip


def _why_no_shape(matches: tuple[EnvelopeMatch, ...]) -> str:
    """Return why the envelopes give no lag, by the scale that comes closest."""
    if not matches:
        return "the channels are too short or too slow to compare their shapes"
    best = max(matches, key=lambda match: match.r)
    return f"their shapes are not clearly alike (r {best.r:.2f}, next best {best.second_r:.2f})"


def _by_trains(
    reference: Channel, target: Channel, ours: tuple[Edge, ...], theirs: tuple[Edge, ...]
) -> ChannelAlignment | None:
    """Return the alignment by three or more edges of one direction; None where there are fewer."""
    refusal = ""
    best: ChannelAlignment | None = None
    for rising in (True, False):
        a, b = (tuple(e for e in edges if e.rising == rising) for edges in (ours, theirs))
        if min(len(a), len(b)) < MIN_MATCHES:
            continue
        tolerance_s = max(0.002, 1.5 * math.hypot(_worst(a), _worst(b)))
        pairing = match_events(
            np.array([e.time_s for e in a]), np.array([e.time_s for e in b]), tolerance_s=tolerance_s
        )
        if not pairing.accepted:
            refusal = refusal or pairing.reason
            continue
        if best is not None and best.n_matched >= pairing.n_matched:
            continue
        pairs = [(a[i], b[j]) for i, j in pairing.pairs]
        x = np.array([q.time_s for _, q in pairs])
        y = np.array([p.time_s for p, _ in pairs])
        slope, height, half_width_s = _line(x, y, np.array([math.hypot(*_widths(p, q)) for p, q in pairs]))
        what = f"{len(pairs)} {'rising' if rising else 'falling'} edges of {len(a)} and {len(b)} match"
        good = half_width_s <= _PASS_S
        best = ChannelAlignment(
            verdict=Verdict.PASS if good else Verdict.WARNING,
            reason=what if good else f"{what}, but only within ±{1e3 * half_width_s:.0f} ms",
            method="trains", offset_s=height, half_width_s=half_width_s, rate_ppm=slope * 1e6,
            pairs_s=np.column_stack([y, x]), n_reference=len(ours), n_target=len(theirs),
        )  # fmt: skip
    if best is None and refusal:
        return _refused(refusal, ours, theirs)
    return best


def _by_few(reference: Channel, target: Channel, ours: tuple[Edge, ...], theirs: tuple[Edge, ...]) -> ChannelAlignment:
    """Return the alignment by one or two edges if only one pairing is possible; else a refusal."""
    # A recording that ended before the light was switched off lacks only that edge.
    alike = [
        rising for rising in (True, False)
        if sum(e.rising == rising for e in ours) == sum(e.rising == rising for e in theirs) > 0
    ]  # fmt: skip
    ours_all, theirs_all = ours, theirs
    ours, theirs = (tuple(e for e in edges if e.rising in alike) for edges in (ours, theirs))
    if not ours or [e.rising for e in ours] != [e.rising for e in theirs]:
        return _refused(
            f"{len(ours_all)} and {len(theirs_all)} edges were found, too few to match them reliably; "
            "switch the light three times or more, unevenly, while both record",
            ours_all, theirs_all,
        )  # fmt: skip
    measured = [_one(reference, target, p, q) for p, q in zip(ours, theirs, strict=True)]
    offsets = np.array([m[0] for m in measured])
    widths = np.array([m[1] for m in measured])
    tolerance_s = _SPACING_S + 2.0 * float(widths.max())
    if len(ours) > 1 and tolerance_s > _LOOSEST_SPACING_S:
        return _refused(
            f"the {len(ours)} edges are too slow to compare their spacing (within {1e3 * tolerance_s:.0f} ms); "
            "switch the light three times or more, unevenly, while both record",
            ours_all, theirs_all,
        )  # fmt: skip
    if np.ptp(offsets) > tolerance_s:
        return _refused(
            f"the spacing of the {len(ours)} edges differs by {1e3 * np.ptp(offsets):.0f} ms between the channels, "
            "so they are not the same events; switch the light three times or more, unevenly, while both record",
            ours_all, theirs_all,
        )  # fmt: skip
    weight = 1.0 / widths**2
    offset_s = float(np.sum(weight * offsets) / np.sum(weight))
    half_width_s = max(float(1.0 / math.sqrt(np.sum(weight))), float(np.ptp(offsets)) / 2)
    n = len(ours)
    drift_ms = MAX_RATE_PPM * 1e-6 * 60 * 1e3
    return ChannelAlignment(
        verdict=Verdict.WARNING,
        reason=(
            f"the match relies on {'one edge' if n == 1 else f'{n} edges'} each: nothing proves that they are the "
            f"same event, and the rate of the clocks is not measured (up to {drift_ms:.0f} ms per minute)"
        ),
        method="single edge" if n == 1 else "few edges",
        offset_s=offset_s, half_width_s=half_width_s, rate_ppm=math.nan,
        pairs_s=np.array([[p.time_s, q.time_s] for p, q in zip(ours, theirs, strict=True)]),
        n_reference=len(ours_all), n_target=len(theirs_all),
    )  # fmt: skip


def _one(reference: Channel, target: Channel, ours: Edge, theirs: Edge) -> tuple[float, float]:
    """Return offset and half-width from one edge, by its level crossings and by cross-correlation of its shape."""
    by_level = ours.levels_s - theirs.levels_s
    crossing_s = float(np.median(by_level))
    # If the sensors respond differently to the light, its levels are crossed at different lags: this is the error.
    doubt_s = float(np.ptp(by_level)) / 2
    own_s = math.hypot(*_widths(ours, theirs))
    shape_s = _shape_lag_s(reference, target, ours.time_s, theirs.time_s)
    if not math.isfinite(shape_s):
        return crossing_s, math.hypot(own_s, doubt_s)
    return 0.5 * (crossing_s + shape_s), math.hypot(own_s, max(doubt_s, abs(crossing_s - shape_s) / 2))


def _shape_lag_s(reference: Channel, target: Channel, ours_s: float, theirs_s: float) -> float:
    """Return the offset that maximises the cross-correlation of the two edges; NaN with too few values.

    A short section contains only the edge, so unlike for the whole signals cross-correlation is safe here.
    """
    step_s = float(np.median(np.diff(reference.time_s)))
    grid = np.arange(_SHAPE_S[0], _SHAPE_S[1], step_s)
    if len(grid) < 20:
        return math.nan
    one = np.interp(ours_s + grid, reference.time_s, reference.value)
    lags = np.arange(-10, 11) * step_s
    scores = np.array(
        [np.corrcoef(one, np.interp(theirs_s + grid - lag, target.time_s, target.value))[0, 1] for lag in lags]
    )
    at = int(np.argmax(scores))
    if not 0 < at < len(lags) - 1 or not np.all(np.isfinite(scores)):
        return math.nan
    left, middle, right = scores[at - 1 : at + 2]
    bend = left - 2 * middle + right
    between = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float(ours_s - theirs_s + lags[at] + between * step_s)


def _line(x: FloatArray, y: FloatArray, half_width_s: FloatArray) -> tuple[float, float, float]:
    """Return rate, offset and the offset's half-width at the middle of the edges."""
    weight = 1.0 / half_width_s**2
    middle = float(np.sum(weight * x) / np.sum(weight))
    centred = x - middle
    slope = float(np.sum(weight * centred * (y - x)) / np.sum(weight * centred**2))
    height = float(np.sum(weight * (y - x)) / np.sum(weight))
    residual = y - x - height - slope * centred
    formal = 1.0 / math.sqrt(float(np.sum(weight)))
    scatter = 1.96 * float(np.std(residual, ddof=2 if len(x) > 2 else 0)) / math.sqrt(len(x))
    return slope, height - slope * middle, max(formal, scatter)


def _widths(one: Edge, other: Edge) -> tuple[float, float]:
    return one.uncertainty_s, other.uncertainty_s


def _worst(edges: tuple[Edge, ...]) -> float:
    return max(e.uncertainty_s for e in edges)


def _refused(reason: str, ours: tuple[Edge, ...], theirs: tuple[Edge, ...]) -> ChannelAlignment:
    return ChannelAlignment(
        verdict=Verdict.FAIL, reason=reason, method="none", offset_s=math.nan, half_width_s=math.nan, rate_ppm=math.nan,
        pairs_s=np.zeros((0, 2)), n_reference=len(ours), n_target=len(theirs),
    )  # fmt: skip


def alignment_as_dict(found: ChannelAlignment) -> dict[str, object]:
    """Return what ``--json`` prints; unknown numbers are null."""

    def known(value: float) -> float | None:
        return value if math.isfinite(value) else None

    return {
        "verdict": str(found.verdict), "reason": found.reason, "method": found.method,
        "offset_s": known(found.offset_s),
        "offset_ci95_s": known(found.half_width_s), "rate_ppm": known(found.rate_ppm),
        "r": known(found.r), "second_r": known(found.second_r), "second_offset_s": known(found.second_offset_s),
        "n_reference": found.n_reference, "n_target": found.n_target, "n_matched": found.n_matched,
    }  # fmt: skip


def alignment_as_text(found: ChannelAlignment) -> str:
    """Return the alignment as text for the terminal."""
    lines = [f"{found.verdict}  {found.reason}"]
    if found.verdict != Verdict.FAIL:
        rate = f", rate {found.rate_ppm:+.1f} ppm" if math.isfinite(found.rate_ppm) else ""
        lines.append(
            f"  first clock = second clock {found.offset_s:+.6f} s "
            f"({'if it is the same event, ' if found.method == 'single edge' else ''}95 % within "
            f"{1e3 * found.half_width_s:.2f} ms){rate}"
        )
    return "\n".join(lines)
