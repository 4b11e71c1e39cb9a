"""One virtual M40: a GATT server that sends the world's muscle level, one value every 100 ms of its own clock.

The layout of services, characteristics and advertisement is the public one (see ``docs``); values are averages of
the hidden truth over the sensor's own interval, sent when that sensor's delay and the radio's jitter have passed.
"""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bumble import core, data_types, hci
from bumble.att import ATT_Error, ErrorCode
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.gatt import Characteristic, CharacteristicValue, Service

from acquire.virtual.devices.simulated_link import SimulatedLink, VirtualController
from acquire.virtual.devices.tasks import raise_failure, sleep_until
from dataset.support.clock import now_ns

NAME = "ANR Corp M40"
COMPANY_ID = 0x05DA
ADVERTISING_INTERVAL_MS = 100.0

#: A prompt takes about a millisecond to arrive here; a value is computed this long after its interval.
NEWS_NS = 4_000_000

_AUTOMATION_IO = core.UUID.from_16_bits(0x1815)
_ANALOG = core.UUID.from_16_bits(0x2A58)
_DIGITAL = core.UUID.from_16_bits(0x2A56)
_BATTERY = core.UUID.from_16_bits(0x180F)
_BATTERY_LEVEL = core.UUID.from_16_bits(0x2A19)
_DEVICE_INFORMATION = core.UUID.from_16_bits(0x180A)
_MODEL, _SERIAL, _FIRMWARE, _HARDWARE, _SOFTWARE = (core.UUID.from_16_bits(0x2A24 + i) for i in range(5))

_Property = Characteristic.Properties


class SampleClock(Protocol):
    """When a sensor measures and when its values are sent, in host nanoseconds."""

    def interval_ns(self, index: int) -> tuple[int, int]:
        """Return start and stop of the averaging interval of value ``index``."""
        ...

    def send_ns(self, index: int) -> int:
        """Return when value ``index`` is sent: centre of its interval plus delay plus jitter."""
        ...

    def next_index(self, host_ns: int) -> int:
        """Return the first value that is sent at or after ``host_ns``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class M40Identity:
    """What a virtual M40 reports about itself.

    ``battery_percent`` None: firmware without a battery service; ``serial`` empty: without that characteristic.
    """

    channel: str
    address: str
    serial: str
    battery_percent: int | None = 80
    battery_notifies: bool = True
    firmware: str = "1.5.2"


class Spoil(StrEnum):
    """Kinds of faults of a sensor's next values."""

    LOST = "lost"  # is lost
    SHORT = "short"  # a payload of one byte
    LONG = "long"  # a payload of three bytes
    OVER = "over"  # a value above 1023
    DOUBLE = "double"  # delivered twice, as by a stack that kept an old subscription


@dataclass(slots=True, kw_only=True)
class SentRecord:
    """What one sensor sent.

    Attributes
    ----------
    n_sent, n_lost : int
        Values sent, and values discarded by the fault model, while subscribed.
    least_latency_s : float
        Smallest time from an interval's centre to its sending; the sensor's true delay on this run.
    worst_lateness_s : float
        Largest time by which a value was sent later than planned: the simulator's own fault.
    connections : int
    """

    n_sent: int = 0
    n_lost: int = 0
    least_latency_s: float = float("inf")
    worst_lateness_s: float = 0.0
    connections: int = 0


