"""Each sensor against the contacts: its own constant, its interval and its verdict."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.capture.types import Sensor
from dataset.muscles import CONTACT_OF_MUSCLE
from dataset.sensors.decode import Samples
from dataset.sensors.profile import Profile
from dataset.session.types import StreamSync
from dataset.support.arrays import FloatArray, IntArray
from dataset.support.disk_arrays import blocks, concatenate, full
from dataset.support.on_demand import OnDemand
from sync.clock.sensor_clock import SensorClock
from sync.events.emg_responses import MIN_RESPONSES, Response, measure_responses
from sync.fit.joint import Constant, JointFit, ResponseLatencies
from sync.fit.match import MIN_MARGIN, MIN_MATCH_RATE
from sync.fit.priors import BURST
from sync.fit.sensor_delay import SensorDelays, SensorResponse, split_responses
from sync.quality import gates
from sync.quality.gates import FAIL, WARNING, Judgement

#: A sensor that delivers less of its values than this is not usable.
MIN_DELIVERED = 0.5
_MIN_VALUES = 20
#: Answers this many standard deviations of their model's delay from those of at least so many alike are another's.
_OUTLYING_SD, _SIBLINGS = 3.0, 3
#: A measured rate further from the profile's than this is worth a warning.
RATE_TOLERANCE = 0.01

#: Where a sensor's delay is from that no contact measured, by ``delay_source``.
_DELAY_METHOD = {"assumed": "delay of the rig's other sensors", "none": "its model's prior"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorData:
    """One sensor of the capture: who it is, its values and its clock (seconds after the session's zero)."""

    sensor: Sensor
    profile: Profile
    samples: Samples
    arrival_s: FloatArray
    clock: SensorClock

    def credible(self, rows: slice) -> NDArray[np.bool_]:
        """Which of some values lie in the range that the profile allows; the others are kept, but not used."""
        stream, value = self.profile.stream, self.samples.value[rows]
        low = -math.inf if stream.minimum is None else stream.minimum
        high = math.inf if stream.maximum is None else stream.maximum
        return np.asarray((value >= low) & (value <= high))

    @property
    def all_credible(self) -> bool:
        """Whether every value is."""
        return all(self.credible(rows).all() for rows in blocks(self.samples.value))

    def only_credible(self, *columns: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Return columns of the sensor without the rows whose values are not credible."""
        if self.all_credible:
            return columns

        def kept() -> Iterator[list[NDArray[Any]]]:
            for rows in blocks(self.samples.value):
                credible = self.credible(rows)
                yield [column[rows][credible] for column in columns]

        return tuple(concatenate(kept(), [column.dtype.type for column in columns]))

    @property
    def level(self) -> tuple[FloatArray, FloatArray]:
        """De-jittered arrivals and values, as far as they are credible."""
        time_s, value = self.only_credible(self.clock.time_s, self.samples.value)
        return time_s, value

    @property
    def rate_hz(self) -> float:
        """Measured rate; NaN where there are no values."""
        return 1.0 / self.clock.period_s if self.clock.period_s > 0 else math.nan

    def delivered(self, start_s: float, stop_s: float) -> float:
        """Return the share of the values expected between two times that came."""
        if not self.clock.period_s > 0 or stop_s <= start_s:
            return 0.0
        time_s = self.clock.time_s
        if self.clock.exact:
            # Its rate may change, so that values cannot be counted: what lies in a gap did not come.
            lacking = np.concatenate([[(-math.inf, time_s[0]), (time_s[-1], math.inf)], self.clock.gaps_s])
            lacking_s = float(np.sum(np.maximum(0.0, np.diff(np.clip(lacking, start_s, stop_s), axis=1))))
            return max(0.0, 1.0 - lacking_s / (stop_s - start_s))
        n_inside = sum(
            int(np.count_nonzero((time_s[rows] >= start_s) & (time_s[rows] <= stop_s))) for rows in blocks(time_s)
        )
        return min(1.0, n_inside * self.clock.period_s / (stop_s - start_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Contacts:
    """Contacts of one kind on the host clock.

    Attributes
    ----------
    host_s : ndarray, shape (E,)
        Time of each contact.
    pts_s : ndarray, shape (E,)
        Its sound on the file's clock.
    index : ndarray of int64, shape (E,)
        Its number among all that was heard.
    ci95_s : float
        Half-width of what all of them share: the sound's map.
    n_made : int
        How many were made, as far as one knows: those asked for, or those heard where they are more.
    """

    host_s: FloatArray
    pts_s: FloatArray
    index: IntArray
    ci95_s: float
    n_made: int = 0


def respond(data: Mapping[str, SensorData], contacts: Mapping[str, Contacts]) -> dict[str, tuple[str, Response]]:
    """Return for each channel which kind of contact it answers and how.

    Arms answer claps and legs stomps; a channel on another place is tried with both.
    """
    results: dict[str, tuple[str, Response]] = {}
    for kind, heard in contacts.items():
        limb = levels_of_limb(data, kind)
        for name, response in measure_responses(heard.host_s, limb).items():
            if name not in results or response.contrast > results[name][1].contrast:
                results[name] = (kind, response)
    for name, d in data.items():
        results.setdefault(name, (CONTACT_OF_MUSCLE.get(d.sensor.muscle, "clap"), Response()))
    return results


def levels_of_limb(data: Mapping[str, SensorData], kind: str) -> Mapping[str, tuple[FloatArray, FloatArray]]:
    """Return de-jittered arrivals and values of the sensors that may answer a kind of contact, made on demand."""
    limb = [n for n, d in data.items() if CONTACT_OF_MUSCLE.get(d.sensor.muscle, kind) == kind and len(d.samples.value)]
    return OnDemand(limb, lambda name: data[name].level)


def session_times(d: SensorData, stream: StreamSync) -> FloatArray:
    """Return the session time of each of a sensor's values: every connection epoch has its own constant."""
    time_s = full((len(d.clock.time_s),), 0.0)
    for epoch, (_, _, offset_s) in zip((e for e in d.clock.epochs if len(e.time_s)), stream.epochs, strict=True):
        of_epoch = time_s[epoch.first : epoch.first + len(epoch.time_s)]
        for rows in blocks(of_epoch):
            of_epoch[rows] = epoch.time_s[rows] + offset_s
    return time_s


def trusted_answers(
    data: Mapping[str, SensorData],
    responses: Mapping[str, tuple[str, Response]],
    contacts: Mapping[str, Contacts],
) -> dict[str, ResponseLatencies]:
    """Return what the joint fit may use: the answers of each sensor whose response can be trusted."""
    answers: dict[str, ResponseLatencies] = {}
    for name, (kind, response) in responses.items():
        if why_unusable(response) or kind not in contacts:
            continue
        heard, epochs = contacts[kind], [e for e in data[name].clock.epochs if len(e.time_s)]
        starts = np.array([e.time_s[0] for e in epochs])
        at = heard.host_s[response.contact] + response.latency_s
        answers[name] = ResponseLatencies(
            pts_s=heard.pts_s[response.contact],
            event=np.asarray(heard.index[response.contact]),
            latency_s=response.latency_s,
            epoch=np.clip(np.searchsorted(starts, at, side="right") - 1, 0, len(epochs) - 1).astype(np.int64),
            n_epochs=len(epochs),
            response_s=response.response_s,
            each_sd_s=response.each_sd_s,
            n_made=heard.n_made,
        )
    return answers


def sync_sensors(
    data: Mapping[str, SensorData],
    responses: Mapping[str, tuple[str, Response]],
    contacts: Mapping[str, Contacts],
    joint: JointFit | None,
    *,
    start_s: float,
    stop_s: float,
) -> dict[str, StreamSync]:
    """Return each sensor's map, evidence and verdict.

    Parameters
    ----------
    data, responses : mapping by channel
    contacts : mapping by kind
    joint : JointFit or None
        It has constants for the sensors whose answers it used.
    start_s, stop_s : float
        The session's span, over which intervals and coverage are told.
    """
    constants = {} if joint is None else joint.constants
    errors = {name: _response_ci95_s(data[name], responses[name][1], c) for name, c in constants.items()}
    delays = _split(
        data, responses, constants, errors, np.zeros((0, 0)) if joint is None else joint.response_covariance_s2
    )
    siblings: dict[str, list[float]] = {}
    for name, constant in constants.items():
        burst = BURST[responses[name][0]].value_s
        siblings.setdefault(data[name].profile.kind, []).append(constant.response_s - burst)
    return {
        name: _one(
            name,
            d,
            *responses[name],
            refusal=why_unusable(responses[name][1]),
            constant=constants.get(name),
            error_s=errors[name] if name in errors else _assumed_ci95_s(d, siblings.get(d.profile.kind, [])),
            n_siblings=len(siblings.get(d.profile.kind, [])),
            delays=delays,
            heard=contacts.get(responses[name][0]),
            span_s=(start_s, stop_s),
        )
        for name, d in data.items()
    }


def _response_ci95_s(d: SensorData, response: Response, constant: Constant) -> float:
    """Return the half-width of a measured response over the session."""
    widest = max(constant.sd_s, float(np.max(constant.epoch_sd_s)))
    return math.sqrt((1.96 * widest) ** 2 + (1.96 * response.shape_sd_s) ** 2 + _arrival_ci95_s(d) ** 2)


def _assumed_ci95_s(d: SensorData, siblings: Sequence[float]) -> float:
    """Return the half-width of a response that no contact measured: by its model's sensors, else by its prior."""
    sd_s = d.profile.delay.prior_sd_s
    if siblings:
        sd_s = max(float(np.std(siblings)) if len(siblings) > 1 else sd_s, 0.5 * sd_s)
    return 1.96 * math.hypot(sd_s, _arrival_ci95_s(d) / 1.96)


def _arrival_ci95_s(d: SensorData) -> float:
    return d.clock.ci95_s if math.isfinite(d.clock.ci95_s) else 0.0


def _split(
    data: Mapping[str, SensorData],
    responses: Mapping[str, tuple[str, Response]],
    constants: Mapping[str, Constant],
    errors_s: Mapping[str, float],
    covariance_s2: FloatArray,
) -> SensorDelays:
    """Return the sensors' delays: responses less bursts, with what the responses' errors have in common."""
    sensors = {
        name: SensorResponse(
            model=d.profile.kind,
            kind=responses[name][0],
            muscle=d.sensor.muscle,
            side=d.sensor.side,
            prior=d.profile.delay,
            response_s=constants[name].response_s if name in constants else math.nan,
        )
        for name, d in data.items()
    }
    error_s2 = np.diag([(_arrival_ci95_s(d) / 1.96) ** 2 for d in data.values()])
    at = [list(data).index(name) for name in constants]
    error_s2[np.ix_(at, at)] = covariance_s2
    # Beside what they share: each its own shape, its own arrivals, and the epoch that is known worst.
    error_s2[at, at] = [(errors_s[name] / 1.96) ** 2 for name in constants]
    return split_responses(sensors, error_s2)


def reject_outliers(
    data: Mapping[str, SensorData], responses: Mapping[str, tuple[str, Response]]
) -> dict[str, tuple[str, Response]]:
    """Return the responses with those marked that no sensor of their model can have beside its siblings' of one limb.

    A pairing of answers with the wrong contacts is wrong by the time between contacts, and its residuals are small.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for name, (kind, response) in responses.items():
        if not why_unusable(response):
            groups.setdefault((kind, data[name].profile.kind), []).append(name)
    result = dict(responses)
    for (kind, _), names in groups.items():
        alone = len(names) < _SIBLINGS
        for name in names:
            response, prior = responses[name][1], data[name].profile.delay
            usual = (
                BURST[kind].value_s + prior.prior_s
                if alone
                else float(np.median([responses[n][1].response_s for n in names]))
            )
            allowed = _OUTLYING_SD * math.hypot(prior.prior_sd_s, BURST[kind].sd_s if alone else 0.0)
            off = response.response_s - usual
            if abs(off) > allowed:
                beside = "what its model has" if alone else "its siblings'"
                why = f"its answers lie {1e3 * off:+.0f} ms from {beside} (allowed {1e3 * allowed:.0f} ms)"
                result[name] = (kind, replace(response, disowned=why))
    return result


def why_unusable(response: Response) -> str:
    """Return why a response cannot be used; empty where it can."""
    if response.disowned:
        return response.disowned
    if response.n_contacts == 0:
        return f"no clap or stomp fell where it delivered values ({MIN_RESPONSES} are needed)"
    if len(response.latency_s) < MIN_RESPONSES or not math.isfinite(response.response_s):
        return f"it answered {len(response.latency_s)} of {response.n_contacts} contacts; {MIN_RESPONSES} are needed"
    rate = len(response.latency_s) / response.n_contacts
    if rate < MIN_MATCH_RATE:
        return f"it answered only {len(response.latency_s)} of {response.n_contacts} contacts (half are needed)"
    if response.ambiguity_margin < MIN_MARGIN:
        return (
            f"its answers fit the contacts at another time nearly as well (margin {response.ambiguity_margin:.2f}, "
            f"needed {MIN_MARGIN:.2f})"
        )
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evidence:
    """The answered contacts that a sensor's constant rests on, and how they lie in the session's span."""

    residual_s: FloatArray = field(default_factory=lambda: np.zeros(0))
    matches: IntArray = field(default_factory=lambda: np.zeros((0, 2), dtype=np.int64))
    coverage: float = 0.0
    extrapolated_s: float = math.nan
    largest_gap_s: float = math.nan


def _rest_on(response: Response, constant: Constant, heard: Contacts, span_s: tuple[float, float]) -> _Evidence:
    at = heard.host_s[response.contact]
    return _Evidence(
        residual_s=constant.latency_s - constant.response_s,
        matches=np.column_stack([response.contact, np.arange(len(response.contact))]).astype(np.int64),
        coverage=float(np.ptp(at)) / max(1e-9, span_s[1] - span_s[0]),
        extrapolated_s=max(0.0, float(at[0]) - span_s[0], span_s[1] - float(at[-1])),
        largest_gap_s=float(np.max(np.diff(np.concatenate([[span_s[0]], at, [span_s[1]]])))),
    )


def _one(
    name: str,
    d: SensorData,
    kind: str,
    response: Response,
    *,
    refusal: str,
    constant: Constant | None,
    error_s: float,
    n_siblings: int,
    delays: SensorDelays,
    heard: Contacts | None,
    span_s: tuple[float, float],
) -> StreamSync:
    n_contacts = 0 if heard is None else len(heard.host_s)
    delay, offset_ci95 = delays.of({name: 1.0})
    constants: dict[str, float | str] = {
        "response_s": math.nan,
        "burst_prior_s": BURST[kind].value_s,
        "burst_prior_sd_s": BURST[kind].sd_s,
        "contact": kind,
        "sample_period_s": d.clock.period_s,
        "rate_hz": d.rate_hz,
        "delivered": d.delivered(*span_s),
        "n_lost": float(d.clock.n_lost),
    }
    rests = _Evidence()
    of_epochs: FloatArray | None = None
    if constant is not None and heard is not None:
        rests = _rest_on(response, constant, heard, span_s)
        source = "measured"
        burst = constant.response_s - delay
        constants |= {
            "response_s": constant.response_s,
            "burst_prior_s": burst,
            "burst_prior_sd_s": float(delays.burst_sd_s[list(delays.sensors).index(name)]),
        }
        of_epochs = constant.epoch_response_s - burst
    else:
        source = "assumed" if n_siblings else "none"
    constants |= delays.differences(name)
    residual = rests.residual_s
    constants["delay_source"] = source
    judgement = _judge(d, refusal, source, error_s, residual, span_s)
    spans = [(float(e.time_s[0]), float(e.time_s[-1])) for e in d.clock.epochs if len(e.time_s)]
    offsets = np.full(len(spans), -delay) if of_epochs is None else -of_epochs
    epochs = [(*span, float(offset)) for span, offset in zip(spans, offsets, strict=True)]
    return StreamSync(
        method=f"{'stamps as given' if d.clock.exact else 'arrival envelope'} + {_DELAY_METHOD.get(source, kind)}",
        verdict=judgement.verdict,
        reason=judgement.reason,
        offset_s=-delay,
        rate_ppm=0.0,
        offset_ci95_s=offset_ci95,
        rate_ci95_ppm=d.clock.rate_ci95_ppm,
        error_ci95_s=error_s,
        n_reference=n_contacts,
        n_target=response.n_contacts,
        n_matched=len(residual),
        match_rate=len(residual) / n_contacts if n_contacts else 0.0,
        ambiguity_margin=response.ambiguity_margin,
        max_residual_s=float(np.max(np.abs(residual))) if len(residual) else math.nan,
        rms_residual_s=float(np.sqrt(np.mean(residual**2))) if len(residual) else math.nan,
        coverage=rests.coverage,
        largest_gap_s=rests.largest_gap_s,
        extrapolated_s=rests.extrapolated_s,
        constants=constants,
        matches=rests.matches,
        residual_s=residual,
        epochs=np.array(epochs, dtype=np.float64).reshape(-1, 3),
    )  # fmt: skip


def _judge(
    d: SensorData, refusal: str, source: str, error: float, residual: FloatArray, span_s: tuple[float, float]
) -> Judgement:
    delivered = d.delivered(*span_s)
    if len(d.samples.value) < _MIN_VALUES:
        return Judgement(
            verdict=FAIL,
            reason=f"it delivered {len(d.samples.value)} values ({_MIN_VALUES} are needed); its column is left empty",
        )
    if delivered < MIN_DELIVERED:
        return Judgement(
            verdict=FAIL,
            reason=f"it delivered {delivered:.0%} of its values (half are needed); its column is left empty",
        )
    if not _changes(d.samples.value):
        return Judgement(verdict=FAIL, reason="its value never changes; its column is left empty")
    nominal = d.profile.stream.rate_hz
    if nominal > 0 and abs(d.rate_hz / nominal - 1.0) > RATE_TOLERANCE:
        return Judgement(verdict=WARNING, reason=f"it runs at {d.rate_hz:.2f} values a second, not at {nominal:g}")
    if source == "assumed":
        return Judgement(verdict=WARNING, reason=f"{refusal}: the delay of the rig's other sensors is assumed")
    if source == "none":
        return Judgement(verdict=WARNING, reason=f"{refusal}: its delay is taken from its model's prior")
    return gates.judge_precision(
        error,
        gates.sensor_gate_s(d.rate_hz),
        gates.robust_largest_s(residual),
        gates.sensor_residual_gate_s(d.clock.period_s),
        "its response",
    )


def _changes(value: FloatArray) -> bool:
    """Return whether there are two different numbers among the values."""
    lowest, highest = math.inf, -math.inf
    for rows in blocks(value):
        numbers = value[rows][np.isfinite(value[rows])]
        lowest = min(lowest, float(np.min(numbers, initial=math.inf)))
        highest = max(highest, float(np.max(numbers, initial=-math.inf)))
    return highest > lowest


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """Whether the two routes agree: flash and arrival against clap and sound.

    Attributes
    ----------
    gap_s : float
        Median sensor delay by the contacts less the delay its model is expected to have.
    allowed_s : float
        Half-width of their joint 99 % interval.
    """

    gap_s: float
    allowed_s: float

    @property
    def closes(self) -> bool:
        """True where they agree."""
        return abs(self.gap_s) <= self.allowed_s


def close_routes(
    data: Mapping[str, SensorData],
    responses: Mapping[str, tuple[str, Response]],
    contacts: Mapping[str, Contacts],
) -> Closure | None:
    """Compare the routes; None where no sensor answered a contact.

    Notes
    -----
    Flash and arrival put a value at its arrival less its model's delay; clap and sound put it at the contact's burst.
    The two share no constant, so a wrong pairing on either side opens a gap between them.
    """
    gaps, variances = [], []
    for name, (kind, response) in responses.items():
        if why_unusable(response):
            continue
        prior = data[name].profile.delay
        gaps.append(response.response_s - BURST[kind].value_s - prior.prior_s)
        sound = contacts[kind].ci95_s / 1.96
        variances.append(prior.prior_sd_s**2 + BURST[kind].sd_s ** 2 + sound**2 + (response.ci95_s / 1.96) ** 2)
    if not gaps:
        return None
    return Closure(gap_s=float(np.median(gaps)), allowed_s=2.576 * math.sqrt(float(np.median(variances))))
