"""A serial port as stamped lines, on a real pseudo-terminal; and a device found again under another name."""

from __future__ import annotations

import os
import pty
import threading
import time
import tty
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acquire.ledbox.serial_lines import MAX_LINE_BYTES, SerialLines, find_port, port_identity
from dataset.support.errors import HardwareError


class End:
    """The other end of a port."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        tty.setraw(self.master)
        tty.setraw(self.slave)
        self.port = os.ttyname(self.slave)
        self.heard: list[tuple[int, bytes]] = []
        self.came = threading.Event()

    def take(self, at_ns: int, line: bytes) -> None:
        self.heard.append((at_ns, line))
        self.came.set()

    def wait(self, n: int) -> list[bytes]:
        deadline = time.monotonic() + 5
        while len(self.heard) < n and time.monotonic() < deadline:
            time.sleep(0.001)
        return [line for _, line in self.heard]


@pytest.fixture
def end() -> Iterator[End]:
    made = End()
    yield made
    for fd in (made.master, made.slave):
        os.close(fd)


@given(
    st.lists(st.binary(max_size=40).filter(lambda b: b"\n" not in b), min_size=1, max_size=12),
    st.lists(st.integers(1, 30), min_size=1, max_size=10),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_survive_any_cutting_of_the_stream(end: End, lines: list[bytes], cuts: list[int]) -> None:
    end.heard.clear()
    port = SerialLines(end.port, 115200, end.take)
    stream = b"".join(line + b"\n" for line in lines)
    while stream:
        for n in cuts:
            if piece := stream[:n]:
                os.write(end.master, piece)
            stream = stream[n:]
    assert end.wait(len(lines)) == lines
    port.close()
    stamps = [at_ns for at_ns, _ in end.heard]
    assert stamps == sorted(stamps)


def test_a_line_without_an_end_is_handed_on_in_time_and_in_pieces(end: End) -> None:
    port = SerialLines(end.port, 115200, end.take)
    os.write(end.master, b"\xe6\x1e\x98")
    assert end.wait(1) == [b"\xe6\x1e\x98"]
    os.write(end.master, b"x" * (2 * MAX_LINE_BYTES + 5) + b"\n")
    pieces = end.wait(4)[1:]
    port.close()
    assert b"".join(pieces) == b"x" * (2 * MAX_LINE_BYTES + 5)
    assert max(map(len, pieces)) <= MAX_LINE_BYTES


def test_a_port_that_is_not_there_is_said() -> None:
    with pytest.raises(HardwareError, match="cannot be opened"):
        SerialLines("/dev/no-such-port", 115200, lambda *_: None)


def usb(device: str, serial: str, vid: int | None = 0x2341) -> SimpleNamespace:
    return SimpleNamespace(device=device, vid=vid, pid=67, serial_number=serial)


def test_a_device_is_found_under_its_new_name(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = [usb("/dev/ttyACM0", "A"), usb("/dev/ttyACM1", "B"), usb("/dev/ttyS0", "", None)]
    monkeypatch.setattr("acquire.ledbox.serial_lines.list_ports.comports", lambda: ports)
    identity = port_identity("/dev/ttyACM1")
    assert identity == (0x2341, 67, "B") and port_identity("/dev/ttyS0") is None
    ports[1] = usb("/dev/ttyACM7", "B")
    assert find_port(identity, "/dev/ttyACM1") == "/dev/ttyACM7"
    ports[1] = usb("/dev/ttyACM1", "B")
    assert find_port(identity, "/dev/ttyACM1") == "/dev/ttyACM1"
    assert find_port(None, "/dev/ttyS0") == "/dev/ttyS0"


def test_of_two_twins_without_numbers_none_is_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = [usb("/dev/ttyUSB3", ""), usb("/dev/ttyUSB4", "")]
    monkeypatch.setattr("acquire.ledbox.serial_lines.list_ports.comports", lambda: ports)
    assert find_port((0x2341, 67, ""), "/dev/ttyUSB0") == "/dev/ttyUSB0"
