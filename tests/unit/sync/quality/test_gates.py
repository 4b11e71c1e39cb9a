"""The gates, and the two routes that must close."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from dataset.capture.types import Sensor
from dataset.sensors.decode import Samples
from dataset.sensors.profile import find_profile
from sync.clock.sensor_clock import sensor_clock
from sync.events.contacts import ContactKind
from sync.events.emg_responses import Response
from sync.fit.contact_responses import reject_outliers, why_unusable
from sync.quality.closure import Closure
from sync.quality.gates import (
    SLOW_SENSOR_GATE_S,
    VIDEO_GATE_S,
    Judgement,
    Verdict,
    judge_precision,
    judge_whole,
    sensor_gate_s,
)
from sync.recording_types import SensorRecord

PASS, WARNING, FAIL = Verdict


def judged(verdict: Verdict) -> Judgement:
    return Judgement(verdict=verdict, reason=f"it is {verdict}")


@pytest.mark.parametrize(
    ("error_s", "gate", "verdict"),
    [
        (0.009, VIDEO_GATE_S, PASS),
        (0.011, VIDEO_GATE_S, WARNING),
        (0.3, VIDEO_GATE_S, WARNING),
        (0.039, SLOW_SENSOR_GATE_S, PASS),
        (0.041, SLOW_SENSOR_GATE_S, WARNING),
        (math.nan, VIDEO_GATE_S, WARNING),
    ],
)
def test_a_known_pairing_with_poor_precision_is_a_warning(
    error_s: float, gate: tuple[float, float], verdict: Verdict
) -> None:
    assert judge_precision(error_s, gate, 0.0, 0.033, "the video's clock").verdict == verdict


@pytest.mark.parametrize("verdicts", [*product(Verdict, repeat=3)])
def test_the_worst_of_several_verdicts_is_their_maximum(verdicts: tuple[Verdict, ...]) -> None:
    assert max(verdicts) == next(v for v in (FAIL, WARNING, PASS) if v in verdicts)
    assert sorted(verdicts) == sorted(verdicts, key=[PASS, WARNING, FAIL].index)
    assert f"{max(verdicts)}" == max(verdicts).value
    assert all((a < b) == (b > a) == (not a >= b) == (not b <= a) for a in verdicts for b in verdicts)


def test_residuals_beyond_a_frame_are_a_warning() -> None:
    assert judge_precision(0.002, VIDEO_GATE_S, 0.05, 0.033, "x").verdict == WARNING


def test_fast_sensors_are_held_to_the_video_s_gate() -> None:
    assert sensor_gate_s(1000.0) == VIDEO_GATE_S
    assert sensor_gate_s(10.0) == SLOW_SENSOR_GATE_S


@pytest.mark.parametrize(
    ("video", "sensors", "verdict"),
    [
        (PASS, [PASS] * 8, PASS),
        (PASS, [PASS] * 7 + [WARNING], WARNING),
        (PASS, [PASS] * 7 + [FAIL], WARNING),
        (PASS, [PASS] * 4 + [FAIL] * 4, WARNING),
        (PASS, [PASS] * 3 + [FAIL] * 5, FAIL),
        (FAIL, [PASS] * 8, FAIL),
        (WARNING, [PASS] * 8, WARNING),
        (PASS, [PASS, PASS], PASS),
        (PASS, [PASS, FAIL], FAIL),
    ],
)
def test_the_whole_follows_the_video_and_the_sensors_that_remain(
    video: Verdict, sensors: list[Verdict], verdict: Verdict
) -> None:
    found, reasons = judge_whole(judged(video), {f"s{i}": judged(v) for i, v in enumerate(sensors)})
    assert found == verdict
    assert bool(reasons) == (verdict != PASS)


def test_routes_close_only_within_their_joint_interval() -> None:
    assert Closure(gap_s=-0.1, allowed_s=0.16).closes
    assert not Closure(gap_s=0.3, allowed_s=0.16).closes


def test_a_response_that_no_sensor_of_the_model_has_is_disowned_beside_its_siblings_and_alone() -> None:
    data = {
        f"s{k}": SensorRecord(
            sensor=Sensor(slot=k + 1, channel=f"s{k}", muscle="biceps", side="left"),
            profile=find_profile("anr-m40"),
            samples=Samples(
                arrival_ns=np.zeros(0, dtype=np.int64), epoch=np.zeros(0, dtype=np.int64), value=np.zeros(0),
                n_malformed=0, n_out_of_range=0,
            ),
            arrival_s=np.zeros(0),
            clock=sensor_clock(np.zeros(0), np.zeros(0, dtype=np.int64), 10.0),
        )
        for k in range(4)
    }  # fmt: skip

    def answers(*response_s: float) -> dict[str, tuple[ContactKind, Response]]:
        each = np.zeros(6)
        return {
            f"s{k}": (ContactKind.CLAP, Response(
                response_s=at, contact=np.arange(6), latency_s=each, n_contacts=6, ambiguity_margin=0.9
            ))
            for k, at in enumerate(response_s)
        }  # fmt: skip

    among = reject_outliers(data, answers(0.10, 0.12, 0.09, 0.45))
    assert [bool(why_unusable(r)) for _, r in among.values()] == [False, False, False, True]
    assert "similar sensors" in among["s3"][1].disowned
    alone = reject_outliers(data, answers(0.9))
    assert "its model" in alone["s0"][1].disowned
    assert not reject_outliers(data, answers(0.1))["s0"][1].disowned
