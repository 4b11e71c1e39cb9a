"""Responses split into delays and bursts: intervals hold the truth, and what sensors share ties them together."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from dataset.muscles import CONTACT_OF_MUSCLE, PAPER_CHANNELS
from dataset.sensors.profile import Delay
from dataset.support.arrays import FloatArray
from sync.events.contacts import ContactKind
from sync.fit.priors import BURST
from sync.fit.sensor_delay import SensorDelays, SensorResponse, split_responses

PRIOR = Delay(prior_s=0.1, prior_sd_s=0.05)
#: The drawn people and rigs; close to the priors, and none of them the same.
LEAD_S, LEAD_SD_S, MUSCLE_SD_S, SIDE_SD_S, ERROR_SD_S, SHARED_ERROR_SD_S = -0.031, 0.037, 0.013, 0.009, 0.004, 0.003


def draw(seed: int, spread_s: float, *, unmeasured: tuple[str, ...] = ()) -> tuple[SensorDelays, dict[str, float]]:
    """Return the split of eight drawn sensors' responses, and their true delays."""
    rng = np.random.default_rng(seed)
    of_model = rng.uniform(0.06, 0.21)
    lead = {kind: rng.normal(LEAD_S, LEAD_SD_S) for kind in (ContactKind.CLAP, ContactKind.STOMP)}
    of_muscle = {channel.muscle: rng.normal(0, MUSCLE_SD_S) for channel in PAPER_CHANNELS}
    shared_error = rng.normal(0, SHARED_ERROR_SD_S)
    sensors, truth = {}, {}
    for channel in PAPER_CHANNELS:
        kind = ContactKind(CONTACT_OF_MUSCLE[channel.muscle])
        truth[channel.name] = of_model + rng.normal(0, spread_s)
        burst = lead[kind] + of_muscle[channel.muscle] + rng.normal(0, SIDE_SD_S)
        measured = truth[channel.name] + burst + rng.normal(0, ERROR_SD_S) + shared_error
        sensors[channel.name] = SensorResponse(
            model="m40", kind=kind, muscle=channel.muscle, side=channel.side, prior=PRIOR,
            response_s=math.nan if channel.name in unmeasured else measured,
        )  # fmt: skip
    return split_responses(sensors, errors(len(sensors))), truth


def errors(n: int) -> FloatArray:
    """Return the covariance of the drawn errors."""
    return np.eye(n) * ERROR_SD_S**2 + SHARED_ERROR_SD_S**2


def alone(response_s: float, *, kind: ContactKind = ContactKind.CLAP, error_sd_s: float = 0.005) -> SensorDelays:
    """Return the split of one sensor's response."""
    sensor = SensorResponse(model="m40", kind=kind, muscle="biceps", side="left", prior=PRIOR, response_s=response_s)
    return split_responses({"left_biceps": sensor}, np.array([[error_sd_s**2]]))


@pytest.mark.parametrize("kind", [ContactKind.CLAP, ContactKind.STOMP])
@pytest.mark.parametrize("error_sd_s", [0.001, 0.005, 0.03])
def test_a_lone_sensors_offset_is_known_no_better_than_its_burst(kind: ContactKind, error_sd_s: float) -> None:
    delays = alone(0.13, kind=kind, error_sd_s=error_sd_s)
    delay_s, half_width_s = delays.of({"left_biceps": 1.0})
    # A sensor without others lies about its model's delay by what a model's sensors do, which is no evidence.
    assert delay_s == pytest.approx(0.13 - BURST[kind].value_s, abs=0.002)
    assert half_width_s == pytest.approx(1.96 * math.hypot(BURST[kind].sd_s, error_sd_s), rel=0.01)
    assert delays.burst_sd_s[0] == pytest.approx(BURST[kind].sd_s, rel=0.01)


@pytest.mark.parametrize("spread_s", [0.0, 0.01, 0.045])
def test_intervals_hold_the_true_delays_as_often_as_they_say(spread_s: float) -> None:
    inside, sides_inside = [], []
    for seed in range(100):
        delays, truth = draw(seed, spread_s)
        for name, delay_s in truth.items():
            found_s, half_width_s = delays.of({name: 1.0})
            inside.append(abs(found_s - delay_s) <= half_width_s)
            if name.startswith("left_"):
                other = name.replace("left", "right")
                found_s, half_width_s = delays.of({name: 1.0, other: -1.0})
                sides_inside.append(abs(found_s - (delay_s - truth[other])) <= half_width_s)
    assert 0.92 <= np.mean(inside) <= 0.98
    # No eight sensors tell that delays are alike to the last millisecond, and what they cannot tell is in the interval.
    assert 0.92 <= np.mean(sides_inside) <= (0.98 if spread_s else 1.0)


