"""The independent probe: by how much sEMG lags the motion, from nothing but the session's own grid.

It shares no clock, flash or clap with the alignment, so it can contradict it. It is no alignment itself: it is
coarse, periodic movement gives it aliases, and a muscle that holds still tells it nothing.
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

#: Lags looked at, and the length of a window about whose mean motion and sEMG are compared.
LARGEST_LAG_S = 2.0
WINDOW_S = 6.0
_FEWEST_VALUES = 10
#: Correlations below this tell no lag, however clear their peak.
_LEAST_R = 0.25
#: A peak must beat this quantile of the peaks that chance gives, the choice of signal and muscle included.
_NULL_QUANTILE = 0.99
_N_NULL, _N_BOOTSTRAP = 300, 200
#: Chance and interval are drawn over at most so many stretches of time, however long the session is.
_MOST_BLOCKS = 128
#: A peak that wins in this share of the bootstrap's draws, or comes this close to the best, cannot be told from it.
_TIE_DRAWS, _TIE_SHARE = 0.025, 0.97
#: Other peaks are worth telling from this share of the best on.
_ALIAS_SHARE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """A local maximum of the correlation: where, and how high."""

    lag_s: float
    r: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelLag:
    """One channel.

    Attributes
    ----------
    lag_s : float
        Of its best motion signal; NaN where it tells none. Positive: sEMG later than the motion.
    r, r_at_zero : float
        Correlation there, and at lag 0.
    needed_r : float
        What chance gives, with as many motion signals to choose from.
    motion : str
        Which motion signal that is.
    curve : ndarray, shape (L,)
        Correlation at each lag.
    windows_lag_s : ndarray, shape (W,)
        Lag of each window by itself, NaN where it has no clear peak.
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
    """What the probe finds in one session.

    Attributes
    ----------
    lag_s, ci95_s : float
        Lag of the muscle that follows the motion best, and its half-width by bootstrap over stretches of time; NaN
        where no lag can be told. Positive: sEMG later than the motion.
    r, r_at_zero : float
    muscle : str
        Whose lag it is.
    needed_r : float
        What chance gives, with as many signals and muscles to choose from.
    reason : str
        Why no lag can be told, or why it is ambiguous; empty where it is neither.
    ambiguous : bool
        Another lag fits as well: the one nearest to zero is given, and the interval is that of this peak alone.
    aliases : tuple of Peak
        Other lags that fit, strongest first: periodic movement fits again a period later.
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
    """Per window or block and lag: products of motion and sEMG about their means over each window; shape (W, L)."""

    xy: FloatArray
    xx: FloatArray
    yy: FloatArray

    def r(self, weight: FloatArray | None = None) -> FloatArray:
        """Return the correlation at each lag, pooled; ``weight`` says how often each row counts."""
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
    """Return the lag of sEMG behind the motion.

    Parameters
    ----------
    session : Session
        With keypoints and sEMG on its grid.
    seed : int
        Of the bootstrap and of chance.

    Notes
    -----
    Motion and sEMG are compared about their means within windows of a segment, so that neither drift nor a change of
    exercise correlates. Each channel takes, of the flexions and speeds of the joints it moves and the energy of its
    limb, the one that it follows best; of the muscles, both sides together, the one that follows best tells the lag.

    Chance is what remains when each stretch of time gets a lag of its own, drawn at random: the periods of motion and
    sEMG and the number of stretches stay, their common phase goes. The same choice of signal and muscle is made there,
    so that having many to choose from finds nothing. (Motion against sEMG of another time will not do: in periodic
    movement that fits as well as the right time.)
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
        told = r >= needed and 0 < int(np.argmax(curve)) < len(curve) - 1
        channels[name] = ChannelLag(
            lag_s=lag if told else math.nan, r=r, r_at_zero=float(curve[n_lags]), needed_r=needed,
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
    """Return the probe's answer: the lag of the muscle that follows the motion best, if any does."""
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
        why = f"the best, {muscle}, correlates {r:.2f}, and {common.needed_r:.2f} is needed"
        return replace(common, reason=f"no muscle follows the motion: {why}")
    if not 0 < int(np.argmax(curve)) < len(curve) - 1:
        return replace(common, reason=f"the correlation still rises at the largest lag of {LARGEST_LAG_S:g} s")
    return _told(common, curve, [best[n].blocks for n in names], rng)


def _told(common: LagProbe, curve: FloatArray, blocks: list[_Products], rng: np.random.Generator) -> LagProbe:
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
        reason = f"ambiguous: the movement repeats, and {fits} fits as well; the lag nearest to zero is given"
    return replace(
        common, lag_s=peaks[chosen].lag_s, r=peaks[chosen].r, ci95_s=ci95_s, aliases=others,
        ambiguous=len(tied) > 1, reason=reason,
    )  # fmt: skip


def fix_lag(session: Session) -> tuple[Session, LagProbe]:
    """Return a session whose sEMG was moved by the lag found, less what physiology explains, in whole frames.

    A value is moved within its own uninterrupted stretch; where a stretch ends nothing follows, and the mask says so.
    The alignment this gives is relative: it rests on the motion, and on a stated prior for the muscle's lead. Whole
    frames, because values between those published would have to be made up; what is left is at most half a frame.
    Windows keep their 30 rows: those in a chain of overlapping ones lose values at the chain's end only, those that
    stand alone lose as many as they are moved by. Where no lag can be told, or another fits as well, nothing moves,
    and the session says so.
    """
    probe = probe_lag(session)
    step = {
        "step": "lag", "version": software(), "lag_s": _number(probe.lag_s), "ci95_s": _number(probe.ci95_s),
        "r": _number(probe.r), "muscle": probe.muscle, "prior_s": MOTION_LAG.value_s, "prior_sd_s": MOTION_LAG.sd_s,
    }  # fmt: skip
    if not math.isfinite(probe.lag_s) or probe.ambiguous:
        note = {**step, "removed_s": 0.0, "reason": probe.reason}
        left = f"{session.verdict_reason}; its lag was left in: {probe.reason}"
        return replace(session, verdict_reason=left, provenance=(*session.provenance, note)), probe
    frames = round((probe.lag_s - MOTION_LAG.value_s) * session.rate_hz)
    removed_s = frames / session.rate_hz
    aligned = session.aligned
    emg = _moved(aligned.time_s, aligned.emg, frames, session.rate_hz)
    reason = (
        f"{session.verdict_reason}; relative: sEMG moved {_direction(removed_s)}, by its lag behind the motion "
        f"({probe.lag_s:.2f} s) less a stated lead of the muscles ({-MOTION_LAG.value_s:.2f} s)"
    )
    return replace(
        session,
        verdict_reason=reason,
        emg={n: replace(s, time_s=s.time_s - removed_s) for n, s in session.emg.items()},
        aligned=replace(aligned, emg=emg, emg_valid=np.isfinite(emg)),
        provenance=(*session.provenance, {**step, "alignment": "relative", "removed_s": removed_s}),
    ), probe


def correction_of(session: Session) -> dict[str, object]:
    """Return what :func:`fix_lag` did to a session: the numbers it stored, and ``told``, a line for a person."""
    step = next(dict(step) for step in reversed(session.provenance) if step.get("step") == "lag")
    if step.get("alignment") == "relative":
        told = (
            f"relative: lag {step['lag_s']:.2f} s, less the muscles' lead of {-MOTION_LAG.value_s:.2f} s: "
            f"sEMG moved {_direction(step['removed_s'])}"
        )
    else:
        told = f"left as published: {step['reason']}"
    return {**step, "told": told}


def _moved(time_s: FloatArray, emg: FloatArray, frames: int, rate_hz: float) -> FloatArray:
    """Return for each row the values ``frames`` later in the same uninterrupted stretch; NaN where there are none."""
    number = np.rint(time_s * rate_hz).astype(np.int64)
    unique, first = np.unique(number, return_index=True)
    stretch = np.cumsum(np.concatenate([[0], np.diff(unique) > 1]))
    here = np.searchsorted(unique, number)
    there = np.clip(np.searchsorted(unique, number + frames), 0, len(unique) - 1)
    same = (unique[there] == number + frames) & (stretch[there] == stretch[here])
    return np.where(same[:, None], emg[first[there]], np.nan)


# -- correlation --------------------------------------------------------------------------------------------------


def _windows(segment: IntArray, length: int) -> IntArray:
    """Return the number of the window each row belongs to, -1 outside segments; no window straddles two."""
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
    """Return the block of each window: stretches of time, so that windows that overlap are drawn together."""
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
    """Return for each channel, and each draw, the curve of the signal that follows best by chance; shape (D, L).

    Each block's products are turned by a lag of its own. A turn is a phase in the lag's Fourier transform, so that
    all draws are one product of matrices a frequency.
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
    """Return the highest point of the curve, between its samples, and its height."""
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
    """Return all local maxima."""
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
    """Return what ``mia-sync lag --json`` prints for one session; what cannot be told is None."""
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
    """Return the same for a person."""
    if math.isfinite(probe.lag_s):
        head = (
            f"{path}: sEMG {abs(probe.lag_s):.2f} s {'later' if probe.lag_s > 0 else 'earlier'} than the motion "
            f"(± {probe.ci95_s:.2f} s by its windows; {probe.muscle}, r {probe.r:.2f}, at lag 0 {probe.r_at_zero:.2f})"
        )
    else:
        head = f"{path}: no lag can be told: {probe.reason}"
    lines = [head]
    if probe.ambiguous:
        lines.append(f"  {probe.reason}")
    if probe.aliases:
        lines.append("  also fits: " + ", ".join(f"{p.lag_s:+.2f} s (r {p.r:.2f})" for p in probe.aliases))
    for name, c in probe.channels.items():
        lag = f"{c.lag_s:+.2f} s" if math.isfinite(c.lag_s) else "none told"
        lines.append(f"  {name:<18} {lag:>9}  r {c.r:.2f}  {c.motion}")
    return "\n".join(lines)


__all__ = ["ChannelLag", "LagProbe", "Peak", "correction_of", "fix_lag", "lag_as_dict", "lag_as_text", "probe_lag"]
