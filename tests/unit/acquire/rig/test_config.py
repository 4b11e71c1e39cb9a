"""Rig files: what they give, and what is said of wrong ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from acquire.open_rig import open_hardware
from acquire.rig.config import load_rig, parse_rig
from acquire.rig.real import RealHardware
from dataset.muscles import PAPER_CHANNELS
from dataset.sensors.profile import builtin_profiles
from dataset.support.errors import InputError


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


ARMBAND = """
[[slots]]
channel = "left_biceps"
profile = "bitalino-ble"
column = "A2"
rate_hz = 100
address = "AA:BB"
[[slots]]
channel = "left_triceps"
profile = "bitalino-ble"
column = 3
rate_hz = 100
address = "aa:bb"
"""


def test_slots_share_a_device_by_its_columns() -> None:
    first, second = parse_rig(ARMBAND, "rig.toml").sensors()
    assert (first.profile.name, second.profile.name) == ("bitalino-ble:2@100", "bitalino-ble:3@100")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("column = 3", 'column = "A2"', "two slots have the same address"),
        ("column = 3\nrate_hz = 100", "column = 3\nrate_hz = 1000", "two slots have the same address"),
        ("column = 3", "column = 7", "no column 7; there are: A1, A2"),
        ("column = 3", 'column = "B"', "no column 'B'"),
        ('100\naddress = "aa:bb"', '50\naddress = "aa:bb"', "cannot sample at 50 Hz: it offers 1, 10"),
        ('profile = "bitalino-ble"\ncolumn = 3', 'profile = "bitalino-ble:3"', "no sensor profile 'bitalino-ble:3'"),
    ],
)
def test_a_wrong_choice_of_column_or_rate_is_refused(old: str, new: str, why: str) -> None:
    assert old in ARMBAND
    with pytest.raises(InputError, match=why):
        parse_rig(ARMBAND.replace(old, new), "rig.toml")


def test_a_profile_file_lies_beside_the_rig_file(tmp_path: Path) -> None:
    own = builtin_profiles()["myoware"].text.replace('name = "myoware"', 'name = "bench-board"')
    (tmp_path / "board.toml").write_text(own)
    (tmp_path / "rig.toml").write_text('[[slots]]\nchannel = "left_biceps"\nprofile = "board.toml"\n')
    rig, _ = load_rig(tmp_path / "rig.toml")
    assert rig.sensors()[0].profile.name == "bench-board"
    (tmp_path / "board.toml").write_text(own.replace('unit = "counts"', ""))
    with pytest.raises(InputError, match=r"board\.toml is wrong: stream\.unit"):
        load_rig(tmp_path / "rig.toml")


@pytest.mark.parametrize(
    "name", ["../board.toml", "/board.toml", "link.toml", "linked/board.toml", "pipe.toml", "to/../../x.toml"]
)
def test_a_profile_file_outside_the_rig_files_folder_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "rigs"
    folder.mkdir()
    (tmp_path / "board.toml").write_text("secret = 1")
    (folder / "link.toml").symlink_to("../board.toml")
    (folder / "linked").symlink_to("..")
    os.mkfifo(folder / "pipe.toml")
    (folder / "rig.toml").write_text(f'[[slots]]\nchannel = "left_biceps"\nprofile = "{name}"\n')
    with pytest.raises(InputError, match=r"is outside the rig file's folder|is not a file") as caught:
        load_rig(folder / "rig.toml")
    assert "secret" not in str(caught.value)


def test_two_profile_files_of_one_name_must_say_the_same(tmp_path: Path) -> None:
    own = builtin_profiles()["myoware"].text.replace('name = "myoware"', 'name = "bench-board"')
    for name, text in (("a.toml", own), ("b.toml", own.replace("rate_hz = 0.0", "rate_hz = 50.0"))):
        (tmp_path / name).write_text(text)
    slots = (
        '[[slots]]\nchannel = "left_biceps"\nprofile = "a.toml"\n[[slots]]\nchannel = "right_biceps"\nprofile = "{}"\n'
    )
    (tmp_path / "rig.toml").write_text(slots.format("b.toml"))
    with pytest.raises(InputError, match="two profile files have the same name 'bench-board'"):
        load_rig(tmp_path / "rig.toml")
    (tmp_path / "rig.toml").write_text(slots.format("a.toml"))
    assert {s.profile.name for s in load_rig(tmp_path / "rig.toml")[0].sensors()} == {"bench-board"}
