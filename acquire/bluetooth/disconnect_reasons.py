"""Disconnection reasons: HCI error codes in plain words."""

from __future__ import annotations

#: HCI error codes (Core specification vol. 1 part F) that end a link or prevent it.
REASONS = {
    0x08: "supervision timeout",
    0x13: "ended by the sensor",
    0x14: "the sensor is low on resources",
    0x15: "the sensor switched off",
    0x16: "ended by this computer",
    0x22: "no response from the sensor's link layer",
    0x3E: "failed to be established",
}


def reason_detail(reason: int | None) -> dict[str, str]:
    """Return the reason for a log row, such as ``0x13 ended by the sensor``; empty if the stack does not report it."""
    return {} if reason is None else {"reason": f"0x{reason:02X} {REASONS.get(reason, '')}".strip()}
