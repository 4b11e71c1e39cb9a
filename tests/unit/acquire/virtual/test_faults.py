"""The faults file is read or refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from acquire.virtual.devices.clocks import Devices
from acquire.virtual.faults import Faults, load_faults
from dataset.support.errors import InputError


def test_a_file_overrides_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / "f.toml"
    path.write_text('lost_share = 0.1\n[[outages]]\nchannel = "left_biceps"\nat_s = 3.0\nseconds = 2.0\n')
    faults = load_faults(path)
    assert faults.lost_share == 0.1
    assert faults.outages[0].channel == "left_biceps"
    assert faults.dropped_frame_share == Faults().dropped_frame_share


def test_a_sensor_that_does_not_tell_its_serial_is_named_by_its_address() -> None:
    drawn = Devices.drawn(3, Faults(no_serial_channels=("left_biceps",)))
    (nameless,) = (s for s in drawn.rig_sensors() if not s.serial)
    assert nameless.channel == "left_biceps"
    assert nameless.address == Devices.drawn(3).rig_sensors()[nameless.slot - 1].address


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lost_share = 2.0", "lost_share"),
        ("typo = 1", "typo"),
        ("lost_share = ", "not TOML"),
        ("[[outages]]", "outages"),
        ('dead_channels = ["left_ear"]', "left_ear"),
        ('no_serial_channels = ["left_ear"]', "left_ear"),
    ],
)
def test_a_wrong_file_is_refused_with_the_field(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "f.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=says):
        load_faults(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        load_faults(tmp_path / "nowhere.toml")
