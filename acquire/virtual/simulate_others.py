"""Notifications of the virtual rig's other devices over a whole recording, written as by the recorder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from acquire.quality.sensor_health import SensorHealth, health_by_channel
from acquire.virtual.devices.other_gatt import PIECE_BYTES, UUIDS
from acquire.virtual.devices.others import OtherDevice
from acquire.virtual.faults import Faults
from acquire.virtual.person.world import World
from dataset.capture.types import Sensor
from dataset.capture.writer import CaptureWriter
from dataset.sensors.decode import LiveReader

#: Turns of the radio whose samples are computed together.
_TURNS_AT_ONCE = 500


def write_other(
    writer: CaptureWriter,
    world: World,
    faults: Faults,
    device: OtherDevice,
    sensors: Sequence[Sensor],
    span_ns: tuple[int, int],
) -> tuple[dict[str, Any], float]:
    """Write one device's notifications between two host times.

    Returns
    -------
    health : dict
        By channel, as in the manifest.
    delay_s : float
        Smallest time from a sample's centre to its arrival.
    """
    seats = [s for s in sensors if s.channel in device.channels]
    carrier = min(s.slot for s in seats)
    profiles = [s.profile for s in seats]
    readers = [LiveReader(p) for p in profiles]
    health = [SensorHealth(p) for p in profiles]
    for one in health:
        one.begin(span_ns[0])
    characteristic = UUIDS[device.kind][1].lower()
    size, least_ns = PIECE_BYTES[device.kind], np.iinfo(np.int64).max
    last_turn = device.turn_at(span_ns[1]) - 1
    for begin in range(device.turn_at(span_ns[0]) + 1, last_turn, _TURNS_AT_ONCE):
        turns = np.arange(begin, min(begin + _TURNS_AT_ONCE, last_turn), dtype=np.int64)
        arrivals = device.turns_ns(turns)
        index = np.arange(device.first_index(begin), device.first_index(int(turns[-1]) + 1), dtype=np.int64)
        of_turn = device.turn_of(index)
        values = device.values(world, index)
        for turn, at_ns in zip(turns.tolist(), arrivals.tolist(), strict=True):
            rows = slice(*np.searchsorted(of_turn, [turn, turn + 1]))
            payload = device.payload(faults, index[rows], values[rows])
            if not payload:
                continue
            least_ns = min(least_ns, at_ns - int(device.centres_ns(index[rows][-1:])[0]))
            for number, at in enumerate(range(0, len(payload), size)):
                piece, arrival_ns = payload[at : at + size], at_ns + 100_000 * number
                writer.notification(carrier, 0, characteristic, arrival_ns, piece)
                for reader, one in zip(readers, health, strict=True):
                    reading = reader.read(characteristic, piece)
                    if reading.n_values or reading.malformed:
                        one.add(0, arrival_ns, reading.value)
    return health_by_channel(zip(seats, health, strict=True), span_ns[1]), least_ns * 1e-9
