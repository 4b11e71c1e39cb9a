"""Start and stop commands of a profile: the only writes to a sensor during a recording."""

from __future__ import annotations

from collections.abc import Iterable

from bleak import BleakClient
from bleak.exc import BleakError

from dataset.sensors.profile import Command


async def send_commands(client: BleakClient, commands: Iterable[Command]) -> None:
    """Write commands in order; each is acknowledged before the next if the characteristic supports it.

    Raises
    ------
    BleakError
        The sensor has no such characteristic, or refuses.
    """
    for command in commands:
        found = client.services.get_characteristic(command.characteristic)
        if found is None:
            raise BleakError(f"{client.address} has no characteristic {command.characteristic} for its start command")
        await client.write_gatt_char(found, command.payload, response="write" in found.properties)
