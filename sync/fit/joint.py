"""One fit of all maps from all evidence: the video's line, the sound's, and each sensor's constant an epoch.

The flashes alone give the video's line well where they lie, and badly an hour away. Claps and stomps tie the sound to
sensors whose rate their arrivals give, so answers at both ends of a recording hold the video's rate where flashes
stand at one end only. Everything is linear in small corrections to first maps, so one weighted least squares, made
robust by reweighting, gives all corrections and their joint covariance.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from dataset.support.arrays import FloatArray, IntArray
from sync.fit.clock_map import ClockMap
from sync.fit.priors import ACOUSTIC, AV_SKEW, EPOCH_STEP, MICROPHONE, SOUND_RATE_SD
from sync.fit.sound_fit import SoundFit
from sync.robust import mad_sd, student_t_weight

#: Rounds of reweighting; Student's t of this many degrees of freedom weighs down what lies far off.
_ROUNDS = 10
_DEGREES = 4.0
#: No answer is dated better than this.
_LEAST_SD_S = 0.002
_BEEP_SD_S = 0.0015
#: Answers further off than this many standard deviations do not tell how answers scatter.
_WINSOR = 2.5
#: How answers scatter is itself an estimate: what is known of it takes at most the rest from a response's variance.
_LEAST_LEFT = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseLatencies:
    """One sensor's answers to contacts of one kind.

    Attributes
    ----------
    pts_s : ndarray, shape (E,)
        Time of each answered contact in the sound's file.
    event : ndarray of int64, shape (E,)
        Which contact it is; sensors that answer the same contact share its number.
    latency_s : ndarray, shape (E,)
        The answer after the contact, by the first maps.
    epoch : ndarray of int64, shape (E,)
        Connection epoch, counted from 0, in which it fell.
    n_epochs : int
    response_s : float
        What the fit of their common shape gives for all of them.
    each_sd_s : float
        How well one answer's own time is known; NaN where it cannot be told from how contacts differ.
    n_made : int
        Contacts that were made, as far as one knows: those asked for, or those heard where they are more.
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
        Every answer by the final maps.
    """

    response_s: float
    sd_s: float
    epoch_response_s: FloatArray
    epoch_sd_s: FloatArray
    latency_s: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class JointFit:
    """All maps.

    Attributes
    ----------
    video : ClockMap
    sound : ClockMap or None
    acoustic_s : float
        From a contact to its sound at the microphone, beyond what the sound's map holds.
    skew_s, skew_sd_s : float
        By how much the file's sound lies later than its picture, about the middle of the evidence.
    constants : mapping of channel to Constant
    response_covariance_s2 : ndarray, shape (C, C)
        Of the errors of the constants' responses, in their order: sensors share the sound's map and the contacts.
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
    """Return all maps from first ones and all evidence.

    Parameters
    ----------
    video : ClockMap
        First map; its uncertainty is that of the evidence it was made of, the light taken as logged.
    latency_sd_s : float
        Of the light's latency, which all flashes share.
    sound : SoundFit or None
        The sound's first map and the beeps it rests on.
    answers : mapping of channel to Answers
        Of the sensors whose answers are trusted.

    Notes
    -----
    An answer is the sum of its sensor's constant, its epoch's step, its contact's own lead, and noise. The leads are
    unknowns too, with a spread that the data tell, so that sensors which answer one odd clap do not outvote the rest.

    A response speaks of the contacts that were made in this recording. How these differ among each other is known, as
    far as their answers are: as in a sample from a finite population, only what was missed adds to the uncertainty.
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
        """Return a combination of unknowns and its coefficients as a vector; unknowns never met are zero."""
        vector = np.zeros(len(self.x))
        for key, coefficient in combination.items():
            if key in self.columns:
                vector[self.columns[key]] += coefficient
        return float(vector @ self.x), vector

    def variance(self, a: FloatArray, b: FloatArray) -> float:
        """Return the covariance of two combinations."""
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
        """Add a row; a robust one loses weight the further off it lies."""
        for key in row:
            self.columns.setdefault(key, len(self.columns))
        self.rows.append(row)
        self.values.append(value)
        self.sds.append(max(sd, 1e-9))
        self.robust.append(robust)

    def solve(self) -> _Solution:
        """Return the weighted least squares of all rows, reweighted until what lies off no longer pulls."""
        matrix = np.zeros((len(self.rows), len(self.columns)))
        for i, row in enumerate(self.rows):
            for key, coefficient in row.items():
                matrix[i, self.columns[key]] += coefficient
        value, sd, robust = np.array(self.values), np.array(self.sds), np.array(self.robust)
        # Heights are milliseconds and rates are parts per million: columns are scaled to keep the digits.
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
    """Return the line ``video + height + rate * (t - middle)``, told about the time where the two are independent."""
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
        # The sound itself is what ties the video: the skew is in the video's own uncertainty.
        system.add({"skew": 1.0}, 0.0, 1e-6)
    else:
        system.add({"skew": 1.0}, AV_SKEW.value_s, AV_SKEW.sd_s)


def _add_answers(
    system: _System, name: str, answer: ResponseLatencies, video: ClockMap, sound: SoundFit, lead_sd_s: float
) -> None:
    # The shapes' fit is the better mean; single answers tell how they scatter and how they drift.
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
    """Return the standard deviation of what sensors' answers to the same contact have in common; 0 where none is."""
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
    """Return the standard deviation to give each answer, and the answers about their median, the far ones drawn in."""
    off = latency_s - float(np.median(latency_s))
    spread = max(_LEAST_SD_S, mad_sd(off, 0.0))
    drawn = np.clip(off, -_WINSOR * spread, _WINSOR * spread)
    n = len(latency_s)
    spread = max(spread, float(np.std(drawn, ddof=1)) if n > 1 else 0.0)
    # Few contacts tell their own scatter badly: half of what Student's t would add, since the robust weights add too.
    caution = 0.5 * (1.0 + float(stats.t.ppf(0.975, max(1, n - 1))) / 1.96)
    return spread * caution, drawn


