"""Rig files: what they give, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from acquire.devices import RealHardware
from acquire.rig import load_rig, open_hardware, parse_rig
from dataset.errors import InputError
from dataset.muscles import PAPER_CHANNELS


def test_without_slots_it_is_the_papers_eight_channels_and_nothing_else() -> None:
    rig = parse_rig("", "rig.toml")
    assert [s.channel for s in rig.sensors()] == [c.name for c in PAPER_CHANNELS]
    assert [s.slot for s in rig.sensors()] == list(range(1, 9))
    hardware = RealHardware(rig)
    assert hardware.open_camera() is None and hardware.open_sound() is None and hardware.box_port() is None


def test_everything_a_rig_can_say_arrives_in_the_sensor_table() -> None:
    rig = parse_rig(
        """
        name = "lab"
        [[slots]]
        channel = "left_biceps"
        serial = "M40-17"
        adapter = "hci1"
        placement = "SENIAM"
        electrode = "Ag/AgCl 24 mm"
        [[slots]]
        muscle = "quadriceps"
        side = "right"
        address = "AA:BB"
        [camera]
        index = 1
        width = 640
        height = 480
        rate_hz = 60
        [microphone]
        [box]
        port = "/dev/ttyUSB0"
        """,
        "rig.toml",
    )
    first, second = rig.sensors()
    assert (first.serial, first.adapter, first.placement, first.muscle) == ("M40-17", "hci1", "SENIAM", "biceps")
    assert (second.channel, second.address, second.side) == ("right_quadriceps", "AA:BB", "right")
    assert rig.camera is not None and rig.camera.rate_hz == 60
    assert RealHardware(rig).box_port() == "/dev/ttyUSB0"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name = ", "not TOML"),
        ("colour = 'red'", "colour"),
        ("[[slots]]\nmuscle = 'biceps'", "left or right"),
        ("[[slots]]\nchannel = 'left_biceps'\nprofile = 'm41'", "m41"),
        ("[[slots]]\nchannel='left_biceps'\n[[slots]]\nchannel='left_biceps'", "left_biceps"),
        (
            "[[slots]]\nchannel='left_biceps'\nserial='A'\n[[slots]]\nchannel='right_biceps'\nserial='a'",
            "same serial: a",
        ),
        ("[camera]\nwidth = 'wide'", "camera.width"),
        ("[camera]\nwidth = 641", "camera.width"),
        ("[box]\nport = ''", "box.port"),
    ],
)
def test_a_wrong_rig_is_refused_with_the_field_named(text: str, why: str) -> None:
    with pytest.raises(InputError, match=r"rig\.toml") as caught:
        parse_rig(text, "rig.toml")
    assert why in str(caught.value)


def test_an_absent_rig_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the rig"):
        load_rig(tmp_path / "none.toml")
    with pytest.raises(InputError, match="cannot read the rig"):
        open_hardware(str(tmp_path), seed=1, subject="S1")
