"""The process of the virtual camera and microphone: ``python -m acquire.virtual.devices.scene_process``."""

from __future__ import annotations

import abc
import argparse
import os
import socket
import sys
import threading
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from acquire.virtual import chance
from acquire.virtual.devices import orders
from acquire.virtual.devices.box import FLASH_RECORD
from acquire.virtual.devices.clocks import Devices
from acquire.virtual.devices.delivery import FrameRing, FrameSender
from acquire.virtual.devices.sent import SentLog
from acquire.virtual.devices.soundtrack import Soundtrack
from acquire.virtual.faults import Faults
from acquire.virtual.film import HEIGHT, WIDTH
from acquire.virtual.person.figure import Figure, expose
from acquire.virtual.person.world import World
from dataset.support.clock import now_ns
from dataset.support.parsing import parse_json

#: Wait after an exposure or a block of sound has ended: the message about a flash takes about a millisecond.
NEWS_NS = 4_000_000

#: A frame that this machine delays for longer is dropped: its arrival would depend on the machine, not the camera.
LATEST_NS = 10_000_000

#: Values of a picture that noise may change.
GRAINS = 4000

#: Thread switch interval of the interpreter; the default of 5 ms shows in arrival times.
SWITCH_INTERVAL_S = 0.0005


def sleep_until(host_ns: int) -> None:
    """Sleep until a host time; return at once where it has passed."""
    wait_s = (host_ns - now_ns()) * 1e-9
    if wait_s > 0:
        time.sleep(wait_s)


@dataclass(slots=True, kw_only=True)
class CameraRecord:
    """What the camera did.

    Attributes
    ----------
    frames : list of (int, int)
        For each frame delivered: host time of its delivery and of its exposure's centre.
    n_dropped : int
        Frames lost by the fault model.
    n_frozen : int
        Frames lost in a freeze.
    n_overrun : int
        Frames lost because they were not read, or this machine was too slow to draw them.
    worst_lateness_s : float
        Largest delay of a frame's delivery against its plan, caused by this machine.
    """

    frames: list[tuple[int, int]] = field(default_factory=list)
    n_dropped: int = 0
    n_frozen: int = 0
    n_overrun: int = 0
    worst_lateness_s: float = 0.0


class _Part(threading.Thread, abc.ABC):
    """A thread that works from when ``wanted`` is set until :meth:`end`."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.wanted = threading.Event()
        self.stopping = threading.Event()
        self.failure: Exception | None = None

    def run(self) -> None:
        """Wait until wanted, then work."""
        while not self.wanted.wait(0.1):
            if self.stopping.is_set():
                return
        try:
            self.work()
        except Exception as error:  # noqa: BLE001 - passed to the rig, which raises it
            self.failure = error

    @abc.abstractmethod
    def work(self) -> None:
        """Work until ``stopping`` is set."""

    def end(self) -> None:
        """Stop, wait, and raise what went wrong."""
        self.stopping.set()
        self.join()
        if self.failure is not None:
            raise self.failure


class Grain:
    """Sensor noise in the last bit of some values: just enough that no two pictures are the same."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 0x4E4F4953])
        self._at = self._rng.integers(0, HEIGHT * WIDTH * 3, GRAINS)

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a noisy copy of the picture."""
        noisy = picture.copy()
        noisy.reshape(-1)[self._at] ^= self._rng.integers(0, 2, GRAINS, dtype=np.uint8)
        return noisy


class Camera(_Part):
    """Draws the body once a frame of the camera's own clock and delivers it when its latency has passed."""

    def __init__(self, world: World, devices: Devices, sender: FrameSender, sent: SentLog) -> None:
        super().__init__("camera")
        self._sent = sent
        self.record = CameraRecord()
        self._world = world
        self._clock = devices.camera
        self._flash = (devices.flash_gain, devices.flash_light)
        self._sender = sender
        self._figure = Figure(world.look, world.body.height_m, girth=world.body.girth)
        self._grain = Grain(world.seed)
        self._frozen_until_ns = 0
        self._wanted_hz = self._clock.nominal_hz

    def freeze(self, seconds: float) -> None:
        """Deliver nothing for a while."""
        self._frozen_until_ns = now_ns() + round(seconds * 1e9)

    def set_rate(self, rate_hz: float) -> None:
        """Change the frame rate from the next frame on."""
        self._wanted_hz = rate_hz

    def work(self) -> None:
        """Film."""
        clock = self._clock
        index = clock.next_index(now_ns() + clock.latency_ns)
        while not self.stopping.is_set():
            if self._wanted_hz != clock.nominal_hz:
                begins_ns = int(clock.starts_ns(np.array([index]))[0])
                # A new name: the new rate's frames have their own jitter and losses.
                clock = self._clock = replace(
                    clock, name=f"{clock.name}'", nominal_hz=self._wanted_hz, zero_ns=begins_ns
                )
                index = 0
            self._frame(index)
            index += 1
            if now_ns() > int(clock.arrivals_ns(np.array([index]))[0]) + LATEST_NS:
                soonest = clock.next_index(now_ns())
                self.record.n_overrun += soonest - index
                index = soonest

    def _frame(self, index: int) -> None:
        which = np.array([index])
        arrival_ns = int(self._clock.arrivals_ns(which)[0])
        # All rows are exposed at the latest moment from which the frame can still be made in time.
        sleep_until(arrival_ns - self._clock.latency_ns + NEWS_NS)
        if self._clock.dropped(which)[0]:
            self.record.n_dropped += 1
            return
        if now_ns() < self._frozen_until_ns:
            self.record.n_frozen += 1
            return
        if not self._sender.has_room():
            self.record.n_overrun += 1
            return
        centre_ns = int(self._clock.centres_ns(which)[0])
        lit_ns = [(flash.on_ns, flash.off_ns) for flash in self._world.flashes()[-4:]]
        lit_rows = self._clock.lit_rows(index, self._figure.height, lit_ns)
        picture = expose(self._figure.draw(self._world.joints(centre_ns)), lit_rows, *self._flash)
        slot = self._sender.put(self._grain(picture))
        sleep_until(arrival_ns)
        sent_ns = now_ns()
        if sent_ns > arrival_ns + LATEST_NS:
            self._sender.take_back(slot)
            self.record.n_overrun += 1
            return
        self._sender.send(slot)
        self._sent.note("frame", sent_ns)
        self.record.frames.append((sent_ns, centre_ns))
        self.record.worst_lateness_s = max(self.record.worst_lateness_s, (sent_ns - arrival_ns) * 1e-9)


