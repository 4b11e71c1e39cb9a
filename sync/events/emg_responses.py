"""Latency of sEMG responses to claps and stomps, by burst templates fitted to all contacts at once.

A 10 Hz sensor gives a handful of values a contact, each at another phase. One shape for all contacts, with a height
and a level of its own for each, is fitted to all values at once; its centroid relative to the contact's sound is the
response latency. The shape is pooled over the sensors of a limb and then relaxed for each sensor, since filters differ;
two families of shapes are weighed by how well they fit, and the interval grows where they disagree.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import stats
from scipy.optimize import OptimizeResult, least_squares

from dataset.support.arrays import BoolArray, FloatArray, IntArray
from sync.events.burst_templates import BURST_TEMPLATES, TWO_SIDED, BurstTemplate, centroid_sd_s
from sync.events.emg_power import PowerFit, fit_gamma_power
from sync.events.perievent import PerieventWindows, cut_windows, explained, level_of
from sync.robust import mad_sd

MIN_RESPONSES = 3
#: Places are fitted as 1 s later, since the solver's steps are relative and a place may be 0.
_LATER_S = 1.0
_STEPS = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseSettings:
    """Tuned numbers of the response fit, all chosen by hand.

    Attributes
    ----------
    search_s : (float, float)
        Delays searched: from a burst that leads by a lot to a slow sensor.
    search_step_s : float
        Step of that search.
    beyond_s : float
        How far past the searched delays the fit may go.
    width_s : float
        Width of the template that is searched with, and from which the fit starts.
    narrowest_s, widest_s : float
        Bounds of the widths.
    shape_sd : float
        How far one sensor's shape may differ from its limb's (standard deviation of the logarithm).
    least_explained : float
        Share of its values' variance about the contacts that a responding sensor explains.
    response_sd, response_share : float
        A contact counts as answered where its response exceeds the noise by the first factor and the median response
        by the second.
    single_reach_s, single_step_s : float
        Single responses are searched for within this of the common delay, in these steps.
    single_pull_s : float
        Standard deviation of a weak prior about the common delay: it keeps a noisy response from running away.
    correlated_values : float
        Neighbouring values err together: this many count as one when shapes are compared.
    few_values : int
        With fewer values at the foot or in the burst, one noise is stated for all.
    alone_until_s, fewest_alone : float, int
        A contact on its own is examined up to here, where it has this many values.
    family_share : float
        The true shape belongs to neither family: its centroid is off by about this share of the width.
    strange_s : float
        A sensor's own shape that moves the centroid by more than this from its limb's widens the interval.
    other_shifts_s : (float, float, float)
        First, stop and step of the shifts of the whole train at which it must explain clearly less.
    """

    search_s: tuple[float, float] = (-0.25, 0.65)
    search_step_s: float = 0.01
    beyond_s: float = 0.2
    width_s: float = 0.08
    narrowest_s: float = 0.015
    widest_s: float = 0.30
    shape_sd: float = 0.35
    least_explained: float = 0.25
    response_sd: float = 2.5
    response_share: float = 0.2
    single_reach_s: float = 0.12
    single_step_s: float = 0.005
    single_pull_s: float = 0.06
    correlated_values: float = 3.0
    few_values: int = 12
    alone_until_s: float = 0.8
    fewest_alone: int = 4
    family_share: float = 0.02
    strange_s: float = 0.03
    other_shifts_s: tuple[float, float, float] = (0.7, 4.0, 0.1)

    def template(self, t: FloatArray, at_s: float) -> FloatArray:
        """Return the symmetric burst that is searched with."""
        return TWO_SIDED.shape(t, at_s, self.width_s, self.width_s)

    @property
    def single_s(self) -> FloatArray:
        """Offsets at which single responses are searched for."""
        return np.arange(-self.single_reach_s, self.single_reach_s + 1e-4, self.single_step_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One sensor's answers to contacts.

    Attributes
    ----------
    response_s, ci95_s : float
        Contact's sound to the response's centroid in de-jittered arrival time, and its half-width; NaN where fewer
        than three contacts were answered.
    contact : ndarray of int64, shape (E,)
        Indices of the contacts that were answered.
    latency_s : ndarray, shape (E,)
        The response of each of them.
    each_sd_s : float
        How well one of them is known; NaN where that cannot be told from how the contacts differ.
    n_contacts : int
        Contacts that fell where the sensor delivered values.
    shape_sd_s : float
        Of ``response_s`` from the values' noise and from the shape, apart from how the contacts themselves differ.
    contrast : float
        Height of the response over the noise of a single value.
    shape_s : (float, float)
        Widths of the shape that fits best, see ``shape``.
    shape : str
        Name of its family.
    disowned : str
        Why it is not to be used although it was measured; empty where it may be.
    ambiguity_margin : float
        By how much less the same contacts explain when their train is shifted in time, 0 to 1.
    """

    response_s: float = math.nan
    ci95_s: float = math.nan
    contact: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    latency_s: FloatArray = field(default_factory=lambda: np.zeros(0))
    each_sd_s: float = math.nan
    n_contacts: int = 0
    shape_sd_s: float = math.nan
    contrast: float = 0.0
    shape_s: tuple[float, float] = (math.nan, math.nan)
    shape: str = ""
    ambiguity_margin: float = 0.0
    disowned: str = ""


