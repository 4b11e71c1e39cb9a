"""Eight sensors at 1 kHz on the simulated radio link: ``python -m benchmarks.acquisition.sensors --hci-fd N``."""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import socket
import sys

from acquire.virtual.devices import orders
from acquire.virtual.devices.m40 import M40Identity, VirtualM40
from acquire.virtual.devices.simulated_link import SimulatedLink, serve_controller
from benchmarks.acquisition.load import N_SENSORS, PacketClock, packet
from dataset.support.clock import now_ns


def address(sensor: int) -> str:
    """Return a sensor's address."""
    return f"F0:5D:A0:41:00:{sensor:02X}"


async def serve(hci: socket.socket) -> None:
    """Serve until standard input ends or contains ``quit``; then report what was sent."""
    air = SimulatedLink()
    sensors = []
    for k in range(N_SENSORS):
        identity = M40Identity(channel=str(k), address=address(k), serial=f"LOAD-{k}")
        sensors.append(VirtualM40(air, identity, PacketClock(k), lambda index, *_: packet(index % 2**32, now_ns())))
    transport = await serve_controller(air, hci)
    await asyncio.gather(*(sensor.start() for sensor in sensors))
    orders.answer({"ready": True})
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    pipe, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while (line := await reader.readline()) and not json.loads(line).get("quit"):
        pass
    for sensor in sensors:
        await sensor.stop()
    pipe.close()
    transport.close()
    used = resource.getrusage(resource.RUSAGE_SELF)
    orders.answer(
        {
            "n_sent": [sensor.record.n_sent for sensor in sensors],
            "worst_lateness_s": max(sensor.record.worst_lateness_s for sensor in sensors),
            "cpu_s": used.ru_utime + used.ru_stime,
        }
    )


def main() -> None:
    """Run on an inherited socket."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hci-fd", type=int, required=True)
    asyncio.run(serve(socket.socket(fileno=parser.parse_args().hci_fd)))


if __name__ == "__main__":
    main()