class VirtualM40:
    """A GATT server on its own controller.

    Parameters
    ----------
    air : SimulatedLink
    identity : M40Identity
    clock : SampleClock
    payload : callable
        ``payload(index, start_ns, stop_ns)`` returns the bytes of the value averaged over that interval, or
        None where it is lost in transit.
    """

    def __init__(
        self,
        air: SimulatedLink,
        identity: M40Identity,
        clock: SampleClock,
        payload: Callable[[int, int, int], bytes | None],
    ) -> None:
        self.identity = identity
        self.record = SentRecord()
        self.led_pattern = 1
        self.battery_percent = identity.battery_percent
        self._spoilt: Counter[Spoil] = Counter()
        #: Called with the host time of every value that was sent.
        self.on_sent: Callable[[int], None] = lambda _sent_ns: None
        self._clock = clock
        self._payload = payload
        self._latest = bytes(2)
        self._air = air
        self._connection: Connection | None = None
        self._streaming: asyncio.Task[None] | None = None
        self.controller = VirtualController(identity.channel, link=air)
        config = DeviceConfiguration(
            name=NAME,
            address=hci.Address(identity.address),
            advertising_interval_min=ADVERTISING_INTERVAL_MS,
            advertising_interval_max=ADVERTISING_INTERVAL_MS,
        )
        self.device = Device.from_config_with_hci(config, self.controller, self.controller)
        self.device.advertising_data = self._advertisement()
        self._analog: Characteristic[bytes] = Characteristic(
            _ANALOG,
            _Property.READ | _Property.NOTIFY,
            Characteristic.READABLE,
            CharacteristicValue(read=lambda _: self._latest),
        )
        self._analog.on(Characteristic.EVENT_SUBSCRIPTION, self._on_subscription)
        self._battery: Characteristic[bytes] = Characteristic(
            _BATTERY_LEVEL,
            _Property.READ | (_Property.NOTIFY if identity.battery_notifies else _Property(0)),
            Characteristic.READABLE,
            CharacteristicValue(read=lambda _: bytes([self.battery_percent or 0])),
        )
        self.device.add_services(self._services())
        self.device.on(Device.EVENT_CONNECTION, self._on_connection)

    def _advertisement(self) -> bytes:
        # 27 of 31 bytes. All of it in the advertisement: the virtual controller never sends scan responses.
        flags = core.AdvertisingData.Flags
        return bytes(
            core.AdvertisingData(
                [
                    data_types.Flags(flags.LE_GENERAL_DISCOVERABLE_MODE | flags.BR_EDR_NOT_SUPPORTED),
                    data_types.CompleteLocalName(NAME),
                    data_types.CompleteListOf16BitServiceUUIDs([_AUTOMATION_IO]),
                    data_types.ManufacturerSpecificData(COMPANY_ID, b"\x28\x01"),
                ]
            )
        )

    def _services(self) -> list[Service]:
        digital: Characteristic[bytes] = Characteristic(
            _DIGITAL,
            _Property.READ | _Property.WRITE,
            Characteristic.READABLE | Characteristic.WRITEABLE,
            CharacteristicValue(read=lambda _: bytes([self.led_pattern]), write=self._write_pattern),
        )
        about = ((_MODEL, "M40"), (_SERIAL, self.identity.serial), (_FIRMWARE, self.identity.firmware),
                 (_HARDWARE, "4"), (_SOFTWARE, "1.0"))  # fmt: skip
        services = [
            Service(_AUTOMATION_IO, [self._analog, digital]),
            Service(_DEVICE_INFORMATION, [_constant(key, text.encode()) for key, text in about if text]),
        ]
        if self.identity.battery_percent is not None:
            services.append(Service(_BATTERY, [self._battery]))
        return services

    def _write_pattern(self, _connection: Connection, value: bytes) -> None:
        if len(value) != 1:
            raise ATT_Error(ErrorCode.INVALID_ATTRIBUTE_LENGTH)
        if not 1 <= value[0] <= 24:
            raise ATT_Error(ErrorCode.VALUE_NOT_ALLOWED)
        self.led_pattern = value[0]

    async def start(self) -> None:
        """Switch on: advertise, again after each connection's end."""
        await self.device.power_on()
        await self.device.start_advertising(auto_restart=True)

    async def stop(self) -> None:
        """End the stream; the controllers go with their process."""
        self._stop_stream()
        await asyncio.sleep(0)

    async def drop(self, reason: int = hci.HCI_REMOTE_USER_TERMINATED_CONNECTION_ERROR) -> None:
        """End the connection, as a sensor that is switched off and on."""
        if self._connection is not None:
            await self._connection.disconnect(reason)

    def silence(self, duration_s: float) -> None:
        """Walk out of range for ``duration_s`` seconds."""
        self._air.silence(self.controller, duration_s)

    def refuse(self, times: int) -> None:
        """Refuse the next connections: no slot is free."""
        self._air.refusals[hci.Address(self.identity.address)] = times

    def fail_to_establish(self, times: int) -> None:
        """End the next connections before any packet arrives on them (reason 0x3E)."""
        self._air.unestablished[hci.Address(self.identity.address)] = times

    def spoil(self, kind: Spoil, values: int) -> None:
        """Apply the fault to the next ``values`` values."""
        self._spoilt[kind] = values

    async def set_battery(self, percent: int) -> None:
        """Set the battery to ``percent``, and notify its subscribers."""
        self.battery_percent = percent
        if self.identity.battery_percent is not None and self.identity.battery_notifies:
            await self.device.notify_subscribers(self._battery, bytes([percent]))

    def _on_connection(self, connection: Connection) -> None:
        self._connection = connection
        self.record.connections += 1
        connection.on(connection.EVENT_DISCONNECTION, self._on_disconnection)

    def _on_disconnection(self, _reason: int) -> None:
        self._connection = None
        self._stop_stream()

    def _on_subscription(self, _bearer: object, notify: bool, _indicate: bool) -> None:
        self._stop_stream()
        if notify:
            self._streaming = asyncio.get_running_loop().create_task(self._stream())
            self._streaming.add_done_callback(raise_failure)

    def _stop_stream(self) -> None:
        if self._streaming is not None:
            self._streaming.cancel()
            self._streaming = None

    async def _stream(self) -> None:
        index = self._clock.next_index(now_ns())
        while True:
            start_ns, stop_ns = self._clock.interval_ns(index)
            due_ns = self._clock.send_ns(index)
            # Computed as soon as the interval is over, so that the value is ready when it is due.
            await sleep_until(min(stop_ns + NEWS_NS, due_ns))
            payload = self._payload(index, start_ns, stop_ns)
            index += 1
            if payload is None or self._takes(Spoil.LOST):
                self.record.n_lost += 1
                continue
            payload = self._spoiled(payload)
            await sleep_until(due_ns)
            self._latest = payload
            for _ in range(2 if self._takes(Spoil.DOUBLE) else 1):
                await self.device.notify_subscribers(self._analog, payload)
            sent_ns = now_ns()
            self.on_sent(sent_ns)
            self.record.n_sent += 1
            self.record.worst_lateness_s = max(self.record.worst_lateness_s, (sent_ns - due_ns) * 1e-9)
            latency_s = (sent_ns - (start_ns + stop_ns) / 2) * 1e-9
            self.record.least_latency_s = min(self.record.least_latency_s, latency_s)

    def _takes(self, kind: Spoil) -> bool:
        """Return whether this fault applies to the value."""
        if self._spoilt[kind] <= 0:
            return False
        self._spoilt[kind] -= 1
        return True

    def _spoiled(self, payload: bytes) -> bytes:
        if self._takes(Spoil.OVER):
            payload = struct.pack("<H", 1024 + self.record.n_sent % 1000)
        if self._takes(Spoil.SHORT):
            return payload[:1]
        return payload + b"\x00" if self._takes(Spoil.LONG) else payload


def _constant(key: core.UUID, value: bytes) -> Characteristic[bytes]:
    return Characteristic(key, _Property.READ, Characteristic.READABLE, value)