def measure_responses(
    contact_s: FloatArray,
    streams: Mapping[str, tuple[FloatArray, FloatArray]],
    *,
    settings: ResponseSettings = ResponseSettings(),
) -> dict[str, Response]:
    """Return each sensor's response to contacts of one kind.

    Parameters
    ----------
    contact_s : ndarray, shape (E,)
        Sound of each contact on the host clock.
    streams : mapping of str to (time_s, value)
        The sensors of the limb that makes these contacts: de-jittered arrivals on the same clock, and values.
    settings : ResponseSettings, optional

    Returns
    -------
    dict of str to Response
        One for each stream; with NaN where the sensor did not answer.
    """
    levels = {name: level_of(*streams[name]) for name in streams}
    pieces = {name: cut_windows(contact_s, *level) for name, level in levels.items()}
    # A sensor that answers stands out; one that does not would blur the limb's shape.
    answering: dict[str, float] = {}
    for name, parts in pieces.items():
        if len(parts) >= MIN_RESPONSES:
            start, share = _coarse(parts, settings)
            if share > settings.least_explained:
                answering[name] = start
    pooled = {
        template.name: _pooled_widths(template, {n: pieces[n] for n in answering}, answering, settings)
        for template in BURST_TEMPLATES
        if answering
    }
    results: dict[str, Response] = {}
    for name, parts in pieces.items():
        if name not in answering:
            results[name] = Response(n_contacts=len(parts))
            continue
        margin = _margin(contact_s, levels[name], answering[name], settings)
        results[name] = replace(_measure(parts, answering[name], pooled, settings), ambiguity_margin=margin)
    answered = {n: (r.response_s, r.contact) for n, r in results.items() if len(r.contact)}
    for name, fit in fit_gamma_power(contact_s, streams, answered).items():
        results[name] = _by_power(results[name], fit)
    return results


def _by_power(response: Response, fit: PowerFit) -> Response:
    """Return a raw stream's response with its answers where the power's likelihood puts them."""
    scatter_sd, caution, _ = _scatter(fit.latency_s)
    own_sd = caution * fit.sd_s
    return replace(
        response, response_s=fit.centroid_s, ci95_s=1.96 * math.hypot(scatter_sd, own_sd), contact=fit.contact,
        latency_s=fit.latency_s, each_sd_s=fit.each_sd_s, shape_sd_s=own_sd, shape_s=fit.widths_s, shape=TWO_SIDED.name,
    )  # fmt: skip


