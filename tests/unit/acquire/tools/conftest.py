"""A virtual radio in this process: two M40s and a BITalino, real GATT."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from acquire.bluetooth.bumble_backend import make_radio
from acquire.bluetooth.bumble_host import Central
from acquire.hardware import Radio
from acquire.virtual.devices.m40 import M40Identity, VirtualM40
from acquire.virtual.devices.other_gatt import VirtualOther
from acquire.virtual.devices.others import drawn_others
from acquire.virtual.devices.simulated_link import SimulatedLink, serve_controller
from acquire.virtual.faults import Faults
from acquire.virtual.person.world import World
from dataset.support.clock import now_ns


class Metronome:
    """A sensor's clock with a value each 20 ms, so that tests need not wait."""

    def __init__(self) -> None:
        self._origin_ns = now_ns()

    def interval_ns(self, index: int) -> tuple[int, int]:
        return self._origin_ns + index * 20_000_000, self._origin_ns + (index + 1) * 20_000_000

    def send_ns(self, index: int) -> int:
        return self.interval_ns(index)[1] + 5_000_000

    def next_index(self, host_ns: int) -> int:
        return max(0, (host_ns - self._origin_ns) // 20_000_000)


@dataclass
class Nearby:
    """What is in the air, and the radio that hears it."""

    radio: Radio
    m40s: list[VirtualM40]
    bitalino: VirtualOther
    patterns: list[int] = field(default_factory=list)


@pytest.fixture
async def nearby() -> AsyncIterator[Nearby]:
    """Two M40s, the second without serial and battery, and a BITalino."""
    here, there = socket.socketpair()
    air = SimulatedLink()
    transport = await serve_controller(air, there)
    identities = [
        M40Identity(channel="left_biceps", address="F0:00:00:00:40:01", serial="SN-1", battery_percent=17),
        M40Identity(channel="right_biceps", address="F0:00:00:00:40:02", serial="", battery_percent=None),
    ]
    m40s = [
        VirtualM40(air, identity, Metronome(), lambda index, *_: struct.pack("<H", 300 + index % 7))
        for identity in identities
    ]
    device, world = drawn_others(5)[0], World(5)
    bitalino = VirtualOther(
        air, device, lambda index: device.values(world, index), lambda i, v: device.payload(Faults(), i, v)
    )
    devices: list[VirtualM40 | VirtualOther] = [*m40s, bitalino]
    for one in devices:
        await one.start()
    central = await Central.open(here)
    yield Nearby(make_radio(central), m40s, bitalino)
    await central.close()
    for one in devices:
        await one.stop()
    transport.close()
