"""Alignment of each sensor: measured or assumed delay, interval and verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dataset.support.arrays import FloatArray, IntArray
from dataset.support.disk_arrays import blocks, full
from sync.events.contacts import ContactKind
from sync.events.emg_responses import Response
from sync.fit.clock_map import Z95, ClockMap
from sync.fit.contact_responses import Contacts, why_unusable
from sync.fit.joint import Constant, JointFit
from sync.fit.match import Pairing
from sync.fit.priors import BURST
from sync.fit.sensor_delay import SensorDelays, SensorResponse, split_responses
from sync.quality import gates
from sync.quality.gates import Judgement, Verdict
from sync.quality.stream_alignment import DelaySource, SensorConstants, StreamAlignment
from sync.recording_types import SensorRecord

#: A sensor that delivers a smaller share of its values than this is not usable.
MIN_DELIVERED = 0.5
_MIN_VALUES = 20
#: A measured rate that differs from the profile's by a larger share than this gives a warning.
RATE_TOLERANCE = 0.01

#: Origin of a delay that no contact measured, by ``delay_source``.
_DELAY_METHOD = {DelaySource.ASSUMED: "delay of the rig's other sensors", DelaySource.NONE: "its model's prior"}


def session_times(d: SensorRecord, stream: StreamAlignment) -> FloatArray:
    """Return the session time of each of a sensor's values; every connection epoch has its own offset."""
    time_s = full((len(d.clock.time_s),), 0.0)
    for epoch, (_, _, offset_s) in zip((e for e in d.clock.epochs if len(e.time_s)), stream.epochs, strict=True):
        of_epoch = time_s[epoch.first : epoch.first + len(epoch.time_s)]
        for rows in blocks(of_epoch):
            of_epoch[rows] = epoch.time_s[rows] + offset_s
    return time_s


def align_sensors(
    data: Mapping[str, SensorRecord],
    responses: Mapping[str, tuple[ContactKind, Response]],
    contacts: Mapping[ContactKind, Contacts],
    joint: JointFit | None,
    *,
    start_s: float,
    stop_s: float,
) -> dict[str, StreamAlignment]:
    """Return each sensor's map, evidence and verdict, from its responses to the contacts or from priors.

    Parameters
    ----------
    data, responses : mapping by channel
    contacts : mapping by kind
    joint : JointFit or None
        It has constants for the sensors whose responses it used.
    start_s, stop_s : float
        The session's span, over which intervals and coverage are computed.
    """
    constants = {} if joint is None else joint.constants
    films = _film_ci95_s(data, responses, joint, np.array([start_s, stop_s]))
    errors = {name: _response_ci95_s(data[name], responses[name][1], c) for name, c in constants.items()}
    delays = _split(
        data, responses, constants, errors, np.zeros((0, 0)) if joint is None else joint.response_covariance_s2
    )
    siblings: dict[str, list[float]] = {}
    for name, constant in constants.items():
        burst = BURST[responses[name][0]].value_s
        siblings.setdefault(data[name].profile.kind, []).append(constant.response_s - burst)
    results: dict[str, StreamAlignment] = {}
    for name, d in data.items():
        kind, response = responses[name]
        alike = siblings.get(d.profile.kind, [])
        unmeasured = DelaySource.ASSUMED if alike else DelaySource.NONE
        found = _Found(
            kind=kind,
            response=response,
            constant=constants.get(name),
            error_s=errors[name] if name in errors else _assumed_ci95_s(d, alike),
            film_s=films.get(name),
            source=DelaySource.MEASURED if name in constants else unmeasured,
        )
        results[name] = _align_sensor(name, d, found, delays, contacts.get(kind), (start_s, stop_s))
    return results


def _response_ci95_s(d: SensorRecord, response: Response, constant: Constant) -> float:
    """Return the half-width of a measured response over the session."""
    widest = max(constant.sd_s, float(np.max(constant.epoch_sd_s)))
    return math.sqrt((1.96 * widest) ** 2 + (1.96 * response.shape_sd_s) ** 2 + _arrival_ci95_s(d) ** 2)


def _film_ci95_s(
    data: Mapping[str, SensorRecord],
    responses: Mapping[str, tuple[ContactKind, Response]],
    joint: JointFit | None,
    span_s: FloatArray,
) -> dict[str, float]:
    """Return the half-width of each measured response against the contacts in the film, over the session."""
    if joint is None or joint.sound is None or span_s[1] <= span_s[0]:
        return {}
    pts_s = joint.sound.inverse()(span_s)
    return {
        name: math.sqrt(
            constant.film_half_width_s(pts_s) ** 2
            + (Z95 * responses[name][1].shape_sd_s) ** 2
            + _arrival_ci95_s(data[name]) ** 2
        )
        for name, constant in joint.constants.items()
    }


def _assumed_ci95_s(d: SensorRecord, siblings: Sequence[float]) -> float:
    """Return the half-width of a response that no contact measured: from sensors of its model, else from its prior."""
    sd_s = d.profile.delay.prior_sd_s
    if siblings:
        sd_s = max(float(np.std(siblings)) if len(siblings) > 1 else sd_s, 0.5 * sd_s)
    return 1.96 * math.hypot(sd_s, _arrival_ci95_s(d) / 1.96)


def _arrival_ci95_s(d: SensorRecord) -> float:
    return d.clock.ci95_s if math.isfinite(d.clock.ci95_s) else 0.0


