"""Declaration of one stream in a profile: characteristics, layout, counter, device time, check sum."""

from __future__ import annotations

import re
import struct
from functools import cached_property
from typing import Any, Literal

from pydantic import Field, PrivateAttr, field_validator, model_validator

from dataset.support.toml import TomlModel

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_BASE = "-0000-1000-8000-00805f9b34fb"
#: Characteristic of tables that were imported, not received.
FILE = "file"

#: Formats that are text: one number a payload; lines of numbers cut anywhere by notifications.
TEXT, LINES = "text", "lines"


def full_uuid(value: str) -> str:
    """Return a UUID with 128 bits in lower case; a 16-bit one is laid into the Bluetooth base.

    Raises
    ------
    ValueError
        It is neither.
    """
    text = value.strip().lower()
    if re.fullmatch("[0-9a-f]{4}", text):
        text = f"0000{text}{_BASE}"
    if not _UUID.fullmatch(text):
        raise ValueError(f"{value!r} is no UUID (128 bits with dashes, or 4 hex digits)")
    return text


def hex_bytes(value: str) -> str:
    """Return bytes in hex as they were written, checked; ``{rate}`` may stand for the rate's bytes.

    Raises
    ------
    ValueError
        It is not hexadecimal.
    """
    try:
        bytes.fromhex(value.replace("{rate}", ""))
    except ValueError as error:
        raise ValueError(f"{value!r} is no hex such as '01 03 02' ({error})") from error
    return value


class BitField(TomlModel):
    """An integer in a frame that is read as one little-endian number: bit 0 is the lowest of its first byte."""

    offset_bits: int = Field(ge=0)
    bits: int = Field(ge=1, le=64)
    signed: bool = False


class Counter(TomlModel):
    """Position of the sensor's packet or sample counter.

    ``where`` is ``sample`` (a field of each sample's frame), ``header`` (a field of each payload's head),
    ``characteristic`` (the stream's characteristics take turns) or ``column`` (of a line, numbered from 1).
    """

    where: Literal["sample", "header", "characteristic", "column"]
    modulo: int = Field(ge=0, description="Where it starts again at 0; 0 where it never does.")
    offset_bits: int = Field(default=0, ge=0)
    bits: int = Field(default=0, ge=0, le=64)
    column: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _has_place(self) -> Counter:
        if self.where in ("sample", "header") and self.bits == 0:
            raise ValueError(f"a counter in the {self.where} needs offset_bits and bits")
        if self.where == "column" and self.column == 0:
            raise ValueError("a counter in a line needs its column, numbered from 1")
        return self


class DeviceTime(TomlModel):
    """The sensor's own time in each payload's head, of its ``first`` or ``last`` sample."""

    offset_bits: int = Field(ge=0)
    bits: int = Field(ge=8, le=64)
    unit_s: float = Field(gt=0)
    of: Literal["first", "last"] = "last"


class Crc(TomlModel):
    """A check sum at the end of each frame.

    It is the remainder of the frame, highest bit of the first byte first, with the check's own bits zero, divided
    by ``polynomial`` (without its leading 1), started from ``initial``.
    """

    offset_bits: int = Field(ge=0)
    bits: int = Field(ge=1, le=32)
    polynomial: int = Field(ge=1)
    initial: int = Field(default=0, ge=0)


