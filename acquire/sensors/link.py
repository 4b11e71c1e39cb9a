"""One connection epoch with one sensor: connect, ask who it is, subscribe, notice the end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.exc import BleakError

from acquire.hardware import Radio
from acquire.sensors.commands import send_commands
from dataset import clock
from dataset.profiles import Profile

_log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 3.0
DISCONNECT_TIMEOUT_S = 5.0

#: Called for every notification with its arrival in host nanoseconds, its characteristic and its payload.
ValueSink = Callable[[int, str, bytes], None]

#: What a failed radio operation raises: the stack's own errors, D-Bus ends of file, time-outs.
RADIO_ERRORS = (BleakError, OSError, EOFError, TimeoutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a sensor says it is; empty or None where it does not say."""

    serial: str = ""
    firmware: str = ""
    battery_percent: int | None = None


class Link:
    """One connection; after it has ended a new one is made, never this one again.

    Parameters
    ----------
    device : BLEDevice
        As the scanner found it; connecting by address alone makes some stacks scan again.
    profile : Profile
    radio : Radio
    """

    def __init__(self, device: BLEDevice, profile: Profile, radio: Radio) -> None:
        self.device = device
        self.identity = Identity()
        self.lost = asyncio.Event()
        self._profile = profile
        self._started = False
        if radio.client_backend is None:
            self._client = BleakClient(device, self._on_disconnected, timeout=CONNECT_TIMEOUT_S)
        else:
            self._client = BleakClient(
                device, self._on_disconnected, timeout=CONNECT_TIMEOUT_S, backend=radio.client_backend
            )

    def _on_disconnected(self, _client: BleakClient) -> None:
        # BlueZ and WinRT call this for a disconnect of our own too; nobody waits for `lost` any more then.
        self.lost.set()

    async def open(self) -> None:
        """Connect and read who it is.

        Raises
        ------
        BleakError, OSError, TimeoutError
            It did not connect, or lacks the profile's characteristic (after which it is disconnected again).
        """
        await self._client.connect()
        # Services resolved without the characteristic happens on BlueZ: treated as a failed connection.
        for characteristic in self._profile.characteristics:
            if self._client.services.get_characteristic(characteristic) is None:
                await self.close()
                raise BleakError(f"{self.device.address} has no characteristic {characteristic}")
        who = self._profile.identity
        battery = await self._read(who.battery)
        self.identity = Identity(
            serial=_text(await self._read(who.serial)),
            firmware=_text(await self._read(who.firmware)),
            battery_percent=battery[0] if battery else None,
        )

    async def _read(self, characteristic: str) -> bytes | None:
        """Read before subscribing; the value's own characteristic is never read (a read would arrive as a value)."""
        if not characteristic or characteristic in self._profile.characteristics:
            return None
        found = self._client.services.get_characteristic(characteristic)
        if found is None or "read" not in found.properties:
            return None
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                return bytes(await self._client.read_gatt_char(found))
        except RADIO_ERRORS as error:
            _log.debug("%s: reading %s failed: %s", self.device.address, characteristic, error)
            return None

    async def subscribe(self, sink: ValueSink) -> None:
        """Start the streams; ``sink`` is called in the radio's loop, in order, once for each notification."""

        def on_value(characteristic: BleakGATTCharacteristic, payload: bytearray) -> None:
            arrival_ns = clock.now_ns()
            sink(arrival_ns, characteristic.uuid, bytes(payload))

        for characteristic in self._profile.characteristics:
            await self._client.start_notify(characteristic, on_value)
        self._started = True
        await send_commands(self._client, self._profile.start)

    async def close(self) -> None:
        """Disconnect; also awaited for a link that is lost, or the stack may deliver everything twice afterwards."""
        try:
            async with asyncio.timeout(DISCONNECT_TIMEOUT_S):
                if self._started and not self.lost.is_set():
                    with contextlib.suppress(*RADIO_ERRORS):
                        await send_commands(self._client, self._profile.stop)
                await self._client.disconnect()
        except RADIO_ERRORS as error:
            _log.debug("%s: disconnecting failed: %s", self.device.address, error)


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "replace").strip("\0 \r\n")
