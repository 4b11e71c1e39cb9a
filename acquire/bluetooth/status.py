"""State of one slot for the screen and the headless run, and its fault in a few words."""

from __future__ import annotations

from dataclasses import dataclass

from acquire.bluetooth.states import State
from acquire.quality.sensor_health import LiveHealth
from dataset.capture.types import Sensor


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorStatus:
    """Current state of one slot.

    Attributes
    ----------
    state : str
        One of :class:`acquire.bluetooth.states.State`.
    reconnects : int
        Connections after the first.
    rssi_dbm : int or None
        Strength of the last advertisement; not updated while connected.
    """

    sensor: Sensor
    state: str
    reconnects: int
    battery_percent: int | None
    health: LiveHealth
    rssi_dbm: int | None = None


def trouble(status: SensorStatus) -> str:
    """Return the fault of a slot in a few words; empty if there is none."""
    health, channel = status.health, status.sensor.channel
    if status.state != State.STREAMING:
        silent = f" {health.silent_s:.0f} s" if 0.5 <= health.silent_s < 1e6 else ""
        return f"{channel} {status.state}{silent}"
    if health.surplus:
        return f"{channel} sends too many values ({health.rate_hz:.0f}/s)"
    if health.expected > 30 and health.received < 0.95 * health.expected:
        return f"{channel} {100 * health.received / health.expected:.0f} % received"
    return ""
