"""bleak's ordinary API over the virtual Bluetooth stack: eight sensors of one name, dropped, silent, absent."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError
from bumble.transport.common import StreamPacketSink

from acquire.bluetooth.bumble_backend import make_radio
from acquire.bluetooth.bumble_host import Central
from acquire.hardware import Radio
from acquire.virtual.devices.m40 import M40Identity, Spoil, VirtualM40
from acquire.virtual.devices.simulated_link import SUPERVISION_TIMEOUT_S, SimulatedLink, serve_controller
from dataset.sensors.profile import find_profile
from dataset.support.clock import now_ns
from tests.present import present

M40 = find_profile("anr-m40")
ANALOG = M40.stream.characteristic


class Metronome:
    """A sensor's clock that is exact, but for a period of its own."""

    def __init__(self, period_ns: int = 100_000_000, delay_ns: int = 60_000_000) -> None:
        self.origin_ns = now_ns()
        self.period_ns = period_ns
        self.delay_ns = delay_ns

    def interval_ns(self, index: int) -> tuple[int, int]:
        start = self.origin_ns + index * self.period_ns
        return start, start + self.period_ns

    def send_ns(self, index: int) -> int:
        start, stop = self.interval_ns(index)
        return (start + stop) // 2 + self.delay_ns

    def next_index(self, host_ns: int) -> int:
        return max(0, -(-(host_ns - self.delay_ns - self.period_ns // 2 - self.origin_ns) // self.period_ns))


class Rig:
    """Eight sensors and a radio in one loop, with a real HCI socket between host and controller."""

    def __init__(self, sensors: list[VirtualM40], radio: Radio) -> None:
        self.sensors = sensors
        self.radio = radio

    async def scan(self, count: int) -> dict[str, BLEDevice]:
        found: dict[str, BLEDevice] = {}
        async with asyncio.timeout(5), BleakScanner(backend=self.radio.scanner_backend) as scanner:
            async for device, seen in scanner.advertisement_data():
                assert seen.local_name == M40.match.local_name
                assert M40.match.company_id in seen.manufacturer_data
                found[device.address] = device
                if len(found) == count:
                    return found
        raise AssertionError("unreachable")

    def client(
        self, where: BLEDevice | str, lost: Callable[[BleakClient], None] | None = None, timeout: float = 5
    ) -> BleakClient:
        return BleakClient(where, disconnected_callback=lost, timeout=timeout, backend=self.radio.client_backend)


@asynccontextmanager
async def rig(n: int = 8, period_ns: int = 100_000_000, **identity: object) -> AsyncIterator[Rig]:
    here, there = socket.socketpair()
    air = SimulatedLink()
    transport = await serve_controller(air, there)
    sensors = [
        VirtualM40(
            air,
            M40Identity(channel=f"c{i}", address=f"C0:00:00:00:00:{i:02X}", serial=f"S{i:03d}", **identity),  # type: ignore[arg-type]
            Metronome(period_ns),
            lambda *_, i=i: struct.pack("<H", 100 + i),
        )
        for i in range(n)
    ]
    await asyncio.gather(*(s.start() for s in sensors))
    central = await Central.open(here)
    try:
        yield Rig(sensors, make_radio(central))
    finally:
        await central.close()
        for sensor in sensors:
            await sensor.stop()
        transport.abort()
        await asyncio.sleep(0.01)


async def test_eight_sensors_of_one_name_stream_at_ten_hertz() -> None:
    async with rig() as r:
        found = await r.scan(8)
        received: dict[str, list[int]] = {}
        clients = [r.client(device) for device in found.values()]
        await asyncio.gather(*(c.connect() for c in clients))
        for client in clients:
            serial = (await client.read_gatt_char(M40.identity.serial)).decode()
            values = received.setdefault(serial, [])

            def keep(_: object, data: bytearray, values: list[int] = values) -> None:
                values.append(struct.unpack(M40.stream.format, data)[0])

            await client.start_notify(ANALOG, keep)
        await asyncio.sleep(1.5)
        assert sorted(received) == [f"S{i:03d}" for i in range(8)]
        for serial, values in received.items():
            assert 14 <= len(values) <= 17
            assert set(values) == {100 + int(serial[1:])}
        await asyncio.gather(*(c.disconnect() for c in clients))
        assert not any(c.is_connected for c in clients)


async def test_battery_may_be_absent_and_the_led_pattern_is_checked() -> None:
    led = present(M40.identify).characteristic
    async with rig(1, battery_percent=None) as r, r.client("C0:00:00:00:00:00") as client:
        assert client.services.get_characteristic(M40.identity.battery) is None
        assert client.mtu_size == 247
        await client.write_gatt_char(led, b"\x07", response=True)
        assert await client.read_gatt_char(led) == b"\x07"
        with pytest.raises(BleakGATTProtocolError):
            await client.write_gatt_char(led, b"\x19", response=True)
        assert r.sensors[0].led_pattern == 7


async def test_a_dropped_sensor_calls_back_and_streams_again_after_reconnecting() -> None:
    async with rig(2, period_ns=20_000_000) as r:
        lost = asyncio.Event()
        values: list[bytes] = []
        other: list[bytes] = []
        async with r.client("C0:00:00:00:00:01") as bystander:
            await bystander.start_notify(ANALOG, lambda _, data: other.append(bytes(data)))
            client = r.client("C0:00:00:00:00:00", lambda _: lost.set())
            await client.connect()
            await client.start_notify(ANALOG, lambda _, data: values.append(bytes(data)))
            await asyncio.sleep(0.1)
            await r.sensors[0].drop()
            await asyncio.wait_for(lost.wait(), 1)
            assert not client.is_connected
            with pytest.raises(BleakError):
                await client.read_gatt_char(M40.identity.serial)
            values.clear()
            other.clear()
            again = r.client("C0:00:00:00:00:00")
            await again.connect()
            await again.start_notify(ANALOG, lambda _, data: values.append(bytes(data)))
            await asyncio.sleep(0.2)
            assert len(values) >= 8  # and each comes once: the sensor's period is 20 ms
            assert len(values) <= 12
            assert len(other) >= 10
            await again.disconnect()


async def test_a_short_silence_delivers_its_values_late_and_all() -> None:
    async with rig(1, period_ns=20_000_000) as r, r.client("C0:00:00:00:00:00") as client:
        arrivals: list[int] = []
        await client.start_notify(ANALOG, lambda *_: arrivals.append(now_ns()))
        await asyncio.sleep(0.2)
        r.sensors[0].silence(0.3)
        await asyncio.sleep(0.6)
        assert client.is_connected
        gaps = [b - a for a, b in pairwise(arrivals)]
        assert max(gaps) > 0.25e9
        assert len(arrivals) == r.sensors[0].record.n_sent


async def test_a_long_silence_ends_the_link_by_supervision_timeout() -> None:
    async with rig(1, period_ns=20_000_000) as r:
        lost = asyncio.Event()
        client = r.client("C0:00:00:00:00:00", lambda _: lost.set())
        await client.connect()
        began = now_ns()
        r.sensors[0].silence(SUPERVISION_TIMEOUT_S + 0.3)
        await asyncio.wait_for(lost.wait(), SUPERVISION_TIMEOUT_S + 1)
        assert (now_ns() - began) * 1e-9 > SUPERVISION_TIMEOUT_S - 0.05
        again = r.client("C0:00:00:00:00:00")
        await again.connect()  # waits for the sensor to be back on the air
        assert again.is_connected
        await again.disconnect()


async def test_the_reason_of_a_lost_link_is_known() -> None:
    async with rig(1) as r:
        address = r.sensors[0].identity.address
        ask = r.radio.disconnect_reason
        assert ask is not None
        assert ask(address) is None
        for reason in (0x13, 0x15):
            lost = asyncio.Event()
            client = r.client(address, lambda _, lost=lost: lost.set())  # type: ignore[misc]
            await client.connect()
            assert ask(address) is None, "the last link's reason is not this one's"
            await r.sensors[0].drop(reason)
            await asyncio.wait_for(lost.wait(), 1)
            assert ask(address) == reason


async def test_a_connection_may_be_refused_or_not_be_established_and_then_comes_about() -> None:
    async with rig(2) as r, r.client("C0:00:00:00:00:01") as bystander:
        r.sensors[0].refuse(1)
        with pytest.raises(BleakError, match="CONNECTION_LIMIT_EXCEEDED"):
            await r.client("C0:00:00:00:00:00").connect()
        r.sensors[0].fail_to_establish(1)
        with pytest.raises(BleakError):
            await r.client("C0:00:00:00:00:00").connect()
        assert r.radio.disconnect_reason is not None
        assert r.radio.disconnect_reason("C0:00:00:00:00:00") == 0x3E
        async with r.client("C0:00:00:00:00:00") as client:
            assert client.is_connected
        assert bystander.is_connected


async def test_a_new_silence_takes_the_place_of_the_last_and_zero_ends_it() -> None:
    async with rig(1, period_ns=20_000_000) as r, r.client("C0:00:00:00:00:00") as client:
        arrivals: list[int] = []
        await client.start_notify(ANALOG, lambda *_: arrivals.append(now_ns()))
        await asyncio.sleep(0.1)
        r.sensors[0].silence(30.0)
        await asyncio.sleep(0.2)
        n = len(arrivals)
        r.sensors[0].silence(0.0)
        await asyncio.sleep(SUPERVISION_TIMEOUT_S + 0.2)
        assert len(arrivals) > n + 80
        assert client.is_connected


async def test_values_go_wrong_as_ordered_and_no_more_of_them() -> None:
    async with rig(1, period_ns=20_000_000) as r, r.client("C0:00:00:00:00:00") as client:
        got: list[bytes] = []
        for kind, values in ((Spoil.LOST, 6), (Spoil.SHORT, 2), (Spoil.LONG, 3), (Spoil.OVER, 7), (Spoil.DOUBLE, 1)):
            r.sensors[0].spoil(kind, values)
        await client.start_notify(ANALOG, lambda _, data: got.append(bytes(data)))
        await asyncio.sleep(0.6)
        assert r.sensors[0].record.n_lost == 6
        assert [len(p) for p in got[:8]] == [1, 1, 1, 3, 3, 3, 2, 2], "the first comes twice"
        assert all(struct.unpack("<H", p)[0] > 1023 for p in got[6:8])
        assert set(got[8:]) == {struct.pack("<H", 100)}


async def test_a_battery_tells_of_itself_where_it_can() -> None:
    async with rig(1) as r, r.client("C0:00:00:00:00:00") as client:
        told: list[int] = []
        await client.start_notify(M40.identity.battery, lambda _, data: told.append(data[0]))
        await r.sensors[0].set_battery(17)
        await asyncio.sleep(0.1)
        assert told == [17]
        assert bytes(await client.read_gatt_char(M40.identity.battery)) == b"\x11"
    async with rig(1, battery_notifies=False) as r, r.client("C0:00:00:00:00:00") as client:
        await r.sensors[0].set_battery(18)
        found = client.services.get_characteristic(M40.identity.battery)
        assert found is not None and found.properties == ["read"]
        assert bytes(await client.read_gatt_char(M40.identity.battery)) == b"\x12"


async def test_an_absent_device_is_reported_and_blocks_nobody() -> None:
    async with rig(1) as r:
        with pytest.raises(BleakDeviceNotFoundError):
            await r.client("C9:00:00:00:00:09", timeout=0.2).connect()
        async with r.client("C0:00:00:00:00:00") as client:
            assert client.is_connected


async def test_a_cancelled_connect_is_taken_back_in_the_controller() -> None:
    async with rig(1) as r:
        task = asyncio.create_task(r.client("C9:00:00:00:00:09").connect())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with r.client("C0:00:00:00:00:00") as client:
            assert client.is_connected


async def test_a_vanished_controller_ends_every_connection() -> None:
    async with rig(1) as r:
        lost = asyncio.Event()
        client = r.client("C0:00:00:00:00:00", lambda _: lost.set())
        await client.connect()
        link = r.sensors[0]._air
        central = next(c for c in link.controllers if c.name == "central")
        assert isinstance(central.host, StreamPacketSink)
        assert isinstance(central.host.transport, asyncio.WriteTransport)
        central.host.transport.abort()
        await asyncio.wait_for(lost.wait(), 1)
        with pytest.raises(BleakError):
            await client.read_gatt_char(ANALOG)
