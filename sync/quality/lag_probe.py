"""Lag of sEMG behind motion, by cross-correlation of the session's own grid values.

It shares no clock, flash or clap with the alignment, so it can contradict it. It cannot replace the alignment: it is
coarse, periodic movement gives it aliases, and isometric contractions give it no information.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from dataset.session.types import Session
from dataset.support.arrays import FloatArray, IntArray
from dataset.support.version import software
from sync.fit.priors import MOTION_LAG
from sync.quality.motion_signals import motion_signals

#: Largest lag searched, and the length of the windows from which the means of motion and sEMG are subtracted.
LARGEST_LAG_S = 2.0
WINDOW_S = 6.0
_FEWEST_VALUES = 10
#: Correlations below this give no lag, however clear their peak.
_LEAST_R = 0.25
#: A peak must exceed this quantile of the null distribution, which includes the choice of signal and muscle.
_NULL_QUANTILE = 0.99
_N_NULL, _N_BOOTSTRAP = 300, 200
#: The null distribution and the interval are drawn over at most this many blocks of time, however long the session.
_MOST_BLOCKS = 128
#: A peak that is highest in this share of the bootstrap draws, or this close to the best, counts as a tie.
_TIE_DRAWS, _TIE_SHARE = 0.025, 0.97
#: Other peaks are reported from this share of the best one's height on.
_ALIAS_SHARE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """A local maximum of the correlation: lag and height."""

    lag_s: float
    r: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelLag:
    """Lag of one channel.

    Attributes
    ----------
    lag_s : float
        Behind its best motion signal; NaN where it cannot be estimated. Positive: sEMG lags.
    r, r_at_zero : float
        Correlation at that lag and at lag 0.
    needed_r : float
        Threshold of significance, from the null distribution with the same choice of motion signals.
    motion : str
        Name of the best motion signal.
    curve : ndarray, shape (L,)
        Correlation at each lag.
    windows_lag_s : ndarray, shape (W,)
        Lag of each single window, NaN where it has no clear peak.
    """

    lag_s: float = math.nan
    r: float = math.nan
    r_at_zero: float = math.nan
    needed_r: float = math.nan
    motion: str = ""
    curve: FloatArray = field(default_factory=lambda: np.zeros(0))
    windows_lag_s: FloatArray = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class LagProbe:
    """Lag of one session.

    Attributes
    ----------
    lag_s, ci95_s : float
        Lag of the muscle with the highest correlation, and its half-width by a block bootstrap; NaN where it cannot
        be estimated. Positive: sEMG lags.
    r, r_at_zero : float
    muscle : str
        The muscle with the highest correlation.
    needed_r : float
        Threshold of significance, from the null distribution with the same choice of signals and muscles.
    reason : str
        Why the lag cannot be estimated, or why it is ambiguous; else empty.
    ambiguous : bool
        Another lag fits as well: the one nearest to zero is given, and the interval is that of this peak alone.
    aliases : tuple of Peak
        Other lags that fit, strongest first: periodic movement fits again one period later.
    channels : mapping of channel to ChannelLag
    lags_s : ndarray, shape (L,)
    """

    lag_s: float = math.nan
    ci95_s: float = math.nan
    r: float = math.nan
    r_at_zero: float = math.nan
    muscle: str = ""
    needed_r: float = math.nan
    reason: str = ""
    ambiguous: bool = False
    aliases: tuple[Peak, ...] = ()
    channels: Mapping[str, ChannelLag] = field(default_factory=dict)
    lags_s: FloatArray = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, slots=True)
class _Products:
    """Sums of products of motion and sEMG, each minus its window's mean, per window or block and lag; shape (W, L)."""

    xy: FloatArray
    xx: FloatArray
    yy: FloatArray

    def r(self, weight: FloatArray | None = None) -> FloatArray:
        """Return the pooled correlation at each lag; ``weight`` is how often each row counts."""
        xy, xx, yy = (p.sum(axis=0) if weight is None else weight @ p for p in (self.xy, self.xx, self.yy))
        return np.asarray(xy / np.sqrt(xx * yy + 1e-12))

    def summed(self, block: IntArray, n_blocks: int) -> _Products:
        """Return the sums over each block of windows."""
        sums = []
        for product in (self.xy, self.xx, self.yy):
            total = np.zeros((n_blocks, product.shape[1]))
            np.add.at(total, block, product)
            sums.append(total)
        return _Products(*sums)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """One motion signal of one channel, against that channel's sEMG."""

    motion: str
    blocks: _Products
    curve: FloatArray
    windows_lag_s: FloatArray


