"""A controller of our own: bumble's transport in place of the system's stack, here one over TCP to a virtual one."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

import pytest
from bleak import BleakClient, BleakScanner
from bumble.controller import Controller
from bumble.transport.tcp_server import open_tcp_server_transport_with_socket

from acquire.rig.config import parse_rig
from acquire.rig.real import RealHardware
from acquire.virtual.devices.m40 import M40Identity, VirtualM40
from acquire.virtual.devices.simulated_link import SimulatedLink, VirtualController
from dataset.support.errors import HardwareError, InputError
from tests.present import present


class Metronome:
    """A sensor's clock with a value each 20 ms."""

    def interval_ns(self, index: int) -> tuple[int, int]:
        return index * 20_000_000, (index + 1) * 20_000_000

    def send_ns(self, index: int) -> int:
        return (index + 1) * 20_000_000

    def next_index(self, host_ns: int) -> int:
        return host_ns // 20_000_000


async def test_a_controller_at_a_transport_carries_a_sensors_values() -> None:
    air = SimulatedLink()
    sensor = VirtualM40(
        air,
        M40Identity(channel="left_biceps", address="F0:00:00:00:40:01", serial="SN-1"),
        Metronome(),
        lambda index, *_: struct.pack("<H", index % 1024),
    )
    await sensor.start()
    listening = socket.create_server(("127.0.0.1", 0))
    server: Any = await open_tcp_server_transport_with_socket(listening)  # of a class inside that function
    controller: Controller = VirtualController("dongle", host_source=server.source, host_sink=server.sink, link=air)
    hardware = RealHardware(parse_rig("", "rig.toml"), f"tcp-client:127.0.0.1:{listening.getsockname()[1]}")
    radio = await hardware.open_radio()
    values: list[bytes] = []
    try:
        device = await BleakScanner.find_device_by_name(
            "ANR Corp M40", timeout=5, backend=present(radio.scanner_backend)
        )
        assert device is not None
        async with BleakClient(device, backend=radio.client_backend) as client:
            await client.start_notify("2a58", lambda _, value: values.append(bytes(value)))
            await asyncio.sleep(0.4)
    finally:
        await hardware.close_radio()
        await sensor.stop()
        server.server.close()
    assert len(values) > 10 and controller is not None


async def test_a_transport_that_is_none_or_not_there_is_told() -> None:
    with pytest.raises(InputError, match="is not a transport"):
        await RealHardware(parse_rig("", "rig.toml"), "nowhere:1").open_radio()
    with pytest.raises(HardwareError, match="cannot be opened"):
        await RealHardware(parse_rig("", "rig.toml"), "tcp-client:127.0.0.1:1").open_radio()
