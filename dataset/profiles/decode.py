"""From payloads to values: a pure view, so that a better profile decodes an old capture again."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from dataset.capture import Notifications
from dataset.profiles.profile import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The values of one sensor as received.

    Attributes
    ----------
    arrival_ns, epoch : ndarray of int64, shape (N,)
    value : ndarray, shape (N,)
    n_malformed : int
        Notifications whose payload the profile cannot read; they stay in the capture.
    n_out_of_range : int
        Values outside the profile's range; they are kept as they came.
    """

    arrival_ns: NDArray[np.int64]
    epoch: NDArray[np.int64]
    value: NDArray[np.float64]
    n_malformed: int
    n_out_of_range: int


def decode_value(profile: Profile, payload: bytes) -> float | None:
    """Return the value of one payload, or None where it is malformed."""
    unpacker = struct.Struct(profile.stream.format)
    return float(unpacker.unpack(payload)[0]) if len(payload) == unpacker.size else None


def decode(profile: Profile, notifications: Notifications) -> Samples:
    """Decode every notification of one sensor's stream characteristic."""
    unpacker, wanted = struct.Struct(profile.stream.format), profile.stream.characteristic
    of_stream = np.fromiter((c == wanted for c in notifications.characteristic), bool, len(notifications.payload))
    whole = np.fromiter((len(p) == unpacker.size for p in notifications.payload), bool, len(notifications.payload))
    good = of_stream & whole
    joined = b"".join(compress(notifications.payload, good))
    value = np.fromiter((fields[0] for fields in unpacker.iter_unpack(joined)), np.float64, int(good.sum()))
    low = -np.inf if profile.stream.minimum is None else profile.stream.minimum
    high = np.inf if profile.stream.maximum is None else profile.stream.maximum
    return Samples(
        arrival_ns=notifications.arrival_ns[good],
        epoch=notifications.epoch[good],
        value=value,
        n_malformed=int(np.sum(of_stream & ~good)),
        n_out_of_range=int(np.sum((value < low) | (value > high))),
    )
