"""A bleak backend, a camera, a microphone and a rig made by the tests; no Bluetooth, no drawing."""

from __future__ import annotations

import asyncio
import os
import pty
import struct
import threading
import time
import tty
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakError
from numpy.typing import NDArray

from acquire.hardware import SCAN_S, SETTLE_S, Radio
from acquire.media.orientation import UPRIGHT
from acquire.protocol.schedule import Prompt
from dataset.capture.types import Sensor
from dataset.muscles import PAPER_CHANNELS
from dataset.sensors.profile import find_profile

M40 = find_profile("anr-m40")


@dataclass
class FakeSensor:
    """A sensor in the air: advertises until it is connected, then sends a growing number."""

    address: str
    serial: str = ""
    battery: int | None = 80
    name: str = "ANR Corp M40"
    period_s: float = 0.02
    switched_on: bool = True
    refusals: int = 0
    silent: bool = False
    adapter: str = ""
    unreadable: int = 0
    surprises: int = 0
    unsubscribable: int = 0
    client: Any = None
    sent: list[bytes] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)

    def drop(self) -> None:
        """Lose the link, from any thread."""
        client = self.client
        client.loop.call_soon_threadsafe(client.lose)


class FakeAir:
    """All sensors, and the backend classes that reach them."""

    def __init__(self, sensors: list[FakeSensor]) -> None:
        self.sensors = sensors
        self.n_connecting = 0
        self.most_connecting = 0
        self.disconnects: list[str] = []
        #: What was done with each address, in order: connected, disconnected (when it had ended).
        self.history: list[tuple[str, str]] = []
        self.scan_failure: str = ""
        #: Scans and connections that go on at this moment on each adapter, and the most there ever were.
        self.busy: Counter[str] = Counter()
        self.most_busy: Counter[str] = Counter()

    def occupy(self, adapter: str, by: int) -> None:
        """Count a scan or a connection that begins or ends."""
        self.busy[adapter] += by
        self.most_busy[adapter] = max(self.most_busy[adapter], self.busy[adapter])

    def radio(self) -> Radio:
        air = self

        class Scanner(BaseBleakScanner):
            def __init__(self, callback: Any, uuids: Any, mode: Any, *, bluez: Any = None, **_: Any) -> None:
                super().__init__(callback, uuids)
                self._adapter = (bluez or {}).get("adapter", "")
                self._task: asyncio.Task[None] | None = None

            async def start(self) -> None:
                if air.scan_failure:
                    raise BleakError(air.scan_failure)
                air.occupy(self._adapter, +1)
                self.seen_devices = {}
                self._task = asyncio.create_task(self._advertise())

            async def _advertise(self) -> None:
                while True:
                    for s in air.sensors:
                        if s.switched_on and s.client is None and s.adapter == self._adapter:
                            data = AdvertisementData(s.name, {}, {}, [], None, -60, ())
                            device = self.create_or_update_device(s.address, s.address, s.name, s, data)
                            self.call_detection_callbacks(device, data)
                    await asyncio.sleep(0.01)

            async def stop(self) -> None:
                air.occupy(self._adapter, -1)
                if self._task is not None:
                    self._task.cancel()

        class Client(BaseBleakClient):
            def __init__(self, device: Any, **options: Any) -> None:
                options.pop("services", None)
                super().__init__(device, **options)
                self.sensor: FakeSensor = device.details
                self.loop = asyncio.get_running_loop()
                self.up = False
                self.stream: asyncio.Task[None] | None = None

            @property
            def name(self) -> str:
                return self.sensor.name

            @property
            def mtu_size(self) -> int:
                return 23

            @property
            def is_connected(self) -> bool:
                return self.up

            async def connect(self, pair: bool, **_: Any) -> None:
                air.n_connecting += 1
                air.most_connecting = max(air.most_connecting, air.n_connecting)
                air.occupy(self.sensor.adapter, +1)
                try:
                    await asyncio.sleep(0.002)
                finally:
                    air.n_connecting -= 1
                    air.occupy(self.sensor.adapter, -1)
                if self.sensor.surprises > 0:
                    self.sensor.surprises -= 1
                    raise KeyError("org.bluez.Device1")
                if self.sensor.refusals > 0:
                    self.sensor.refusals -= 1
                    raise BleakError("refused")
                if self.sensor.client is not None:
                    raise BleakError("connected already")
                air.history.append(("connected", self.address))
                self.sensor.client, self.up = self, True
                self.services = services_of(self.sensor)

            async def disconnect(self) -> None:
                air.disconnects.append(self.address)
                if self.up:
                    self.lose()
                await asyncio.sleep(0.02)  # BlueZ takes its time
                air.history.append(("disconnected", self.address))

            def lose(self) -> None:
                self.up, self.sensor.client = False, None
                if self.stream is not None:
                    self.stream.cancel()
                if self._disconnected_callback is not None:
                    self._disconnected_callback()

            async def pair(self, *_: Any, **__: Any) -> None: ...

            async def unpair(self) -> None: ...

            async def read_gatt_char(self, characteristic: Any, **_: Any) -> bytearray:
                self.sensor.reads.append(characteristic.uuid)
                if self.sensor.unreadable > 0:
                    self.sensor.unreadable -= 1
                    raise BleakError("no answer")
                return bytearray(characteristic.obj)

            async def read_gatt_descriptor(self, descriptor: Any, **_: Any) -> bytearray:
                return bytearray()

            async def write_gatt_char(self, characteristic: Any, data: Any, response: bool) -> None:
                raise AssertionError("nothing is ever written to a sensor")

            async def write_gatt_descriptor(self, descriptor: Any, data: Any) -> None: ...

            async def start_notify(self, characteristic: Any, callback: Any, **_: Any) -> None:
                if self.sensor.unsubscribable > 0:
                    self.sensor.unsubscribable -= 1
                    raise BleakError("not permitted")

                async def send() -> None:
                    while True:
                        if not self.sensor.silent:
                            payload = struct.pack("<H", len(self.sensor.sent) % 1024)
                            self.sensor.sent.append(payload)
                            callback(bytearray(payload))
                        await asyncio.sleep(self.sensor.period_s)

                self.stream = asyncio.create_task(send())

            async def stop_notify(self, characteristic: Any) -> None: ...

        return Radio(client_backend=Client, scanner_backend=Scanner)


