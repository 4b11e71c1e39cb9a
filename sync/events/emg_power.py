"""The response of raw sEMG to contacts, by the likelihood of its power.

Raw sEMG is noise whose amplitude grows with the muscle's drive. A contact's burst adds to the tone that the muscle has
anyway: amplitudes of drive add up, and so do the powers of muscle and sensor noise. A mean of a few squares scatters in
proportion to itself (a gamma distribution), so a burst's feet, where the rest is still visible, weigh as much as its
top.

Contacts differ in lead by more than the burst's own uncertainty, and a shape fitted to all of them at one place would
be smeared to one side. So every contact has a place of its own. The true shape is unknown; two families that err to
different sides are fitted, and the response is the mean of both.

Source: Kay (1993), *Fundamentals of Statistical Signal Processing: Estimation Theory*, 3.9 (variance as signal);
McCullagh and Nelder (1989), *Generalized Linear Models*, 8 (gamma errors, deviance, reweighting).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import OptimizeResult, least_squares

from dataset.support.arrays import BoolArray, FloatArray, IntArray
from dataset.support.disk_arrays import block_size, blocks, concatenate
from sync.events.burst_templates import BURST_TEMPLATES, BurstTemplate, variances_of
from sync.events.filters import band, band_share
from sync.events.perievent import WAVEFORM_HZ, cut_windows, typical_step

#: Step of the numerical derivatives, in s and in logarithms of widths.
_STEP = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerSettings:
    """Tuned numbers of the fit of raw sEMG's power, all chosen by hand.

    Attributes
    ----------
    bin_s : float
        Squares are averaged over this time: short against any burst.
    quiet_s, quiet_percent : float
        The sensor's own noise is this percentile of the power of stretches of this length.
    narrowest_s, widest_s : float
        Bounds of the burst's widths.
    earliest_s, latest_s : float
        Bounds of its place after the contact.
    start_s : float
        Widths from which the fit starts.
    shape_sd : float
        How far one sensor's shape may differ from its limb's (standard deviation of the logarithm).
    held_sd : float
        The same where the shape is held to the limb's, to see which contacts do not fit it.
    contact_sd_s, farthest_s : float
        How far single contacts lie from their mean (standard deviation), and at most.
    most_tone : float
        The muscle's tone is at most this many times a burst's height.
    fewest_windows : int
        With fewer contacts nothing is fitted.
    disturbed_ratio : float
        A contact fitted this many times worse than the median is not used.
    n_rounds : int
        Of reweighted least squares.
    far_sd : float
        Bins further off than this many standard deviations weigh less.
    """

    bin_s: float = 0.005
    quiet_s: float = 1.0
    quiet_percent: float = 5.0
    narrowest_s: float = 0.01
    widest_s: float = 0.40
    earliest_s: float = -0.4
    latest_s: float = 0.7
    start_s: float = 0.08
    shape_sd: float = 0.25
    held_sd: float = 0.01
    contact_sd_s: float = 0.03
    farthest_s: float = 0.15
    most_tone: float = 3.0
    fewest_windows: int = 3
    disturbed_ratio: float = 2.0
    n_rounds: int = 8
    far_sd: float = 3.0


@dataclass(frozen=True, slots=True)
class PowerFit:
    """One sensor's answers: the centroid of each after its contact, their bell's widths, and how well they are known.

    Attributes
    ----------
    contact : ndarray of int64, shape (P,)
        Which contacts they answer.
    latency_s : ndarray, shape (P,)
        Centroid of each answer after its contact.
    widths_s : (float, float)
        Of the two-sided bell.
    each_sd_s : float
        Of a single one under their common shape, by noise and misfit.
    sd_s : float
        Of the mean of ``latency_s``, shape and all; how contacts differ is not in it.
    """

    contact: IntArray
    latency_s: FloatArray
    widths_s: tuple[float, float]
    each_sd_s: float
    sd_s: float

    @property
    def centroid_s(self) -> float:
        """Mean centroid after the contact."""
        return float(np.mean(self.latency_s))


@dataclass(frozen=True, slots=True)
class _Powers:
    """Mean squares about P answered contacts: their times after it, values and whether they count, shape (P, M)."""

    contact: IntArray
    t: FloatArray
    power: FloatArray
    weight: FloatArray
    #: Independent values in a bin, halved: the shape of the gamma distribution.
    shape: float
    #: Power of the sensor's own noise.
    noise: float
    settings: PowerSettings

    def only(self, chosen: BoolArray) -> _Powers:
        """Return some of the pieces."""
        return replace(
            self, contact=self.contact[chosen], t=self.t[chosen], power=self.power[chosen], weight=self.weight[chosen]
        )


def fit_gamma_power(
    contact_s: FloatArray,
    streams: Mapping[str, tuple[FloatArray, FloatArray]],
    answered: Mapping[str, tuple[float, IntArray]],
    *,
    settings: PowerSettings = PowerSettings(),
) -> dict[str, PowerFit]:
    """Return the responses of a limb's sensors that deliver a waveform, by the gamma likelihood of its power.

    Parameters
    ----------
    contact_s : ndarray, shape (E,)
        Sound of each contact on the host clock.
    streams : mapping of str to (time_s, value)
        De-jittered arrivals on the same clock, and values.
    answered : mapping of str to (float, ndarray)
        About where each sensor responds, and the indices of the contacts to which it does.
    settings : PowerSettings, optional
    """
    powers: dict[str, _Powers] = {}
    for name, (_, contact) in answered.items():
        time_s, value = streams[name]
        rate_hz = 1.0 / typical_step(time_s)
        if rate_hz >= WAVEFORM_HZ:
            found = _powers(contact_s, contact, (time_s, value), rate_hz, settings)
            if len(found.t) >= settings.fewest_windows:
                powers[name] = found
        del time_s, value  # made on demand: the next ones need their room
    if not powers:
        return {}
    places = {name: place for name, (place, _) in answered.items()}
    families = [_fit_family(template, powers, places, settings) for template in BURST_TEMPLATES]
    return {name: _between(families[0][name], families[1][name], settings.fewest_windows) for name in powers}


def _fit_family(
    template: BurstTemplate, powers: Mapping[str, _Powers], places: Mapping[str, float], settings: PowerSettings
) -> dict[str, PowerFit]:
    """Return each sensor's answers under one family of shapes, drawn to what its limb has in common."""
    start = np.full(2, math.log(settings.start_s))
    alone = {name: _fit(template, p, start, places[name]) for name, p in powers.items()}
    limb = np.median([fit.x[:2] for fit in alone.values()], axis=0)
    result: dict[str, PowerFit] = {}
    for name, p in powers.items():
        # One movement that falls into one answer can bend the whole sensor's shape to it; the limb's shows it up.
        held = _fit(template, p, limb, float(_each_s(template, alone[name].x).mean()), settings.held_sd)
        clean = p.only(_undisturbed(p, held))
        own = _fit(template, clean, limb, float(_each_s(template, held.x).mean()), settings.shape_sd)
        result[name] = _summarise(template, clean, own)
    return result


