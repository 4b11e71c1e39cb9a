"""Driver of the LED box (``docs/led-box.md``): flashes with their host time, every line stored, no blocking calls."""

from __future__ import annotations

import queue
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from acquire.event_log import EventLog
from acquire.ledbox.clock_sync import MAX_RATE_ERROR, Exchange, host_time, unwrap_us
from acquire.ledbox.flasher import BOX_SOURCE, Flash, FlashCallback, box_flash
from acquire.ledbox.serial_lines import SerialLines, find_port, port_identity
from dataset.support import clock
from dataset.support.errors import HardwareError

BAUD = 115200
PROGRAM = "mia-led-box 1"
OPEN_TIMEOUT_S = 5.0  # an Arduino resets when its port is opened and then sits in its boot loader for two seconds
ANSWER_TIMEOUT_S = 0.5
IDLE_PINGS_EVERY_S = 1.0
PINGS_IN_A_BURST = 6
#: Pings at the start and after a reset: their delays determine the accuracy of flash times.
PINGS_AT_FIRST = 60
#: A box that was just greeted may still answer earlier greetings; later it says its name only where it began again.
GREETING_S = 2.0
#: A reading this far from where the clock should be comes from a box that began again.
RESET_US = 100_000
#: This share of non-text bytes in the reply means a wrong baud rate.
GARBLED_SHARE = 0.15

#: Called with every trigger of the box's input: host time and half-width of its 95 % interval, in nanoseconds.
TriggerCallback = Callable[[int, int], None]
#: Called with every line of the box: host time of its arrival, and its bytes.
LineCallback = Callable[[int, bytes], None]

#: Returns the port of a box from what identifies it and its last port; see :func:`find_port`.
FindPort = Callable[[tuple[int, int, str] | None, str], str]

_ANSWER = re.compile(rb"(PONG|FLASH) (\d{1,10}) (\d{1,10})")
_TRIGGER = re.compile(rb"TRIG (\d{1,10})")
_BANNER = b"ID " + PROGRAM.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class LedBoxWaits:
    """How long an LED box may be silent, and how often it is asked and looked for.

    Attributes
    ----------
    silent_s : float
        A box that answers nothing for this long is reported silent, once.
    pings_every_s : float
        While no flash is asked for.
    reopen_every_s : float
        A box that is lost is looked for so often.
    """

    silent_s: float = 2.0
    pings_every_s: float = IDLE_PINGS_EVERY_S
    reopen_every_s: float = 1.0