def probe_lag(session: Session, *, seed: int = 0) -> LagProbe:
    """Estimate the lag of sEMG behind motion by windowed cross-correlation, with a block bootstrap for its interval.

    Parameters
    ----------
    session : Session
        With keypoints and sEMG on its grid.
    seed : int
        Seed of the bootstrap and of the null distribution.

    Notes
    -----
    The means of motion and sEMG are subtracted within windows of a segment, so that neither drift nor a change of
    exercise correlates. Each channel uses the motion signal with the highest correlation: flexion or speed of the
    joints it moves, or energy of its limb. The muscle with the highest correlation, averaged over both sides, gives
    the lag.

    The null distribution shifts each block of time by its own random lag: this keeps the periods of motion and sEMG
    and the number of blocks, and destroys their common phase. The same choice of signal and muscle is made in every
    draw, which corrects for multiple comparisons. (Pairing motion with sEMG of another time would not do: periodic
    movement fits there as well as at the right time.)
    """
    aligned = session.aligned
    n_lags = round(LARGEST_LAG_S * session.rate_hz)
    shifts = np.arange(-n_lags, n_lags + 1)
    lags_s = shifts / session.rate_hz
    if aligned.keypoints_3d is None and aligned.keypoints_2d is None:
        return LagProbe(reason="the session has no keypoints", lags_s=lags_s)
    window = _windows(aligned.segment, round(WINDOW_S * session.rate_hz))
    block = _blocks(aligned.time_s, window)
    n_blocks = int(block.max(initial=-1)) + 1
    candidates: dict[str, list[_Candidate]] = {}
    for c, name in enumerate(session.channels.name):
        candidates[name] = []
        for motion, signal in motion_signals(session, session.channels.muscle[c], session.channels.side[c]).items():
            products = _multiply(signal, aligned.emg[:, c], aligned.segment, window, shifts)
            blocks = products.summed(block, n_blocks)
            each = _each_window(products, lags_s)
            candidates[name].append(_Candidate(motion, blocks, blocks.r(), each))
    rng = np.random.default_rng(seed)
    chance = _by_chance(candidates, n_blocks, len(shifts), rng)
    channels: dict[str, ChannelLag] = {}
    best: dict[str, _Candidate] = {}
    for name, found in candidates.items():
        if not found or not any(candidate.curve.any() for candidate in found):
            channels[name] = ChannelLag()
            continue
        best[name] = max(found, key=lambda candidate: float(candidate.curve.max()))
        curve = best[name].curve
        lag, r = _top(curve, lags_s)
        needed = max(_LEAST_R, float(np.quantile(chance[name].max(axis=1), _NULL_QUANTILE)))
        significant = r >= needed and 0 < int(np.argmax(curve)) < len(curve) - 1
        channels[name] = ChannelLag(
            lag_s=lag if significant else math.nan, r=r, r_at_zero=float(curve[n_lags]), needed_r=needed,
            motion=best[name].motion, curve=curve, windows_lag_s=best[name].windows_lag_s,
        )  # fmt: skip
    return _of_the_muscles(session, channels, best, chance, lags_s, rng)


