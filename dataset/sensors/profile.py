"""A sensor profile: the declared facts of one kind of sensor, read from TOML and validated."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from pathlib import Path

from pydantic import Field, PrivateAttr, field_validator, model_validator

from dataset.sensors.stream import Stream, full_uuid, hex_bytes
from dataset.support.errors import InputError
from dataset.support.toml import TomlModel, parse_model, read_toml

_SPEC = re.compile(r"(?P<kind>[^:@]+)(:(?P<column>[1-9]\d*))?(@(?P<rate>\d+(\.\d+)?))?")


class Match(TomlModel):
    """How to recognise the device in an advertisement; one of these is enough."""

    local_name: str = ""
    local_name_prefix: str = ""
    company_id: int | None = Field(default=None, ge=0, le=0xFFFF)
    service_uuids: tuple[str, ...] = ()

    @field_validator("service_uuids")
    @classmethod
    def _uuids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(full_uuid(v) for v in value)


class Command(TomlModel):
    """Bytes written to a characteristic; ``{rate}`` in them stands for the bytes of the chosen rate."""

    characteristic: str
    hex: str

    _uuid = field_validator("characteristic")(staticmethod(full_uuid))
    _bytes = field_validator("hex")(staticmethod(hex_bytes))

    @property
    def payload(self) -> bytes:
        """The bytes, once ``{rate}`` is filled in."""
        return bytes.fromhex(self.hex)


class Identify(TomlModel):
    """What lets a person see which sensor it is: values written one after the other, each shown for ``every_s``."""

    characteristic: str
    hex: tuple[str, ...] = Field(min_length=1)
    every_s: float = Field(default=0.5, gt=0)
    times: int = Field(default=1, ge=1)
    restore: bool = False
    shows: str = "its light"

    _uuid = field_validator("characteristic")(staticmethod(full_uuid))

    @field_validator("hex")
    @classmethod
    def _bytes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(hex_bytes(v) for v in value)


class Identity(TomlModel):
    """Characteristics that tell which device it is; empty where it has none."""

    serial: str = ""
    firmware: str = ""
    battery: str = ""

    @field_validator("serial", "firmware", "battery")
    @classmethod
    def _uuid(cls, value: str) -> str:
        return full_uuid(value) if value else value


class Gaps(TomlModel):
    """Seconds without a notification after which a value is late, suspected lost, the sensor stale, or dropped."""

    late_s: float = Field(gt=0)
    suspected_loss_s: float
    stale_s: float
    reconnect_s: float

    @model_validator(mode="after")
    def _grow(self) -> Gaps:
        if not self.late_s <= self.suspected_loss_s <= self.stale_s <= self.reconnect_s:
            raise ValueError("late_s, suspected_loss_s, stale_s and reconnect_s must grow in this order")
        return self


class Delay(TomlModel):
    """Prior of the sensor's own delay: centre of the averaging interval to smallest arrival, seconds."""

    prior_s: float = Field(ge=0)
    prior_sd_s: float = Field(gt=0)


class Profile(TomlModel):
    """One kind of sensor.

    Attributes
    ----------
    stream : Stream
        The stream that slots take their values from.
    other_streams : tuple of Stream
        Recorded beside it, and not aligned.
    rates : dict of str to str
        Where the person may choose: sampling rates in hertz, each with the bytes (hex) that stand for ``{rate}``.
    start, stop : tuple of Command
        Written after subscribing and before disconnecting, for sensors that need it.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    title: str
    source: str
    match: Match = Match()
    stream: Stream
    other_streams: tuple[Stream, ...] = ()
    rates: dict[str, str] = Field(default_factory=dict)
    start: tuple[Command, ...] = ()
    stop: tuple[Command, ...] = ()
    identity: Identity = Identity()
    identify: Identify | None = None
    gaps: Gaps
    delay: Delay

    _text: str = PrivateAttr(default="")
    _kind: str = PrivateAttr(default="")

    @model_validator(mode="after")
    def _rates_are_filled_in(self) -> Profile:
        for rate, code in self.rates.items():
            if not re.fullmatch(r"\d+(\.\d+)?", rate):
                raise ValueError(f"rates: {rate!r} is no number of hertz")
            hex_bytes(code)
        asks = any("{rate}" in c.hex for c in (*self.start, *self.stop))
        if asks != bool(self.rates):
            raise ValueError("rates and {rate} in a command go together")
        if self.rates and f"{self.stream.rate_hz:g}" not in self.rates:
            raise ValueError(f"stream.rate_hz {self.stream.rate_hz:g} is none of rates: {', '.join(self.rates)}")
        return self

    @property
    def kind(self) -> str:
        """The name without a slot's choice of column and rate: sensors of one kind share a delay."""
        return self._kind or self.name

    @property
    def streams(self) -> tuple[Stream, ...]:
        """Every stream; the first is what slots take their values from."""
        return (self.stream, *self.other_streams)

    @property
    def characteristics(self) -> tuple[str, ...]:
        """Every characteristic to subscribe to."""
        return tuple(dict.fromkeys(c for stream in self.streams for c in stream.characteristics))

    @property
    def text(self) -> str:
        """The file it was read from."""
        return self._text

    def seen_as(self, spec: str, column: int, rate_hz: float | None) -> Profile:
        """Return the profile as one slot sees it; see :func:`find_profile`."""
        stream = self.stream
        if stream.n_columns and column > stream.n_columns:
            raise InputError(
                f"{self.name} has no column {column}", f"its samples have {stream.n_columns}: {column_names(stream)}"
            )
        if rate_hz is not None and f"{rate_hz:g}" not in (self.rates or {f"{stream.rate_hz:g}": ""}):
            allowed = ", ".join(self.rates) or f"{stream.rate_hz:g} alone"
            raise InputError(f"{self.name} cannot sample at {rate_hz:g} Hz", f"it offers {allowed}")
        rate_hz = stream.rate_hz if rate_hz is None else rate_hz
        code = self.rates.get(f"{rate_hz:g}", "")

        def filled(commands: tuple[Command, ...]) -> tuple[Command, ...]:
            return tuple(c.model_copy(update={"hex": c.hex.replace("{rate}", code)}) for c in commands)

        made = self.model_copy(
            update={
                "name": spec,
                "stream": stream.seen_as(column - 1, rate_hz),
                "start": filled(self.start),
                "stop": filled(self.stop),
            }
        )
        made._kind = self.name
        return made