class LedBox:
    """An LED box on a serial port.

    Parameters
    ----------
    port : str
        Device name, such as ``/dev/ttyUSB0``.
    event_log : EventLog
    on_trigger : callable, optional
        Footswitch or TTL input.
    open_timeout_s : float, optional
        How long to wait for the box's first answer.
    waits : LedBoxWaits
    find : callable
        Returns the port of a box that was lost from what identifies it and its last port.

    Raises
    ------
    HardwareError
        The port cannot be opened, nothing replies, or the device is not an LED box.

    Notes
    -----
    A box that is unplugged is searched for periodically, also under another port name, and greeted again.
    """

    source = BOX_SOURCE

    def __init__(
        self,
        port: str,
        event_log: EventLog,
        *,
        on_trigger: TriggerCallback | None = None,
        open_timeout_s: float | None = None,
        waits: LedBoxWaits = LedBoxWaits(),
        find: FindPort = find_port,
    ) -> None:
        self._waits, self._find = waits, find
        self._open_timeout_s = OPEN_TIMEOUT_S if open_timeout_s is None else open_timeout_s
        self.port = port
        self._event_log = event_log
        self._on_trigger = on_trigger
        self._on_line: LineCallback | None = None
        self._answers: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
        self._exchanges: deque[Exchange] = deque(maxlen=400)
        self._wanted: queue.SimpleQueue[tuple[int, FlashCallback]] = queue.SimpleQueue()
        self._number = 0
        self._box_us = 0
        self._stop = threading.Event()
        self._answered_s = self._greeted_s = time.monotonic()
        self._silent = False
        self.failure: str = ""
        self._identity = port_identity(port)
        self._lines = self._open(port)
        self._worker = threading.Thread(target=self._work, name="led-box", daemon=True)
        self._worker.start()

    def _open(self, port: str) -> SerialLines:
        """Open the port and greet the box; on failure the port is closed again."""
        self._lines = lines = SerialLines(port, BAUD, self._take)
        try:
            self._greet(lines)
        except HardwareError:
            lines.close()
            raise
        return lines

    # -- for the recorder -----------------------------------------------------------------------------------------

    def attach(self, on_line: LineCallback) -> None:
        """Pass every line received from now on to ``on_line``, in the reader's thread."""
        self._on_line = on_line

    def request_flash(self, duration_ms: int, done: FlashCallback) -> None:
        """Fire at once; ``done`` is called in the box's thread with the flash, or None if the box did not reply.

        An unplugged box does not flash, nor later when it is back: ``done`` is then called here.
        """
        if self.failure:
            done(None)
        else:
            self._wanted.put((duration_ms, done))

    def flash(self, duration_ms: int, timeout_s: float = 3.0) -> Flash:
        """Fire and wait for the flash's host time.

        Raises
        ------
        HardwareError
            The box did not reply.
        """
        answer: queue.SimpleQueue[Flash | None] = queue.SimpleQueue()
        self.request_flash(duration_ms, answer.put)
        try:
            flash = answer.get(timeout=timeout_s)
        except queue.Empty:
            flash = None
        if flash is None:
            raise HardwareError(f"the LED box on {self.port} did not reply", self.failure, "check its cable")
        return flash

    def close(self) -> None:
        """Close the port."""
        self._stop.set()
        self._worker.join(timeout=3)
        self._lines.close()

    # -- called by the reader's thread ------------------------------------------------------------------------------

    def _take(self, arrival_ns: int, line: bytes) -> None:
        if self._on_line is not None:
            self._on_line(arrival_ns, line)
        line = line.strip()
        if (trigger := _TRIGGER.fullmatch(line)) is None:
            self._answers.put((arrival_ns, line))
        elif self._on_trigger is not None:
            self._on_trigger(*self._trigger_time(arrival_ns, int(trigger[1])))

    def _trigger_time(self, arrival_ns: int, reading: int) -> tuple[int, int]:
        """Return when the input went high; by its arrival only if the box has just restarted."""
        exchanges = list(self._exchanges)
        if exchanges:
            t_ns, uncertainty_ns = host_time(exchanges, unwrap_us(self._box_us, reading))
            if arrival_ns - ANSWER_TIMEOUT_S * 1e9 <= t_ns <= arrival_ns + uncertainty_ns:
                return t_ns, uncertainty_ns
        self._log("warning", "a trigger is dated by its arrival only", {"micros": reading})
        return arrival_ns, round(ANSWER_TIMEOUT_S * 1e9)

    # -- the worker's thread --------------------------------------------------------------------------------------

    def _log(self, level: str, what: str, detail: Mapping[str, Any] | None = None) -> None:
        if not self._stop.is_set():
            self._event_log.log(level, what, {"port": self.port, **(detail or {})})

    def _greet(self, lines: SerialLines) -> None:
        """Request the program name until it replies; the error shows the received bytes if it is no LED box."""
        deadline = time.monotonic() + self._open_timeout_s
        heard: list[bytes] = []
        while time.monotonic() < deadline and not lines.failure and not self._stop.is_set():
            lines.send("ID")
            line = self._next_line(ANSWER_TIMEOUT_S)
            while line is not None:
                if line[1] == _BANNER:
                    self._exchanges.clear()
                    self._greeted_s = time.monotonic()
                    self._burst(PINGS_AT_FIRST)
                    if self._exchanges:
                        return
                heard.append(line[1])
                line = self._next_line(0.02)
        if lines.failure:
            raise HardwareError(f"the LED box on {self.port} failed", lines.failure, "check the cable")
        if not any(heard):
            silence = f"{self._open_timeout_s:g} s of silence"
            raise HardwareError(f"no reply from an LED box on {self.port}", silence, "check power, cable and port")
        sent = b"".join(heard)
        if sum(not 32 <= byte < 127 for byte in sent) > GARBLED_SHARE * len(sent):
            raise HardwareError(
                f"the device on {self.port} is not an LED box",
                f"it sent bytes that are not text, {sent[-20:]!r}: another device, or a wrong baud rate",
                f"check the port, and that the box's program ({PROGRAM}) runs at {BAUD} baud",
            )
        raise HardwareError(
            f"the device on {self.port} is not an LED box",
            f"it sent {next(h for h in reversed(heard) if h)[:40]!r}",
            f"check the port, the box's program ({PROGRAM}) and its speed ({BAUD} baud)",
        )

    def _next_line(self, timeout_s: float) -> tuple[int, bytes] | None:
        try:
            return self._answers.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def _ask(self, verb: str, tail: str = "") -> Exchange | None:
        """Send one numbered request and return the exchange, or None if no reply came in time."""
        self._number += 1
        number = self._number
        name = b"PONG" if verb == "PING" else verb.encode()
        sent_ns = self._lines.send(f"{verb} {number}{tail}")
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while (left_s := deadline - time.monotonic()) > 0 and not self._lines.failure and not self._stop.is_set():
            line = self._next_line(left_s)
            if line is not None and line[1] == _BANNER and time.monotonic() - self._greeted_s > GREETING_S:
                self._begin_again({"said": "its banner"})
            answer = _ANSWER.fullmatch(line[1]) if line is not None else None
            if line is None or answer is None or answer[1] != name or int(answer[2]) != number:
                continue
            reading = int(answer[3])
            if reading >= 1 << 32:
                continue
            self._hears()
            self._follow(reading, sent_ns, line[0])
            exchange = Exchange(sent_ns=sent_ns, received_ns=line[0], box_us=self._box_us)
            self._exchanges.append(exchange)
            return exchange
        return None

    def _hears(self) -> None:
        self._answered_s = time.monotonic()
        if self._silent:
            self._silent = False
            self._log("info", "the LED box replies again")

    def _follow(self, reading: int, sent_ns: int, received_ns: int) -> None:
        """Unwrap a reading; a restarted box starts a new set of exchanges."""
        if not self._exchanges:
            self._box_us = reading
            return
        last = self._exchanges[-1]
        since_us = (received_ns - last.received_ns) // 1000
        expected_us = last.box_us + since_us
        self._box_us = unwrap_us(expected_us, reading)
        # Either reply may have been read late: within its round trip a jump does not mean a reset.
        waits_us = (received_ns - sent_ns + last.received_ns - last.sent_ns) // 1000
        off_us = self._box_us - expected_us
        if abs(off_us) > RESET_US + waits_us + since_us * 2 * MAX_RATE_ERROR:
            self._begin_again({"off_us": off_us})
            self._box_us = reading

    def _begin_again(self, detail: Mapping[str, Any]) -> None:
        self._log("warning", "the LED box restarted", detail)
        self._exchanges.clear()

    def _burst(self, n: int = PINGS_IN_A_BURST) -> None:
        for _ in range(n):
            if self._ask("PING") is None:
                break

    def _work(self) -> None:
        while not self._stop.is_set():
            if self._lines.failure:
                self._find_again()
                continue
            try:
                duration_ms, done = self._wanted.get(timeout=self._waits.pings_every_s / 4)
            except queue.Empty:
                self._idle()
                continue
            done(self._fire(duration_ms))
        self._refuse_waiting()

    def _idle(self) -> None:
        last_ns = self._exchanges[-1].received_ns if self._exchanges else 0
        if clock.now_ns() - last_ns > self._waits.pings_every_s * 1e9:
            self._burst(PINGS_IN_A_BURST if self._exchanges else PINGS_AT_FIRST)
        if not self._silent and time.monotonic() - self._answered_s > self._waits.silent_s:
            self._silent = True
            self._log("warning", "the LED box is silent; its flashes are lost")

    def _find_again(self) -> None:
        """Try to open the port until the box is back; flashes requested meanwhile are refused."""
        self.failure = self._lines.failure
        self._log("error", "the LED box is lost; looking for it", {"why": self.failure})
        self._lines.close()
        while not self._stop.is_set():
            self._refuse_waiting()
            if self._stop.wait(self._waits.reopen_every_s):
                return
            try:
                self._lines = self._open(self._find(self._identity, self.port))
            except HardwareError:
                continue
            self._refuse_waiting()
            self.port, self.failure = self._lines.port, ""
            self._log("info", "the LED box is back")
            return

    def _refuse_waiting(self) -> None:
        while not self._wanted.empty():
            self._wanted.get()[1](None)

    def _fire(self, duration_ms: int) -> Flash | None:
        exchange = self._ask("FLASH", f" {duration_ms}")
        if exchange is None:
            return None
        number = self._number
        self._burst(PINGS_IN_A_BURST if len(self._exchanges) > PINGS_IN_A_BURST else PINGS_AT_FIRST)
        known = list(self._exchanges)
        if exchange not in known:  # a reset right after the flash began a new set
            known = [exchange]
        return box_flash(known, exchange, number=number, duration_ms=duration_ms)
