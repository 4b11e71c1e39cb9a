"""Eight virtual M40s on the host that count instead of measuring: ``python -m tests.bluez.sensors --hci-fd N``.

The controller that they are heard through is the one that the kernel of the small machine uses. Each value is the
number of the sensor's interval, so that what is missing or comes twice shows.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from bumble import hci
from bumble.transport.common import StreamPacketSink, StreamPacketSource

from acquire.virtual.devices import orders
from acquire.virtual.devices.m40 import M40Identity, VirtualM40
from acquire.virtual.devices.simulated_link import SimulatedLink, VirtualController
from dataset.muscles import PAPER_CHANNELS

PERIOD_NS = 100_000_000
#: A connection is dropped when it has carried this many values.
VALUES_BEFORE_DROP = 30


@dataclass(frozen=True)
class CountingClock:
    """A value each 100 ms, each sensor at a phase of its own; the index is what is sent."""

    phase_ns: int

    def send_ns(self, index: int) -> int:
        """Return when value ``index`` is sent."""
        return index * PERIOD_NS + self.phase_ns

    def interval_ns(self, index: int) -> tuple[int, int]:
        """Return the interval that value ``index`` stands for."""
        return self.send_ns(index) - PERIOD_NS, self.send_ns(index)

    def next_index(self, host_ns: int) -> int:
        """Return the first value sent at or after ``host_ns``."""
        return -((self.phase_ns - host_ns) // PERIOD_NS)


async def serve_kernel(air: SimulatedLink, hci_socket: socket.socket) -> asyncio.Transport:
    """Put a controller on ``air`` that a Linux kernel drives.

    It claims less than bumble's does by itself: with address resolution or extended advertising among its features,
    the kernel waits for an event of a newer kind than bumble sends.
    """
    loop = asyncio.get_running_loop()
    transport, source = await loop.create_connection(StreamPacketSource, sock=hci_socket)
    controller = VirtualController(
        "kernel",
        host_source=source,
        host_sink=StreamPacketSink(transport),
        link=air,
        public_address="5C:F3:70:00:00:01",
    )
    controller.le_features &= ~(hci.LeFeatureMask.LL_PRIVACY | hci.LeFeatureMask.LE_EXTENDED_ADVERTISING)
    return transport


async def drop(sensor: VirtualM40, times: int) -> None:
    """Hang up ``times`` times, each after a good while of values, and wait for values once more."""
    for again in range(times + 1):
        begun = sensor.record.n_sent
        while sensor.record.n_sent < begun + VALUES_BEFORE_DROP:
            await asyncio.sleep(0.1)
        if again < times:
            await sensor.drop()


async def serve(hci_socket: socket.socket) -> None:
    """Obey ``{"drop": SLOT, "times": N, "then": PATH}``, which makes a file when it is done, and ``{"quit": true}``."""
    air = SimulatedLink()
    sensors = [
        VirtualM40(
            air,
            M40Identity(channel=channel.name, address=f"F0:5D:A0:40:00:{k:02X}", serial=f"M40-B{k}"),
            CountingClock(k * 12_000_000),
            lambda index, *_: struct.pack("<H", index % 1024),
        )
        for k, channel in enumerate(PAPER_CHANNELS, start=1)
    ]
    transport = await serve_kernel(air, hci_socket)
    await asyncio.gather(*(sensor.start() for sensor in sensors))
    orders.answer({"ready": True})
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    pipe, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while (line := await reader.readline()) and not (order := json.loads(line)).get("quit"):
        await drop(sensors[order["drop"] - 1], order["times"])
        Path(order["then"]).touch()
    for sensor in sensors:
        await sensor.stop()
    pipe.close()
    transport.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--hci-fd", type=int, required=True)
    asyncio.run(serve(socket.socket(fileno=parser.parse_args().hci_fd)))