def explained_alone(
    contact_s: FloatArray,
    level: tuple[FloatArray, FloatArray],
    delay_s: FloatArray,
    *,
    settings: ResponseSettings = ResponseSettings(),
) -> FloatArray:
    """Return how much of the values about each contact a response at each delay explains, each contact on its own.

    Parameters
    ----------
    contact_s : ndarray, shape (E,)
    level : (time_s, level)
        As :func:`sync.events.perievent.level_of` gives it.
    delay_s : ndarray, shape (D,)
    settings : ResponseSettings, optional

    Returns
    -------
    ndarray, shape (E, D)
        0 to 1; NaN where there are no values about the contact.
    """
    result = np.full((len(contact_s), len(delay_s)), np.nan)
    parts = cut_windows(contact_s, *level, alone=True).until(settings.alone_until_s)
    # Values that begin only later tell nothing.
    parts = parts.only(parts.weight.sum(axis=1) >= settings.fewest_alone)
    if len(parts):
        result[parts.contact] = explained(parts, settings.template, delay_s)
    return result


def _margin(
    contact_s: FloatArray, level: tuple[FloatArray, FloatArray], delay_s: float, settings: ResponseSettings
) -> float:
    """Return how much worse the train of contacts explains the values at any other time, 0 to 1."""
    here = _explained_alike(cut_windows(contact_s, *level), settings, delay_s)
    later_s = np.arange(*settings.other_shifts_s)
    shifts = np.concatenate([-later_s, later_s])
    other = max(_explained_alike(cut_windows(contact_s + shift, *level), settings, delay_s) for shift in shifts)
    return max(0.0, 1.0 - other / here) if here > 0 else 0.0


def _explained_alike(parts: PerieventWindows, settings: ResponseSettings, delay_s: float) -> float:
    """Return the share of the variance explained by responses of one height: contacts are alike, chance is not."""
    if len(parts) < MIN_RESPONSES:
        return 0.0
    template = parts.centred(settings.template(parts.t, delay_s))
    common = max(0.0, float(np.sum(template * parts.y)))
    return common**2 / (float(np.sum(template**2)) * float(np.sum(parts.y**2)) + 1e-12)


def _scale(parts: PerieventWindows) -> float:
    """Typical size of a response, so that sensors with other gains weigh alike."""
    return float(np.median(np.ptp(parts.y, axis=1))) + 1e-9


def _coarse(parts: PerieventWindows, settings: ResponseSettings) -> tuple[float, float]:
    """Return the delay that explains most, and the share of the variance it explains."""
    grid = np.arange(*settings.search_s, settings.search_step_s)
    energy = parts.energy
    share = (explained(parts, settings.template, grid) * energy[:, None]).sum(axis=0) / (energy.sum() + 1e-12)
    best = int(np.argmax(share))
    return float(grid[best]), float(share[best])


def _bounds(n: int, settings: ResponseSettings) -> tuple[FloatArray, FloatArray]:
    """Return bounds of two widths (logarithms) and ``n`` places."""
    low = [math.log(settings.narrowest_s)] * 2 + [_LATER_S + settings.search_s[0] - settings.beyond_s] * n
    high = [math.log(settings.widest_s)] * 2 + [_LATER_S + settings.search_s[1] + settings.beyond_s] * n
    return np.array(low), np.array(high)


def _start_of(template: BurstTemplate, delay_s: float, width_s: float) -> tuple[float, float, float]:
    """Return logarithms of widths, and the place, of the family's member nearest to a plain bell at a delay."""
    first, second = (width_s, width_s) if template is TWO_SIDED else (0.8 * width_s, 0.6 * width_s)
    return math.log(first), math.log(second), delay_s - template.centroid_s(0.0, first, second)


