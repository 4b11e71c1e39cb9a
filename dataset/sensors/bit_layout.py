"""Numbers out of frames of bytes: struct fields, bit fields and check sums, for many frames at once."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from dataset.sensors.stream import BitField, Counter, Crc, DeviceTime, Stream
from dataset.support.arrays import FloatArray, IntArray

Frames = NDArray[np.uint8]
Place = BitField | Counter | Crc | DeviceTime


def column_values(stream: Stream, frames: Frames) -> FloatArray:
    """Return the slot's column of every frame.

    Parameters
    ----------
    stream : Stream
    frames : ndarray of uint8, shape (N, ``stream.sample_bytes``)

    Returns
    -------
    ndarray, shape (N,)
    """
    if stream.fields:
        field = stream.fields[stream.column]
        return np.asarray(bit_field(frames, field, signed=field.signed), dtype=np.float64)
    return struct_column(stream.format, stream.column, frames)


def struct_column(format_: str, column: int, frames: Frames) -> FloatArray:
    """Return field ``column`` of every frame that is laid out as ``format_``."""
    order = format_[0] if format_[0] in "<>" else "="
    codes: list[tuple[str, int]] = []
    at = 0
    count = ""
    for code in format_.lstrip("<>=!@"):
        if code.isdigit():
            count += code
            continue
        for _ in range(int(count or 1)):
            if code != "x":
                codes.append((code, at))
            at += struct.calcsize(f"={code}")
        count = ""
    code, offset = codes[column]
    kind = np.dtype("i1" if code == "c" else f"{order}{code}" if code != "?" else "?")
    field = np.ascontiguousarray(frames[:, offset : offset + kind.itemsize])
    return np.asarray(field.view(kind).reshape(len(frames)), dtype=np.float64)


def bit_field(frames: Frames, place: Place, *, signed: bool = False) -> IntArray:
    """Return an integer of every frame; the frame is one little-endian number, bit 0 its first byte's lowest."""
    first, last = place.offset_bits // 8, (place.offset_bits + place.bits - 1) // 8
    total = np.zeros(len(frames), dtype=np.uint64)
    shift = place.offset_bits - 8 * first
    for i, byte in enumerate(range(first, last + 1)):
        part = frames[:, byte].astype(np.uint64)
        up = 8 * i - shift
        total |= part << np.uint64(up) if up >= 0 else part >> np.uint64(-up)
    if place.bits < 64:
        total &= np.uint64((1 << place.bits) - 1)
    values = total.astype(np.int64)
    if signed and place.bits < 64:
        values = np.where(values >= 1 << (place.bits - 1), values - (1 << place.bits), values)
    return np.asarray(values, dtype=np.int64)


def crc_holds(frames: Frames, crc: Crc) -> NDArray[np.bool_]:
    """Return for every frame whether its check sum is right; see :class:`Crc` for how it is made."""
    sent = bit_field(frames, crc)
    blank = frames.copy()
    for bit in range(crc.offset_bits, crc.offset_bits + crc.bits):
        blank[:, bit // 8] &= np.uint8(0xFF ^ (1 << (bit % 8)))
    top, divisor = np.int64(1 << crc.bits), np.int64(crc.polynomial | 1 << crc.bits)
    remainder = np.full(len(frames), crc.initial, dtype=np.int64)
    for byte in range(blank.shape[1]):
        column = blank[:, byte].astype(np.int64)
        for bit in range(7, -1, -1):
            remainder = (remainder << 1) | ((column >> bit) & 1)
            remainder = np.where(remainder & top, remainder ^ divisor, remainder)
    return np.asarray(remainder == sent)


def crc_of(frame: bytes, crc: Crc) -> int:
    """Return the check sum of one frame whose own check bits are zero."""
    remainder = crc.initial
    for byte in frame:
        for bit in range(7, -1, -1):
            remainder = (remainder << 1) | ((byte >> bit) & 1)
            if remainder >> crc.bits:
                remainder ^= crc.polynomial | 1 << crc.bits
    return remainder


def last_value(stream: Stream, frame: bytes) -> float | None:
    """Return the slot's column of one frame, None where its check sum is wrong: quick, for what comes live."""
    whole = int.from_bytes(frame, "little")
    if stream.crc is not None:
        crc = stream.crc
        mask = ((1 << crc.bits) - 1) << crc.offset_bits
        blank = (whole & ~mask).to_bytes(len(frame), "little")
        if crc_of(blank, crc) != (whole & mask) >> crc.offset_bits:
            return None
    if stream.fields:
        field = stream.fields[stream.column]
        value = (whole >> field.offset_bits) & ((1 << field.bits) - 1)
        return float(value - (1 << field.bits) if field.signed and value >> (field.bits - 1) else value)
    return float(struct.unpack(stream.format, frame)[stream.column])
