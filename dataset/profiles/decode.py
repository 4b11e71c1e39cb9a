"""From payloads to values: a pure view, so that a better profile decodes an old capture again."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from dataset.arrays import FloatArray, IntArray
from dataset.capture import Notifications
from dataset.profiles.layout import bit_field, column_values, crc_holds, last_value
from dataset.profiles.lines import LineState, numbers, split_lines
from dataset.profiles.profile import Profile
from dataset.profiles.stream import LINES, Stream


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


def decode(profile: Profile, notifications: Notifications) -> Samples:
    """Decode the slot's column of every notification of one sensor's stream.

    Parameters
    ----------
    profile : Profile
    notifications : Notifications
        Rows of other characteristics are passed over.
    """
    stream = profile.stream
    return _decode_text(stream, notifications) if stream.is_text else _decode_frames(stream, notifications)


# -- frames of a fixed size -------------------------------------------------------------------------------------------


def _decode_frames(stream: Stream, notifications: Notifications) -> Samples:
    payloads = notifications.payload
    turn = _turns(stream, notifications)
    begins = bytes.fromhex(stream.starts_with)
    ours = turn >= 0
    if begins:
        ours &= np.fromiter((p.startswith(begins) for p in payloads), bool, len(payloads))
    room = np.fromiter(map(len, payloads), np.int64, len(payloads)) - stream.header_bytes
    size = stream.sample_bytes
    whole = (room % size == 0) & (room == stream.samples * size if stream.samples else room > 0)
    good = ours & whole
    head = stream.header_bytes
    body = b"".join(p[head:] if head else p for p in compress(payloads, good))
    frames = np.frombuffer(body, dtype=np.uint8).reshape(-1, size)
    n_samples = (room // size)[good]
    row = np.repeat(np.flatnonzero(good), n_samples)
    within = np.arange(len(row)) - np.repeat(np.cumsum(n_samples) - n_samples, n_samples)
    headers = np.frombuffer(b"".join(p[:head] for p in compress(payloads, good)), dtype=np.uint8).reshape(-1, head or 1)
    counter, modulo = _count(stream, frames, headers, turn[row], n_samples, within)
    device_s = None
    if stream.device_time is not None:
        device_s = _device_times(stream, headers, n_samples, within)
        if counter is None:
            counter = _count_by_time(stream, device_s, n_samples, within)
    keep = crc_holds(frames, stream.crc) if stream.crc is not None else np.ones(len(frames), dtype=bool)
    value = column_values(stream, frames[keep])
    return Samples(
        arrival_ns=notifications.arrival_ns[row[keep]],
        epoch=notifications.epoch[row[keep]],
        value=value,
        n_malformed=int(np.sum(ours & ~whole)),
        n_out_of_range=_out_of_range(stream, value),
        n_corrupt=int(np.sum(~keep)),
        counter=None if counter is None else counter[keep],
        counter_modulo=modulo,
        device_s=None if device_s is None else device_s[keep],
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
) -> tuple[IntArray | None, int]:
    """Return the count of each sample and its modulo."""
    counter = stream.counter
    if counter is None:
        return None, 0
    if counter.where == "sample":
        return bit_field(frames, counter), counter.modulo
    of_packet = turn if counter.where == "characteristic" else np.repeat(bit_field(headers, counter), n_samples)
    return of_packet * stream.samples + within, counter.modulo * stream.samples


def _device_times(stream: Stream, headers: NDArray[np.uint8], n_samples: IntArray, within: IntArray) -> FloatArray:
    """Return each sample's time on the sensor's clock, seconds after the first payload's."""
    place = stream.device_time
    if place is None or len(headers) == 0:
        return np.zeros(len(within))
    told = bit_field(headers, place)
    of_packet_s = np.repeat((told - told[0]) * place.unit_s, n_samples)
    after = within - (np.repeat(n_samples, n_samples) - 1 if place.of == "last" else 0)
    return np.asarray(of_packet_s + after / (stream.rate_hz or 1.0), dtype=np.float64)


def _count_by_time(stream: Stream, device_s: FloatArray, n_samples: IntArray, within: IntArray) -> IntArray:
    """Return each sample's place in the sequence by the sensor's own times, which skip what was lost."""
    if not stream.rate_hz or len(device_s) == 0:
        return np.arange(len(device_s), dtype=np.int64)
    first = np.flatnonzero(within == 0)
    # Packet by packet, so that a rate that is a little wrong does not add up.
    jump = np.diff(device_s[first]) * stream.rate_hz - n_samples[:-1]
    lost = np.concatenate([[0], np.cumsum(np.maximum(0, np.rint(jump)))])
    return np.asarray(np.arange(len(device_s)) + np.repeat(lost, n_samples), dtype=np.int64)


# -- text -------------------------------------------------------------------------------------------------------------


def _decode_text(stream: Stream, notifications: Notifications) -> Samples:
    rows: list[int] = []
    values: list[float] = []
    counts: list[int] = []
    n_malformed = 0
    state, epoch = LineState(), None
    ours = _turns(stream, notifications) >= 0
    for row in np.flatnonzero(ours).tolist():
        payload = notifications.payload[row]
        if notifications.epoch[row] != epoch:
            state, epoch = LineState(), notifications.epoch[row]
        state, samples, malformed = read_text(stream, state, payload)
        n_malformed += malformed
        for sample in samples:
            rows.append(row)
            values.append(sample[stream.column])
            if stream.counter is not None:
                counts.append(int(sample[stream.counter.column - 1]))
    at = np.array(rows, dtype=np.int64)
    value = np.array(values, dtype=np.float64)
    return Samples(
        arrival_ns=notifications.arrival_ns[at],
        epoch=notifications.epoch[at],
        value=value,
        n_malformed=n_malformed,
        n_out_of_range=_out_of_range(stream, value),
        counter=np.array(counts, dtype=np.int64) if stream.counter is not None else None,
        counter_modulo=stream.counter.modulo if stream.counter is not None else 0,
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