def _pooled_widths(
    template: BurstTemplate,
    pieces: Mapping[str, PerieventWindows],
    starts: Mapping[str, float],
    settings: ResponseSettings,
) -> FloatArray:
    """Return the logarithms of the widths that fit all sensors of a limb, each with a place of its own."""
    names = list(pieces)
    scales = [_scale(pieces[n]) for n in names]

    def residuals(x: FloatArray) -> FloatArray:
        first, second = math.exp(x[0]), math.exp(x[1])
        return np.concatenate([
            (pieces[n].project(template.shape(pieces[n].t, float(at) - _LATER_S, first, second))[0] / scale).ravel()
            for n, scale, at in zip(names, scales, x[2:], strict=True)
        ])  # fmt: skip

    begin = [_start_of(template, starts[n], settings.width_s) for n in names]
    x0 = np.array([*begin[0][:2], *(place + _LATER_S for _, _, place in begin)])
    fit = least_squares(
        residuals, x0, bounds=_bounds(len(names), settings), loss="soft_l1", f_scale=0.1, x_scale=0.1, diff_step=_STEPS
    )
    return np.asarray(fit.x[:2])


@dataclass(frozen=True, slots=True)
class _Fit:
    """One family fitted to one sensor's pieces."""

    template: BurstTemplate
    at_s: float
    widths_s: tuple[float, float]
    noise: float
    noises: FloatArray
    left: FloatArray
    result: OptimizeResult

    @property
    def centroid_s(self) -> float:
        return self.template.centroid_s(self.at_s, *self.widths_s)

    def sd_s(self, spread_s: float) -> float:
        """Return the centroid's standard deviation where single contacts scatter by ``spread_s``."""
        residual = self.result.fun[: self.left.size].reshape(self.left.shape)
        return centroid_sd_s(self.template, self.widths_s, self.result.jac, residual, spread_s)


def _fit(
    template: BurstTemplate, parts: PerieventWindows, start_s: float, pooled: FloatArray, settings: ResponseSettings
) -> _Fit:
    scale = _scale(parts)
    inside = parts.weight > 0

    def residuals(x: FloatArray, noises: FloatArray) -> FloatArray:
        left = parts.project(template.shape(parts.t, float(x[2]) - _LATER_S, math.exp(x[0]), math.exp(x[1])))[0]
        return np.concatenate([(left / noises).ravel(), (x[:2] - pooled) / settings.shape_sd])

    low, high = _bounds(1, settings)
    place = start_s - template.centroid_s(0.0, math.exp(pooled[0]), math.exp(pooled[1]))
    x = np.clip(np.array([*pooled, place + _LATER_S]), low + 1e-6, high - 1e-6)
    noise, noises = 0.1 * scale, np.full(parts.t.shape, 0.1 * scale)
    for _ in range(2):
        result = least_squares(
            residuals, x, bounds=(low, high), args=(noises,), loss="soft_l1", f_scale=2.0, x_scale=0.1, diff_step=_STEPS
        )
        x = result.x
        at, first, second = float(x[2]) - _LATER_S, math.exp(x[0]), math.exp(x[1])
        shape = template.shape(parts.t, at, first, second)
        left, heights = parts.project(shape)
        noise, noises = _noise_of(left, heights[:, None] * shape, inside, 0.01 * scale, settings.few_values)
    return _Fit(template, at, (first, second), noise, noises, left, result)


def _noise_of(
    left: FloatArray, answer: FloatArray, inside: BoolArray, least: float, few_values: int
) -> tuple[float, FloatArray]:
    """Return the noise of all values, and of each: raw sEMG's level is the noisier the higher it is."""
    whole = max(mad_sd(left[inside], 0.0), least)
    top = float(answer.max(initial=0.0))
    feet, burst = inside & (answer < 0.15 * top), inside & (answer > 0.5 * top)
    if min(feet.sum(), burst.sum()) < few_values:
        return whole, np.full(left.shape, whole)
    quiet = max(mad_sd(left[feet], 0.0), least)
    share = mad_sd(left[burst] / answer[burst], 0.0)
    return whole, np.sqrt(quiet**2 + (share * answer) ** 2)