def services_of(sensor: FakeSensor) -> BleakGATTServiceCollection:
    """Return the services a sensor shows."""
    collection = BleakGATTServiceCollection()
    service = BleakGATTService(None, 1, M40.stream.service)
    collection.add_service(service)
    rows: list[tuple[str, bytes, list[Any]]] = [(M40.stream.characteristic, b"\x00\x00", ["read", "notify"])]
    if sensor.serial:
        rows.append((M40.identity.serial, sensor.serial.encode(), ["read"]))
    if sensor.battery is not None:
        rows.append((M40.identity.battery, bytes([sensor.battery]), ["read"]))
    for handle, (uuid, value, properties) in enumerate(rows, start=2):
        collection.add_characteristic(BleakGATTCharacteristic(value, handle, uuid, properties, lambda: 20, service))
    return collection


class FakeCamera:
    """Grey pictures at a steady rate."""

    width, height = 64, 48
    turn = UPRIGHT

    def __init__(self, rate_hz: float = 30.0) -> None:
        self.nominal_hz = rate_hz
        self.asked: dict[str, Any] = {}
        self.fail_at: int | None = None
        self.n_read = 0
        self.released = False

    def read(self) -> NDArray[np.uint8] | None:
        time.sleep(1 / self.nominal_hz)
        if self.n_read == self.fail_at:
            return None
        self.n_read += 1
        return np.full((self.height, self.width, 3), self.n_read % 256, dtype=np.uint8)

    def release(self) -> None:
        self.released = True


class FakeMicrophone:
    """A tone in blocks of 20 ms."""

    rate_hz = 16000

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, callback: Callable[[NDArray[np.int16]], None]) -> None:
        n = self.rate_hz // 50
        block = np.round(8000 * np.sin(2 * np.pi * 440 * np.arange(n) / self.rate_hz)).astype(np.int16)

        def run() -> None:
            began, k = time.perf_counter(), 0
            while not self._stop.is_set():
                k += 1
                time.sleep(max(0.0, began + k * 0.02 - time.perf_counter()))
                callback(block)

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()


class FakeHardware:
    """A rig of these parts."""

    name = "fake"

    def __init__(
        self,
        sensors: list[FakeSensor],
        *,
        slots: tuple[Sensor, ...] | None = None,
        camera: FakeCamera | None = None,
        microphone: FakeMicrophone | None = None,
        port: str | None = None,
        scan_s: float = SCAN_S,
        settle_s: float = SETTLE_S,
    ) -> None:
        self.air = FakeAir(sensors)
        self.scan_s, self.settle_s = scan_s, settle_s
        self.sensors = slots or slots_of(len(sensors))
        self.camera, self.microphone, self.port = camera, microphone, port
        self.prompts: list[tuple[Prompt, int]] = []
        self.finished_with: list[Path | None] = []
        self.radio_open = 0

    async def open_radio(self) -> Radio:
        self.radio_open += 1
        return replace(self.air.radio(), scan_s=self.scan_s, settle_s=self.settle_s)

    async def close_radio(self) -> None:
        self.radio_open -= 1

    def open_camera(self) -> FakeCamera | None:
        return self.camera

    def open_sound(self) -> FakeMicrophone | None:
        return self.microphone

    def open_cues(self) -> str:
        return ""

    def box_port(self) -> str | None:
        return self.port

    def prompt(self, prompt: Prompt, host_ns: int) -> None:
        self.prompts.append((prompt, host_ns))

    def finish(self, capture: Path | None) -> None:
        self.finished_with.append(capture)