class Stream(TomlModel):
    """One stream of samples.

    Attributes
    ----------
    characteristics : tuple of str
        Those that notify it, in the order in which they take turns; ``characteristic`` in a file with one.
    format : str
        ``struct`` format of one sample with a field for each column (``<H``, ``8b``); ``text``: each payload is one
        decimal number; ``lines``: numbers in lines, cut anywhere by notifications. Empty where ``fields`` tells it.
    fields : tuple of BitField
        One for each column, where samples are packed by bits in frames of ``frame_bytes``.
    starts_with : str
        Hex; payloads that begin otherwise are another message on the same characteristic.
    header_bytes : int
        Bytes before the first sample.
    samples : int
        Samples in each notification; 0: as many as fit.
    columns : tuple of str
        Names of the columns, as printed on the device.
    rate_hz : float
        Samples a second; 0 where it is not known.
    """

    characteristics: tuple[str, ...] = Field(min_length=1)
    service: str = ""
    format: str = ""
    fields: tuple[BitField, ...] = ()
    frame_bytes: int = Field(default=0, ge=0)
    starts_with: str = ""
    header_bytes: int = Field(default=0, ge=0)
    samples: int = Field(default=1, ge=0)
    columns: tuple[str, ...] = ()
    rate_hz: float = Field(ge=0)
    unit: str
    minimum: float | None = None
    maximum: float | None = None
    averages_over_s: float = Field(default=0.0, ge=0)
    counter: Counter | None = None
    device_time: DeviceTime | None = None
    crc: Crc | None = None

    _column: int = PrivateAttr(default=0)

    @model_validator(mode="before")
    @classmethod
    def _one_or_many(cls, data: Any) -> Any:
        if isinstance(data, dict) and "characteristic" in data:
            if "characteristics" in data:
                raise ValueError("give characteristic or characteristics, not both")
            data = dict(data)
            data["characteristics"] = (data.pop("characteristic"),)
        return data

    @field_validator("characteristics")
    @classmethod
    def _uuids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(v if v == FILE else full_uuid(v) for v in value)

    @field_validator("service")
    @classmethod
    def _uuid(cls, value: str) -> str:
        return full_uuid(value) if value else value

    @field_validator("starts_with")
    @classmethod
    def _hex(cls, value: str) -> str:
        return hex_bytes(value)

    @field_validator("format")
    @classmethod
    def _known_format(cls, value: str) -> str:
        if value in ("", TEXT, LINES):
            return value
        try:
            size = struct.calcsize(value)
        except struct.error as error:
            raise ValueError(f"{value!r} is no struct format, nor '{TEXT}' or '{LINES}' ({error})") from error
        if "s" in value or "p" in value:
            raise ValueError(f"{value!r} holds text; a sample's fields are numbers")
        if value[0] not in "<>" and size > len(struct.unpack(value, bytes(size))):
            raise ValueError(f"{value!r} does not say its byte order: begin it with < (little-endian) or >")
        return value

    @model_validator(mode="after")
    def _is_whole(self) -> Stream:
        if bool(self.format) == bool(self.fields):
            raise ValueError("give either format or fields")
        if self.fields and self.frame_bytes == 0:
            raise ValueError("fields need frame_bytes, the bytes of one sample")
        if self.format and self.frame_bytes:
            raise ValueError("frame_bytes goes with fields; a format has its own size")
        if self.columns and self.n_columns and len(self.columns) != self.n_columns:
            raise ValueError(f"{len(self.columns)} names for {self.n_columns} columns")
        if self.is_text:
            self._check_text()
        else:
            self._check_bits()
        return self

    def _check_text(self) -> None:
        for name in ("crc", "device_time", "starts_with", "header_bytes"):
            if getattr(self, name):
                raise ValueError(f"{name} does not go with the format {self.format!r}")
        if self.counter is not None and (self.counter.where != "column" or self.format != LINES):
            raise ValueError("a counter in text is a column of lines")

    def _check_bits(self) -> None:
        frame, head = 8 * self.sample_bytes, 8 * self.header_bytes
        inside: list[tuple[str, Any, int]] = [(f"fields {i}", f, frame) for i, f in enumerate(self.fields, start=1)]
        inside += [("crc", self.crc, frame), ("device_time", self.device_time, head)]
        if self.counter is not None:
            if self.counter.where == "column":
                raise ValueError("only lines count in a column")
            if self.counter.where != "characteristic":
                inside.append(("counter", self.counter, frame if self.counter.where == "sample" else head))
            if self.counter.where != "sample" and self.samples == 0:
                raise ValueError(f"a counter in the {self.counter.where} needs a fixed number of samples")
            if self.counter.where == "characteristic" and self.counter.modulo != len(self.characteristics):
                raise ValueError(f"{len(self.characteristics)} characteristics take turns: modulo must be that")
        for name, place, bits in inside:
            if place is not None and place.offset_bits + place.bits > bits:
                raise ValueError(f"{name} ends at bit {place.offset_bits + place.bits} of {bits}")

    @property
    def characteristic(self) -> str:
        """The first characteristic."""
        return self.characteristics[0]

    @property
    def is_text(self) -> bool:
        """Whether payloads are decimal text."""
        return self.format in (TEXT, LINES)

    @cached_property
    def sample_bytes(self) -> int:
        """Bytes of one sample; 0 for text."""
        return 0 if self.is_text else self.frame_bytes or struct.calcsize(self.format)

    @cached_property
    def n_columns(self) -> int:
        """Values in each sample; 0 where a line tells it."""
        if self.format == LINES:
            return len(self.columns)
        if self.format == TEXT:
            return 1
        return len(self.fields) or len(struct.unpack(self.format, bytes(self.sample_bytes)))

    @property
    def column(self) -> int:
        """Which value of each sample is this slot's, numbered from 0."""
        return self._column

    @property
    def notification_rate_hz(self) -> float:
        """Notifications a second; 0 where it is not known."""
        return self.rate_hz / self.samples if self.samples and self.format != LINES else 0.0

    def seen_as(self, column: int, rate_hz: float) -> Stream:
        """Return the stream as a slot sees it: one column (numbered from 0), sampled at ``rate_hz``."""
        stream = self.model_copy(update={"rate_hz": rate_hz})
        stream._column = column
        return stream
