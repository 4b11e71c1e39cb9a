"""What a sensor's values tell apart from when they came."""

from __future__ import annotations

import numpy as np
import pytest

from dataset.capture.types import Sensor
from dataset.sensors.decode import Samples
from dataset.sensors.profile import find_profile
from sync.clock.sensor_clock import sensor_clock
from sync.recording_types import SensorRecord


@pytest.mark.parametrize(
    ("value", "changes"),
    [
        ([], False),
        ([3.0], False),
        ([3.0, 3.0, 3.0], False),
        ([3.0, 3.0, 3.5], True),
        ([np.nan, np.nan], False),
        ([np.nan, 2.0, 2.0], False),
        ([2.0, np.nan, 3.0], True),
    ],
)
def test_a_value_changes_where_two_numbers_differ(value: list[float], changes: bool) -> None:
    time_s, epoch = np.asarray(0.1 * np.arange(len(value)), dtype=np.float64), np.zeros(len(value), dtype=np.int64)
    record = SensorRecord(
        sensor=Sensor(slot=1, channel="left_biceps", muscle="biceps", side="left"),
        profile=find_profile("anr-m40"),
        samples=Samples(
            arrival_ns=np.round(time_s * 1e9).astype(np.int64), epoch=epoch, value=np.array(value, dtype=np.float64),
            n_malformed=0, n_out_of_range=0,
        ),
        arrival_s=time_s,
        clock=sensor_clock(time_s, epoch, 10.0, None),
    )  # fmt: skip
    assert record.varies == changes
