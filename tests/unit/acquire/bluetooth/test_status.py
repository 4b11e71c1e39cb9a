"""What a person is told of a slot."""

from __future__ import annotations

from typing import Any

import pytest

from acquire.bluetooth.status import SensorStatus, trouble
from acquire.quality.sensor_health import LiveHealth
from dataset.capture.types import Sensor

WELL: dict[str, Any] = {
    "received": 100, "expected": 100, "rate_hz": 10.0, "largest_gap_s": 0.1, "silent_s": 0.05, "value": 1.0,
    "malformed": 0, "trace": (),
}  # fmt: skip


@pytest.mark.parametrize(
    ("state", "health", "says"),
    [
        ("streaming", {}, ""),
        ("streaming", {"received": 94}, "left_biceps 94 % received"),
        ("streaming", {"received": 1, "expected": 30}, ""),
        ("streaming", {"surplus": True, "rate_hz": 20.0}, "left_biceps sends too many values (20/s)"),
        ("stale", {"silent_s": 1.2}, "left_biceps stale 1 s"),
        ("reconnecting", {"silent_s": 31.0}, "left_biceps reconnecting 31 s"),
        ("scanning", {"silent_s": float("inf")}, "left_biceps scanning"),
    ],
)
def test_only_what_is_wrong_is_said(state: str, health: dict[str, Any], says: str) -> None:
    sensor = Sensor(slot=1, channel="left_biceps", muscle="biceps", side="left")
    status = SensorStatus(
        sensor=sensor, state=state, reconnects=0, battery_percent=None, health=LiveHealth(**WELL | health)
    )
    assert trouble(status) == says
