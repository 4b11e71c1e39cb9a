"""The gates, and the two routes that must close."""

from __future__ import annotations

import math

import pytest

from sync.sensors import Closure
from sync.verdict import (
    FAIL,
    PASS,
    SLOW_SENSOR_GATE_S,
    VIDEO_GATE_S,
    WARNING,
    Judgement,
    judge_precision,
    judge_whole,
    sensor_gate_s,
)


def judged(verdict: str) -> Judgement:
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
def test_a_known_pairing_with_poor_precision_is_a_warning(error_s, gate, verdict):
    assert judge_precision(error_s, gate, 0.0, 0.033, "the video's clock").verdict == verdict


def test_residuals_beyond_a_frame_are_a_warning():
    assert judge_precision(0.002, VIDEO_GATE_S, 0.05, 0.033, "x").verdict == WARNING


def test_fast_sensors_are_held_to_the_video_s_gate():
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
def test_the_whole_follows_the_video_and_the_sensors_that_remain(video, sensors, verdict):
    found, reasons = judge_whole(judged(video), {f"s{i}": judged(v) for i, v in enumerate(sensors)})
    assert found == verdict
    assert bool(reasons) == (verdict != PASS)


def test_routes_close_only_within_their_joint_interval():
    assert Closure(gap_s=-0.1, allowed_s=0.16).closes
    assert not Closure(gap_s=0.3, allowed_s=0.16).closes
