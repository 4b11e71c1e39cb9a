"""The process of the eight virtual M40s: ``python -m acquire.virtual.sensors_process``."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import socket
import struct
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from acquire.virtual import chance, orders
from acquire.virtual.air import Air, serve_controller
from acquire.virtual.devices import Devices
from acquire.virtual.faults import Faults
from acquire.virtual.gatt import M40Identity, VirtualM40
from acquire.virtual.sent import SentLog
from acquire.virtual.world import World
from dataset.clock import now_ns


def value_payload(world: World, faults: Faults, channel: str, index: int, start_ns: int, stop_ns: int) -> bytes | None:
    """Return what a sensor sends for one interval, faults included; None where the value is lost."""

    def happens(fault: str, share: float) -> bool:
        return share > 0 and float(chance.uniform(f"{world.seed}/{fault}/{channel}", np.array([index]))[0]) < share

    if happens("lost", faults.lost_share):
        return None
    payload = struct.pack("<H", world.value(channel, start_ns, stop_ns))
    if happens("over range", faults.over_range_share):
        payload = struct.pack("<H", 1024 + index % 1000)
    if happens("malformed", faults.malformed_share):
        payload = payload[:1] if index % 2 else payload + b"\x00"
    return payload


class Sensors:
    """Eight sensors on one person, and what can be ordered of them.

    Parameters
    ----------
    world : World
    devices : Devices
    faults : Faults
    sent : SentLog
        Told of every value and prompt.
    """

    def __init__(self, world: World, devices: Devices, faults: Faults, sent: SentLog) -> None:
        self._world = world
        self._faults = faults
        self._sent = sent
        self._outages_planned = False
        self.air = Air()
        self.by_slot: dict[int, VirtualM40] = {}
        for i, sensor in enumerate(devices.rig_sensors()):
            identity = M40Identity(channel=sensor.channel, address=sensor.address, serial=sensor.serial)
            payload = partial(value_payload, world, faults, sensor.channel)
            m40 = VirtualM40(self.air, identity, devices.sensors[i], payload)
            m40.on_sent = partial(sent.note, "value", sensor.slot)
            self.by_slot[sensor.slot] = m40

    async def start(self) -> None:
        """Switch all sensors on."""
        await asyncio.gather(*(sensor.start() for sensor in self.by_slot.values()))

    async def stop(self) -> None:
        """Switch all sensors off."""
        for sensor in self.by_slot.values():
            await sensor.stop()

    async def obey(self, order: orders.Order) -> None:
        """Carry out one order."""
        if "prompt" in order:
            prompt, host_ns = orders.read_prompt(order)
            self._sent.note("prompt", prompt.kind, host_ns)
            self._world.prompt(prompt, host_ns)
            self._plan_outages(host_ns - round(prompt.at_s * 1e9))
        elif "drop" in order:
            await self.by_slot[order["drop"]].drop()
        elif "silence" in order:
            self.by_slot[order["silence"]].silence(float(order["seconds"]))

    def _plan_outages(self, began_ns: int) -> None:
        """Let the faults' outages come at their seconds after the recording began."""
        if self._outages_planned:
            return
        self._outages_planned = True
        of_channel = {sensor.identity.channel: sensor for sensor in self.by_slot.values()}
        for outage in self._faults.outages:
            wait_s = (began_ns - now_ns()) * 1e-9 + outage.at_s
            sensor = of_channel[outage.channel]
            asyncio.get_running_loop().call_later(max(0.0, wait_s), sensor.silence, outage.seconds)

    def report(self) -> dict[str, Any]:
        """Return what each sensor really sent, by channel."""
        return {"sent": {s.identity.channel: asdict(s.record) for s in self.by_slot.values()}}


async def serve(world: World, devices: Devices, faults: Faults, hci: socket.socket, sent: SentLog) -> None:
    """Serve until standard input ends or says ``quit``; then answer with the report."""
    sensors = Sensors(world, devices, faults, sent)
    transport = await serve_controller(sensors.air, hci)
    await sensors.start()
    orders.answer({"ready": True})
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    pipe, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        while (line := await reader.readline()) and not (order := json.loads(line)).get("quit"):
            await sensors.obey(order)
    finally:
        await sensors.stop()
        pipe.close()
        transport.close()
    orders.answer(sensors.report())


def main() -> None:
    """Run on inherited file descriptors."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--subject", required=True)
    parser.add_argument("--faults", required=True)
    parser.add_argument("--hci-fd", type=int, required=True)
    parser.add_argument("--sent", type=Path)
    given = parser.parse_args()
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    faults = Faults.model_validate_json(given.faults)
    world = orders.make_world(given.seed, given.subject, faults)
    devices = Devices.drawn(given.seed, faults)
    sent = SentLog(given.sent / "sensors" if given.sent else None)
    asyncio.run(serve(world, devices, faults, socket.socket(fileno=given.hci_fd), sent))


if __name__ == "__main__":
    main()
