"""Radio of a tool: the virtual rig's, the system's, or a given controller; open for one command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from acquire.bluetooth.connection import CONNECT_TIMEOUT_S, RADIO_ERRORS
from acquire.hardware import Hardware, Radio
from acquire.open_rig import open_hardware
from acquire.rig.config import Rig
from acquire.rig.real import RealHardware
from dataset.support.errors import HardwareError

#: Of the virtual rig, so that one command finds the sensors that another has named.
VIRTUAL_SEED = 0

Heard = Callable[[BLEDevice, AdvertisementData], None]


def tool_hardware(rig: str = "", transport: str = "") -> Hardware:
    """Return the hardware of ``--rig``; by default this computer's Bluetooth without slots."""
    if not rig:
        return RealHardware(Rig(), transport)
    hardware, _ = open_hardware(rig, seed=VIRTUAL_SEED, subject="S01", transport=transport)
    return hardware


@asynccontextmanager
async def opened(hardware: Hardware) -> AsyncIterator[Radio]:
    """Open the hardware's radio, and close it at the end."""
    try:
        radio = await hardware.open_radio()
        try:
            yield radio
        finally:
            await hardware.close_radio()
    finally:
        hardware.finish(None)


def scanner(radio: Radio, heard: Heard, adapter: str = "") -> BleakScanner:
    """Return bleak's scanner over a radio."""
    options: dict[str, Any] = {}
    if adapter:
        options["bluez"] = {"adapter": adapter}
    if radio.scanner_backend is not None:
        options["backend"] = radio.scanner_backend
    return BleakScanner(heard, **options)


def client(radio: Radio, device: BLEDevice) -> BleakClient:
    """Return bleak's client over a radio."""
    if radio.client_backend is None:
        return BleakClient(device, timeout=CONNECT_TIMEOUT_S)
    return BleakClient(device, timeout=CONNECT_TIMEOUT_S, backend=radio.client_backend)


async def find_device(radio: Radio, address: str, seconds: float = 10.0) -> tuple[BLEDevice, AdvertisementData]:
    """Scan until ``address`` advertises.

    Raises
    ------
    HardwareError
    It is not found.
    """
    here: asyncio.Future[tuple[BLEDevice, AdvertisementData]] = asyncio.get_running_loop().create_future()

    def heard(device: BLEDevice, advertisement: AdvertisementData) -> None:
        if device.address.lower() == address.lower() and not here.done():
            here.set_result((device, advertisement))

    try:
        async with scanner(radio, heard):
            return await asyncio.wait_for(here, seconds)
    except TimeoutError as error:
        raise HardwareError(
            f"{address} was not found",
            f"no advertisement within {seconds:g} s",
            "switch it on; a sensor that is connected, to a phone's app say, does not advertise",
        ) from error
    except RADIO_ERRORS as error:
        raise unreachable(address, error) from error


def unreachable(address: str, error: Exception) -> HardwareError:
    """Return the error for a device that does not respond as expected."""
    return HardwareError(
        f"{address} does not respond as expected",
        str(error) or type(error).__name__,
        "move it closer and try again; disconnect it from other programs and phones",
    )
