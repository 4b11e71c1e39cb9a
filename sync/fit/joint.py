"""Joint fit of all maps by robust weighted least squares: the video, the sound, and each sensor's constant per epoch.

Flashes alone determine the video's map well near them, and badly an hour away. Claps and stomps link the sound to
sensors whose rate is known from their arrivals, so responses at both ends of a recording determine the video's rate
even if there are flashes at one end only. The problem is linear in small corrections to the first maps, so one
weighted least-squares fit, iteratively reweighted, gives all corrections and their joint covariance.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import stats

from dataset.support.arrays import FloatArray, IntArray
from sync.fit.clock_map import ClockMap
from sync.fit.priors import ACOUSTIC, AV_SKEW, EPOCH_STEP, MICROPHONE, SOUND_RATE_SD
from sync.fit.sound_fit import SoundFit
from sync.robust import mad_sd, student_t_weight

#: Iterations of reweighting; outliers are down-weighted by Student's t with this many degrees of freedom.
_ROUNDS = 10
_DEGREES = 4.0
#: Smallest standard deviation of one response latency.
_LEAST_SD_S = 0.002
_BEEP_SD_S = 0.0015
#: Responses further off than this many standard deviations are left out of the estimate of their scatter.
_WINSOR = 2.5
#: The scatter of responses is itself an estimate: subtracting it leaves at least this share of a response's variance.
_LEAST_LEFT = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseLatencies:
    """One sensor's response latencies to contacts of one kind.

    Attributes
    ----------
    pts_s : ndarray, shape (E,)
        Time of each contact with a response, in the sound's file.
    event : ndarray of int64, shape (E,)
        Number of the contact, shared by all sensors that respond to it.
    latency_s : ndarray, shape (E,)
        Latency of the response after the contact, under the first maps.
    epoch : ndarray of int64, shape (E,)
        Connection epoch of the response, counted from 0.
    n_epochs : int
    response_s : float
        Their common latency, from the fit of the burst template.
    each_sd_s : float
        Standard deviation of one latency; NaN where it cannot be separated from the variation between contacts.
    n_made : int
        Estimated number of contacts made: those cued, or those detected where these are more.
    """

    pts_s: FloatArray
    event: IntArray
    latency_s: FloatArray
    epoch: IntArray
    n_epochs: int
    response_s: float
    each_sd_s: float = math.nan
    n_made: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """One sensor's response to the recording's contacts and in each epoch, with standard deviations.

    Attributes
    ----------
    response_s, sd_s : float
    epoch_response_s, epoch_sd_s : ndarray, shape (P,)
    latency_s : ndarray, shape (E,)
        Latency of each response under the final maps.
    from_film : tuple of ClockMap, length P
        From a contact's sound in the film to this sensor's response on the host clock, in each epoch: what contacts
        measure. Neither the burst's prior nor the film's offset from the host clock is part of its error.
    """

    response_s: float
    sd_s: float
    epoch_response_s: FloatArray
    epoch_sd_s: FloatArray
    latency_s: FloatArray
    from_film: tuple[ClockMap, ...] = ()

    def film_half_width_s(self, pts_s: FloatArray) -> float:
        """Return the largest half-width of the 95 % interval of the response against contacts at times of the film."""
        return max(float(np.max(line.half_width_s(pts_s))) for line in self.from_film)


@dataclass(frozen=True, slots=True, kw_only=True)
class JointFit:
    """Result of the joint fit: all maps, and the sensors' constants with their covariance.

    Attributes
    ----------
    video : ClockMap
    sound : ClockMap or None
    acoustic_s : float
        Delay from a contact to its sound at the microphone, in addition to the one included in the sound's map.
    skew_s, skew_sd_s : float
        Lag of the file's sound behind its picture, near the middle of the evidence.
    constants : mapping of channel to Constant
    response_covariance_s2 : ndarray, shape (C, C)
        Covariance of the responses' errors, in their order: sensors share the sound's map and the contacts.
    """

    video: ClockMap
    sound: ClockMap | None
    acoustic_s: float
    skew_s: float
    skew_sd_s: float
    constants: Mapping[str, Constant]
    response_covariance_s2: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))


def fit_jointly(
    video: ClockMap, latency_sd_s: float, sound: SoundFit | None, answers: Mapping[str, ResponseLatencies]
) -> JointFit:
    """Refine all maps jointly by robust weighted least squares, from first maps and the sensors' responses.

    Parameters
    ----------
    video : ClockMap
        First map, with the uncertainty of the evidence it was fitted to, without the latency of the light.
    latency_sd_s : float
        Standard deviation of the light's latency, which all flashes share.
    sound : SoundFit or None
        The sound's first map and the beeps it was fitted to.
    answers : mapping of channel to ResponseLatencies
        Of the sensors whose responses were accepted.

    Notes
    -----
    A response latency is the sum of the sensor's constant, a step per epoch, a lead per contact, and noise. The leads
    are unknowns with a variance estimated from the data, so that one unusual clap to which several sensors respond
    does not dominate.

    A response is the mean over the contacts made in this recording. Their variation is observed as far as responses
    are: as in sampling from a finite population, only the missed contacts add to the uncertainty.
    """
    system = _System()
    system.add({"height": 1.0, "latency": -1.0}, 0.0, video.offset_sd_s)
    system.add({"rate": 1.0}, 0.0, video.rate_sd)
    system.add({"latency": 1.0}, 0.0, latency_sd_s)
    if sound is None:
        solution = system.solve()
        return JointFit(
            video=_line(video, solution, {"height": 1.0}, {"rate": 1.0}),
            sound=None, acoustic_s=ACOUSTIC.value_s, skew_s=math.nan, skew_sd_s=math.nan, constants={},
        )  # fmt: skip
    _add_sound(system, video, sound)
    lead_sd_s = shared_sd_s(answers)
    for name, answer in answers.items():
        _add_answers(system, name, answer, video, sound, lead_sd_s)
    for event in sorted({int(e) for a in answers.values() for e in a.event}):
        system.add({("lead", event): 1.0}, 0.0, lead_sd_s)
    solution = system.solve()
    skew, at_skew = solution.of({"skew": 1.0})
    leads = {name: _Leads.of(name, answers, lead_sd_s) for name in answers}
    constants = {n: _constant(n, answer, solution, video, sound, leads[n]) for n, answer in answers.items()}
    return JointFit(
        video=_line(video, solution, {"height": 1.0}, {"rate": 1.0}),
        skew_s=skew,
        skew_sd_s=math.sqrt(solution.variance(at_skew, at_skew)),
        sound=_line(video, solution, {"height": 1.0, "skew": -1.0}, {"rate": 1.0, "sound rate": 1.0}),
        acoustic_s=solution.of({"air": 1.0})[0],
        constants=constants,
        response_covariance_s2=_response_covariance(answers, constants, solution, leads),
    )


# -- the system of rows -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Solution:
    columns: Mapping[Hashable, int]
    x: FloatArray
    covariance: FloatArray

    def of(self, combination: Mapping[Hashable, float]) -> tuple[float, FloatArray]:
        """Return a linear combination of unknowns and its coefficient vector; unknowns without a row are zero."""
        vector = np.zeros(len(self.x))
        for key, coefficient in combination.items():
            if key in self.columns:
                vector[self.columns[key]] += coefficient
        return float(vector @ self.x), vector

    def variance(self, a: FloatArray, b: FloatArray) -> float:
        """Return the covariance of two linear combinations."""
        return float(a @ self.covariance @ b)


@dataclass(slots=True)
class _System:
    """Rows ``sum(coefficient * unknown) = value``, each with a standard deviation."""

    columns: dict[Hashable, int] = field(default_factory=dict)
    rows: list[Mapping[Hashable, float]] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    sds: list[float] = field(default_factory=list)
    robust: list[bool] = field(default_factory=list)

    def add(self, row: Mapping[Hashable, float], value: float, sd: float, *, robust: bool = False) -> None:
        """Add a row; a robust row is down-weighted by its residual."""
        for key in row:
            self.columns.setdefault(key, len(self.columns))
        self.rows.append(row)
        self.values.append(value)
        self.sds.append(max(sd, 1e-9))
        self.robust.append(robust)

    def solve(self) -> _Solution:
        """Solve all rows by iteratively reweighted least squares."""
        matrix = np.zeros((len(self.rows), len(self.columns)))
        for i, row in enumerate(self.rows):
            for key, coefficient in row.items():
                matrix[i, self.columns[key]] += coefficient
        value, sd, robust = np.array(self.values), np.array(self.sds), np.array(self.robust)
        # Offsets are milliseconds and rates are parts per million: columns are scaled to avoid rounding errors.
        scale = 1.0 / np.maximum(np.sqrt(np.sum((matrix / sd[:, None]) ** 2, axis=0)), 1e-12)
        scaled = matrix / sd[:, None] * scale
        weight = np.ones(len(value))
        for _ in range(_ROUNDS):
            half = scaled * np.sqrt(weight)[:, None]
            normal = half.T @ half
            x = np.linalg.solve(normal, half.T @ (np.sqrt(weight) * value / sd))
            off = value / sd - scaled @ x
            weight = np.where(robust, student_t_weight(off, _DEGREES), 1.0)
        return _Solution(self.columns, x * scale, np.linalg.inv(normal) * np.outer(scale, scale))


def _line(
    video: ClockMap, solution: _Solution, height: Mapping[Hashable, float], rate: Mapping[Hashable, float]
) -> ClockMap:
    """Return the map ``video + height + rate * (t - middle)``, its reference where the two errors are independent."""
    h, at_height = solution.of(height)
    r, at_rate = solution.of(rate)
    hh, hr, rr = (
        solution.variance(a, b) for a, b in ((at_height, at_height), (at_height, at_rate), (at_rate, at_rate))
    )
    lever_s = -hr / rr if rr > 0 else 0.0
    return ClockMap.independent(
        offset_s=video.offset_s + h - r * video.reference_s,
        rate=video.rate + r,
        reference_s=video.reference_s + lever_s,
        offset_sd_s=math.sqrt(max(0.0, hh + hr * lever_s)),
        rate_sd=math.sqrt(max(0.0, rr)),
    )


# -- evidence -----------------------------------------------------------------------------------------------------


def _add_sound(system: _System, video: ClockMap, sound: SoundFit) -> None:
    system.add({"sound rate": 1.0}, 0.0, SOUND_RATE_SD)
    system.add({"air": 1.0}, sound.acoustic.value_s, sound.acoustic.sd_s)
    if sound.method == "beeps":
        system.add({"skew": 1.0}, AV_SKEW.value_s, 1.0)
        off = sound.light_s - sound.line(sound.beep_s)
        spread = max(_BEEP_SD_S, mad_sd(off))
        for beep, light in zip(sound.beep_s, sound.light_s, strict=True):
            x = float(beep) - video.reference_s
            row: dict[Hashable, float] = {"height": 1.0, "rate": x, "skew": -1.0, "sound rate": x}
            system.add(row, float(light - video(np.array([beep]))[0]), spread, robust=True)
    elif sound.method == "arrival":
        middle = np.array([video.reference_s])
        gap = float(sound.line(middle)[0] - video(middle)[0])
        system.add({"height": 1.0, "skew": -1.0}, gap, MICROPHONE.sd_s)
    elif sound.method == "contacts":
        # The video was mapped by its sound: the skew is included in the video's own uncertainty.
        system.add({"skew": 1.0}, 0.0, 1e-6)
    else:
        system.add({"skew": 1.0}, AV_SKEW.value_s, AV_SKEW.sd_s)


def _add_answers(
    system: _System, name: str, answer: ResponseLatencies, video: ClockMap, sound: SoundFit, lead_sd_s: float
) -> None:
    # The template fit gives the better mean; single latencies give scatter and drift.
    shift = answer.response_s - float(np.mean(answer.latency_s))
    own_sd_s = _own_sd_s(answer, lead_sd_s)
    first_s = sound.line(answer.pts_s) - video(answer.pts_s) - sound.acoustic.value_s
    for p, event, each, epoch, first in zip(
        answer.pts_s, answer.event, answer.latency_s, answer.epoch, first_s, strict=True
    ):
        x = float(p) - video.reference_s
        row: dict[Hashable, float] = {
            ("response", name): 1.0, ("lead", int(event)): 1.0,
            "height": 1.0, "rate": x, "skew": -1.0, "sound rate": x, "air": -1.0,
        }  # fmt: skip
        if answer.n_epochs > 1:
            row["step", name, int(epoch)] = 1.0
        system.add(row, float(each + shift + first), own_sd_s, robust=True)
    if answer.n_epochs > 1:
        for k in range(answer.n_epochs):
            system.add({("step", name, k): 1.0}, EPOCH_STEP.value_s, EPOCH_STEP.sd_s)


def shared_sd_s(answers: Mapping[str, ResponseLatencies]) -> float:
    """Return the standard deviation of the lead shared by responses to one contact; 0 where there is none."""
    off = {name: dict(zip(a.event.tolist(), _scatter(a.latency_s)[1], strict=True)) for name, a in answers.items()}
    products = [
        off[one][event] * off[other][event]
        for one in off
        for other in off
        if one < other
        for event in off[one].keys() & off[other].keys()
    ]
    return math.sqrt(max(0.0, float(np.mean(products)))) if products else 0.0


def _scatter(latency_s: FloatArray) -> tuple[float, FloatArray]:
    """Return the standard deviation of one latency, and the latencies minus their median, with outliers clipped."""
    off = latency_s - float(np.median(latency_s))
    spread = max(_LEAST_SD_S, mad_sd(off, 0.0))
    drawn = np.clip(off, -_WINSOR * spread, _WINSOR * spread)
    n = len(latency_s)
    spread = max(spread, float(np.std(drawn, ddof=1)) if n > 1 else 0.0)
    # Few contacts give an uncertain scatter: add half of what Student's t would, because robust weights add as well.
    caution = 0.5 * (1.0 + float(stats.t.ppf(0.975, max(1, n - 1))) / 1.96)
    return spread * caution, drawn


def _own_sd_s(answer: ResponseLatencies, lead_sd_s: float) -> float:
    """Return the standard deviation of a sensor's latencies beyond the lead that sensors share."""
    return math.sqrt(max(_LEAST_SD_S**2, _scatter(answer.latency_s)[0] ** 2 - lead_sd_s**2))


