"""Interface between the recorder and its hardware, implemented by real devices and the virtual rig."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import BaseBleakScanner
from numpy.typing import NDArray

from acquire.media.orientation import Orientation
from acquire.protocol.schedule import Prompt
from dataset.capture.types import Sensor

SCAN_S = 4.0
SETTLE_S = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Radio:
    """The Bluetooth stack bleak goes through: None means the system's own.

    bleak takes backend classes, not instances; a virtual radio closes over its device in a factory.

    Attributes
    ----------
    disconnect_reason : callable, optional
        Returns the HCI code with which the last link to an address ended; bleak itself does not tell it.
    scan_s : float
        A scan that finds no sensor ends after this long.
    settle_s : float
        A scan that has found some sensors ends when no new one was found for this long.
    """

    client_backend: type[BaseBleakClient] | None = None
    scanner_backend: type[BaseBleakScanner] | None = None
    disconnect_reason: Callable[[str], int | None] | None = None
    scan_s: float = SCAN_S
    settle_s: float = SETTLE_S


class FrameSource(Protocol):
    """A camera that is read like ``cv2.VideoCapture``: :meth:`read` blocks until the next frame."""

    #: As :meth:`read` gives them, before ``turn``.
    width: int
    height: int
    #: What the driver says it gives; what it really gives is measured.
    nominal_hz: float
    #: What makes its pictures upright.
    turn: Orientation
    #: What was asked of it and what it said, for the log.
    asked: Mapping[str, Any]

    def read(self) -> NDArray[np.uint8] | None:
        """Return the next frame, shape (height, width, 3) in BGR, or None when the camera has failed."""
        ...

    def release(self) -> None:
        """Close the camera."""
        ...


#: Called by a sound source with one block of samples, int16, shape (n,), in the source's own thread.
BlockCallback = Callable[[NDArray[np.int16]], None]


class SoundSource(Protocol):
    """A microphone that calls back with blocks of mono sound."""

    rate_hz: int

    def start(self, callback: BlockCallback) -> None:
        """Start delivering blocks."""
        ...

    def stop(self) -> None:
        """Stop; no callback is made after it returns."""
        ...


class Hardware(Protocol):
    """All hardware of a recording. The recorder opens the devices present and stores their data."""

    #: Name stored in the log, such as ``virtual`` or the rig file.
    name: str
    #: The slots to fill; ``address`` or ``serial`` empty: accept any device that matches the profile.
    sensors: tuple[Sensor, ...]

    async def open_radio(self) -> Radio:
        """Open the Bluetooth stack; called once, inside the event loop that owns every bleak object."""
        ...

    async def close_radio(self) -> None:
        """Close the Bluetooth stack, in the same loop."""
        ...

    def open_camera(self) -> FrameSource | None:
        """Open the camera; None if the rig has none."""
        ...

    def open_sound(self) -> SoundSource | None:
        """Open the microphone; None if there is none."""
        ...

    def open_cues(self) -> str:
        """Open the sound output for the cues of :meth:`prompt`; return a note for the user, or an empty text."""
        ...

    def box_port(self) -> str | None:
        """Return the serial port of the LED box; None if there is none."""
        ...

    def prompt(self, prompt: Prompt, host_ns: int) -> None:
        """Pass a prompt to the person. A real person reads the screen; the virtual one receives it here."""
        ...

    def finish(self, capture: Path | None) -> None:
        """Release everything; the virtual rig writes its ``truth.json`` into the capture's folder.

        ``capture`` is None if nothing was recorded.
        """
        ...
