"""How frames and sound reach the recorder's process: shared memory for pictures, packets for sound."""

from __future__ import annotations

import mmap
import os
import select
import socket
import struct
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acquire.hardware import BlockCallback
from acquire.media.orientation import UPRIGHT

#: Pictures in transit at once; a slower recorder loses frames, as with a real camera.
RING_SLOTS = 8

#: How often a waiting reader checks whether it was closed.
POLL_S = 0.2

_SLOT = struct.Struct("<I")


class FrameRing:
    """Picture buffers in memory shared by two processes through an inherited file descriptor.

    The memory has no name: nothing is left behind, however the processes end.
    """

    def __init__(self, fd: int, height: int, width: int) -> None:
        self._shape = (RING_SLOTS, height, width, 3)
        self._memory = mmap.mmap(fd, self.size(height, width))
        self.pictures: NDArray[np.uint8] = np.frombuffer(self._memory, dtype=np.uint8).reshape(self._shape)

    @staticmethod
    def size(height: int, width: int) -> int:
        """Return the size of a ring in bytes."""
        return RING_SLOTS * height * width * 3

    @classmethod
    def allocate(cls, height: int, width: int) -> int:
        """Return a new file descriptor of the right size; the caller closes it."""
        fd = os.memfd_create("mia-virtual-camera", 0)
        os.ftruncate(fd, cls.size(height, width))
        return fd

    def close(self) -> None:
        """Unmap the memory."""
        del self.pictures
        self._memory.close()


class FrameSender:
    """The camera's end: puts pictures into free slots and tells the reader which."""

    def __init__(self, ring: FrameRing, channel: socket.socket) -> None:
        self._ring = ring
        self._channel = channel
        self._free = list(range(RING_SLOTS))
        channel.setblocking(False)

    def has_room(self) -> bool:
        """Return whether a slot is free; the reader hands slots back as it reads."""
        with suppress(BlockingIOError):
            while packet := self._channel.recv(_SLOT.size):
                self._free.append(*_SLOT.unpack(packet))
        return bool(self._free)

    def put(self, picture: NDArray[np.uint8]) -> int:
        """Copy ``picture`` into a free slot and return the slot; :meth:`send` delivers it."""
        slot = self._free.pop()
        self._ring.pictures[slot] = picture
        return slot

    def take_back(self, slot: int) -> None:
        """Free a slot whose picture is not to be delivered."""
        self._free.append(slot)

    def send(self, slot: int) -> None:
        """Tell the reader that the picture in ``slot`` is there."""
        with suppress(BrokenPipeError):
            self._channel.send(_SLOT.pack(slot))


class VirtualCamera:
    """The recorder's end: a :class:`acquire.hardware.FrameSource`."""

    def __init__(self, ring: FrameRing, channel: socket.socket, nominal_hz: float) -> None:
        _, self.height, self.width, _ = ring.pictures.shape
        self.nominal_hz = nominal_hz
        self.turn = UPRIGHT
        self.asked: Mapping[str, Any] = {"driver": "virtual"}
        self._ring = ring
        self._channel = channel
        self._closed = threading.Event()
        self._drain()

    def _drain(self) -> None:
        """Free the slots of pictures that an earlier reader did not take."""
        while select.select([self._channel], [], [], 0)[0]:
            packet = self._channel.recv(_SLOT.size)
            if not packet:
                return
            self._channel.send(packet)

    def read(self) -> NDArray[np.uint8] | None:
        """Return the next frame, or None when the camera was released or has failed."""
        try:
            while not select.select([self._channel], [], [], POLL_S)[0]:
                if self._closed.is_set():
                    return None
            packet = self._channel.recv(_SLOT.size)
            if not packet or self._closed.is_set():
                return None
            (slot,) = _SLOT.unpack(packet)
            picture: NDArray[np.uint8] = self._ring.pictures[slot].copy()
            self._channel.send(packet)
        except (OSError, ValueError, AttributeError):  # the other end, or the whole rig, is gone
            return None
        return picture

    def release(self) -> None:
        """Let a waiting :meth:`read` return."""
        self._closed.set()


class VirtualMicrophone:
    """The recorder's end of the sound: a :class:`acquire.hardware.SoundSource`."""

    def __init__(self, channel: socket.socket, rate_hz: int, block_samples: int) -> None:
        self.rate_hz = rate_hz
        self._channel = channel
        self._block_bytes = 2 * block_samples
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, callback: BlockCallback) -> None:
        """Start a thread that delivers blocks."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, args=(callback,), name="virtual-microphone", daemon=True)
        self._thread.start()

    def _run(self, callback: BlockCallback) -> None:
        while not self._stopping.is_set():
            if not select.select([self._channel], [], [], POLL_S)[0]:
                continue
            packet = self._channel.recv(self._block_bytes)
            if not packet:
                return
            if not self._stopping.is_set():
                callback(np.frombuffer(packet, dtype="<i2"))

    def stop(self) -> None:
        """Stop; no callback comes after it returns."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