class Microphone(_Part):
    """Delivers blocks of sound when their last sample has been taken and the latency has passed."""

    def __init__(self, soundtrack: Soundtrack, devices: Devices, channel: socket.socket) -> None:
        super().__init__("microphone")
        self.n_overrun = 0
        self._soundtrack = soundtrack
        self._clock = devices.microphone
        self._channel = channel
        channel.setblocking(False)

    def work(self) -> None:
        """Listen."""
        clock = self._clock
        block = clock.next_block(now_ns())
        while not self.stopping.is_set():
            arrival_ns = clock.arrival_ns(block)
            sleep_until(min(arrival_ns, clock.sample_ns((block + 1) * clock.block_samples) + NEWS_NS))
            start_ns = clock.sample_ns(block * clock.block_samples)
            samples = self._soundtrack.samples(start_ns, clock.block_samples, clock.true_rate_hz)
            sleep_until(arrival_ns)
            try:
                self._channel.send(samples.tobytes())
            except (BlockingIOError, BrokenPipeError):
                self.n_overrun += 1
            block += 1


class Flashes(threading.Thread):
    """Receives from the LED box's process when its LED is lit; suppresses the flashes that faults hide."""

    def __init__(self, world: World, faults: Faults, fd: int) -> None:
        super().__init__(name="flashes", daemon=True)
        self._world = world
        self._hidden_share = faults.hidden_flash_share
        self._fd = fd

    def run(self) -> None:
        """Pass flashes to the world until the box ends."""
        number = 0
        while packet := os.read(self._fd, FLASH_RECORD.size):
            hidden = float(chance.uniform(f"{self._world.seed}/hidden flash", np.array([number]))[0])
            if hidden >= self._hidden_share:
                self._world.flash(*FLASH_RECORD.unpack(packet))
            number += 1


def serve(world: World, camera: Camera, microphone: Microphone) -> dict[str, Any]:
    """Carry out commands until standard input ends or contains ``quit``; return the report."""
    for part in (camera, microphone):
        part.start()
    orders.answer({"ready": True})
    for order in orders.read_orders(sys.stdin):
        if "prompt" in order:
            world.prompt(*orders.read_prompt(order))
        elif "freeze" in order:
            camera.freeze(float(order["freeze"]))
        elif "rate_hz" in order:
            camera.set_rate(float(order["rate_hz"]))
        elif "camera" in order:
            camera.wanted.set()
        elif "sound" in order:
            microphone.wanted.set()
    for part in (camera, microphone):
        part.end()
    return {
        "camera": asdict(camera.record),
        "sound": {"n_overrun": microphone.n_overrun},
        "flashes": [(flash.on_ns, flash.off_ns) for flash in world.flashes()],
    }


def main() -> None:
    """Run on inherited file descriptors."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--rig-seed", type=int)
    parser.add_argument("--subject", required=True)
    parser.add_argument("--faults", required=True)
    parser.add_argument("--sent", type=Path)
    for name in ("ring", "frames", "sound", "flashes"):
        parser.add_argument(f"--{name}-fd", type=int, required=True)
    given = parser.parse_args()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    cv2.setNumThreads(1)
    faults = Faults.model_validate(parse_json(given.faults))
    world = orders.make_world(given.seed, given.subject, faults)
    rig_seed = given.seed if given.rig_seed is None else given.rig_seed
    devices = Devices.drawn(rig_seed, faults, recording=given.seed)
    ring = FrameRing(given.ring_fd, HEIGHT, WIDTH)
    sent = SentLog(given.sent / "camera" if given.sent else None)
    camera = Camera(world, devices, FrameSender(ring, socket.socket(fileno=given.frames_fd)), sent)
    microphone = Microphone(Soundtrack(world, devices, faults), devices, socket.socket(fileno=given.sound_fd))
    Flashes(world, faults, given.flashes_fd).start()
    orders.answer(serve(world, camera, microphone))


if __name__ == "__main__":
    main()
