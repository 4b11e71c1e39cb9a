"""Rig file: sensors and their muscles, camera, microphone and LED box; read from TOML and validated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from dataset.capture.types import Sensor
from dataset.muscles import PAPER_CHANNELS, channel_from_name
from dataset.sensors.profile import Profile, column_number, named_profile, own_profile, profile_spec
from dataset.support.errors import InputError
from dataset.support.toml import TomlModel, parse_model, read_toml

#: A device number or name of sounddevice.
DeviceNumber = Annotated[int, Field(ge=0, lt=2**31)]


class Slot(TomlModel):
    """One sensor's place; ``channel`` or ``muscle`` and ``side``.

    Attributes
    ----------
    profile : Profile
        In the file: the name of a profile, or the path of a profile file relative to the rig file's folder.
    column : int or str
        Column of the sensor, by number from 1 or by name, for sensors with several.
    rate_hz : float or None
        Sampling rate, for sensors whose profile offers several.
    """

    channel: str = ""
    muscle: str = ""
    side: str = ""
    profile: Profile = Field(default_factory=lambda: named_profile("anr-m40"))
    column: int | str = 1
    rate_hz: float | None = None
    address: str = ""
    serial: str = ""
    adapter: str = ""
    placement: str = ""
    electrode: str = ""

    @field_validator("profile", mode="before")
    @classmethod
    def _read(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        try:
            if value.endswith(".toml"):
                return own_profile(_inside((info.context or {}).get("folder", Path()), value))
            return named_profile(value)
        except InputError as error:
            raise ValueError(f"{error.what}: {error.why}") from error

    @model_validator(mode="after")
    def _has_channel(self) -> Slot:
        channel = channel_from_name(self.channel_name)
        if channel.side not in ("left", "right") or not channel.muscle:
            raise ValueError("a slot needs a channel such as 'left_biceps', or muscle and side (left or right)")
        return self

    @model_validator(mode="after")
    def _has_column_and_rate(self) -> Slot:
        try:
            _ = self.seen
        except InputError as error:
            raise ValueError(f"{error.what}: {error.why}") from error
        return self

    @property
    def seen(self) -> Profile:
        """The profile with this slot's column and rate applied."""
        number = column_number(self.profile.stream, self.column)
        return self.profile.seen_as(profile_spec(self.profile.name, number, self.rate_hz), number, self.rate_hz)

    @property
    def channel_name(self) -> str:
        """Name of the channel, such as ``left_biceps``."""
        return self.channel or f"{self.side}_{self.muscle}"


def _inside(folder: Path, name: str) -> Path:
    """Return the path of a file named in a rig file; it must be in the rig file's folder or below it.

    Raises
    ------
    ValueError
        It is elsewhere, or not a file.
    """
    path = folder / name
    if Path(name).is_absolute() or not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{name} is outside the rig file's folder: copy it there")
    if path.exists() and not path.is_file():
        raise ValueError(f"{name} is not a file")
    return path


class CameraPart(TomlModel):
    """A camera of this computer.

    Attributes
    ----------
    codec : str
        Four-letter code of the camera's pixel format, such as ``MJPG`` or ``YUYV``; empty for the camera's default.
    rotation_deg : {0, 90, 180, 270}
        Clockwise rotation that makes its picture upright.
    mirrored : bool
        Whether its picture swaps left and right.
    """

    index: int = Field(default=0, ge=0, lt=2**31)
    width: int = Field(default=1280, ge=16, le=16384, multiple_of=2)
    height: int = Field(default=720, ge=16, le=16384, multiple_of=2)
    rate_hz: float = Field(default=30.0, gt=0, le=1000)
    codec: str = Field(default="", pattern=r"^([A-Za-z0-9]{4})?$")
    rotation_deg: Literal[0, 90, 180, 270] = 0
    mirrored: bool = False


class MicrophonePart(TomlModel):
    """A microphone of this computer; the default one if ``device`` is left out."""

    device: DeviceNumber | str | None = None
    rate_hz: int = Field(default=48000, ge=8000, le=192000)


class BoxPart(TomlModel):
    """The LED box's serial port."""

    port: str = Field(min_length=1)


class CuesPart(TomlModel):
    """The sound of the clap and stomp cues; the default loudspeaker if ``speaker`` is left out."""

    audible: bool = True
    speaker: DeviceNumber | str | None = None


def _paper_slots() -> tuple[Slot, ...]:
    return tuple(Slot(channel=c.name) for c in PAPER_CHANNELS)


class Rig(TomlModel):
    """Contents of a rig file. Without ``slots``: the paper's eight channels, each on any M40 in range."""

    name: str = "rig"
    slots: tuple[Slot, ...] = Field(default_factory=_paper_slots, min_length=1)
    camera: CameraPart | None = None
    microphone: MicrophonePart | None = None
    box: BoxPart | None = None
    cues: CuesPart = CuesPart()

    @model_validator(mode="after")
    def _one_profile_a_name(self) -> Rig:
        own: dict[str, Profile] = {}
        for slot in self.slots:
            if own.setdefault(slot.profile.name, slot.profile).text != slot.profile.text:
                raise ValueError(f"two profile files have the same name {slot.profile.name!r} and different contents")
        return self

    @model_validator(mode="after")
    def _no_twins(self) -> Rig:
        for field in ("channel_name", "serial", "address"):
            values = [getattr(slot, field).lower() for slot in self.slots if getattr(slot, field)]
            twins = sorted({v for v in values if values.count(v) > 1})
            if field != "channel_name":
                twins = [v for v in twins if not self._share([s for s in self.slots if getattr(s, field).lower() == v])]
            if twins:
                raise ValueError(f"two slots have the same {field.removesuffix('_name')}: {', '.join(twins)}")
        return self

    @staticmethod
    def _share(slots: list[Slot]) -> bool:
        """Return whether slots of one device use different columns and agree in everything else."""
        devices = {(s.profile.name, s.rate_hz, s.address.lower(), s.serial.lower(), s.adapter) for s in slots}
        return len(devices) == 1 and len({s.seen.name for s in slots}) == len(slots)

    def sensors(self) -> tuple[Sensor, ...]:
        """Return the slots, numbered from 1 in the file's order."""
        return tuple(
            Sensor(
                slot=number,
                channel=slot.channel_name,
                muscle=channel_from_name(slot.channel_name).muscle,
                side=channel_from_name(slot.channel_name).side,
                address=slot.address,
                serial=slot.serial,
                profile=slot.seen,
                adapter=slot.adapter,
                placement=slot.placement,
                electrode=slot.electrode,
            )
            for number, slot in enumerate(self.slots, start=1)
        )


def parse_rig(text: str, where: str, folder: Path = Path()) -> Rig:
    """Parse and validate a rig from TOML; profile files are searched in ``folder``.

    Raises
    ------
    InputError
        It is not TOML, or a field is missing or wrong; the message names the field.
    """
    return parse_model(text, Rig, f"rig {where}", context={"folder": folder})


def load_rig(path: Path) -> tuple[Rig, str]:
    """Read and validate the rig in ``path``; return it and its text."""
    text = read_toml(path, "rig", hint="name a rig.toml, or: --rig virtual")
    return parse_rig(text, str(path), path.parent), text