def _between(one: PowerFit, other: PowerFit, fewest: int) -> PowerFit:
    """Return the answers half way between two families: bursts neither end as soon as one nor die away as the other."""
    contact, mine, its = np.intersect1d(one.contact, other.contact, return_indices=True)
    if len(contact) < fewest:
        return one
    apart_s = float(np.mean(one.latency_s[mine] - other.latency_s[its]))
    return PowerFit(
        contact=contact,
        latency_s=0.5 * (one.latency_s[mine] + other.latency_s[its]),
        widths_s=one.widths_s,
        each_sd_s=max(one.each_sd_s, other.each_sd_s),
        # The centroid may lie anywhere between the two.
        sd_s=math.hypot(max(one.sd_s, other.sd_s), apart_s / math.sqrt(12.0)),
    )


def _powers(
    contact_s: FloatArray,
    contact: IntArray,
    stream: tuple[FloatArray, FloatArray],
    rate_hz: float,
    settings: PowerSettings,
) -> _Powers:
    time_s, value = stream
    size = max(2, round(settings.bin_s * rate_hz))
    n = len(value) // size
    power = np.empty(n)

    def whole_bins() -> Iterator[tuple[FloatArray, FloatArray]]:
        for rows in blocks(time_s[: n * size], size=block_size() // size * size):
            bins = slice(rows.start // size, rows.stop // size)
            power[bins] = np.mean(band(value, rate_hz, rows).reshape(-1, size) ** 2, axis=1)
            times = time_s[rows].reshape(-1, size)
            # A bin with a gap inside would hide it.
            whole = np.ptp(times, axis=1) < 1.5 * size / rate_hz
            yield times.mean(axis=1)[whole], power[bins][whole]

    pieces = cut_windows(contact_s, *concatenate(whole_bins(), (np.float64, np.float64)))
    pieces = pieces.only(np.isin(pieces.contact, contact))
    inside = pieces.weight > 0
    least = 1e-6 * float(np.max(power, initial=0.0)) + 1e-30
    return _Powers(
        contact=pieces.contact,
        t=pieces.t,
        power=np.where(inside, np.maximum(pieces.whole, least), 1.0),
        weight=pieces.weight,
        shape=0.5 * band_share(rate_hz) * size,
        noise=_quietest(power, max(1, round(settings.quiet_s * rate_hz / size)), settings.quiet_percent),
        settings=settings,
    )


def _quietest(power: FloatArray, size: int, percent: float) -> float:
    """Return the mean power of a quiet stretch of ``size`` bins."""
    n = max(1, len(power) // size)
    return float(np.percentile([np.mean(stretch) for stretch in np.array_split(power, n)], percent))


def _each_s(template: BurstTemplate, x: FloatArray) -> FloatArray:
    """Return the centroids of all answers: ``x`` holds two widths' logarithms, a place, and each answer's step."""
    return template.centroid_s(float(x[2]), math.exp(x[0]), math.exp(x[1])) + x[3:]


def _fit(
    template: BurstTemplate,
    p: _Powers,
    widths: FloatArray,
    centroid_s: float,
    shape_sd: float | None = None,
) -> OptimizeResult:
    """Fit logarithms of widths, a place, and the steps of the contacts from it, drawn to 0.

    The widths are drawn to ``widths``, the limb's, with standard deviation ``shape_sd``; else they only start there.
    """
    n, width = p.t.shape
    settings, n_drawn = p.settings, 0 if shape_sd is None else 2

    def misfit(x: FloatArray) -> FloatArray:
        at = (x[2] + x[3:])[:, None]
        drive = template.shape(p.t - at, 0.0, math.exp(x[0]), math.exp(x[1])) * p.weight
        return _deviance(p, _expected(p, drive)) * p.weight

    def residuals(x: FloatArray) -> FloatArray:
        drawn = [] if shape_sd is None else [(x[:2] - widths) / shape_sd]
        return np.concatenate([misfit(x).ravel(), x[3:] / settings.contact_sd_s, *drawn])

    def jacobian(x: FloatArray) -> FloatArray:
        here = misfit(x)
        rows = np.zeros((n * width + n + n_drawn, 3 + n))
        for k in range(3):
            there = x.copy()
            there[k] += _STEP
            slope = (misfit(there) - here) / _STEP
            rows[: n * width, k] = slope.ravel()
        # The place is moved last, and a step moves its own piece as the place moves all.
        for i in range(n):
            rows[i * width : (i + 1) * width, 3 + i] = slope[i]
        rows[n * width : n * width + n, 3:] = np.eye(n) / settings.contact_sd_s
        if shape_sd is not None:
            rows[n * width + n :, :2] = np.eye(2) / shape_sd
        return rows

    place = centroid_s - template.centroid_s(0.0, math.exp(widths[0]), math.exp(widths[1]))
    reach = np.full(n, settings.farthest_s)
    low = np.array([*[math.log(settings.narrowest_s)] * 2, settings.earliest_s, *-reach])
    high = np.array([*[math.log(settings.widest_s)] * 2, settings.latest_s, *reach])
    x = np.clip(np.array([*widths, place, *np.zeros(n)]), low + 1e-6, high - 1e-6)
    scale = np.array([1.0, 1.0, 0.05, *np.full(n, 0.02)])
    return least_squares(residuals, x, jacobian, bounds=(low, high), loss="soft_l1", f_scale=2.0, x_scale=scale)


def _undisturbed(p: _Powers, fit: OptimizeResult) -> BoolArray:
    """Return which pieces the common shape fits about as well as most; into the others some other movement fell."""
    misfit = np.sum(fit.fun[: p.t.size].reshape(p.t.shape) ** 2, axis=1) / np.maximum(1.0, p.weight.sum(axis=1))
    good: BoolArray = misfit < p.settings.disturbed_ratio * max(1.0, float(np.median(misfit)))
    return good if good.sum() >= p.settings.fewest_windows else np.ones(len(good), dtype=bool)


def _summarise(template: BurstTemplate, p: _Powers, fit: OptimizeResult) -> PowerFit:
    n = len(p.t)
    widths = math.exp(fit.x[0]), math.exp(fit.x[1])
    by_place, *by_widths = template.slope(*widths)
    slope = np.array([*by_widths, by_place, *np.full(n, 1.0 / n)])
    misfit = fit.fun[: p.t.size].reshape(p.t.shape)
    # Misfits are larger than noise alone; a piece's place is known as well as its misfits let it be.
    excess = max(1.0, float(np.sum(misfit**2) / max(1.0, p.weight.sum())))
    information = np.sum(fit.jac[: p.t.size, 3:] ** 2, axis=0)
    return PowerFit(
        contact=p.contact,
        latency_s=_each_s(template, fit.x),
        widths_s=widths,
        each_sd_s=math.sqrt(excess / (float(np.median(information)) + 1e-12)),
        sd_s=math.sqrt(max(variances_of(slope, fit.jac, misfit))),
    )


def _expected(p: _Powers, drive: FloatArray) -> FloatArray:
    """Return the power of each piece's rest and burst, as likely as can be, shape (P, M).

    Its rest holds the sensor's noise and the muscle's tone; with ``drive`` the burst's, its power is that of both
    together less the tone's. Reweighted least squares: a bin's variance is its expectation squared.
    """
    count = np.maximum(1.0, p.weight.sum(axis=1))
    mean = np.sum(p.power * p.weight, axis=1) / count
    expected: FloatArray = np.repeat(mean[:, None], p.t.shape[1], axis=1)
    tone = np.zeros(len(p.t))
    for _ in range(p.settings.n_rounds):
        burst = drive**2 + 2.0 * tone[:, None] * drive
        far = np.abs(p.power / expected - 1.0) * math.sqrt(p.shape)
        weight = p.weight / expected**2 * np.minimum(1.0, p.settings.far_sd / np.maximum(far, 1e-9))
        weighed = weight * burst
        one, b, bb = weight.sum(axis=1), weighed.sum(axis=1), np.sum(weighed * burst, axis=1)
        y, by = np.sum(weight * p.power, axis=1), np.sum(weighed * p.power, axis=1)
        determinant = one * bb - b * b
        solved = determinant > 1e-12 * one * bb
        height = np.maximum(0.0, np.where(solved, (one * by - b * y) / np.where(solved, determinant, 1.0), 0.0))
        rest = np.maximum((y - b * height) / one, 1e-3 * mean)
        expected = rest[:, None] + height[:, None] * burst
        # Of one height, as amplitude.
        tone = np.minimum(
            np.sqrt(np.maximum(rest - p.noise, 0.0) / np.maximum(height, 1e-6 * mean)), p.settings.most_tone
        )
    return expected


def _deviance(p: _Powers, expected: FloatArray) -> FloatArray:
    """Return the signed root of each bin's deviance: about normal with variance 1."""
    ratio = p.power / expected
    return np.asarray(np.sign(ratio - 1.0) * np.sqrt(2.0 * p.shape * np.maximum(0.0, ratio - 1.0 - np.log(ratio))))