def _split(
    data: Mapping[str, SensorRecord],
    responses: Mapping[str, tuple[ContactKind, Response]],
    constants: Mapping[str, Constant],
    errors_s: Mapping[str, float],
    covariance_s2: FloatArray,
) -> SensorDelays:
    """Return the sensors' delays, responses minus bursts, with the covariance of the responses' errors."""
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
    # In addition to the shared errors: each sensor's own shape, arrivals, and least certain epoch.
    error_s2[at, at] = [(errors_s[name] / 1.96) ** 2 for name in constants]
    return split_responses(sensors, error_s2)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evidence:
    """The contacts that a sensor's constant was estimated from, and how they cover the session's span."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """Response of one sensor to the contacts.

    Attributes
    ----------
    kind : ContactKind
        Kind of contact it responds to.
    response : Response
    constant : Constant or None
        None where the response cannot be used.
    error_s : float
        Half-width of its response over the session.
    film_s : float or None
        The same against the contacts in the film; None where no contact measured it.
    source : DelaySource
    """

    kind: ContactKind
    response: Response
    constant: Constant | None
    error_s: float
    film_s: float | None
    source: DelaySource


def _align_sensor(
    name: str,
    d: SensorRecord,
    found: _Found,
    delays: SensorDelays,
    heard: Contacts | None,
    span_s: tuple[float, float],
) -> StreamAlignment:
    n_contacts = 0 if heard is None else len(heard.host_s)
    delay, offset_ci95_s = delays.of({name: 1.0})
    burst_s, burst_sd_s = BURST[found.kind].value_s, BURST[found.kind].sd_s
    rests, constant = _Evidence(), found.constant
    spans = [(float(e.time_s[0]), float(e.time_s[-1])) for e in d.clock.epochs if len(e.time_s)]
    offsets = np.full(len(spans), -delay)
    if constant is not None and heard is not None:
        rests = _rest_on(found.response, constant, heard, span_s)
        burst_s = constant.response_s - delay
        burst_sd_s = float(delays.burst_sd_s[list(delays.sensors).index(name)])
        offsets = -(constant.epoch_response_s - burst_s)
    judged = _judge(d, found, rests.residual_s, span_s)
    epochs = [(*span, float(offset)) for span, offset in zip(spans, offsets, strict=True)]
    n_matched = len(rests.residual_s)
    clock = "stamps as given" if d.clock.exact else "arrival envelope"
    return StreamAlignment(
        method=f"{clock} + {_DELAY_METHOD.get(found.source, found.kind)}",
        map=ClockMap.independent(
            offset_s=-delay,
            rate=0.0,
            reference_s=0.0,
            offset_sd_s=offset_ci95_s / Z95,
            rate_sd=d.clock.rate_ci95_ppm / Z95 * 1e-6,
        ),
        error_ci95_s=found.error_s,
        pairing=Pairing(
            accepted=True,
            reason="",
            pairs=rests.matches,
            residual_s=rests.residual_s,
            n_reference=n_contacts,
            n_target=found.response.n_contacts,
            match_rate=n_matched / n_contacts if n_contacts else 0.0,
            ambiguity_margin=found.response.ambiguity_margin,
            coverage=rests.coverage,
            largest_gap_s=rests.largest_gap_s,
        ),
        residual_s=rests.residual_s,
        extrapolated_s=rests.extrapolated_s,
        constants=SensorConstants(
            response_s=math.nan if constant is None else constant.response_s,
            burst_prior_s=burst_s,
            burst_prior_sd_s=burst_sd_s,
            contact=found.kind,
            sample_period_s=d.clock.period_s,
            rate_hz=d.rate_hz,
            delivered=d.delivered(*span_s),
            n_lost=float(d.clock.n_lost),
            film_ci95_s=found.film_s,
            **delays.differences(name),
            delay_source=found.source,
        ),
        verdict=judged.verdict,
        reason=judged.reason,
        epochs=np.array(epochs, dtype=np.float64).reshape(-1, 3),
    )


def _judge(d: SensorRecord, found: _Found, residual: FloatArray, span_s: tuple[float, float]) -> Judgement:
    delivered = d.delivered(*span_s)
    if len(d.samples.value) < _MIN_VALUES:
        return Judgement(
            verdict=Verdict.FAIL,
            reason=f"only {len(d.samples.value)} values arrived ({_MIN_VALUES} are needed); its column is left empty",
        )
    if delivered < MIN_DELIVERED:
        return Judgement(
            verdict=Verdict.FAIL,
            reason=f"only {delivered:.0%} of its values arrived (half are needed); its column is left empty",
        )
    if not d.varies:
        return Judgement(verdict=Verdict.FAIL, reason="its value never changes; its column is left empty")
    nominal = d.profile.stream.rate_hz
    if nominal > 0 and abs(d.rate_hz / nominal - 1.0) > RATE_TOLERANCE:
        return Judgement(
            verdict=Verdict.WARNING, reason=f"its rate is {d.rate_hz:.2f} Hz; its profile states {nominal:g} Hz"
        )
    if found.source is DelaySource.ASSUMED:
        refusal = why_unusable(found.response)
        return Judgement(verdict=Verdict.WARNING, reason=f"{refusal}; the delay of the rig's other sensors is assumed")
    if found.source is DelaySource.NONE:
        refusal = why_unusable(found.response)
        return Judgement(verdict=Verdict.WARNING, reason=f"{refusal}; its delay is taken from its model's prior")
    return gates.judge_precision(
        found.error_s if found.film_s is None else found.film_s,
        gates.sensor_gate_s(d.rate_hz),
        gates.robust_largest_s(residual),
        gates.sensor_residual_gate_s(d.clock.period_s),
        "its response" if found.film_s is None else "its response to the contacts in the film",
    )
