"""Sensor records of given values, for tests of what comes after reading a capture."""

from __future__ import annotations

import numpy as np

from dataset.capture.types import Sensor
from dataset.sensors.decode import Samples
from dataset.sensors.profile import find_profile
from dataset.support.arrays import FloatArray
from sync.clock.sensor_clock import sensor_clock
from sync.recording_types import SensorRecord


def m40_record(sensor: Sensor, time_s: FloatArray, value: FloatArray) -> SensorRecord:
    """Return an M40's record: one connection epoch, each value at its arrival."""
    epoch = np.zeros(len(time_s), dtype=np.int64)
    return SensorRecord(
        sensor=sensor,
        profile=find_profile("anr-m40"),
        samples=Samples(
            arrival_ns=np.round(time_s * 1e9).astype(np.int64), epoch=epoch, value=value, n_malformed=0,
            n_out_of_range=0,
        ),
        arrival_s=time_s,
        clock=sensor_clock(time_s, epoch, 10.0, None),
    )  # fmt: skip