def test_sensors_that_share_a_delay_are_known_better_than_one_alone_and_left_ties_to_right() -> None:
    widths, sides, errors_s, plain_s = [], [], [], []
    for seed in range(40):
        delays, truth = draw(seed, 0.002)
        for name, sensor in delays.sensors.items():
            found_s, half_width_s = delays.of({name: 1.0})
            widths.append(half_width_s)
            errors_s.append(found_s - truth[name])
            plain_s.append(sensor.response_s - BURST[sensor.kind].value_s - truth[name])
        sides.append(delays.differences("left_biceps")["left_right_ci95_s"])
    assert np.median(widths) < 0.85 * alone(0.13).of({"left_biceps": 1.0})[1]
    twin = delays.of({"left_biceps": 1.0, "right_biceps": -1.0})[1]
    assert sides[-1] == delays.differences("right_biceps")["left_right_ci95_s"] == pytest.approx(twin)
    assert np.median(sides) < 0.4 * np.median(widths)
    assert np.std(errors_s) < 0.85 * np.std(plain_s)


def test_sensors_that_share_nothing_are_said_to_be_known_less_well() -> None:
    one, many = ([draw(seed, s)[0] for seed in range(30)] for s in (0.002, 0.045))

    def width_s(found: list[SensorDelays], of: Callable[[SensorDelays], float]) -> float:
        return float(np.median([of(delays) for delays in found]))

    assert width_s(many, lambda d: d.of({"left_biceps": 1.0})[1]) > width_s(
        one, lambda d: d.of({"left_biceps": 1.0})[1]
    )
    assert width_s(many, lambda d: d.differences("left_biceps")["left_right_ci95_s"]) > 0.025


def test_a_sensor_that_no_contact_reaches_takes_its_models_delay_and_its_interval_holds_it() -> None:
    for spread_s in (0.002, 0.03):
        inside, wider = [], []
        for seed in range(100):
            delays, truth = draw(seed, spread_s, unmeasured=("left_biceps",))
            found_s, half_width_s = delays.of({"left_biceps": 1.0})
            inside.append(abs(found_s - truth["left_biceps"]) <= half_width_s)
            wider.append(half_width_s > delays.of({"right_biceps": 1.0})[1] - 1e-4)
            assert math.isnan(delays.burst_sd_s[list(delays.sensors).index("left_biceps")])
        assert np.mean(inside) >= 0.93
        assert np.mean(wider) > 0.95


def test_where_nothing_was_measured_the_models_prior_stands_and_two_sensors_are_not_the_same() -> None:
    delays, _ = draw(1, 0.01, unmeasured=tuple(c.name for c in PAPER_CHANNELS))
    found_s, half_width_s = delays.of({"left_biceps": 1.0})
    assert found_s == pytest.approx(PRIOR.prior_s)
    assert half_width_s == pytest.approx(1.96 * math.hypot(PRIOR.prior_sd_s, math.hypot(ERROR_SD_S, 0.003)), rel=0.01)
    assert delays.differences("left_biceps")["left_right_ci95_s"] > 0.03


def test_models_do_not_lend_one_another_a_delay() -> None:
    def sensor(model: str, muscle: str, response_s: float) -> SensorResponse:
        kind = ContactKind(CONTACT_OF_MUSCLE[muscle])
        return SensorResponse(model=model, kind=kind, muscle=muscle, side="left", prior=PRIOR, response_s=response_s)

    pair = {"a": sensor("m40", "biceps", 0.1), "b": sensor("raw", "quadriceps", 0.02)}
    delays = split_responses(pair, np.eye(2) * 0.004**2)
    assert delays.of({"a": 1.0})[0] == pytest.approx(0.1 - BURST[ContactKind.CLAP].value_s, abs=0.002)
    assert delays.of({"b": 1.0})[0] == pytest.approx(0.02 - BURST[ContactKind.STOMP].value_s, abs=0.002)


def test_what_all_responses_share_does_not_widen_their_differences() -> None:
    delays, _ = draw(3, 0.005)
    shaken = split_responses(delays.sensors, errors(8) + 0.05**2)
    assert shaken.of({"left_biceps": 1.0})[1] > 0.08
    twin = {"left_biceps": 1.0, "right_biceps": -1.0}
    assert shaken.of(twin)[1] == pytest.approx(delays.of(twin)[1], rel=0.05)
