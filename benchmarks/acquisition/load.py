"""The load: eight sensors at 1 kHz, in packets of 20 samples that contain their time of sending."""

from __future__ import annotations

import struct
from dataclasses import dataclass

N_SENSORS = 8
RATE_HZ = 1000
SAMPLES_A_PACKET = 20
PERIOD_NS = 10**9 * SAMPLES_A_PACKET // RATE_HZ

#: A packet: its number, the host time of sending, its samples.
PACKET = struct.Struct(f"<IQ{SAMPLES_A_PACKET}H")
_SAMPLES = tuple(range(SAMPLES_A_PACKET))


def packet(number: int, sent_ns: int) -> bytes:
    """Return one packet."""
    return PACKET.pack(number, sent_ns, *_SAMPLES)


def read_packet(payload: bytes) -> tuple[int, int]:
    """Return a packet's number and time of sending."""
    number, sent_ns, *_ = PACKET.unpack(payload)
    return number, sent_ns


@dataclass(frozen=True, slots=True)
class PacketClock:
    """Schedule of one sensor: a packet every 20 ms, with a different phase for each sensor."""

    sensor: int

    def send_ns(self, index: int) -> int:
        """Return when packet ``index`` is sent."""
        return index * PERIOD_NS + self.sensor * PERIOD_NS // N_SENSORS

    def interval_ns(self, index: int) -> tuple[int, int]:
        """Return the time a packet's samples cover."""
        return self.send_ns(index) - PERIOD_NS, self.send_ns(index)

    def next_index(self, host_ns: int) -> int:
        """Return the first packet that is sent at or after ``host_ns``."""
        return -((self.send_ns(0) - host_ns) // PERIOD_NS)
