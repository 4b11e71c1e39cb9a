"""GATT servers of the virtual rig's other devices: a BITalino that is started by a command, and a serial board."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
from bumble import core, data_types, hci
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.gatt import Characteristic, CharacteristicValue, Service

from acquire.virtual.devices.m40 import ADVERTISING_INTERVAL_MS, SentRecord
from acquire.virtual.devices.others import OtherDevice
from acquire.virtual.devices.simulated_link import SimulatedLink, VirtualController
from acquire.virtual.devices.tasks import raise_failure, sleep_until
from dataset.support.arrays import IntArray
from dataset.support.clock import now_ns

_Property = Characteristic.Properties

#: Of each kind: service, characteristic that notifies, characteristic that takes commands or None.
UUIDS = {
    "bitalino-ble": (
        "C566488A-0882-4E1B-A6D0-0B717E652234",
        "40FDBA6B-672E-47C4-808A-E529ADFF3633",
        "4051EB11-BF0A-4C74-8730-A48F4193FCEA",
    ),
    "nus-lines": (
        "6E400001-B5A3-F393-E0A9-E50E24DCCA9E",
        "6E400003-B5A3-F393-E0A9-E50E24DCCA9E",
        "6E400002-B5A3-F393-E0A9-E50E24DCCA9E",
    ),
}
#: A serial bridge forwards bytes as they come, without regard to lines.
PIECE_BYTES = {"bitalino-ble": 240, "nus-lines": 20}
_SEES_AHEAD_NS = 4_000_000


class VirtualOther:
    """One of the other devices on its own controller.

    Parameters
    ----------
    air : SimulatedLink
    device : OtherDevice
    values, payload : callable
        ``values(index)`` returns what the columns of successive samples read, ``payload(index, values)`` their bytes.

    Attributes
    ----------
    commands : list of bytes
        Commands written to it, in order.
    """

    def __init__(
        self,
        air: SimulatedLink,
        device: OtherDevice,
        values: Callable[[IntArray], IntArray],
        payload: Callable[[IntArray, IntArray], bytes],
    ) -> None:
        self.what = device
        self.record = SentRecord()
        self.commands: list[bytes] = []
        self._air = air
        self._values = values
        self._payload = payload
        self._waits = device.kind == "bitalino-ble"
        self._subscribed = False
        self._connection: Connection | None = None
        self._streaming: asyncio.Task[None] | None = None
        self.controller = VirtualController(device.address, link=air)
        config = DeviceConfiguration(
            name=device.advertised_name,
            address=hci.Address(device.address),
            advertising_interval_min=ADVERTISING_INTERVAL_MS,
            advertising_interval_max=ADVERTISING_INTERVAL_MS,
        )
        self.device = Device.from_config_with_hci(config, self.controller, self.controller)
        service, frames, commands = (core.UUID(text) for text in UUIDS[device.kind])
        self._frames: Characteristic[bytes] = Characteristic(frames, _Property.NOTIFY, Characteristic.READABLE, b"")
        self._frames.on(Characteristic.EVENT_SUBSCRIPTION, self._on_subscription)
        writable: Characteristic[bytes] = Characteristic(
            commands, _Property.WRITE, Characteristic.WRITEABLE, CharacteristicValue(write=self._on_command)
        )
        flags = core.AdvertisingData.Flags
        # The 128-bit service takes 18 of 31 bytes: the name is cut to fit.
        self.device.advertising_data = bytes(
            core.AdvertisingData(
                [
                    data_types.Flags(flags.LE_GENERAL_DISCOVERABLE_MODE | flags.BR_EDR_NOT_SUPPORTED),
                    data_types.CompleteListOf128BitServiceUUIDs([service]),
                    data_types.ShortenedLocalName(device.advertised_name[:8]),
                ]
            )
        )
        self.device.add_services([Service(service, [self._frames, writable])])
        self.device.on(Device.EVENT_CONNECTION, self._on_connection)

    async def start(self) -> None:
        """Switch on: advertise, again after each connection's end."""
        await self.device.power_on()
        await self.device.start_advertising(auto_restart=True)

    async def stop(self) -> None:
        """End the stream."""
        self._stop_stream()
        await asyncio.sleep(0)

    async def drop(self) -> None:
        """Hang up."""
        if self._connection is not None:
            await self._connection.disconnect()

    def silence(self, duration_s: float) -> None:
        """Walk out of range for ``duration_s`` seconds."""
        self._air.silence(self.controller, duration_s)

    def _on_connection(self, connection: Connection) -> None:
        self._connection = connection
        self.record.connections += 1
        connection.on(connection.EVENT_DISCONNECTION, self._on_disconnection)

    def _on_disconnection(self, _reason: int) -> None:
        self._connection, self._subscribed = None, False
        self._stop_stream()

    def _on_subscription(self, _bearer: object, notify: bool, _indicate: bool) -> None:
        self._subscribed = notify
        self._stop_stream()
        if notify and not self._waits:
            self._start_stream()

    def _on_command(self, _connection: Connection, value: bytes) -> None:
        self.commands.append(bytes(value))
        command = value[0] if value else 0
        if not self._waits or command & 0x03 == 0x03:
            return  # a board has no commands; 0b11 sets the rate, and this device has only one
        self._stop_stream()
        if command & 0x03 == 0x01 and self._subscribed:
            self._start_stream()

    def _start_stream(self) -> None:
        self._streaming = asyncio.get_running_loop().create_task(self._stream())
        self._streaming.add_done_callback(raise_failure)

    def _stop_stream(self) -> None:
        if self._streaming is not None:
            self._streaming.cancel()
            self._streaming = None

    async def _stream(self) -> None:
        turn = self.what.turn_at(now_ns()) + 1
        first = self.what.first_index(turn)
        while True:
            due_ns = int(self.what.turns_ns(np.array([turn]))[0])
            await sleep_until(due_ns - _SEES_AHEAD_NS)
            stop = self.what.first_index(turn + 1)
            index = np.arange(first, stop, dtype=np.int64)
            payload = self._payload(index, self._values(index))
            await sleep_until(due_ns)
            size = PIECE_BYTES[self.what.kind]
            for at in range(0, len(payload), size):
                await self.device.notify_subscribers(self._frames, payload[at : at + size])
            self._note(index, len(payload) > 0, due_ns)
            turn, first = turn + 1, stop

    def _note(self, index: IntArray, sent: bool, due_ns: int) -> None:
        if not sent:
            return
        sent_ns = now_ns()
        self.record.n_sent += len(index)
        self.record.worst_lateness_s = max(self.record.worst_lateness_s, (sent_ns - due_ns) * 1e-9)
        latency_s = (sent_ns - int(self.what.centres_ns(index[-1:])[0])) * 1e-9
        self.record.least_latency_s = min(self.record.least_latency_s, latency_s)