@dataclass(frozen=True, slots=True)
class _Leads:
    """The leads of a limb's contacts for one of its sensors: which were observed, and the variance of the others."""

    events: list[int]
    #: Added to a response's variance for contacts that were made but not observed, minus its own known share.
    extra: float

    @classmethod
    def of(cls, name: str, answers: Mapping[str, ResponseLatencies], lead_sd_s: float) -> _Leads:
        mine = answers[name]
        own = set(mine.event.tolist())
        events = sorted(own.union(*(e for a in answers.values() if own & (e := set(a.event.tolist())))))
        n_made = max(mine.n_made, len(events))
        extra = lead_sd_s**2 * (1.0 / len(events) - 1.0 / n_made)
        if math.isfinite(mine.each_sd_s):
            extra -= max(0.0, _own_sd_s(mine, lead_sd_s) ** 2 - mine.each_sd_s**2) / n_made
        return cls(events=events, extra=extra)


def _all_contacts(name: str, leads: _Leads) -> dict[Hashable, float]:
    """Return a sensor's mean response over its limb's contacts as a combination of unknowns, without epoch steps."""
    return {("response", name): 1.0} | {("lead", event): 1.0 / len(leads.events) for event in leads.events}


def _steps(name: str, answer: ResponseLatencies) -> dict[Hashable, float]:
    """Return the mean of the steps of a sensor's epochs, weighted by the number of responses."""
    share = np.bincount(answer.epoch, minlength=answer.n_epochs) / len(answer.epoch)
    return {("step", name, k): float(s) for k, s in enumerate(share)}


