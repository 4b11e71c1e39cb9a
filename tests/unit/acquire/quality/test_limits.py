"""A low battery means one thing everywhere."""

from __future__ import annotations

import pytest

from acquire.bluetooth.slot import Slot
from acquire.event_log import EventLog
from acquire.quality.limits import LOW_BATTERY_PERCENT, battery_is_low
from dataset.capture.types import Sensor


@pytest.mark.parametrize(
    ("percent", "low"), [(None, False), (0, True), (LOW_BATTERY_PERCENT - 1, True), (LOW_BATTERY_PERCENT, False)]
)
def test_a_battery_is_low_below_the_limit_and_where_it_is_known(percent: int | None, low: bool) -> None:
    assert battery_is_low(percent) is low


@pytest.mark.parametrize(("percent", "level"), [(17, "warning"), (19, "warning"), (20, "info"), (55, "info")])
def test_the_log_warns_where_the_screen_does(percent: int, level: str) -> None:
    log = EventLog()
    slot = Slot(Sensor(slot=1, channel="left_biceps", muscle="biceps", side="left"), log)
    slot.set_battery(percent)
    assert [(row.level, row.detail["percent"]) for row in log.recent(5) if row.what == "battery"] == [(level, percent)]
