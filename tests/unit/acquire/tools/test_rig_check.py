"""rig check: who streams at rate, and the one thing to do for who does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from acquire.tools.rig_check import CheckSettings, check_rig, check_text
from dataset.support.errors import HardwareError


def test_one_line_a_sensor_with_the_one_thing_to_do(fakes: Any, tmp_path: Path) -> None:
    sensors = fakes.sensors(5)
    for sensor in sensors:
        sensor.period_s = 0.084  # asyncio.sleep is late on a busy machine
    sensors[1].silent = True
    sensors[2].period_s = 0.2
    sensors[3].battery = 9
    sensors[4].switched_on = False
    slots = tuple(
        type(s)(**{f: getattr(s, f) for f in s.__slots__} | {"address": sensors[s.slot - 1].address})
        for s in fakes.slots(5)
    )
    hardware = fakes.hardware(sensors, slots=slots)
    check = check_rig(
        hardware, tmp_path / "captures", CheckSettings(seconds=2.5, patience_s=2.5, picture=(640, 480, 30.0))
    )
    assert [s.at_rate for s in check.sensors] == [True, False, False, True, False]
    assert not check.all_at_rate and check.as_dict()["at_rate"] == 2
    words = [s.do for s in check.sensors]
    assert words[0] == "" and "silent" in words[1] and "closer" in words[2] and words[3] == "charge it"
    assert "not found (C0:00:00:00:00:05)" in words[4] and "phone" in words[4]
    good = check.sensors[0]
    assert good.expected == pytest.approx(25, abs=1) and good.share is not None and 0.95 <= good.share < 1.25
    assert good.serial == "SN001" and good.battery_percent == 80
    assert check.disk_minutes > 0 and abs(check.clock_moved_s) < 0.01
    text = check_text(check)
    assert "2 of 5 sensors at 95% of their rate" in text and len(text.splitlines()) >= 7
    assert hardware.finished_with == [None] and hardware.radio_open == 0
    assert not (tmp_path / "captures").exists(), "nothing is left behind"


def test_sensors_that_any_slot_takes_are_told_to_be_named(fakes: Any, tmp_path: Path) -> None:
    sensors = fakes.sensors(1)
    sensors[0].period_s = 0.084  # asyncio.sleep is late on a busy machine
    check = check_rig(fakes.hardware(sensors), tmp_path, CheckSettings(seconds=1.5))
    assert check.all_at_rate
    assert check.sensors[0].do == 'this slot accepts any sensor: add serial = "SN001" to the rig file'


def test_without_bluetooth_everything_is_closed_and_told(fakes: Any, tmp_path: Path) -> None:
    hardware = fakes.hardware(fakes.sensors(1))

    async def no_radio() -> None:
        raise HardwareError("there is no Bluetooth")

    hardware.open_radio = no_radio
    with pytest.raises(HardwareError, match="no Bluetooth"):
        check_rig(hardware, tmp_path)
    assert hardware.finished_with == [None]