def _response_covariance(
    answers: Mapping[str, ResponseLatencies],
    constants: Mapping[str, Constant],
    solution: _Solution,
    leads: Mapping[str, _Leads],
) -> FloatArray:
    """Return the covariance of the responses' errors: correlations of the solution, standard deviations of each."""
    at = np.array([solution.of(_all_contacts(n, leads[n]) | _steps(n, answer))[1] for n, answer in answers.items()])
    if not len(at):
        return np.zeros((0, 0))
    covariance = at @ solution.covariance @ at.T
    scale = np.array([constants[n].sd_s for n in answers]) / np.sqrt(np.diag(covariance))
    return np.asarray(covariance * np.outer(scale, scale))


def _constant(
    name: str, answer: ResponseLatencies, solution: _Solution, video: ClockMap, sound: SoundFit, leads: _Leads
) -> Constant:
    mean = _all_contacts(name, leads)
    epochs = [solution.of(mean | {("step", name, k): 1.0}) for k in range(answer.n_epochs)]
    response, at = solution.of(mean | _steps(name, answer))
    x = answer.pts_s - video.reference_s
    moved = np.array([
        solution.of({"height": 1.0, "rate": float(v), "skew": -1.0, "sound rate": float(v), "air": -1.0})[0] for v in x
    ])  # fmt: skip
    first = sound.line(answer.pts_s) - video(answer.pts_s) - sound.acoustic.value_s

    def sd_s(v: FloatArray) -> float:
        variance = solution.variance(v, v)
        return math.sqrt(max(_LEAST_LEFT * variance, variance + leads.extra))

    def from_film(epoch: int) -> ClockMap:
        height = mean | {("step", name, epoch): 1.0, "height": 1.0, "skew": -1.0, "air": -1.0}
        line = _line(video, solution, height, {"rate": 1.0, "sound rate": 1.0})
        variance = line.offset_sd_s**2
        least = max(_LEAST_LEFT * variance, variance + leads.extra)
        return replace(line, covariance=np.diag([least, line.rate_sd**2]))

    return Constant(
        response_s=response,
        sd_s=sd_s(at),
        epoch_response_s=np.array([value for value, _ in epochs]),
        epoch_sd_s=np.array([sd_s(v) for _, v in epochs]),
        latency_s=np.asarray(answer.latency_s + first - moved),
        from_film=tuple(from_film(k) for k in range(answer.n_epochs)),
    )
