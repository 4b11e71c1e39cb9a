"""The only writes to a sensor while it is recorded: what its profile says it needs to start and to stop."""

from __future__ import annotations

from collections.abc import Iterable

from bleak import BleakClient
from bleak.exc import BleakError

from dataset.sensors.profile import Command


async def send_commands(client: BleakClient, commands: Iterable[Command]) -> None:
    """Write commands in their order; each is answered before the next where the characteristic answers.

    Raises
    ------
    BleakError
        The sensor has no such characteristic, or refuses.
    """
    for command in commands:
        found = client.services.get_characteristic(command.characteristic)
        if found is None:
            raise BleakError(f"{client.address} has no characteristic {command.characteristic} to be started by")
        await client.write_gatt_char(found, command.payload, response="write" in found.properties)
