"""Faults of a virtual recording, read from a TOML file; mild by default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator

from dataset.muscles import PAPER_CHANNELS
from dataset.support.toml import TomlModel, parse_model, read_toml


def _known(channel: str) -> str:
    names = [c.name for c in PAPER_CHANNELS]
    if channel not in names:
        raise ValueError(f"no channel {channel!r}; there are: {', '.join(names)}")
    return channel


ChannelName = Annotated[str, AfterValidator(_known)]


class Outage(TomlModel):
    """A sensor out of range: silent for a while, then reconnected as a new epoch."""

    channel: ChannelName
    at_s: float = Field(ge=0, le=86_400)
    seconds: float = Field(gt=0, le=86_400)


class Faults(TomlModel):
    """Faults of one recording; shares are probabilities per value, frame, cue or flash.

    Attributes
    ----------
    lost_share : float
        Values that are lost.
    malformed_share : float
        Payloads of one or three bytes.
    over_range_share : float
        Values above 1023.
    pauses_per_minute, longest_pause_s : float
        Pauses of a sensor's link, after which its values catch up.
    outages : tuple of Outage
    dead_channels : tuple of str
        Sensors that lost their electrode: rest and noise only.
    no_battery_channels, no_serial_channels : tuple of str
        Sensors of a firmware without a battery service; without a serial number.
    dropped_frame_share, unwritten_frame_share : float
        Frames that never reach the recorder, and that it had to drop (no PTS).
    hidden_flash_share : float
        Flashes that the camera cannot see and the microphone cannot hear.
    missed_contact_share : float
        Cues that the person does not follow.
    bangs_per_minute : float
        Sounds that resemble a clap.
    rest_counts : tuple of float or None
        Least and greatest level at rest, drawn for every sensor in place of the person's placement:
        bad skin contact reads high.
    """

    lost_share: float = Field(default=0.0, ge=0, le=1)
    malformed_share: float = Field(default=0.0, ge=0, le=1)
    over_range_share: float = Field(default=0.0, ge=0, le=1)
    pauses_per_minute: float = Field(default=0.7, ge=0, le=3)
    longest_pause_s: float = Field(default=0.45, ge=0.15, le=10)
    outages: tuple[Outage, ...] = ()
    dead_channels: tuple[ChannelName, ...] = ()
    no_battery_channels: tuple[ChannelName, ...] = ()
    no_serial_channels: tuple[ChannelName, ...] = ()
    dropped_frame_share: float = Field(default=0.003, ge=0, lt=1)
    unwritten_frame_share: float = Field(default=0.0, ge=0, lt=1)
    hidden_flash_share: float = Field(default=0.0, ge=0, le=1)
    missed_contact_share: float = Field(default=0.0, ge=0, le=1)
    bangs_per_minute: float = Field(default=0.0, ge=0, le=60)
    rest_counts: tuple[float, float] | None = None

    @field_validator("rest_counts")
    @classmethod
    def _in_range(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not 0.0 <= value[0] <= value[1] <= 1000.0:
            raise ValueError("least and greatest level at rest, from 0 to 1000")
        return value


def load_faults(path: Path) -> Faults:
    """Read a faults file.

    Raises
    ------
    InputError
        It cannot be read, is no TOML, or a field is missing or wrong; the message names the field.
    """
    text = read_toml(path, "faults file")
    return parse_model(text, Faults, f"faults file {path}", hint=f"fields: {', '.join(Faults.model_fields)}")
