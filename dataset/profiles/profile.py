"""A sensor profile: the declared facts of one kind of sensor, read from TOML and validated."""

from __future__ import annotations

import struct
from functools import cache
from importlib import resources
from pathlib import Path

from pydantic import field_validator

from dataset.errors import InputError
from dataset.toml import TomlModel, parse_model, read_toml


class Match(TomlModel):
    """How to recognise the device in an advertisement."""

    local_name: str = ""
    company_id: int | None = None


class Stream(TomlModel):
    """What one notification holds."""

    characteristic: str
    format: str
    rate_hz: float
    unit: str
    service: str = ""
    minimum: float | None = None
    maximum: float | None = None
    averages_over_s: float = 0.0

    @field_validator("format")
    @classmethod
    def _format_is_struct(cls, value: str) -> str:
        try:
            struct.calcsize(value)
        except struct.error as error:
            raise ValueError(f"{value!r} is no struct format ({error})") from error
        return value


class Identity(TomlModel):
    """Characteristics that tell which device it is; empty where it has none."""

    serial: str = ""
    firmware: str = ""
    battery: str = ""
    identify: str = ""


class Gaps(TomlModel):
    """Seconds without a notification after which a value is late, suspected lost, the sensor stale, or dropped."""

    late_s: float
    suspected_loss_s: float
    stale_s: float
    reconnect_s: float


class Delay(TomlModel):
    """Prior of the sensor's own delay: centre of the averaging interval to smallest arrival, seconds."""

    prior_s: float
    prior_sd_s: float


class Profile(TomlModel):
    """One kind of sensor."""

    name: str
    title: str
    source: str
    match: Match = Match()
    stream: Stream
    identity: Identity = Identity()
    gaps: Gaps
    delay: Delay


def load_profile(path: Path) -> Profile:
    """Read and validate a profile file.

    Raises
    ------
    InputError
        The file cannot be read, is no TOML, or a field is missing or wrong; the message names it.
    """
    return _parse(read_toml(path, "profile"), str(path))


@cache
def builtin_profiles() -> dict[str, Profile]:
    """Return the built-in profiles by name."""
    files = [f for f in resources.files(__package__).iterdir() if f.name.endswith(".toml")]
    profiles = [_parse(f.read_text(encoding="utf-8"), f.name) for f in sorted(files, key=lambda f: f.name)]
    return {p.name: p for p in profiles}


def find_profile(name: str) -> Profile:
    """Return the built-in profile called ``name``, or raise InputError naming those there are."""
    profiles = builtin_profiles()
    if name not in profiles:
        raise InputError(f"no sensor profile {name!r}", f"there are: {', '.join(profiles)}")
    return profiles[name]


def _parse(text: str, where: str) -> Profile:
    return parse_model(text, Profile, f"profile {where}")
