"""What a sensor's values tell apart from when they came."""

from __future__ import annotations

import numpy as np
import pytest

from dataset.capture.types import Sensor
from tests.sensor_records import m40_record


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
    time_s = np.asarray(0.1 * np.arange(len(value)), dtype=np.float64)
    sensor = Sensor(slot=1, channel="left_biceps", muscle="biceps", side="left")
    record = m40_record(sensor, time_s, np.array(value, dtype=np.float64))
    assert record.varies == changes
