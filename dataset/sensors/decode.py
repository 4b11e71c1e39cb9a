"""Decodes payloads to values on reading, so that a better profile can decode an old capture again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.capture.types import Notifications
from dataset.sensors.bit_layout import bit_field, column_values, crc_holds, last_value
from dataset.sensors.profile import Profile
from dataset.sensors.stream import LINES, Stream
from dataset.sensors.text_lines import LineState, numbers, split_lines
from dataset.support.arrays import FloatArray, IntArray
from dataset.support.disk_arrays import concatenate


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The values of one sensor as received.

    Attributes
    ----------
    arrival_ns, epoch : ndarray of int64, shape (N,)
        Of the notification that brought the value, or the end of its line.
    value : ndarray, shape (N,)
    n_malformed : int
        Notifications, and lines, that the profile cannot read; they stay in the capture.
    n_out_of_range : int
        Values outside the profile's range; they are kept as they came.
    n_corrupt : int
        Samples whose check sum is wrong: not decoded, and they stay in the capture.
    counter : ndarray of int64, shape (N,), or None
        The sensor's own count of its values, where it has one or tells its time.
    counter_modulo : int
        Where that count starts again at 0; 0 where it never does.
    device_s : ndarray, shape (N,), or None
        The sensor's own time of each value after its first, where it tells it.
    """

    arrival_ns: NDArray[np.int64]
    epoch: NDArray[np.int64]
    value: NDArray[np.float64]
    n_malformed: int
    n_out_of_range: int
    n_corrupt: int = 0
    counter: IntArray | None = None
    counter_modulo: int = 0
    device_s: FloatArray | None = None


