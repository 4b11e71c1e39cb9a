"""The examples in docs/sensors.md are files that work, and show every field a profile has."""

from __future__ import annotations

import re
from pathlib import Path

from acquire.rig.config import parse_rig
from dataset.sensors.profile import (
    Command,
    Delay,
    Gaps,
    Identify,
    Identity,
    Match,
    Profile,
    builtin_profiles,
    parse_profile,
)
from dataset.sensors.stream import BitField, Counter, Crc, DeviceTime, Stream

PAGE = (Path(__file__).resolve().parents[4] / "docs/sensors.md").read_text(encoding="utf-8")
RIG, PROFILE, PACKED = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)


def test_every_built_in_profile_is_listed() -> None:
    listed = set(re.findall(r"^\| `([a-z0-9-]+)`", PAGE, flags=re.MULTILINE))
    assert listed == set(builtin_profiles()) - {"float64-le"}


def test_the_examples_parse() -> None:
    assert [s.profile.name for s in parse_rig(RIG, "docs").sensors()] == ["bitalino-ble@100", "bitalino-ble:2@100"]
    profile = parse_profile(PROFILE, "docs")
    assert profile.stream.n_columns == 2
    packed = PACKED.replace("[counter]", "[stream.counter]").replace("[crc]", "[stream.crc]")
    text = re.sub(r"^format .*$", packed.split("[stream.counter]")[0], PROFILE, flags=re.MULTILINE)
    text += "[stream.counter]" + packed.split("[stream.counter]")[1]
    assert parse_profile(text, "docs").stream.crc == builtin_profiles()["bitalino-ble"].stream.crc


def test_no_field_is_left_out() -> None:
    shown = set(re.findall(r"\b([a-z][a-z0-9_]*)\b", PROFILE + PACKED + PAGE))
    for model in (Profile, Match, Stream, BitField, Counter, DeviceTime, Crc, Command, Identify, Identity, Gaps, Delay):
        assert set(model.model_fields) <= shown, model
