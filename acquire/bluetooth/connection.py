"""One connection epoch with one sensor: connect, read its identity, subscribe, detect the end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.exc import BleakError

from acquire.bluetooth.commands import send_commands
from acquire.hardware import Radio
from dataset.sensors.profile import Profile
from dataset.support import clock
from dataset.support.text import clean_text

_log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 3.0
DISCONNECT_TIMEOUT_S = 5.0

#: Called for every notification with its arrival in host nanoseconds, its characteristic and its payload.
ValueSink = Callable[[int, str, bytes], None]

#: What a failed radio operation raises: errors of the stack, D-Bus end of file, time-outs.
RADIO_ERRORS = (BleakError, OSError, EOFError, TimeoutError)


@contextmanager
def radio_errors() -> Iterator[None]:
    """Convert any exception of a Bluetooth stack to one of :data:`RADIO_ERRORS`, so that none ends a recording."""
    try:
        yield
    except RADIO_ERRORS:
        raise
    except Exception as error:
        raise BleakError(repr(error)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Identity that a sensor reports; empty or None where it does not."""

    serial: str = ""
    firmware: str = ""
    battery_percent: int | None = None


class Connection:
    """One connection; used once, a reconnection is a new object.

    Parameters
    ----------
    device : BLEDevice
        From the scanner; connecting by address alone makes some stacks scan again.
    profile : Profile
    radio : Radio

    Attributes
    ----------
    lost : asyncio.Event
        Set when the link has ended or was abandoned.
    given_up : bool
        Whether :meth:`give_up` ended it.
    asked : bool
        Whether the user requested it.
    """

    def __init__(self, device: BLEDevice, profile: Profile, radio: Radio) -> None:
        self.device = device
        self.identity = Identity()
        self.lost = asyncio.Event()
        self.given_up = False
        self.asked = False
        self._profile = profile
        self._radio = radio
        self._started = False
        if radio.client_backend is None:
            self._client = BleakClient(device, self._on_disconnected, timeout=CONNECT_TIMEOUT_S)
        else:
            self._client = BleakClient(
                device, self._on_disconnected, timeout=CONNECT_TIMEOUT_S, backend=radio.client_backend
            )

    def _on_disconnected(self, _client: BleakClient) -> None:
        # BlueZ and WinRT also call this for our own disconnect; by then nothing waits for `lost`.
        self.lost.set()

    def give_up(self, *, asked: bool = False) -> None:
        """Abandon a link that is silent or that the user wants renewed; :meth:`close` must still be awaited."""
        self.given_up = True
        self.asked = asked
        self.lost.set()

    @property
    def reason(self) -> int | None:
        """HCI code of the last disconnection from this device, if the stack reports it."""
        ask = self._radio.disconnect_reason
        return None if ask is None else ask(self.device.address)

    async def open(self) -> None:
        """Connect and read the identity.

        Raises
        ------
        BleakError, OSError, TimeoutError
            It did not connect, lacks the profile's characteristic, or its identity could not be read.
        """
        with radio_errors():
            await self._client.connect()
        # BlueZ may resolve services without the characteristic: treated as a failed connection.
        for characteristic in self._profile.characteristics:
            if self._client.services.get_characteristic(characteristic) is None:
                raise BleakError(f"{self.device.address} has no characteristic {characteristic}")
        who = self._profile.identity
        # A failed read of the serial is not a missing serial: treated as one, the sensor would belong to no slot.
        serial = await self._read(who.serial)
        firmware = await self._read_if_it_answers(who.firmware)
        self.identity = Identity(
            serial=_text(serial), firmware=_text(firmware), battery_percent=await self.read_battery()
        )

    def _readable(self, characteristic: str) -> BleakGATTCharacteristic | None:
        """Return the readable characteristics, without the value's own (a read would arrive as a value)."""
        if not characteristic or characteristic in self._profile.characteristics:
            return None
        found = self._client.services.get_characteristic(characteristic) if self._client.is_connected else None
        return found if found is not None and "read" in found.properties else None

    async def _read(self, characteristic: str) -> bytes | None:
        found = self._readable(characteristic)
        if found is None:
            return None
        with radio_errors():
            async with asyncio.timeout(READ_TIMEOUT_S):
                return bytes(await self._client.read_gatt_char(found))

    async def _read_if_it_answers(self, characteristic: str) -> bytes | None:
        try:
            return await self._read(characteristic)
        except RADIO_ERRORS as error:
            _log.debug("%s: reading %s failed: %s", self.device.address, characteristic, error)
            return None

    async def subscribe(self, sink: ValueSink) -> None:
        """Start the streams; ``sink`` is called in the radio's loop, in order, once per notification."""

        def on_value(characteristic: BleakGATTCharacteristic, payload: bytearray) -> None:
            arrival_ns = clock.now_ns()
            sink(arrival_ns, characteristic.uuid, bytes(payload))

        with radio_errors():
            for characteristic in self._profile.characteristics:
                await self._client.start_notify(characteristic, on_value)
            self._started = True
            await send_commands(self._client, self._profile.start)

    # -- battery --------------------------------------------------------------------------------------------------

    @property
    def has_battery(self) -> bool:
        """Whether the sensor has a battery service."""
        return self._readable(self._profile.identity.battery) is not None

    async def read_battery(self) -> int | None:
        """Read the battery level in percent; None if not reported."""
        raw = await self._read_if_it_answers(self._profile.identity.battery)
        return raw[0] if raw else None

    async def subscribe_battery(self, on_percent: Callable[[int], None]) -> bool:
        """Subscribe to the battery level; False if the sensor or the stack does not support it."""

        def on_value(_characteristic: BleakGATTCharacteristic, payload: bytearray) -> None:
            if payload:
                on_percent(payload[0])

        found = self._readable(self._profile.identity.battery)
        if found is None or "notify" not in found.properties:
            return False
        try:
            with radio_errors():
                await self._client.start_notify(found, on_value)
        except RADIO_ERRORS as error:
            _log.debug("%s: the battery is not notified: %s", self.device.address, error)
            return False
        return True

    async def close(self) -> None:
        """Disconnect; also needed for a lost link, or the stack may deliver everything twice afterwards."""
        try:
            with radio_errors():
                async with asyncio.timeout(DISCONNECT_TIMEOUT_S):
                    if self._started and self._client.is_connected:
                        with contextlib.suppress(*RADIO_ERRORS):
                            await send_commands(self._client, self._profile.stop)
                    await self._client.disconnect()
        except RADIO_ERRORS as error:
            _log.debug("%s: disconnecting failed: %s", self.device.address, error)


def _text(raw: bytes | None) -> str:
    return clean_text((raw or b"").decode("utf-8", "replace").strip("\0 \r\n"))
