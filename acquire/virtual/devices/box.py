"""The virtual LED box: answers the line protocol on a pseudo-terminal, with its own clock.

It runs as a separate process (``python -m acquire.virtual.devices.box``), so that drawing never delays its answers.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import select
import struct
import sys
import time
from dataclasses import dataclass, replace

from dataset.support.clock import now_ns
from dataset.support.parsing import parse_json

BANNER = b"ID mia-led-box 1"
LONGEST_LINE = 64
LONGEST_FLASH_MS = 5_000

#: A board that restarts ignores its input while its boot loader runs.
BOOT_NS = 1_200_000_000

#: One flash on the events pipe: on and off in host nanoseconds.
FLASH_RECORD = struct.Struct("<qq")

_PING = re.compile(rb"PING (\d{1,10})")
_FLASH = re.compile(rb"FLASH (\d{1,10}) (\d{1,5})")


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxClock:
    """The box's microsecond counter as a function of host time.

    Attributes
    ----------
    zero_ns : int
        Host time at which the box was switched on.
    first_us : int
        Its reading then.
    rate_ppm : float
        How much faster than the host's clock it runs.
    """

    zero_ns: int
    first_us: int
    rate_ppm: float

    def micros(self, host_ns: int) -> int:
        """Return the 32-bit reading at ``host_ns``."""
        return int(self.first_us + (host_ns - self.zero_ns) * 1e-3 * (1 + self.rate_ppm * 1e-6)) & 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One line for the host, and how long the LED is lit (0: not at all)."""

    line: bytes
    flash_ms: int = 0


def answer(line: bytes, micros: int) -> Answer:
    """Return what the box does about one line (without its end) that was read at ``micros``."""
    if line == b"ID":
        return Answer(line=BANNER)
    if match := _PING.fullmatch(line):
        return Answer(line=b"PONG %s %d" % (match[1], micros))
    if match := _FLASH.fullmatch(line):
        duration_ms = int(match[2])
        if 1 <= duration_ms <= LONGEST_FLASH_MS:
            return Answer(line=b"FLASH %s %d" % (match[1], micros), flash_ms=duration_ms)
        return Answer(line=b"ERR duration out of range")
    return Answer(line=b"ERR not understood" if len(line) <= LONGEST_LINE else b"ERR line too long")


class LineSplitter:
    """Cuts a byte stream into lines; of a line that is too long only enough is kept to report it."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines that ``chunk`` completes, without their ends."""
        *lines, rest = (self._rest + chunk).split(b"\n")
        self._rest = rest[: LONGEST_LINE + 1]
        return [line.removesuffix(b"\r")[: LONGEST_LINE + 1] for line in lines]


def serve(terminal_fd: int, flashes_fd: int, clock: BoxClock, latency_s: tuple[float, float], seed: int) -> None:
    """Answer lines on ``terminal_fd`` until standard input ends.

    Parameters
    ----------
    terminal_fd : int
        Master side of the pseudo-terminal.
    flashes_fd : int
        Pipe that gets one :data:`FLASH_RECORD` a flash.
    clock : BoxClock
    latency_s : (float, float)
        Shortest and longest time a line is on its way, in each direction.
    seed : int
        Seeds the latencies.

    Notes
    -----
    A line on standard input is an order in JSON: ``trigger`` is the footswitch, ``reset`` restarts as a board does
    that lost power for a moment, ``mute`` answers nothing for the given seconds, ``garble`` sends invalid
    bytes with each answer for the given seconds.
    """
    rng = random.Random(seed)
    splitter, orders = LineSplitter(), LineSplitter()
    mute_until_ns = garbled_until_ns = 0
    while True:
        readable, _, _ = select.select([terminal_fd, sys.stdin.fileno()], [], [])
        if sys.stdin.fileno() in readable:
            chunk = os.read(sys.stdin.fileno(), 4096)
            if not chunk:
                return
            for order in map(parse_json, orders.feed(chunk)):
                if "mute" in order:
                    mute_until_ns = now_ns() + round(order["mute"] * 1e9)
                elif "garble" in order:
                    garbled_until_ns = now_ns() + round(order["garble"] * 1e9)
                elif "reset" in order:
                    clock = replace(clock, zero_ns=now_ns(), first_us=0)
                    mute_until_ns = now_ns() + BOOT_NS
                    splitter = LineSplitter()
                    os.write(terminal_fd, rng.randbytes(3) + b"\n" + BANNER + b"\n")
                elif "trigger" in order:
                    os.write(terminal_fd, b"TRIG %d\n" % clock.micros(now_ns()))
        if terminal_fd in readable:
            for line in splitter.feed(os.read(terminal_fd, 4096)):
                if now_ns() < mute_until_ns:
                    continue
                if now_ns() < garbled_until_ns:
                    os.write(terminal_fd, rng.randbytes(24))
                time.sleep(rng.uniform(*latency_s))
                on_ns = now_ns()
                reply = answer(line, clock.micros(on_ns))
                if reply.flash_ms:
                    os.write(flashes_fd, FLASH_RECORD.pack(on_ns, on_ns + reply.flash_ms * 1_000_000))
                time.sleep(rng.uniform(*latency_s))
                os.write(terminal_fd, reply.line + b"\n")


def main() -> None:
    """Run the box on inherited file descriptors."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--terminal-fd", type=int, required=True)
    parser.add_argument("--flashes-fd", type=int, required=True)
    parser.add_argument("--first-us", type=int, required=True)
    parser.add_argument("--rate-ppm", type=float, required=True)
    parser.add_argument("--latency-s", type=float, nargs=2, required=True)
    parser.add_argument("--seed", type=int, required=True)
    given = parser.parse_args()
    clock = BoxClock(zero_ns=now_ns(), first_us=given.first_us, rate_ppm=given.rate_ppm)
    os.write(sys.stdout.fileno(), b'{"ready": true}\n')
    serve(given.terminal_fd, given.flashes_fd, clock, tuple(given.latency_s), given.seed)


if __name__ == "__main__":
    main()
