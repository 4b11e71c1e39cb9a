"""The envelope on real Bluetooth arrivals, against the device's own clock."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from dataset.support.arrays import FloatArray, IntArray
from sync.clock.lower_envelope import lower_envelope


def read_log(path: Path) -> tuple[FloatArray, IntArray]:
    """Host arrival (s) and device clock (ticks of 256 kHz) of each notification."""
    arrival, ticks = [], []
    for line in path.read_text().splitlines():
        stamp, _, payload = line.split("\t")
        data = bytes.fromhex(payload)
        if len(data) > 6 and len(data) == data[0]:
            arrival.append(datetime.fromisoformat(stamp).timestamp())
            ticks.append(int.from_bytes(data[2:6], "little"))
    return np.array(arrival) - arrival[0], np.array(ticks, dtype=np.int64) - ticks[0]


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["data_p20.txt", "data_p1041.txt", "test_accgyro.txt"])
def test_fits_on_either_half_of_a_real_log_agree_at_its_end(shared_data: Path, name: str) -> None:
    arrival_s, ticks = read_log(shared_data / "ble" / "openmuse" / name)
    half = len(ticks) // 2
    ends = []
    for part in (slice(0, half), slice(half, None)):
        intercept, slope = lower_envelope(ticks[part], arrival_s[part])
        ends.append(intercept + slope * ticks[-1])
    assert abs(ends[0] - ends[1]) < 0.010