def _of_the_muscles(
    session: Session,
    channels: dict[str, ChannelLag],
    best: Mapping[str, _Candidate],
    chance: Mapping[str, FloatArray],
    lags_s: FloatArray,
    rng: np.random.Generator,
) -> LagProbe:
    """Return the lag of the muscle with the highest correlation, if it is significant."""
    muscles: dict[str, list[str]] = {}
    for name, muscle in zip(session.channels.name, session.channels.muscle, strict=True):
        if name in best:
            muscles.setdefault(muscle, []).append(name)
    if not muscles:
        return LagProbe(reason="no sEMG overlaps with motion", channels=channels, lags_s=lags_s)
    curves = {m: np.mean([channels[n].curve for n in names], axis=0) for m, names in muscles.items()}
    muscle = max(curves, key=lambda m: float(curves[m].max()))
    curve, names = curves[muscle], muscles[muscle]
    r = _top(curve, lags_s)[1]
    by_chance = np.max([np.mean([chance[n] for n in ns], axis=0).max(axis=1) for ns in muscles.values()], axis=0)
    common = LagProbe(
        r=r, r_at_zero=float(curve[len(lags_s) // 2]), muscle=muscle,
        needed_r=max(_LEAST_R, float(np.quantile(by_chance, _NULL_QUANTILE))), channels=channels, lags_s=lags_s,
    )  # fmt: skip
    if r < common.needed_r:
        why = f"the highest correlation is {r:.2f} ({muscle}), {common.needed_r:.2f} is needed"
        return replace(common, reason=f"no muscle correlates with the motion: {why}")
    if not 0 < int(np.argmax(curve)) < len(curve) - 1:
        return replace(common, reason=f"the correlation still rises at the largest lag of {LARGEST_LAG_S:g} s")
    return _with_lag(common, curve, [best[n].blocks for n in names], rng)


def _with_lag(common: LagProbe, curve: FloatArray, blocks: list[_Products], rng: np.random.Generator) -> LagProbe:
    """Return the probe with its lag, the lag's interval, and the other lags that fit."""
    peaks = sorted(_peaks(curve, common.lags_s), key=lambda p: -p.r)
    at = np.array([p.lag_s for p in peaks])
    used = np.flatnonzero(np.sum([b.xx.sum(axis=1) for b in blocks], axis=0) > 0)
    again = []
    for _ in range(_N_BOOTSTRAP):
        weight = np.bincount(rng.choice(used, len(used)), minlength=len(blocks[0].xx)).astype(np.float64)
        again.append(_top(np.mean([b.r(weight) for b in blocks], axis=0), common.lags_s)[0])
    drawn = np.array(again)
    nearest = np.argmin(np.abs(drawn[:, None] - at), axis=1)
    share = np.bincount(nearest, minlength=len(peaks)) / len(drawn)
    tied = [i for i, p in enumerate(peaks) if i == 0 or share[i] > _TIE_DRAWS or p.r > _TIE_SHARE * peaks[0].r]
    chosen = min(tied, key=lambda i: abs(peaks[i].lag_s))
    others = tuple(p for i, p in enumerate(peaks) if i != chosen and (i in tied or p.r > _ALIAS_SHARE * peaks[0].r))
    own = drawn[nearest == chosen]
    ci95_s = float(np.subtract(*np.percentile(own, (97.5, 2.5)))) / 2 if len(own) > 1 else math.nan
    reason = ""
    if len(tied) > 1:
        fits = ", ".join(f"{peaks[i].lag_s:+.2f} s" for i in tied if i != chosen)
        reason = f"ambiguous: the movement is periodic and {fits} fits as well; the lag nearest to zero is given"
    return replace(
        common, lag_s=peaks[chosen].lag_s, r=peaks[chosen].r, ci95_s=ci95_s, aliases=others,
        ambiguous=len(tied) > 1, reason=reason,
    )  # fmt: skip


def fix_lag(session: Session) -> tuple[Session, LagProbe]:
    """Return a session whose sEMG is shifted, in whole frames, by the estimated lag minus the physiological lag.

    Values are shifted within their own uninterrupted run; at a run's end values are missing, and the mask marks them.
    The resulting alignment is relative: it relies on the motion and on an assumed lead of the muscles. The shift is in
    whole frames because values between the published ones would have to be invented; the remainder is at most half a
    frame. Windows keep their 30 rows: overlapping windows lose values only at the end of their chain, separate ones
    lose as many as the shift. Where the lag cannot be estimated or is ambiguous, nothing is shifted, and the session
    states this.
    """
    probe = probe_lag(session)
    step = {
        "step": "lag", "version": software(), "lag_s": _number(probe.lag_s), "ci95_s": _number(probe.ci95_s),
        "r": _number(probe.r), "muscle": probe.muscle, "prior_s": MOTION_LAG.value_s, "prior_sd_s": MOTION_LAG.sd_s,
    }  # fmt: skip
    if not math.isfinite(probe.lag_s) or probe.ambiguous:
        note = {**step, "removed_s": 0.0, "reason": probe.reason}
        left = f"{session.verdict_reason}; sEMG was not shifted: {probe.reason}"
        return replace(session, verdict_reason=left, provenance=(*session.provenance, note)), probe
    frames = round((probe.lag_s - MOTION_LAG.value_s) * session.rate_hz)
    removed_s = frames / session.rate_hz
    aligned = session.aligned
    emg = _moved(aligned.time_s, aligned.emg, frames, session.rate_hz)
    reason = (
        f"{session.verdict_reason}; relative: sEMG was shifted {_direction(removed_s)}, by its lag behind motion "
        f"({probe.lag_s:.2f} s) plus an assumed lead of the muscles ({-MOTION_LAG.value_s:.2f} s)"
    )
    return replace(
        session,
        verdict_reason=reason,
        emg={n: replace(s, time_s=s.time_s - removed_s) for n, s in session.emg.items()},
        aligned=replace(aligned, emg=emg, emg_valid=np.isfinite(emg)),
        provenance=(*session.provenance, {**step, "alignment": "relative", "removed_s": removed_s}),
    ), probe


def correction_of(session: Session) -> dict[str, object]:
    """Return what :func:`fix_lag` did to a session: the stored numbers, and a line of text under ``told``."""
    step = next(dict(step) for step in reversed(session.provenance) if step.get("step") == "lag")
    if step.get("alignment") == "relative":
        text = (
            f"relative: lag {step['lag_s']:.2f} s, assumed lead of the muscles {-MOTION_LAG.value_s:.2f} s: "
            f"sEMG shifted {_direction(step['removed_s'])}"
        )
    else:
        text = f"left as published: {step['reason']}"
    return {**step, "told": text}


def _moved(time_s: FloatArray, emg: FloatArray, frames: int, rate_hz: float) -> FloatArray:
    """Return for each row the values ``frames`` later in the same uninterrupted run; NaN where there are none."""
    number = np.rint(time_s * rate_hz).astype(np.int64)
    unique, first = np.unique(number, return_index=True)
    stretch = np.cumsum(np.concatenate([[0], np.diff(unique) > 1]))
    here = np.searchsorted(unique, number)
    there = np.clip(np.searchsorted(unique, number + frames), 0, len(unique) - 1)
    same = (unique[there] == number + frames) & (stretch[there] == stretch[here])
    return np.where(same[:, None], emg[first[there]], np.nan)


# -- correlation --------------------------------------------------------------------------------------------------


def _windows(segment: IntArray, length: int) -> IntArray:
    """Return the number of the window each row belongs to, -1 outside segments; each window lies in one segment."""
    window = np.full(len(segment), -1, dtype=np.int64)
    if not len(segment):
        return window
    n = 0
    edges = np.flatnonzero(np.concatenate([[True], np.diff(segment) != 0, [True]]))
    for first, stop in pairwise(edges.tolist()):
        if segment[first] < 0:
            continue
        count = max(1, round((stop - first) / length))
        window[first:stop] = n + np.minimum(count - 1, np.arange(stop - first) * count // (stop - first))
        n += count
    return window


def _multiply(motion: FloatArray, emg: FloatArray, segment: IntArray, window: IntArray, shifts: IntArray) -> _Products:
    """Return the products of motion with sEMG ``shifts`` rows later, within segments, per window."""
    n = len(motion)
    n_windows = int(window.max(initial=-1)) + 1
    shape = (n_windows, len(shifts))
    xy, xx, yy = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    rows = np.arange(n)
    for k, shift in enumerate(shifts):
        other = rows + shift
        inside = (other >= 0) & (other < n)
        other = np.clip(other, 0, n - 1)
        inside &= (segment == segment[other]) & (window >= 0)
        x, y = motion, emg[other]
        ok = inside & np.isfinite(x) & np.isfinite(y)
        w, x, y = window[ok], x[ok], y[ok]
        count = np.bincount(w, minlength=n_windows).astype(np.float64)
        enough = count >= _FEWEST_VALUES
        count = np.maximum(count, 1.0)
        sx, sy = np.bincount(w, x, n_windows), np.bincount(w, y, n_windows)
        xy[:, k] = np.where(enough, np.bincount(w, x * y, n_windows) - sx * sy / count, 0.0)
        xx[:, k] = np.where(enough, np.bincount(w, x * x, n_windows) - sx**2 / count, 0.0)
        yy[:, k] = np.where(enough, np.bincount(w, y * y, n_windows) - sy**2 / count, 0.0)
    return _Products(xy, xx, yy)


def _blocks(time_s: FloatArray, window: IntArray) -> IntArray:
    """Return the block of each window: spans of time, so that overlapping windows are drawn together."""
    inside = np.flatnonzero(window >= 0)
    if not len(inside):
        return np.zeros(0, dtype=np.int64)
    first = inside[np.unique(window[inside], return_index=True)[1]]
    stretch = np.unique(np.floor((time_s[first] - time_s[first[0]]) / WINDOW_S), return_inverse=True)[1]
    n = int(stretch.max()) + 1
    return np.asarray(stretch * min(n, _MOST_BLOCKS) // n, dtype=np.int64)


def _by_chance(
    candidates: Mapping[str, list[_Candidate]], n_blocks: int, n_lags: int, rng: np.random.Generator
) -> dict[str, FloatArray]:
    """Return the null distribution: each channel's best curve in every draw; shape (D, L).

    Each block's products are rotated by a random lag. A rotation is a phase in the Fourier transform over lags, so
    all draws take one matrix product per frequency.
    """
    turn = rng.integers(0, n_lags, (n_blocks, _N_NULL))
    frequency = np.arange(n_lags // 2 + 1)
    phase = np.exp(-2j * np.pi * frequency[:, None, None] * turn / n_lags)
    result = {}
    for name, found in candidates.items():
        curves = []
        for candidate in found:
            products = np.stack([candidate.blocks.xy, candidate.blocks.xx, candidate.blocks.yy])
            spectrum = np.fft.rfft(products, axis=2).transpose(2, 0, 1)
            xy, xx, yy = np.fft.irfft((spectrum @ phase).transpose(1, 2, 0), n=n_lags, axis=2)
            curves.append(xy / np.sqrt(np.maximum(xx * yy, 0.0) + 1e-12))
        if curves:
            every = np.stack(curves)
            top = every.max(axis=2).argmax(axis=0)
            result[name] = every[top, np.arange(_N_NULL)]
    return result


def _top(curve: FloatArray, lags_s: FloatArray) -> tuple[float, float]:
    """Return the lag and the height of the curve's maximum, by parabolic interpolation."""
    k = int(np.argmax(curve))
    return _between(curve, lags_s, k)


def _between(curve: FloatArray, lags_s: FloatArray, k: int) -> tuple[float, float]:
    if not 0 < k < len(curve) - 1:
        return float(lags_s[k]), float(curve[k])
    bend = curve[k - 1] - 2 * curve[k] + curve[k + 1]
    part = 0.5 * float((curve[k - 1] - curve[k + 1]) / bend) if bend < 0 else 0.0
    height = float(curve[k] - 0.25 * (curve[k - 1] - curve[k + 1]) * part)
    return float(lags_s[k] + part * (lags_s[1] - lags_s[0])), height


def _peaks(curve: FloatArray, lags_s: FloatArray) -> list[Peak]:
    """Return all local maxima, by parabolic interpolation."""
    inner = np.flatnonzero((curve[1:-1] > curve[:-2]) & (curve[1:-1] >= curve[2:])) + 1
    return [Peak(lag_s=lag, r=r) for lag, r in (_between(curve, lags_s, int(k)) for k in inner)]


def _each_window(products: _Products, lags_s: FloatArray) -> FloatArray:
    """Return each window's own lag; NaN where its correlation has no clear peak."""
    r = products.xy / np.sqrt(products.xx * products.yy + 1e-12)
    best = np.argmax(r, axis=1) if r.size else np.zeros(0, dtype=np.int64)
    clear = r[np.arange(len(best)), best] > 0.5
    return np.where(clear, lags_s[best], np.nan)


def _direction(seconds: float) -> str:
    return f"{abs(seconds):.1f} s {'earlier' if seconds >= 0 else 'later'}"


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def lag_as_dict(path: str, subject: str, probe: LagProbe) -> dict[str, object]:
    """Return what ``mia-sync lag --json`` prints for one session; what cannot be estimated is None."""
    return {
        "session": path,
        "subject": subject,
        "lag_s": _number(probe.lag_s),
        "ci95_s": _number(probe.ci95_s),
        "r": _number(probe.r),
        "r_at_zero": _number(probe.r_at_zero),
        "muscle": probe.muscle,
        "reason": probe.reason,
        "ambiguous": probe.ambiguous,
        "needed_r": _number(probe.needed_r),
        "aliases": [{"lag_s": round(p.lag_s, 3), "r": round(p.r, 4)} for p in probe.aliases],
        "channels": {
            name: {
                "lag_s": _number(c.lag_s), "r": _number(c.r), "r_at_zero": _number(c.r_at_zero), "motion": c.motion,
                "windows_lag_s": [_number(v) for v in c.windows_lag_s],
            }
            for name, c in probe.channels.items()
        },
    }  # fmt: skip


def lag_as_text(path: str, probe: LagProbe) -> str:
    """Return the text that ``mia-sync lag`` prints for one session."""
    if math.isfinite(probe.lag_s):
        head = (
            f"{path}: Estimated from motion: sEMG {'lags' if probe.lag_s > 0 else 'leads'} by {abs(probe.lag_s):.2f} s "
            f"(95 % interval ± {probe.ci95_s:.2f} s; {probe.muscle}, r {probe.r:.2f}, {probe.r_at_zero:.2f} at lag 0)"
        )
    else:
        head = f"{path}: The lag cannot be estimated: {probe.reason}"
    lines = [head]
    if probe.ambiguous:
        lines.append(f"  {probe.reason}")
    if probe.aliases:
        lines.append("  other lags that fit: " + ", ".join(f"{p.lag_s:+.2f} s (r {p.r:.2f})" for p in probe.aliases))
    for name, c in probe.channels.items():
        lag = f"{c.lag_s:+.2f} s" if math.isfinite(c.lag_s) else "none"
        lines.append(f"  {name:<18} {lag:>9}  r {c.r:.2f}  {c.motion}")
    return "\n".join(lines)


__all__ = ["ChannelLag", "LagProbe", "Peak", "correction_of", "fix_lag", "lag_as_dict", "lag_as_text", "probe_lag"]