def decode(profile: Profile, notifications: Notifications | Iterable[Notifications]) -> Samples:
    """Decode the slot's column of every notification of one sensor's stream.

    Parameters
    ----------
    profile : Profile
    notifications : Notifications, or iterable of them
        In the order received, all at once or in pieces. Rows of other characteristics are passed over.

    Returns
    -------
    Samples
        Its columns are in temporary files (:mod:`dataset.support.disk_arrays`): a fast sensor's hours are longer
        than memory.

    Raises
    ------
    DiskFullError
        There is no room for them.
    """
    stream = profile.stream
    pieces = (notifications,) if isinstance(notifications, Notifications) else notifications
    has_counter = stream.counter is not None or (stream.device_time is not None and not stream.is_text)
    has_time = stream.device_time is not None and not stream.is_text
    totals = [0, 0, 0]

    def columns() -> Iterator[tuple[NDArray[Any], ...]]:
        for piece in _decode_text(stream, pieces) if stream.is_text else _decode_frames(stream, pieces):
            found = (piece.n_malformed, _out_of_range(stream, piece.value), piece.n_corrupt)
            totals[:] = [total + n for total, n in zip(totals, found, strict=True)]
            yield piece.arrival_ns, piece.epoch, piece.value, piece.counter, piece.device_s

    arrival_ns, epoch, value, counter, device_s = concatenate(
        columns(), (np.int64, np.int64, np.float64, np.int64, np.float64)
    )
    return Samples(
        arrival_ns=arrival_ns,
        epoch=epoch,
        value=value,
        n_malformed=totals[0],
        n_out_of_range=totals[1],
        n_corrupt=totals[2],
        counter=counter if has_counter else None,
        counter_modulo=_modulo(stream),
        device_s=device_s if has_time else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """The samples of some notifications; a column that the stream does not have is empty."""

    arrival_ns: IntArray
    epoch: IntArray
    value: FloatArray
    n_malformed: int
    n_corrupt: int = 0
    counter: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    device_s: FloatArray = field(default_factory=lambda: np.zeros(0))


# -- frames of a fixed size -------------------------------------------------------------------------------------------


def _decode_frames(stream: Stream, pieces: Iterable[Notifications]) -> Iterator[_Piece]:
    begins = bytes.fromhex(stream.starts_with)
    size, head = stream.sample_bytes, stream.header_bytes
    time = _DeviceTime(stream) if stream.device_time is not None else None
    for notifications in pieces:
        payloads = notifications.payload
        turn = _turns(stream, notifications)
        ours = turn >= 0
        if begins:
            ours &= np.fromiter((p.startswith(begins) for p in payloads), bool, len(payloads))
        room = np.fromiter(map(len, payloads), np.int64, len(payloads)) - head
        whole = (room % size == 0) & (room == stream.samples * size if stream.samples else room > 0)
        good = ours & whole
        body = b"".join(p[head:] if head else p for p in compress(payloads, good))
        frames = np.frombuffer(body, dtype=np.uint8).reshape(-1, size)
        n_samples = (room // size)[good]
        row = np.repeat(np.flatnonzero(good), n_samples)
        within = np.arange(len(row)) - np.repeat(np.cumsum(n_samples) - n_samples, n_samples)
        of_packets = b"".join(p[:head] for p in compress(payloads, good))
        headers = np.frombuffer(of_packets, dtype=np.uint8).reshape(-1, head or 1)
        counter = _count(stream, frames, headers, turn[row], n_samples, within)
        keep = crc_holds(frames, stream.crc) if stream.crc is not None else np.ones(len(frames), dtype=bool)
        columns: dict[str, NDArray[Any]] = {} if counter is None else {"counter": counter[keep]}
        if time is not None:
            device_s, count = time.take(headers, n_samples, within)
            columns = {"counter": count[keep]} | columns | {"device_s": device_s[keep]}
        yield _Piece(
            arrival_ns=notifications.arrival_ns[row[keep]],
            epoch=notifications.epoch[row[keep]],
            value=column_values(stream, frames[keep]),
            n_malformed=int(np.sum(ours & ~whole)),
            n_corrupt=int(np.sum(~keep)),
            **columns,
        )


def _turns(stream: Stream, notifications: Notifications) -> IntArray:
    """Return which of the stream's characteristics each row is of, -1 for none."""
    turns = {c: i for i, c in enumerate(stream.characteristics)}
    return np.fromiter(
        (turns.get(c, -1) for c in notifications.characteristic), np.int64, len(notifications.characteristic)
    )


def _count(
    stream: Stream,
    frames: NDArray[np.uint8],
    headers: NDArray[np.uint8],
    turn: IntArray,
    n_samples: IntArray,
    within: IntArray,
) -> IntArray | None:
    """Return the count of each sample."""
    counter = stream.counter
    if counter is None:
        return None
    if counter.where == "sample":
        return bit_field(frames, counter)
    of_packet = turn if counter.where == "characteristic" else np.repeat(bit_field(headers, counter), n_samples)
    return of_packet * stream.samples + within


def _modulo(stream: Stream) -> int:
    """Return where the count of samples starts again at 0; 0 where it never does, or there is none."""
    counter = stream.counter
    if counter is None:
        return 0
    return counter.modulo if stream.is_text or counter.where == "sample" else counter.modulo * stream.samples


class _DeviceTime:
    """The sensor's own time of each sample, and its place in the sequence by it, through all of its packets."""

    def __init__(self, stream: Stream) -> None:
        self._place, self._rate_hz = stream.device_time, stream.rate_hz
        self._told: int | None = None  # in the first packet
        self._n = self._n_lost = 0
        self._last_s, self._last_n = 0.0, 0  # of the last packet: its first sample's time, and its samples

    def take(self, headers: NDArray[np.uint8], n_samples: IntArray, within: IntArray) -> tuple[FloatArray, IntArray]:
        """Return the seconds after the first packet, and the place, of each sample of the next packets."""
        place = self._place
        if place is None or len(headers) == 0:
            return np.zeros(0), np.zeros(0, dtype=np.int64)
        told = bit_field(headers, place)
        first = self._told is None
        if self._told is None:
            self._told = int(told[0])
        of_packet_s = np.repeat((told - self._told) * place.unit_s, n_samples)
        after = within - (np.repeat(n_samples, n_samples) - 1 if place.of == "last" else 0)
        device_s = np.asarray(of_packet_s + after / (self._rate_hz or 1.0), dtype=np.float64)
        begun_s = device_s[within == 0]
        if first:
            self._last_s, self._last_n = float(begun_s[0]), 0
        lost = np.zeros(len(begun_s), dtype=np.int64)
        if self._rate_hz:
            # Packet by packet, so that a rate that is a little wrong does not add up. They skip what was lost.
            expected = np.concatenate([[self._last_n], n_samples[:-1]])
            jump = np.diff(begun_s, prepend=self._last_s) * self._rate_hz - expected
            lost = self._n_lost + np.cumsum(np.maximum(0, np.rint(jump))).astype(np.int64)
        index = self._n + np.arange(len(device_s)) + np.repeat(lost, n_samples)
        self._n, self._n_lost = self._n + len(device_s), int(lost[-1])
        self._last_s, self._last_n = float(begun_s[-1]), int(n_samples[-1])
        return device_s, np.asarray(index, dtype=np.int64)


# -- text -------------------------------------------------------------------------------------------------------------


def _decode_text(stream: Stream, pieces: Iterable[Notifications]) -> Iterator[_Piece]:
    state, epoch = LineState(), None
    for notifications in pieces:
        rows: list[int] = []
        values: list[float] = []
        counts: list[int] = []
        n_malformed = 0
        for row in np.flatnonzero(_turns(stream, notifications) >= 0).tolist():
            if notifications.epoch[row] != epoch:
                state, epoch = LineState(), notifications.epoch[row]
            state, samples, malformed = read_text(stream, state, notifications.payload[row])
            n_malformed += malformed
            for sample in samples:
                rows.append(row)
                values.append(sample[stream.column])
                if stream.counter is not None:
                    counts.append(int(sample[stream.counter.column - 1]))
        at = np.array(rows, dtype=np.int64)
        yield _Piece(
            arrival_ns=notifications.arrival_ns[at],
            epoch=notifications.epoch[at],
            value=np.array(values, dtype=np.float64),
            n_malformed=n_malformed,
            counter=np.array(counts, dtype=np.int64),
        )


def read_text(stream: Stream, state: LineState, payload: bytes) -> tuple[LineState, tuple[tuple[float, ...], ...], int]:
    """Take one payload of text: returns the state for the next, the samples that ended here, and what was no sample."""
    malformed = 0
    lines: tuple[bytes, ...] = (payload,)
    if stream.format == LINES:
        state, lines, malformed = split_lines(state, payload)
    needed = max(stream.column + 1, stream.counter.column if stream.counter is not None else 0, len(stream.columns))
    samples = []
    for line in lines:
        sample = numbers(line)
        if sample is None or len(sample) < needed or (stream.format != LINES and len(sample) != 1):
            malformed += 1
        else:
            samples.append(sample)
    return state, tuple(samples), malformed


# -- live -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one payload brought.

    Attributes
    ----------
    n_values : int
        Samples that ended in it; 0 also for a piece of a line.
    value : float or None
        The last of them.
    malformed : bool
        The profile cannot read it, or a check sum in it is wrong.
    """

    n_values: int = 0
    value: float | None = None
    malformed: bool = False


class LiveReader:
    """The last value of each payload of one connection, for the screen; it agrees with :func:`decode`."""

    def __init__(self, profile: Profile) -> None:
        self._stream = profile.stream
        self._begins = bytes.fromhex(profile.stream.starts_with)
        self._state = LineState()

    def read(self, characteristic: str, payload: bytes) -> Reading:
        """Take the next payload."""
        stream = self._stream
        if characteristic not in stream.characteristics or not payload.startswith(self._begins):
            return Reading()
        if stream.is_text:
            self._state, samples, malformed = read_text(stream, self._state, payload)
            value = samples[-1][stream.column] if samples else None
            return Reading(n_values=len(samples), value=value, malformed=malformed > 0)
        size, room = stream.sample_bytes, len(payload) - stream.header_bytes
        if room <= 0 or room % size or (stream.samples and room != stream.samples * size):
            return Reading(malformed=True)
        value = last_value(stream, payload[-size:])
        return Reading(n_values=room // size, value=value, malformed=value is None)


def _out_of_range(stream: Stream, value: FloatArray) -> int:
    low = -np.inf if stream.minimum is None else stream.minimum
    high = np.inf if stream.maximum is None else stream.maximum
    return int(np.sum((value < low) | (value > high)))
