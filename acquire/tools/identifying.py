"""``identify``: makes the sensor of a slot blink or beep. The only tool that writes to a sensor."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from bleak import BleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from acquire.bluetooth.binding import matches
from acquire.bluetooth.connection import RADIO_ERRORS
from acquire.hardware import Radio
from acquire.tools.radio import client, find_device, scanner, unreachable
from acquire.tools.scanning import ask_identity
from dataset.capture.types import Sensor
from dataset.sensors.profile import Identify
from dataset.support.errors import HardwareError, InputError

#: Long enough for every sensor that advertises once a second or oftener to be received.
SCAN_S = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """Which sensor was identified, and how."""

    slot: int
    channel: str
    address: str
    serial: str
    shows: str


async def identify(radio: Radio, sensors: tuple[Sensor, ...], slot: int, *, scan_s: float = SCAN_S) -> Identified:
    """Let the sensor of ``slot`` show itself, and put it back as it was.

    Parameters
    ----------
    radio : Radio
    sensors : tuple of Sensor
        The rig's.
    slot : int
    scan_s : float, optional
        How long advertisements are collected where a sensor is known by its serial number.

    Raises
    ------
    InputError
        There is no such slot, it names neither serial nor address, or such a sensor has no way to show itself.
    HardwareError
        The sensor is not found or does not respond.
    """
    sensor = next((s for s in sensors if s.slot == slot), None)
    if sensor is None:
        raise InputError(f"the rig has no slot {slot}", f"it has 1 to {len(sensors)}")
    how = sensor.profile.identify
    if how is None:
        raise InputError(
            f"{sensor.channel}: a {sensor.profile.name} has no way to show itself",
            "its profile has no [identify]",
            "switch the other sensors off, and scan",
        )
    if not sensor.address and not sensor.serial:
        raise InputError(
            f"slot {slot} ({sensor.channel}) does not name its sensor",
            "it has neither serial nor address",
            "write a rig file from the sensors in range: mia-record rig init",
        )
    device, serial = await find_sensor(radio, sensor, scan_s=scan_s)
    try:
        await _show(client(radio, device), how)
    except RADIO_ERRORS as error:
        raise unreachable(device.address, error) from error
    return Identified(slot=slot, channel=sensor.channel, address=device.address, serial=serial, shows=how.shows)


async def find_sensor(radio: Radio, sensor: Sensor, *, scan_s: float = SCAN_S) -> tuple[BLEDevice, str]:
    """Return the device a slot names, by address, else by asking every device of its kind for its serial."""
    if sensor.address and not sensor.serial:
        device, _ = await find_device(radio, sensor.address)
        return device, ""
    profile = sensor.profile
    found: dict[str, BLEDevice] = {}

    def heard(device: BLEDevice, advertisement: AdvertisementData) -> None:
        if matches(profile, device, advertisement):
            found[device.address] = device

    async with scanner(radio, heard, sensor.adapter):
        await asyncio.sleep(scan_s)
    # The address is a cache of where the serial was last seen: asked first.
    for device in sorted(found.values(), key=lambda d: d.address.lower() != sensor.address.lower()):
        try:
            who = await ask_identity(radio, device, sensor.profile)
        except RADIO_ERRORS:
            continue
        if who.serial == sensor.serial:
            return device, who.serial
    raise HardwareError(
        f"no sensor with the serial {sensor.serial} responds",
        f"{len(found)} of its kind advertise",
        "switch it on; one that is connected to a phone's app does not advertise",
    )


async def _show(link: BleakClient, how: Identify) -> None:
    try:
        await link.connect()
        place = link.services.get_characteristic(how.characteristic)
        if place is None:
            raise HardwareError(f"{link.address} has no characteristic {how.characteristic}", "its firmware differs")
        before = bytes(await link.read_gatt_char(place)) if how.restore and "read" in place.properties else b""
        response = "write" in place.properties
        try:
            for _ in range(how.times):
                for value in how.hex:
                    await link.write_gatt_char(place, bytes.fromhex(value), response=response)
                    await asyncio.sleep(how.every_s)
        finally:
            if before:
                await link.write_gatt_char(place, before, response=response)
    finally:
        await link.disconnect()
