"""Driver of the LED box (``docs/led-box.md``): flashes with their host time, every line kept, never a hang."""

from __future__ import annotations

import contextlib
import queue
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import serial

from acquire.boxclock import MAX_RATE_ERROR, Exchange, host_time, unwrap_us
from acquire.journal import Journal
from dataset import clock
from dataset.capture_writer import CaptureWriter
from dataset.errors import HardwareError

BAUD = 115200
PROGRAM = "mia-led-box 1"
SOURCE = "led-box"
OPEN_TIMEOUT_S = 5.0  # an Arduino resets when its port is opened and then sits in its boot loader for two seconds
ANSWER_TIMEOUT_S = 0.5
IDLE_PINGS_EVERY_S = 1.0
PINGS_IN_A_BURST = 6
MAX_LINE_BYTES = 256
#: A reading this far from where the clock should be comes from a box that began again.
RESET_US = 100_000

#: Called with every trigger of the box's input: host time and uncertainty in nanoseconds.
TriggerCallback = Callable[[int, int], None]
#: Called in the box's thread when a flash has been answered (or not: None).
FlashCallback = Callable[["Flash | None"], None]

_ANSWER = re.compile(rb"(PONG|FLASH) (\d{1,10}) (\d{1,10})")
_TRIGGER = re.compile(rb"TRIG (\d{1,10})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flash:
    """LED and buzzer went on at ``t_ns`` of the host's clock, give or take ``uncertainty_ns``."""

    t_ns: int
    uncertainty_ns: int
    number: int
    box_us: int


class LedBox:
    """An LED box on a serial port.

    Parameters
    ----------
    port : str
        Device name, such as ``/dev/ttyUSB0``.
    journal : Journal
    on_trigger : callable, optional
        Footswitch or TTL input.

    Raises
    ------
    HardwareError
        The port cannot be opened, nothing answers on it, or what answers is no LED box.
    """

    def __init__(
        self,
        port: str,
        journal: Journal,
        *,
        on_trigger: TriggerCallback | None = None,
        open_timeout_s: float | None = None,
    ) -> None:
        self.port = port
        self._journal = journal
        self._on_trigger = on_trigger
        self._writer: CaptureWriter | None = None
        self._answers: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
        self._exchanges: deque[Exchange] = deque(maxlen=400)
        self._wanted: queue.SimpleQueue[tuple[int, FlashCallback]] = queue.SimpleQueue()
        self._number = 0
        self._box_us = 0
        self._stop = threading.Event()
        self.failure: str = ""
        try:
            self._port = serial.Serial(port, BAUD, timeout=0.1, write_timeout=1.0)
        except (serial.SerialException, OSError, ValueError) as error:
            raise HardwareError(
                f"the LED box's port {port} cannot be opened", str(error), "check the cable and [box] in the rig file"
            ) from error
        self._reader = threading.Thread(target=self._read_lines, name="led-box-reader", daemon=True)
        self._worker = threading.Thread(target=self._work, name="led-box", daemon=True)
        self._reader.start()
        try:
            self._greet(OPEN_TIMEOUT_S if open_timeout_s is None else open_timeout_s)
        except HardwareError:
            self._stop.set()
            self._shut_port()
            raise
        self._worker.start()

    # -- for the recorder -----------------------------------------------------------------------------------------

    def attach(self, writer: CaptureWriter) -> None:
        """Write every line received from now on to ``writer``."""
        self._writer = writer

    def detach(self) -> None:
        """Write to no capture any more."""
        self._writer = None

    def request_flash(self, duration_ms: int, done: FlashCallback) -> None:
        """Fire at once; ``done`` is called in the box's thread with the flash, or None where the box did not answer."""
        self._wanted.put((duration_ms, done))

    def flash(self, duration_ms: int, timeout_s: float = 3.0) -> Flash:
        """Fire and wait for the flash's host time.

        Raises
        ------
        HardwareError
            The box did not answer.
        """
        answer: queue.SimpleQueue[Flash | None] = queue.SimpleQueue()
        self.request_flash(duration_ms, answer.put)
        try:
            flash = answer.get(timeout=timeout_s)
        except queue.Empty:
            flash = None
        if flash is None:
            raise HardwareError(f"the LED box on {self.port} did not answer", self.failure, "check its cable")
        return flash

    def close(self) -> None:
        """Close the port."""
        self._stop.set()
        self._worker.join(timeout=3)
        self._shut_port()

    def _shut_port(self) -> None:
        self._reader.join(timeout=2)
        with contextlib.suppress(serial.SerialException, OSError):
            self._port.close()

    # -- the reader's thread --------------------------------------------------------------------------------------

    def _read_lines(self) -> None:
        pending = b""
        while not self._stop.is_set():
            try:
                chunk = self._port.read(max(1, self._port.in_waiting))
                arrival_ns = clock.now_ns()
            except (serial.SerialException, OSError, TypeError) as error:  # TypeError: pyserial, port closed meanwhile
                self._fail(f"the port failed: {error}")
                return
            pending += chunk
            while b"\n" in pending or len(pending) >= MAX_LINE_BYTES:
                line, _, pending = pending.partition(b"\n")
                line, pending = line[:MAX_LINE_BYTES], line[MAX_LINE_BYTES:] + pending
                self._take(arrival_ns, line)

    def _take(self, arrival_ns: int, line: bytes) -> None:
        writer = self._writer
        if writer is not None:
            writer.serial_line(SOURCE, arrival_ns, line)
        line = line.strip()
        if (trigger := _TRIGGER.fullmatch(line)) is None:
            self._answers.put((arrival_ns, line))
        elif self._on_trigger is not None and self._exchanges:
            box_us = unwrap_us(self._box_us, int(trigger[1]))
            self._on_trigger(*host_time(list(self._exchanges), box_us))

    def _fail(self, why: str) -> None:
        if not self._stop.is_set() and not self.failure:
            self.failure = why
            self._journal.log("error", "the LED box is lost", {"port": self.port, "why": why})

    # -- the worker's thread --------------------------------------------------------------------------------------

    def _greet(self, timeout_s: float) -> None:
        """Ask for the program until it answers; says what came where that was not an LED box."""
        deadline = time.monotonic() + timeout_s
        heard: list[bytes] = []
        while time.monotonic() < deadline and not self.failure:
            self._send("ID")
            line = self._next_line(ANSWER_TIMEOUT_S)
            while line is not None:
                if line[1] == b"ID " + PROGRAM.encode():
                    self._burst()
                    if self._exchanges:
                        return
                heard.append(line[1])
                line = self._next_line(0.02)
        if self.failure:
            raise HardwareError(f"the LED box on {self.port} failed", self.failure, "check the cable")
        if not heard:
            raise HardwareError(
                f"no LED box answers on {self.port}", f"{timeout_s:g} s of silence", "check power, cable and port"
            )
        raise HardwareError(
            f"what answers on {self.port} is no LED box",
            f"it sent {heard[-1][:40]!r}",
            f"check the port, the box's program ({PROGRAM}) and its speed ({BAUD} baud)",
        )

    def _send(self, text: str) -> int:
        """Write one line; returns the host time just before."""
        before_ns = clock.now_ns()
        try:
            self._port.write(text.encode() + b"\n")
        except (serial.SerialException, OSError) as error:
            self._fail(f"writing failed: {error}")
        return before_ns

    def _next_line(self, timeout_s: float) -> tuple[int, bytes] | None:
        try:
            return self._answers.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def _ask(self, verb: str, tail: str = "") -> Exchange | None:
        """Send one numbered question and return the exchange, or None where no answer to it came in time."""
        self._number += 1
        number = self._number
        name = b"PONG" if verb == "PING" else verb.encode()
        sent_ns = self._send(f"{verb} {number}{tail}")
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while (left_s := deadline - time.monotonic()) > 0 and not self.failure:
            line = self._next_line(left_s)
            answer = _ANSWER.fullmatch(line[1]) if line is not None else None
            if line is None or answer is None or answer[1] != name or int(answer[2]) != number:
                continue
            reading = int(answer[3])
            if reading >= 1 << 32:
                continue
            self._follow(reading, sent_ns, line[0])
            return Exchange(sent_ns=sent_ns, received_ns=line[0], box_us=self._box_us)
        return None

    def _follow(self, reading: int, sent_ns: int, received_ns: int) -> None:
        """Unwrap a reading; a box that began again (a reset) starts a new set of exchanges."""
        if self._exchanges:
            last = self._exchanges[-1]
            since_us = (received_ns - last.received_ns) // 1000
            expected_us = last.box_us + since_us
            box_us = unwrap_us(expected_us, reading)
            # Either answer may have lain here unread for a while: within its round trip it says nothing of a reset.
            waits_us = (received_ns - sent_ns + last.received_ns - last.sent_ns) // 1000
            if abs(box_us - expected_us) > RESET_US + waits_us + since_us * 2 * MAX_RATE_ERROR:
                self._journal.log("warning", "the LED box began again", {"off_us": box_us - expected_us})
                self._exchanges.clear()
            self._box_us = box_us
        else:
            self._box_us = reading

    def _burst(self) -> None:
        for _ in range(PINGS_IN_A_BURST):
            exchange = self._ask("PING")
            if exchange is None or self._stop.is_set():
                break
            self._exchanges.append(exchange)

    def _work(self) -> None:
        while not self._stop.is_set() and not self.failure:
            try:
                duration_ms, done = self._wanted.get(timeout=IDLE_PINGS_EVERY_S / 4)
            except queue.Empty:
                last = self._exchanges[-1].received_ns if self._exchanges else 0
                if clock.now_ns() - last > IDLE_PINGS_EVERY_S * 1e9:
                    self._burst()
                continue
            done(self._fire(duration_ms))
        while not self._wanted.empty():
            self._wanted.get()[1](None)

    def _fire(self, duration_ms: int) -> Flash | None:
        exchange = self._ask("FLASH", f" {duration_ms}")
        if exchange is None:
            return None
        number = self._number
        self._burst()
        if not self._exchanges:
            self._exchanges.append(exchange)
        t_ns, uncertainty_ns = host_time([*self._exchanges, exchange], exchange.box_us)
        return Flash(
            t_ns=min(max(t_ns, exchange.sent_ns), exchange.received_ns),
            uncertainty_ns=uncertainty_ns,
            number=number,
            box_us=exchange.box_us,
        )
