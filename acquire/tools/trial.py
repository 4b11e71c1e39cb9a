"""Trial decodings of unknown payloads, ranked by smoothness, and detection of counters in them."""

from __future__ import annotations

import itertools
import math
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dataset.sensors.text_lines import numbers
from dataset.support.arrays import FloatArray

_TYPES = {"u8": "<B", "i8": "<b", "u16le": "<H", "i16le": "<h", "u16be": ">H", "i16be": ">h",
          "u32le": "<I", "i32le": "<i", "f32le": "<f", "f64le": "<d"}  # fmt: skip
#: Shares of payloads for which a decoding, and a counter's step, must hold.
_MOST, _STEADY = 0.9, 0.9
_FEWEST = 8
_LONGEST_FRAME = 64
_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """Payloads decoded in one way.

    Attributes
    ----------
    kind : str
        ``u16le`` and the like, ``ascii`` for text, ``numbers`` for text that holds numbers.
    last : tuple of float, or str
        The last payload, decoded.
    low, high : float or None
        Of all values.
    roughness : float or None
        Steps from payload to payload over the range, half of the mean and half of the largest, averaged over the
        values of a payload: a correctly decoded signal is smooth.
    """

    kind: str
    last: tuple[float, ...] | str
    low: float | None = None
    high: float | None = None
    roughness: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountsUp:
    """A field of the payload that increases by the same step from one payload to the next.

    Attributes
    ----------
    frame_bytes : int
        Length of the counted unit: the payload, or one of several frames in it.
    offset_bits, bits : int
        As in a profile's counter: of that frame as one little-endian number.
    step : int
    modulo : int
        Value at which it wraps to 0, if observed, else by its width.
    wrapped : bool
        Whether a wrap was observed.
    share : float
        Share of the steps that agree.
    """

    frame_bytes: int
    offset_bits: int
    bits: int
    step: int
    modulo: int
    wrapped: bool
    share: float


def trial_decodings(payloads: Sequence[bytes]) -> tuple[Decoding, ...]:
    """Return the decodings that fit nearly all payloads: text first, then numbers by increasing roughness."""
    if not payloads:
        return ()
    found: list[Decoding] = []
    texts = [_text(p) for p in payloads]
    if sum(t is not None for t in texts) >= _MOST * len(payloads):
        found.append(_as_text(payloads, [t for t in texts if t is not None]))
    numeric = []
    for kind, format_ in _TYPES.items():
        size = struct.calcsize(format_)
        fitting = [p for p in payloads if p and len(p) % size == 0]
        if len(fitting) < _MOST * len(payloads):
            continue
        dtype = np.dtype(format_[0] + {"B": "u1", "b": "i1"}.get(format_[1], format_[1]))
        values = [np.frombuffer(p, dtype=dtype).astype(np.float64) for p in fitting]
        everything = np.concatenate(values)
        if kind.startswith("f") and not _plausible(everything):
            continue
        numeric.append(
            Decoding(
                kind=kind,
                last=tuple(values[-1][:_SHOWN].tolist()),
                low=float(everything.min()),
                high=float(everything.max()),
                roughness=_roughness(values),
            )
        )
    numeric.sort(key=lambda d: (d.roughness is None, d.roughness))
    return (*found, *numeric)


def _roughness(values: Sequence[FloatArray]) -> float | None:
    """Return the mean roughness of the payloads' columns; None if all are constant."""
    width = min(map(len, values))
    columns = np.stack([v[:width] for v in values])
    moving = columns[:, np.ptp(columns, axis=0) > 0]
    if moving.size == 0:
        return None
    steps = np.abs(np.diff(moving, axis=0)) / np.ptp(moving, axis=0)
    return float(np.mean(0.5 * (steps.mean(axis=0) + steps.max(axis=0))))


def _plausible(values: FloatArray) -> bool:
    """Return whether floating-point values are plausible for a sensor: wrong decoding gives enormous exponents."""
    size = np.abs(values[values != 0])
    return bool(np.all(np.isfinite(values)) and np.all((size > 1e-9) & (size < 1e9)))


def _text(payload: bytes) -> str | None:
    try:
        text = payload.rstrip(b"\0").decode("ascii")
    except UnicodeDecodeError:
        return None
    return text if text and all(c.isprintable() or c in "\r\n\t" for c in text) else None


def _as_text(payloads: Sequence[bytes], texts: Sequence[str]) -> Decoding:
    values = [v for v in map(numbers, payloads) if v is not None]
    if len(values) < _MOST * len(payloads):
        return Decoding(kind="ascii", last=texts[-1])
    everything = [x for v in values for x in v]
    return Decoding(kind="numbers", last=values[-1][:_SHOWN], low=min(everything), high=max(everything))


def what_counts_up(payloads: Sequence[bytes]) -> tuple[CountsUp, ...]:
    """Find counters in the payloads of the commonest length by their constant step, the steadiest first.

    Half bytes, bytes, and little-endian numbers of 2 and 4 bytes are tried. A number inside a wider one that counts
    as well is left out, and so is a wider one whose upper bytes never moved.
    """
    if not payloads:
        return ()
    # Several frames in each payload: their length divides every payload's.
    length, common = Counter(map(len, payloads)).most_common(1)[0][0], math.gcd(*map(len, payloads))
    body = b"".join(payloads)
    for size in range(2, min(common, _LONGEST_FRAME, length - 1) + 1):
        if common % size == 0:
            found = _counting([body[k : k + size] for k in range(0, len(body), size)], size)
            if found:
                return found
    return _counting([p for p in payloads if len(p) == length], length)


def _counting(frames: Sequence[bytes], length: int) -> tuple[CountsUp, ...]:
    wholes = [int.from_bytes(frame, "little") for frame in frames]
    found: list[CountsUp] = []
    for bits in (32, 16, 8, 4):
        for offset in range(0, 8 * length - bits + 1, min(bits, 8)):
            if any(f.offset_bits <= offset and offset + bits <= f.offset_bits + f.bits for f in found):
                continue
            counting = _counts(wholes, length, offset, bits)
            if counting is not None:
                found.append(counting)
    return tuple(sorted(found, key=lambda f: (-f.share, f.offset_bits)))


def _counts(wholes: list[int], length: int, offset: int, bits: int) -> CountsUp | None:
    values = [(whole >> offset) & ((1 << bits) - 1) for whole in wholes]
    if len(values) < _FEWEST:
        return None
    half = bits // 2
    if bits > 4 and len({v >> half for v in values}) == 1:
        return None  # the lower half contains the whole counter
    steps = Counter((b - a) % (1 << bits) for a, b in itertools.pairwise(values))
    step, times = steps.most_common(1)[0]
    share = times / (len(values) - 1)
    # A counter's step is a small part of its range; a larger step is a signal that happens to be regular.
    if step == 0 or step > (1 << bits) // 4 or share < _STEADY:
        return None
    wrapped = any(b < a for a, b in itertools.pairwise(values))
    return CountsUp(
        frame_bytes=length, offset_bits=offset, bits=bits, step=step, modulo=1 << bits, wrapped=wrapped, share=share
    )
