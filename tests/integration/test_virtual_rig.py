"""The virtual rig's processes together: what arrives, when, what is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import serial
from bleak import BleakClient, BleakScanner

from acquire.protocol.schedule import Prompt
from acquire.virtual.devices.child import Child, VirtualRigError
from acquire.virtual.faults import Faults
from acquire.virtual.rig import VirtualHardware, VirtualRigOptions
from dataset.capture.writer import CaptureWriter
from dataset.sensors.profile import find_profile
from dataset.support import clock
from tests.present import present

M40 = find_profile("anr-m40")


def until(condition: Callable[[], bool], timeout_s: float = 30.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


@pytest.fixture(scope="module")
def rig() -> Iterator[VirtualHardware]:
    """One running rig for the tests that leave it running; starting one takes seconds."""
    hardware = VirtualHardware(11)
    yield hardware
    hardware.close()


def test_camera_sound_and_flash_arrive_together(rig: VirtualHardware) -> None:
    frames: list[tuple[int, float]] = []
    blocks: list[tuple[int, int]] = []
    camera = rig.open_camera()
    sound = rig.open_sound()

    def film() -> None:
        while (picture := camera.read()) is not None:
            frames.append((clock.now_ns(), float(picture.mean())))

    filming = threading.Thread(target=film)
    filming.start()
    sound.start(lambda samples: blocks.append((clock.now_ns(), int(np.abs(samples.astype(int)).max()))))
    with serial.Serial(rig.box_port(), 115200, timeout=10) as port:
        assert until(lambda: len(frames) > 20)
        asked_ns = clock.now_ns()
        port.write(b"FLASH 1 100\n")
        assert port.readline().startswith(b"FLASH 1 ")
    n_before = len(frames)
    assert until(lambda: len(frames) > n_before + 15)
    sound.stop()
    camera.release()
    filming.join(timeout=10)
    assert not filming.is_alive()
    n_blocks = len(blocks)

    assert (camera.width, camera.height) == (640, 480)
    gaps_s = np.diff([at for at, _ in frames]) * 1e-9
    assert np.median(gaps_s) == pytest.approx(1 / 30, abs=0.004)
    brightness = np.array([mean for _, mean in frames])
    lit = np.flatnonzero(brightness > np.median(brightness) + 5)
    assert 2 <= len(lit) <= 6
    assert 0.0 < (frames[lit[0]][0] - asked_ns) * 1e-9 < 0.5
    assert np.median(np.diff([at for at, _ in blocks])) * 1e-9 == pytest.approx(0.020, abs=0.004)
    loud = [at for at, peak in blocks if peak > 10 * np.median([p for _, p in blocks])]
    assert 4 <= len(loud) <= 9
    assert 0.0 < (loud[0] - asked_ns) * 1e-9 < 0.5
    assert len(blocks) == n_blocks


def test_frames_keep_their_order_when_the_reader_is_slow(rig: VirtualHardware) -> None:
    camera = rig.open_camera()
    for _ in range(3):
        assert camera.read() is not None
    time.sleep(0.6)  # longer than the ring is deep
    arrivals = []
    for _ in range(12):
        assert camera.read() is not None
        arrivals.append(clock.now_ns())
    gaps_s = [(b - a) * 1e-9 for a, b in pairwise(arrivals)]
    assert sum(gap < 0.01 for gap in gaps_s) >= 5  # those that waited come at once
    assert max(gaps_s[8:]) < 0.2  # then the camera's rate again
    camera.release()
    assert camera.read() is None


async def test_sensors_stream_drop_and_return_while_the_person_moves(rig: VirtualHardware) -> None:
    radio = await rig.open_radio()
    found = await BleakScanner.discover(timeout=0.5, return_adv=True, backend=present(radio.scanner_backend))
    assert {seen.local_name for _, seen in found.values()} == {"ANR Corp M40"}
    assert set(found) == {sensor.address for sensor in rig.sensors}
    moving = next(s for s in rig.sensors if s.channel == "left_quadriceps")
    still = next(s for s in rig.sensors if s.channel == "left_biceps")
    values: dict[str, list[int]] = {moving.channel: [], still.channel: []}
    lost = asyncio.Event()

    async def follow(sensor_address: str, channel: str) -> BleakClient:
        client = BleakClient(found[sensor_address][0], lambda _: lost.set(), backend=radio.client_backend)
        await client.connect()
        await client.start_notify(
            M40.stream.characteristic,
            lambda _, payload: values[channel].append(struct.unpack(M40.stream.format, payload)[0]),
        )
        return client

    clients = [await follow(s.address, s.channel) for s in (moving, still)]
    assert (await clients[0].read_gatt_char(M40.identity.serial)).decode() == moving.serial
    await asyncio.sleep(0.6)
    at_rest = max(values[moving.channel])
    rig.prompt(Prompt(at_s=0.0, kind="exercise_start", label="squat"), clock.now_ns())
    await asyncio.sleep(2.0)
    assert max(values[moving.channel]) > at_rest + 40
    assert len(values[still.channel]) >= 20
    rig.drop(still.slot)
    await asyncio.wait_for(lost.wait(), 2)
    assert clients[0].is_connected
    values[still.channel].clear()
    clients[1] = await follow(still.address, still.channel)
    await asyncio.sleep(0.5)
    assert len(values[still.channel]) >= 2
    for client in clients:
        await client.disconnect()
    await rig.close_radio()


def test_the_truth_is_written_and_nothing_is_left_behind(tmp_path: Path) -> None:
    before = descriptors()
    rig = VirtualHardware(12, options=VirtualRigOptions(faults=Faults(dropped_frame_share=0.0)))
    camera = rig.open_camera()
    folder = tmp_path / "sub-T" / "ses-20260101T000000"
    folder.mkdir(parents=True)
    writer = CaptureWriter(folder, subject="T", sensors=rig.sensors, sync_seed=1)
    began_ns = clock.now_ns()
    rig.prompt(Prompt(at_s=0.0, kind="clap_cue"), began_ns)
    heard: list[tuple[int, int]] = []
    sound = rig.open_sound()
    sound.start(lambda samples: heard.append((clock.now_ns(), int(np.abs(samples.astype(int)).max()))))
    with serial.Serial(rig.box_port(), 115200, timeout=10) as port:
        port.write(b"FLASH 1 50\n")
        assert port.readline()
    arrivals = []
    for index in range(60):
        assert camera.read() is not None
        arrivals.append(clock.now_ns())
        writer.frame(0, index, arrivals[-1], round((arrivals[-1] - arrivals[0]) / 1e6) * 1_000_000)
    camera.release()
    sound.stop()
    writer.close({})
    pids = rig.processes
    rig.finish(folder)
    assert rig.processes == ()
    assert not any(running(pid) for pid in pids)
    assert descriptors() <= before

    truth = json.loads((folder / "truth.json").read_text())
    (flash_ns,) = truth["flashes_host_ns"]
    (clap_ns,) = truth["claps_host_ns"]
    assert began_ns < flash_ns < arrivals[-1]
    assert 0 < (clap_ns - began_ns) * 1e-9 < 1.5
    # The scene's process heard the same clap as the truth tells, after its way through air and the microphone.
    loudest_ns = max(heard, key=lambda block: block[1])[0]
    assert 0.0 < (loudest_ns - clap_ns) * 1e-9 < 0.3
    # The exposure lies before the arrival by a camera's latency, at every frame.
    latency_s = (arrivals[0] - truth["video"]["host_ns_at_pts0"]) * 1e-9
    assert 0.03 < latency_s < 0.2
    assert abs(truth["video"]["rate_ppm"]) < 5000  # two seconds of jitter, no drift: arrivals are host time
    assert truth["emg"] == {}  # no sensor was connected


def test_one_seed_is_one_truth_and_another_seed_another() -> None:
    a, b, c = VirtualHardware(3), VirtualHardware(3), VirtualHardware(4)
    assert a.sensors == b.sensors
    assert {s.serial for s in a.sensors}.isdisjoint({s.serial for s in c.sensors})
    assert [s.slot for s in a.sensors] == list(range(1, 9))
    assert a.processes == ()  # nothing runs before something is opened


def test_a_process_that_dies_is_told_and_the_rest_is_stopped(tmp_path: Path) -> None:
    rig = VirtualHardware(13)
    rig.open_camera()
    pids = rig.processes
    os.kill(pids[1], 9)
    with pytest.raises(VirtualRigError, match="scene_process"):
        rig.finish(tmp_path)
    assert not any(running(pid) for pid in pids)
    assert not list(tmp_path.iterdir())


def test_a_child_that_cannot_start_says_why() -> None:
    child = Child("acquire.virtual.devices.box", ["--nonsense"])
    try:
        with pytest.raises(VirtualRigError, match="required"):
            child.wait_ready()
    finally:
        child.close()


def test_children_end_when_their_recorder_is_killed(tmp_path: Path) -> None:
    program = (
        "import os, time\n"
        "from acquire.virtual.rig import VirtualHardware\n"
        "rig = VirtualHardware(1)\n"
        "rig.open_camera()\n"
        "print(*rig.processes, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
    pids = [int(text) for text in done.stdout.split()]
    assert len(pids) == 3
    assert until(lambda: not any(running(pid) for pid in pids), 10)
