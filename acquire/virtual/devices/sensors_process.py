"""The process of the eight virtual M40s: ``python -m acquire.virtual.devices.sensors_process``."""

from __future__ import annotations

import argparse
import asyncio
import logging
import socket
import struct
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from acquire.virtual import chance
from acquire.virtual.devices import orders
from acquire.virtual.devices.clocks import Devices
from acquire.virtual.devices.m40 import M40Identity, Spoil, VirtualM40
from acquire.virtual.devices.other_gatt import VirtualOther
from acquire.virtual.devices.others import OtherDevice, drawn_others
from acquire.virtual.devices.sent import SentLog
from acquire.virtual.devices.simulated_link import SimulatedLink, serve_controller
from acquire.virtual.faults import Faults
from acquire.virtual.person.world import World
from dataset.capture.types import Sensor
from dataset.support.clock import now_ns
from dataset.support.parsing import parse_json


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
    """Eight sensors on one person, and the commands that they accept.

    Parameters
    ----------
    world : World
    devices : Devices
    faults : Faults
    others : tuple of OtherDevice
        Devices of other makes, on which some channels sit.
    sent : SentLog
        Records every value of an M40, and every prompt.
    """

    def __init__(
        self, world: World, devices: Devices, faults: Faults, sent: SentLog, others: tuple[OtherDevice, ...] = ()
    ) -> None:
        self._world = world
        self._faults = faults
        self._sent = sent
        self._outages_planned = False
        self.air = SimulatedLink()
        self.by_slot: dict[int, VirtualM40 | VirtualOther] = {}
        self._others = [
            VirtualOther(self.air, device, partial(device.values, world), partial(device.payload, faults))
            for device in others
        ]
        on_others = {channel: other for other in self._others for channel in other.what.channels}
        self._of_channel: dict[str, VirtualM40 | VirtualOther] = {}
        for i, sensor in enumerate(devices.rig_sensors()):
            self._of_channel[sensor.channel] = self.by_slot[sensor.slot] = on_others.get(sensor.channel) or self._m40(
                i, sensor, devices
            )

    def _m40(self, i: int, sensor: Sensor, devices: Devices) -> VirtualM40:
        identity = M40Identity(
            channel=sensor.channel,
            address=sensor.address,
            serial=sensor.serial,
            battery_percent=None if sensor.channel in self._faults.no_battery_channels else 80,
            battery_notifies=sensor.slot % 2 == 1,  # some firmware does, some does not
        )
        payload = partial(value_payload, self._world, self._faults, sensor.channel)
        m40 = VirtualM40(self.air, identity, devices.sensors[i], payload)
        m40.on_sent = partial(self._sent.note, "value", sensor.slot)
        return m40

    @property
    def _devices(self) -> set[VirtualM40 | VirtualOther]:
        return set(self.by_slot.values())

    async def start(self) -> None:
        """Switch all sensors on."""
        await asyncio.gather(*(sensor.start() for sensor in self._devices))

    async def stop(self) -> None:
        """Switch all sensors off."""
        for sensor in self._devices:
            await sensor.stop()

    async def obey(self, order: orders.Order) -> None:
        """Carry out one command."""
        if "prompt" in order:
            prompt, host_ns = orders.read_prompt(order)
            self._sent.note("prompt", prompt.kind, host_ns)
            self._world.prompt(prompt, host_ns)
            if not prompt.kind.startswith("contract"):  # valid before a recording begins
                self._plan_outages(host_ns - round(prompt.at_s * 1e9))
            return
        sensor = self.by_slot[order["slot"]]
        match order["do"], sensor:
            case "silence", _:
                sensor.silence(float(order["seconds"]))
            case "drop", VirtualM40():
                await sensor.drop(order["reason"])
            case "refuse", VirtualM40():
                sensor.refuse(order["times"])
            case "fail_to_establish", VirtualM40():
                sensor.fail_to_establish(order["times"])
            case "spoil", VirtualM40():
                sensor.spoil(Spoil(order["kind"]), order["values"])
            case "battery", VirtualM40():
                await sensor.set_battery(order["percent"])
            case "drop", VirtualOther():
                await sensor.drop()
            case what, _:
                raise ValueError(f"no order {what!r} for {type(sensor).__name__}")

    def _plan_outages(self, began_ns: int) -> None:
        """Schedule the faults' outages relative to the start of the recording."""
        if self._outages_planned:
            return
        self._outages_planned = True
        for outage in self._faults.outages:
            wait_s = (began_ns - now_ns()) * 1e-9 + outage.at_s
            sensor = self._of_channel[outage.channel]
            asyncio.get_running_loop().call_later(max(0.0, wait_s), sensor.silence, outage.seconds)

    def report(self) -> dict[str, Any]:
        """Return what each sensor sent, by channel."""
        return {"sent": {channel: asdict(s.record) for channel, s in self._of_channel.items()}}


async def serve(
    world: World,
    devices: Devices,
    faults: Faults,
    hci: socket.socket,
    sent: SentLog,
    others: tuple[OtherDevice, ...] = (),
) -> None:
    """Serve until standard input ends or contains ``quit``; then answer with the report."""
    sensors = Sensors(world, devices, faults, sent, others)
    transport = await serve_controller(sensors.air, hci)
    await sensors.start()
    orders.answer({"ready": True})
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    pipe, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        while (line := await reader.readline()) and not (order := parse_json(line)).get("quit"):
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
    parser.add_argument("--rig-seed", type=int)
    parser.add_argument("--subject", required=True)
    parser.add_argument("--faults", required=True)
    parser.add_argument("--hci-fd", type=int, required=True)
    parser.add_argument("--mixed", action="store_true")
    parser.add_argument("--sent", type=Path)
    given = parser.parse_args()
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    faults = Faults.model_validate(parse_json(given.faults))
    world = orders.make_world(given.seed, given.subject, faults)
    rig_seed = given.seed if given.rig_seed is None else given.rig_seed
    devices = Devices.drawn(rig_seed, faults, recording=given.seed)
    sent = SentLog(given.sent / "sensors" if given.sent else None)
    others = drawn_others(rig_seed, recording=given.seed) if given.mixed else ()
    asyncio.run(serve(world, devices, faults, socket.socket(fileno=given.hci_fd), sent, others))


if __name__ == "__main__":
    main()
