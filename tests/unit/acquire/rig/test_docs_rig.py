"""The examples in docs/rig.md are files that work, and show every field there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from acquire.protocol.protocol import CalibrationPart, Exercise, Protocol, SyncSequence, parse_protocol
from acquire.protocol.schedule import build_schedule
from acquire.rig.config import BoxPart, CameraPart, MicrophonePart, Rig, Slot, parse_rig
from dataset.support.toml import TomlModel

PAGE = Path(__file__).resolve().parents[4] / "docs/rig.md"
RIG, PROTOCOL = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_rig_parses() -> None:
    rig = parse_rig(RIG, "docs/rig.md")
    first, second, third = rig.sensors()
    assert (first.channel, first.serial) == ("left_biceps", "M40-0017")
    assert (second.channel, second.adapter) == ("right_quadriceps", "hci1")
    assert third.profile.name == "bitalino-ble:2@1000"
    assert rig.camera is not None and rig.microphone is not None and rig.box is not None


def test_the_protocol_parses_and_can_be_scheduled() -> None:
    protocol = parse_protocol(PROTOCOL, "docs/rig.md")
    names = [p.label for p in build_schedule(protocol, 1).prompts if p.kind == "exercise_start"]
    assert names == ["squat", "front_kick", "squat", "front_kick"]


@pytest.mark.parametrize(
    ("text", "models"),
    [
        (RIG, (Rig, Slot, CameraPart, MicrophonePart, BoxPart)),
        (PROTOCOL, (Protocol, SyncSequence, CalibrationPart, Exercise)),
    ],
)
def test_no_field_is_left_out(text: str, models: tuple[type[TomlModel], ...]) -> None:
    shown = set(re.findall(r"^(?:\[+)?(\w+)", text, flags=re.MULTILINE))
    assert {name for model in models for name in model.model_fields} <= shown | {"muscle", "side"}
