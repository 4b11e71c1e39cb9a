"""The ``/sync`` entry of each sensor: its own constant, its interval and its verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dataset.session.types import StreamSync
from dataset.support.arrays import FloatArray, IntArray
from dataset.support.disk_arrays import blocks, spilled
from sync.events.emg_responses import Response
from sync.fit.contact_responses import Contacts, why_unusable
from sync.fit.joint import Constant, JointFit
from sync.fit.priors import BURST
from sync.fit.sensor_delay import SensorDelays, SensorResponse, split_responses
from sync.quality import gates
from sync.quality.gates import FAIL, WARNING, Judgement
from sync.recording_types import SensorRecord

#: A sensor that delivers less of its values than this is not usable.
MIN_DELIVERED = 0.5
_MIN_VALUES = 20
#: A measured rate further from the profile's than this is worth a warning.
RATE_TOLERANCE = 0.01

#: Where a sensor's delay is from that no contact measured, by ``delay_source``.
_DELAY_METHOD = {"assumed": "delay of the rig's other sensors", "none": "its model's prior"}


def session_times(d: SensorRecord, stream: StreamSync) -> FloatArray:
    """Return the session time of each of a sensor's values: every connection epoch has its own constant."""
    time_s = spilled((len(d.clock.time_s),), 0.0)
    for epoch, (_, _, offset_s) in zip((e for e in d.clock.epochs if len(e.time_s)), stream.epochs, strict=True):
        of_epoch = time_s[epoch.first : epoch.first + len(epoch.time_s)]
        for rows in blocks(of_epoch, epoch.time_s):
            of_epoch[rows] = epoch.time_s[rows] + offset_s
    return time_s


def sync_sensors(
    data: Mapping[str, SensorRecord],
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


def _response_ci95_s(d: SensorRecord, response: Response, constant: Constant) -> float:
    """Return the half-width of a measured response over the session."""
    widest = max(constant.sd_s, float(np.max(constant.epoch_sd_s)))
    return math.sqrt((1.96 * widest) ** 2 + (1.96 * response.shape_sd_s) ** 2 + _arrival_ci95_s(d) ** 2)


def _assumed_ci95_s(d: SensorRecord, siblings: Sequence[float]) -> float:
    """Return the half-width of a response that no contact measured: by its model's sensors, else by its prior."""
    sd_s = d.profile.delay.prior_sd_s
    if siblings:
        sd_s = max(float(np.std(siblings)) if len(siblings) > 1 else sd_s, 0.5 * sd_s)
    return 1.96 * math.hypot(sd_s, _arrival_ci95_s(d) / 1.96)


def _arrival_ci95_s(d: SensorRecord) -> float:
    return d.clock.ci95_s if math.isfinite(d.clock.ci95_s) else 0.0


def _split(
    data: Mapping[str, SensorRecord],
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
    d: SensorRecord,
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
    d: SensorRecord, refusal: str, source: str, error: float, residual: FloatArray, span_s: tuple[float, float]
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
