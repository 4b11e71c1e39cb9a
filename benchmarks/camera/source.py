"""A 720p camera that packs its pictures as JPEG, as webcams do: a process that sends, and the recorder's end of it.

The child draws a virtual person beforehand and only copies while it films, so that it takes little of the machine.
The recorder's process decodes the JPEG, as with OpenCV.
"""

from __future__ import annotations

import argparse
import os
import select
import socket
import struct
import sys
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from acquire.media.orientation import UPRIGHT
from acquire.protocol.schedule import Prompt
from acquire.virtual.devices import orders
from acquire.virtual.devices.child import Child
from acquire.virtual.devices.delivery import FrameRing, FrameSender
from acquire.virtual.devices.scene_process import sleep_until
from acquire.virtual.faults import Faults
from acquire.virtual.person.figure import Figure
from dataset.support.clock import now_ns

WIDTH, HEIGHT = 1280, 720
#: Pictures drawn beforehand and repeated forwards and backwards: two seconds.
N_PICTURES = 60
NOISE_SD = 2.0
JPEG_QUALITY = 85
_HEADER = struct.Struct("<qI")
#: A slot holds one packed picture: 600 kB.
_SLOT = (1, 200_000)
_POLL_S = 0.2


def drawn_pictures(seed: int) -> list[bytes]:
    """Return packed pictures of a person who squats, with a sensor's noise."""
    world = orders.make_world(seed, "BENCH", Faults())
    world.prompt(Prompt(at_s=0.0, kind="exercise_start", label="squat"), 0)
    figure = Figure(world.look, world.body.height_m)
    rng = np.random.default_rng(seed)
    packed = []
    for k in range(N_PICTURES):
        small = figure.draw(world.joints(2_000_000_000 + k * 33_333_333))
        large = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        noisy = np.clip(large + rng.normal(0, NOISE_SD, large.shape), 0, 255).astype(np.uint8)
        packed.append(cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes())
    return packed


class JpegCamera:
    """The recorder's end: a :class:`acquire.hardware.FrameSource` that remembers when each frame was sent.

    Attributes
    ----------
    sent_ns, read_ns : list of int
        For each frame read: when the camera had it ready, and when it was unpacked.
    """

    width, height, nominal_hz = WIDTH, HEIGHT, 30.0
    turn = UPRIGHT

    def __init__(self, seed: int) -> None:
        self.asked: Mapping[str, Any] = {"driver": "benchmark", "codec": "MJPG"}
        self.sent_ns: list[int] = []
        self.read_ns: list[int] = []
        self._channel, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        memory = FrameRing.allocate(*_SLOT)
        self._ring = FrameRing(memory, *_SLOT)
        self._child = Child(
            "benchmarks.camera.source",
            ["--ring-fd", str(memory), "--frames-fd", str(there.fileno()), "--seed", str(seed)],
            (memory, there.fileno()),
        )
        there.close()
        os.close(memory)
        self._child.wait_ready()
        self._open = True

    def read(self) -> NDArray[np.uint8] | None:
        """Return the next frame, unpacked."""
        while not select.select([self._channel], [], [], _POLL_S)[0]:
            if not self._open:
                return None
        packet = self._channel.recv(4)
        if not packet or not self._open:
            return None
        (slot,) = struct.unpack("<I", packet)
        data = self._ring.pictures[slot].reshape(-1)
        sent_ns, n = _HEADER.unpack(data[: _HEADER.size].tobytes())
        image = cv2.imdecode(data[_HEADER.size : _HEADER.size + n], cv2.IMREAD_COLOR)
        self._channel.send(packet)
        self.sent_ns.append(sent_ns)
        self.read_ns.append(now_ns())
        return np.asarray(image, dtype=np.uint8)

    def release(self) -> None:
        """Let a waiting :meth:`read` return."""
        self._open = False

    def finish(self) -> int:
        """End the camera; returns how many frames it could not hand over since nobody had read the ones before."""
        report = self._child.report()
        self._child.close()
        self._channel.close()
        return int(report["n_overrun"])


def main() -> None:
    """Film on inherited file descriptors until standard input ends."""
    parser = argparse.ArgumentParser()
    for name in ("ring-fd", "frames-fd", "seed"):
        parser.add_argument(f"--{name}", type=int, required=True)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    ring = FrameRing(given.ring_fd, *_SLOT)
    sender = FrameSender(ring, socket.socket(fileno=given.frames_fd))
    size = int(np.prod(ring.pictures.shape[1:]))
    pictures = []
    for packed in drawn_pictures(given.seed):
        slot = np.zeros(size, dtype=np.uint8)
        slot[: _HEADER.size + len(packed)] = np.frombuffer(_HEADER.pack(0, len(packed)) + packed, dtype=np.uint8)
        pictures.append(slot.reshape(ring.pictures.shape[1:]))
    shown = [*pictures, *pictures[-2:0:-1]]
    orders.answer({"ready": True})
    began_ns, index, n_overrun = now_ns(), 0, 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        sleep_until(began_ns + round(index * 1e9 / 30))
        if sender.has_room():
            slot_number = sender.put(shown[index % len(shown)])
            stamp = np.frombuffer(struct.pack("<q", now_ns()), dtype=np.uint8)
            ring.pictures[slot_number].reshape(-1)[:8] = stamp
            sender.send(slot_number)
        else:
            n_overrun += 1
        index += 1
    orders.answer({"n_overrun": n_overrun, "n_filmed": index})


if __name__ == "__main__":
    main()
