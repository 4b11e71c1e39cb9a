"""Rows of a capture: sensors, notifications, frames, blocks of sound, events, attachments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dataset.sensors.profile import Profile, find_profile
from dataset.support.arrays import IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor:
    """One row of the ``sensor`` table: a device, its muscle, and its profile.

    Attributes
    ----------
    profile : Profile
        With the slot's column and rate applied; the table stores its name, such as ``bitalino-ble:2@100``.
    """

    slot: int
    channel: str
    muscle: str
    side: str
    name: str = ""
    address: str = ""
    serial: str = ""
    profile: Profile = field(default_factory=lambda: find_profile("anr-m40"), hash=False)
    adapter: str = ""
    placement: str = ""
    electrode: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notifications:
    """All notifications of one slot, in the order they were received.

    Attributes
    ----------
    epoch, host_seq, arrival_ns : ndarray of int64, shape (N,)
    characteristic : tuple of str
    payload : tuple of bytes
        As received, including malformed ones.
    """

    epoch: IntArray
    host_seq: IntArray
    arrival_ns: IntArray
    characteristic: tuple[str, ...]
    payload: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """The ``frame`` table. ``pts_ns`` is -1 if the frame was dropped.

    Attributes
    ----------
    epoch, frame_index, arrival_ns, pts_ns : ndarray of int64, shape (F,)
    """

    epoch: IntArray
    frame_index: IntArray
    arrival_ns: IntArray
    pts_ns: IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioBlocks:
    """The ``audio_block`` table; arrays of int64, shape (B,)."""

    epoch: IntArray
    first_sample: IntArray
    n_samples: IntArray
    arrival_ns: IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event on the host clock."""

    t_ns: int
    uncertainty_ns: int
    kind: str
    label: str = ""
    source: str = ""
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file attached to the capture after the recording."""

    ord: int
    kind: str
    path: str
    sha256: str
    size: int
