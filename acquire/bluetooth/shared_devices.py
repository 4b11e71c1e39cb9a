"""Several slots on one device: each column on its own muscle, one connection, rows stored once.

The first slot of a device carries it: the manager connects for that slot only, and its rows are stored under it.
The others ride: they read the same notifications through their own column.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from acquire.bluetooth.status import SensorStatus
from acquire.quality.sensor_health import SensorHealth, health_by_channel
from dataset.capture.types import Sensor
from dataset.sensors.decode import LiveReader


@dataclass(slots=True)
class _Rider:
    sensor: Sensor
    health: SensorHealth
    reader: LiveReader
    epoch: int = field(default=-1)

    @classmethod
    def on(cls, sensor: Sensor) -> _Rider:
        return cls(sensor, SensorHealth(sensor.profile), LiveReader(sensor.profile))


class SharedDevices:
    """Groups slots by device into one carrier and its riders.

    Parameters
    ----------
    sensors : iterable of Sensor
        All slots. Slots that name the same address, or the same serial, are one device.

    Attributes
    ----------
    carriers : tuple of Sensor
        One slot per device.
    """

    def __init__(self, sensors: Iterable[Sensor]) -> None:
        carrier_of: dict[str, int] = {}
        carriers: list[Sensor] = []
        self._riders: defaultdict[int, list[_Rider]] = defaultdict(list)
        for sensor in sensors:
            device = sensor.serial.lower() or sensor.address.lower()
            if device and device in carrier_of:
                self._riders[carrier_of[device]].append(_Rider.on(sensor))
                continue
            carriers.append(sensor)
            carrier_of[device] = sensor.slot
        self.carriers = tuple(carriers)

    def carrier_of(self, slot: int) -> int:
        """Return the slot that carries the device of a slot: itself, unless it rides."""
        return next((c for c, riders in self._riders.items() if any(r.sensor.slot == slot for r in riders)), slot)

    def healths(self) -> dict[int, SensorHealth]:
        """Return the health counters of the slots that ride."""
        return {rider.sensor.slot: rider.health for rider in self._all()}

    def sit_on(self, places: Mapping[int, Sensor]) -> None:
        """Assign the slots that ride to other muscles."""
        for rider in self._all():
            place = places[rider.sensor.slot]
            rider.sensor = replace(
                rider.sensor, channel=place.channel, muscle=place.muscle, side=place.side, placement=place.placement
            )

    def heard(self, carrier: int, epoch: int, arrival_ns: int, characteristic: str, payload: bytes) -> None:
        """Pass a notification to the riders of a slot."""
        for rider in self._riders.get(carrier, ()):
            if rider.epoch != epoch:
                rider.epoch, rider.reader = epoch, LiveReader(rider.sensor.profile)
            reading = rider.reader.read(characteristic, payload)
            if reading.n_values or reading.malformed:
                rider.health.add(epoch, arrival_ns, reading.value)

    def begin(self, host_ns: int) -> None:
        """Reset the counts at the start of a recording."""
        for rider in self._all():
            rider.health.begin(host_ns)

    def end(self) -> None:
        """Stop counting."""
        for rider in self._all():
            rider.health.end()

    def _all(self) -> Iterable[_Rider]:
        return (rider for riders in self._riders.values() for rider in riders)

    def bound(self, carriers: Sequence[Sensor]) -> tuple[Sensor, ...]:
        """Return all slots in their order, the riders bound as their carriers are."""
        riders = [
            replace(r.sensor, name=c.name, address=c.address, serial=c.serial)
            for c in carriers
            for r in self._riders.get(c.slot, ())
        ]
        return tuple(sorted([*carriers, *riders], key=lambda s: s.slot))

    def statuses(self, carriers: Sequence[SensorStatus], now_ns: int) -> tuple[SensorStatus, ...]:
        """Return the state of all slots in their order; a rider's is its carrier's, with its own values."""
        bound = {s.slot: s for s in self.bound([c.sensor for c in carriers])}
        riders = [
            replace(c, sensor=bound[r.sensor.slot], health=r.health.live(now_ns))
            for c in carriers
            for r in self._riders.get(c.sensor.slot, ())
        ]
        return tuple(sorted([*carriers, *riders], key=lambda s: s.sensor.slot))

    def health(self, until_ns: int) -> dict[str, Any]:
        """Return the manifest's health of each channel that rides."""
        return health_by_channel(((rider.sensor, rider.health) for rider in self._all()), until_ns)
