"""``inspect``: reads every service, characteristic and readable value of one device."""

from __future__ import annotations

import asyncio
from typing import Any

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.descriptor import BleakGATTDescriptor

from acquire.bluetooth.binding import matches
from acquire.bluetooth.connection import RADIO_ERRORS, READ_TIMEOUT_S
from acquire.hardware import Radio
from acquire.tools.radio import client, find_device, unreachable
from dataset.sensors.profile import builtin_profiles
from dataset.support.text import clean_text


async def inspect(radio: Radio, address: str) -> dict[str, Any]:
    """Read all services, characteristics and values of a device into a JSON object.

    Returns
    -------
    dict
        ``address``, ``name``, ``rssi_dbm``, ``profiles``, ``service_uuids``, ``manufacturer_data`` (hex by company),
        ``mtu``, ``services``: each with its ``characteristics``, and those with ``properties``, ``descriptors`` and,
        if readable, ``hex`` and ``text``, or ``problem``.

    Raises
    ------
    HardwareError
        It is not found, or cannot be connected to.
    """
    device, advertisement = await find_device(radio, address)
    link = client(radio, device)
    try:
        await link.connect()
        services = [
            {
                "uuid": service.uuid,
                "name": clean_text(service.description),
                "characteristics": [await _characteristic(link, c) for c in service.characteristics],
            }
            for service in link.services
        ]
        mtu = link.mtu_size
    except RADIO_ERRORS as error:
        raise unreachable(address, error) from error
    finally:
        await link.disconnect()
    return {
        "address": device.address,
        "name": clean_text(advertisement.local_name or device.name or ""),
        "rssi_dbm": advertisement.rssi,
        "profiles": [name for name, profile in builtin_profiles().items() if matches(profile, device, advertisement)],
        "service_uuids": list(advertisement.service_uuids),
        "manufacturer_data": {f"0x{key:04X}": value.hex() for key, value in advertisement.manufacturer_data.items()},
        "mtu": mtu,
        "services": services,
    }


async def _characteristic(link: BleakClient, characteristic: BleakGATTCharacteristic) -> dict[str, Any]:
    found: dict[str, Any] = {
        "uuid": characteristic.uuid,
        "name": characteristic.description,
        "handle": characteristic.handle,
        "properties": list(characteristic.properties),
        "descriptors": [await _descriptor(link, d) for d in characteristic.descriptors],
    }
    if "read" in characteristic.properties:
        found |= await _read(link.read_gatt_char(characteristic))
    return found


async def _descriptor(link: BleakClient, descriptor: BleakGATTDescriptor) -> dict[str, Any]:
    about = {"uuid": descriptor.uuid, "name": descriptor.description, "handle": descriptor.handle}
    return about | await _read(link.read_gatt_descriptor(descriptor))


async def _read(reading: Any) -> dict[str, Any]:
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            value = bytes(await reading)
    except RADIO_ERRORS as error:
        return {"problem": str(error) or type(error).__name__}
    return {"hex": value.hex(" "), "text": printable(value)}


def printable(value: bytes) -> str:
    """Return bytes as text if they are text, else empty."""
    try:
        text = value.decode("utf-8").rstrip("\0")
    except UnicodeDecodeError:
        return ""
    return text if text.isprintable() else ""


def inspect_text(found: dict[str, Any]) -> str:
    """Format the services and values of a device as text."""
    lines = [f"{found['address']}  {found['name']}  {', '.join(found['profiles']) or 'no matching profile'}"]
    for service in found["services"]:
        lines.append(f"{service['uuid']}  {service['name']}")
        for c in service["characteristics"]:
            value = c.get("problem") or " ".join(
                filter(None, (c.get("hex", ""), repr(c["text"]) if c.get("text") else ""))
            )
            lines.append(f"  {c['uuid']}  {', '.join(c['properties']):24}  {value}  {c['name']}".rstrip())
    return "\n".join(lines)
