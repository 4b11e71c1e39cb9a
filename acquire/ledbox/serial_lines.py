"""Reads a serial port as time-stamped lines in a thread; passes on unterminated bytes, reports failure once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import serial
from serial.tools import list_ports

from dataset.support import clock
from dataset.support.errors import HardwareError

#: Longer lines are cut: no line of the protocol is nearly as long.
MAX_LINE_BYTES = 256
#: Bytes without a line end for this long are passed on as they are: wrong baud rate, or another device.
UNENDED_AFTER_S = 0.3

#: Called in the reader's thread with the host time of a line's completion, and the line without its end.
LineCallback = Callable[[int, bytes], None]


class SerialLines:
    """An open serial port.

    Parameters
    ----------
    port : str
        Device name, such as ``/dev/ttyUSB0``.
    baud : int
    on_line : callable

    Raises
    ------
    HardwareError
        The port cannot be opened.
    """

    def __init__(self, port: str, baud: int, on_line: LineCallback) -> None:
        self.port = port
        #: Why the port failed; empty while it works.
        self.failure = ""
        self._on_line = on_line
        self._stop = threading.Event()
        try:
            self._port = serial.Serial(port, baud, timeout=0.1, write_timeout=1.0)
        except (serial.SerialException, OSError, ValueError) as error:
            raise HardwareError(
                f"the LED box's port {port} cannot be opened", str(error), "check the cable and [box] in the rig file"
            ) from error
        self._reader = threading.Thread(target=self._read, name="serial-reader", daemon=True)
        self._reader.start()

    def send(self, text: str) -> int:
        """Write one line; returns the host time just before."""
        before_ns = clock.now_ns()
        try:
            self._port.write(text.encode() + b"\n")
        except (serial.SerialException, OSError) as error:
            self._fail(f"writing failed: {error}")
        return before_ns

    def close(self) -> None:
        """Close the port; no callback comes after it returns."""
        self._stop.set()
        self._reader.join(timeout=2)
        with contextlib.suppress(serial.SerialException, OSError):
            self._port.close()

    def _read(self) -> None:
        pending, since_ns = b"", 0
        while not self._stop.is_set():
            try:
                chunk = self._port.read(max(1, self._port.in_waiting))
                arrival_ns = clock.now_ns()
            except (serial.SerialException, OSError, TypeError) as error:  # TypeError: pyserial, port closed meanwhile
                self._fail(f"the port failed: {error}")
                return
            since_ns = since_ns if pending else arrival_ns
            pending += chunk
            while b"\n" in pending or len(pending) >= MAX_LINE_BYTES:
                line, _, pending = pending.partition(b"\n")
                line, pending = line[:MAX_LINE_BYTES], line[MAX_LINE_BYTES:] + pending
                self._on_line(arrival_ns, line)
                since_ns = arrival_ns
            if pending and arrival_ns - since_ns > UNENDED_AFTER_S * 1e9:
                self._on_line(arrival_ns, pending)
                pending = b""

    def _fail(self, why: str) -> None:
        if not self._stop.is_set() and not self.failure:
            self.failure = why


def port_identity(port: str) -> tuple[int, int, str] | None:
    """Return vendor, product and serial number of the USB device of a port; None if there is none."""
    for found in list_ports.comports():
        if found.device == port and found.vid is not None and found.pid is not None:
            return found.vid, found.pid, found.serial_number or ""
    return None


def find_port(identity: tuple[int, int, str] | None, port: str) -> str:
    """Return the current port of a USB device: its name may change when it is plugged in again."""
    if identity is None:
        return port
    here = [p.device for p in list_ports.comports() if (p.vid, p.pid, p.serial_number or "") == identity]
    return port if port in here or len(here) != 1 else here[0]