def column_names(stream: Stream) -> str:
    """Return the columns of a stream for a message."""
    return ", ".join(stream.columns) or f"1 to {stream.n_columns}"


def column_number(stream: Stream, column: int | str) -> int:
    """Return the number, from 1, of a column given by number or name.

    Raises
    ------
    ValueError
        The stream has no such column.
    """
    if isinstance(column, str) and column in stream.columns:
        return stream.columns.index(column) + 1
    if isinstance(column, int) and column >= 1 and (not stream.n_columns or column <= stream.n_columns):
        return column
    raise ValueError(f"no column {column!r}; there are: {column_names(stream)}")


def load_profile(path: Path) -> Profile:
    """Read and validate a profile file.

    Raises
    ------
    InputError
        The file cannot be read, is no TOML, or a field is missing or wrong; the message names file and field.
    """
    return parse_profile(read_toml(path, "profile"), str(path))


def parse_profile(text: str, where: str) -> Profile:
    """Return the profile written in ``text``; ``where`` it came from is for messages."""
    profile = parse_model(text, Profile, f"profile {where}", hint="what a profile may say: docs/sensors.md")
    profile._text = text
    return profile


@cache
def builtin_profiles() -> dict[str, Profile]:
    """Return the built-in profiles by name."""
    files = [f for f in resources.files(__package__).iterdir() if f.name.endswith(".toml")]
    profiles = [parse_profile(f.read_text(encoding="utf-8"), f.name) for f in sorted(files, key=lambda f: f.name)]
    return {p.name: p for p in profiles}


def own_profile(path: Path) -> Profile:
    """Return a person's own profile from a file.

    Raises
    ------
    InputError
        It is wrong, or its name is a built-in profile's.
    """
    profile = load_profile(path)
    if profile.name in builtin_profiles():
        raise InputError(
            f"the profile name {profile.name!r} is taken",
            "a built-in profile has it",
            "choose another name in the file",
        )
    return profile


def named_profile(name: str, folder: Path = Path()) -> Profile:
    """Return a built-in profile by its name, or a person's own by its file's.

    Parameters
    ----------
    name : str
        ``anr-m40``, say, or the path of a ``.toml`` file.
    folder : Path
        What such a path is relative to.

    Raises
    ------
    InputError
        There is no such profile, or the file is wrong.
    """
    if name.endswith(".toml"):
        return own_profile(folder / name)
    if name not in builtin_profiles():
        raise InputError(f"no sensor profile {name!r}", f"there are: {', '.join(builtin_profiles())}, or a .toml file")
    return builtin_profiles()[name]


def profile_spec(kind: str, column: int = 1, rate_hz: float | None = None) -> str:
    """Return how a slot's choice is written in a capture: ``kind``, ``kind:2``, ``kind:2@100``."""
    return kind + (f":{column}" if column != 1 else "") + (f"@{rate_hz:g}" if rate_hz is not None else "")


def split_spec(spec: str) -> tuple[str, int, float | None]:
    """Return ``(kind, column from 1, rate_hz or None)`` of a slot's choice."""
    found = _SPEC.fullmatch(spec)
    if found is None:
        raise InputError(f"{spec!r} is no sensor profile", "write its name, or name:COLUMN@RATE")
    rate = found["rate"]
    return found["kind"], int(found["column"] or 1), None if rate is None else float(rate)


@cache
def find_profile(spec: str) -> Profile:
    """Return the built-in profile that a slot names.

    Parameters
    ----------
    spec : str
        Name of a profile; for sensors with several columns ``name:COLUMN`` (from 1), for those whose rate can be
        chosen ``name@RATE`` or ``name:COLUMN@RATE``.

    Raises
    ------
    InputError
        No built-in profile has that name, or it has no such column or rate.
    """
    kind, column, rate_hz = split_spec(spec)
    if kind not in builtin_profiles():
        raise InputError(f"no sensor profile {kind!r}", f"there are: {', '.join(builtin_profiles())}")
    return builtin_profiles()[kind].seen_as(spec, column, rate_hz)