def slots_of(n: int, **fields: Any) -> tuple[Sensor, ...]:
    """Return the first ``n`` slots of the paper."""
    return tuple(
        Sensor(slot=i + 1, channel=c.name, muscle=c.muscle, side=c.side, **fields)
        for i, c in enumerate(PAPER_CHANNELS[:n])
    )


def fake_sensors(n: int) -> list[FakeSensor]:
    """Return ``n`` sensors with addresses and serials of their own."""
    return [FakeSensor(address=f"C0:00:00:00:00:{i:02X}", serial=f"SN{i:03}") for i in range(1, n + 1)]


class BoxTwin:
    """An LED box on a pseudo-terminal, with a clock of its own and scripted misbehaviour."""

    def __init__(
        self,
        *,
        rate: float = 1.0004,
        start_us: int = (1 << 32) - 300_000,
        delay_s: float | Callable[[], float] = 0.00025,
        mute: bool = False,
        garbage: bytes = b"",
    ) -> None:
        self.master, slave = pty.openpty()
        tty.setraw(self.master)
        tty.setraw(slave)
        self.port = os.ttyname(slave)
        self._slave = slave
        self._began_ns = time.perf_counter_ns()
        self._rate, self._start_us = rate, start_us
        self._delay_s = delay_s if callable(delay_s) else lambda: delay_s
        self.mute, self.garbage = mute, garbage
        self.banners = 1
        self.answer_late_s = 0.0
        self.flashes_host_ns: list[int] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def micros(self) -> int:
        us = (time.perf_counter_ns() - self._began_ns) / 1000 * self._rate
        return (self._start_us + int(us)) % (1 << 32)

    def send(self, line: bytes) -> None:
        os.write(self.master, line)

    def _run(self) -> None:
        os.set_blocking(self.master, False)
        pending = b""
        while not self._stop.is_set():
            try:
                pending += os.read(self.master, 4096)
            except (BlockingIOError, OSError):
                time.sleep(0.0002)
                continue
            while b"\n" in pending:
                line, _, pending = pending.partition(b"\n")
                self._answer(line.decode())

    def _answer(self, line: str) -> None:
        time.sleep(self._delay_s())
        if self.garbage:
            self.send(self.garbage)
        if self.mute:
            return
        words = line.split()
        if words[0] == "ID":
            self.send(b"ID mia-led-box 1\n" * self.banners)
        elif words[0] == "PING":
            us = self.micros()
            time.sleep(self._delay_s() + self.answer_late_s)
            self.send(f"PONG {words[1]} {us}\n".encode())
        elif words[0] == "FLASH":
            at_ns, us = time.perf_counter_ns(), self.micros()
            self.flashes_host_ns.append(at_ns)
            time.sleep(self._delay_s() + self.answer_late_s)
            self.send(f"FLASH {words[1]} {us}\n".encode())

    def reset(self) -> None:
        """Begin again, as an Arduino does when its port is opened."""
        self._began_ns, self._start_us = time.perf_counter_ns(), 0

    def unplug(self) -> None:
        """Pull the cable: the port fails for whoever has it open."""
        self._stop.set()
        self._thread.join()
        for fd in (self.master, self._slave):
            os.close(fd)
        self.master = -1

    def close(self) -> None:
        if self.master >= 0:
            self.unplug()


def wait_until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Wait until ``condition`` holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not come about in time")
        time.sleep(0.005)


@pytest.fixture
def fakes() -> SimpleNamespace:
    """The fake parts that tests build their rigs from."""
    return SimpleNamespace(
        sensors=fake_sensors,
        slots=slots_of,
        hardware=FakeHardware,
        camera=FakeCamera,
        microphone=FakeMicrophone,
        wait_until=wait_until,
    )


@pytest.fixture
def box_twin() -> Iterator[Callable[..., BoxTwin]]:
    """Make LED boxes on pseudo-terminals; they are closed at the end."""
    made: list[BoxTwin] = []

    def make(**options: Any) -> BoxTwin:
        made.append(BoxTwin(**options))
        return made[-1]

    yield make
    for twin in made:
        twin.close()