def _measure(
    parts: PerieventWindows, start_s: float, pooled: Mapping[str, FloatArray], settings: ResponseSettings
) -> Response:
    fits = [_fit(template, parts, start_s, pooled[template.name], settings) for template in BURST_TEMPLATES]
    noises = np.minimum(fits[0].noises, fits[1].noises)
    cost = np.array([0.5 * float(np.sum(np.minimum((f.left / noises) ** 2, 9.0))) for f in fits])
    likely = np.exp(-(cost - cost.min()) / settings.correlated_values)
    likely /= likely.sum()
    centres = np.array([f.centroid_s for f in fits])
    centre = float(likely @ centres)
    best = fits[int(np.argmax(likely))]
    each, heights = _each(parts, best, settings)
    floor = best.noise / (
        np.linalg.norm(parts.centred(best.template.shape(parts.t, best.at_s, *best.widths_s)), axis=1) + 1e-9
    )
    answered = (heights > settings.response_sd * floor) & (heights > settings.response_share * np.median(heights))
    if answered.sum() < MIN_RESPONSES:
        return Response(n_contacts=len(parts), contrast=float(np.median(heights)) / best.noise)
    latency_s = each[answered] - best.at_s + centre
    # Contacts differ in lead, so their scatter tells how well their mean is known; the shape's freedom comes on top.
    scatter_sd, caution, spread = _scatter(latency_s)
    total_sd = max(scatter_sd, caution * float(likely @ [f.sd_s(spread) for f in fits]))
    between_sd = math.sqrt(float(likely @ (centres - centre) ** 2))
    apart_s = abs(centre - _with_limbs_shape(best, parts, pooled[best.template.name]))
    strange_sd = 0.5 * max(0.0, apart_s - settings.strange_s)
    family_sd = settings.family_share * math.hypot(*best.widths_s)
    own_sd = math.sqrt(total_sd**2 - scatter_sd**2 + between_sd**2 + strange_sd**2 + family_sd**2)
    return Response(
        response_s=centre,
        ci95_s=1.96 * math.hypot(scatter_sd, own_sd),
        contact=parts.contact[answered],
        latency_s=latency_s,
        n_contacts=len(parts),
        shape_sd_s=own_sd,
        contrast=float(np.median(heights[answered])) / best.noise,
        shape_s=best.widths_s,
        shape=best.template.name,
    )


def _scatter(latency_s: FloatArray) -> tuple[float, float, float]:
    """Return the standard deviation of the answers' mean, by how much so few make it wider, and their spread."""
    n = len(latency_s)
    spread = mad_sd(latency_s)
    spread = max(spread, float(stats.trim_mean(np.abs(latency_s - np.median(latency_s)), 0.1)))
    caution = float(stats.t.ppf(0.975, n - 1)) / 1.96
    return caution * spread / math.sqrt(n), caution, spread


def _with_limbs_shape(fit: _Fit, parts: PerieventWindows, pooled: FloatArray) -> float:
    """Return the centroid where this sensor had exactly its limb's shape: movement may pass for a strange one."""
    first, second = math.exp(pooled[0]), math.exp(pooled[1])
    offset_s = fit.template.centroid_s(0.0, first, second)
    places = fit.centroid_s - offset_s + np.arange(-0.25, 0.2501, 0.01)
    share = explained(parts, lambda t, at: fit.template.shape(t, at, first, second), places) * parts.energy[:, None]
    return float(places[int(np.argmax(share.sum(axis=0)))]) + offset_s


def _each(parts: PerieventWindows, fit: _Fit, settings: ResponseSettings) -> tuple[FloatArray, FloatArray]:
    """Return the place and the height of each answer under the common shape."""
    places = fit.at_s + settings.single_s
    left = [np.sum(parts.project(fit.template.shape(parts.t, float(s), *fit.widths_s))[0] ** 2, axis=1) for s in places]
    cost = np.array(left) / fit.noise**2 + ((places - fit.at_s) / settings.single_pull_s)[:, None] ** 2
    best = np.argmin(cost, axis=0)
    heights = parts.project(fit.template.shape(parts.t, fit.at_s, *fit.widths_s))[1]
    return places[best], heights