def _own_sd_s(answer: ResponseLatencies, lead_sd_s: float) -> float:
    """Return by how much a sensor's answers scatter beyond what sensors share."""
    return math.sqrt(max(_LEAST_SD_S**2, _scatter(answer.latency_s)[0] ** 2 - lead_sd_s**2))


@dataclass(frozen=True, slots=True)
class _Leads:
    """The contacts of a limb as one of its sensors is judged by: which were heard, and what was missed of them."""

    events: list[int]
    #: To be added to a response's variance for contacts that were made and not heard, less what is known of its own.
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
    """Return a sensor's response to the mean of its limb's contacts as a combination of unknowns, no epoch's step."""
    return {("response", name): 1.0} | {("lead", event): 1.0 / len(leads.events) for event in leads.events}


def _steps(name: str, answer: ResponseLatencies) -> dict[Hashable, float]:
    """Return the mean of the steps of a sensor's epochs, each as often as it answered."""
    share = np.bincount(answer.epoch, minlength=answer.n_epochs) / len(answer.epoch)
    return {("step", name, k): float(s) for k, s in enumerate(share)}


def _response_covariance(
    answers: Mapping[str, ResponseLatencies],
    constants: Mapping[str, Constant],
    solution: _Solution,
    leads: Mapping[str, _Leads],
) -> FloatArray:
    """Return the covariance of the responses' errors: the solution's correlations with the constants' own widths."""
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

    return Constant(
        response_s=response,
        sd_s=sd_s(at),
        epoch_response_s=np.array([value for value, _ in epochs]),
        epoch_sd_s=np.array([sd_s(v) for _, v in epochs]),
        latency_s=np.asarray(answer.latency_s + first - moved),
    )
