"""One slot of the rig: its bound device, state, reception health, and what was logged about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bleak.backends.device import BLEDevice

from acquire.bluetooth.connection import Connection, Identity
from acquire.bluetooth.states import Machine, State
from acquire.bluetooth.status import SensorStatus
from acquire.event_log import EventLog
from acquire.quality.limits import battery_is_low
from acquire.quality.sensor_health import SensorHealth
from dataset.capture.types import Sensor
from dataset.support import clock
from dataset.support.text import clean_text

#: A count is logged when it grows, at most this often for each kind.
TELL_EVERY_S = 1.0

#: Health counts that are logged: level and words.
TOLD = {
    "late": ("info", "values came late"),
    "suspected_lost": ("warning", "values suspected lost"),
    "malformed": ("warning", "malformed payloads"),
    "out_of_range": ("warning", "values out of range"),
    "surplus": ("warning", "more values than the sensor can send: duplicates?"),
}


class Slot:
    """Mutable state of one slot; changed in the manager's loop, read from any thread.

    Attributes
    ----------
    wanted, bound : Sensor
        As the rig file states it; and with name, address and serial of the bound device.
    machine : Machine
        Its state.
    epoch, base_epoch : int
        Number of the connection, and the one that is epoch 0 of the recording.
    link : Connection or None
        The connection, from before the subscription until it is closed.
    """

    def __init__(self, sensor: Sensor, event_log: EventLog) -> None:
        self.wanted = sensor
        self.bound = sensor
        self.profile = sensor.profile
        self.health = SensorHealth(self.profile)
        self.machine = Machine(lambda level, what, detail: self.note(level, what, **detail))
        self.device: BLEDevice | None = None
        self.link: Connection | None = None
        self.battery_percent: int | None = None
        self.rssi_dbm: int | None = None
        self.epoch = -1
        self.base_epoch = 0
        self._event_log = event_log
        self._subscribed_ns = 0
        self._overdue = False
        self._told: dict[str, tuple[int, int]] = {}

    @property
    def state(self) -> State:
        """State of the sensor."""
        return self.machine.state

    def note(self, level: str, what: str, **detail: Any) -> None:
        """Log one row about this slot."""
        self._event_log.log(level, what, {"slot": self.bound.slot, "channel": self.bound.channel, **detail})

    def bind(self, device: BLEDevice, identity: Identity) -> None:
        """Bind ``device`` to this slot, for this connection and later ones."""
        if not self.wanted.serial and not self.wanted.address:
            self.note("warning", "sensor not named in the rig file", address=device.address, serial=identity.serial)
        self.device = device
        self.bound = replace(
            self.wanted,
            name=clean_text(device.name or self.wanted.name),
            address=device.address,
            serial=identity.serial or self.wanted.serial,
        )

    def unbind(self) -> None:
        """Free the slot: its bound device never streamed."""
        self.device, self.bound = None, self.wanted

    def sit_on(self, place: Sensor) -> None:
        """Assign the sensor to another muscle, for this connection and later ones."""
        of_place = {name: getattr(place, name) for name in ("channel", "muscle", "side", "placement")}
        self.wanted, self.bound = replace(self.wanted, **of_place), replace(self.bound, **of_place)

    def silent_s(self, now_ns: int) -> float:
        """Return the seconds since the last value of this connection, or since it began."""
        return (now_ns - max(self._subscribed_ns, self.health.last_ns or 0)) * 1e-9

    @property
    def heard(self) -> bool:
        """Whether this connection has delivered a value."""
        return (self.health.last_ns or 0) >= self._subscribed_ns

    def start_epoch(self, link: Connection) -> int:
        """Begin the next connection and return its number in the recording."""
        self.epoch += 1
        self.link = link
        self._overdue = False
        self._subscribed_ns = clock.now_ns()
        self.health.open(self.epoch - self.base_epoch, self._subscribed_ns)
        return self.epoch

    def end_epoch(self) -> None:
        """End the connection."""
        self.link = None
        self.health.close(clock.now_ns())

    def fail_epoch(self) -> None:
        """Revert a connection whose subscription failed, unless it delivered values anyway."""
        if not self.heard:
            self.health.cancel()
            self.epoch -= 1
        self.end_epoch()
        if self.state == State.CONNECTING:
            self.unbind()

    def begin_recording(self, began_ns: int) -> None:
        """Reset epoch and value counts: an existing connection is epoch 0, else the next one is."""
        self.base_epoch = self.epoch if self.link is not None else self.epoch + 1
        self.health.begin(began_ns, connected=self.link is not None)
        self._told.clear()

    def set_battery(self, percent: int) -> None:
        """Store a battery reading; a change is logged."""
        if percent == self.battery_percent:
            return
        self.battery_percent = percent
        self.health.battery(percent)
        level = "warning" if battery_is_low(percent) else "info"
        self.note(level, "battery", percent=percent)

    def tell_overdue(self, silent_s: float) -> None:
        """Log each silence in which a value is late or lost, once."""
        gaps = self.profile.gaps
        if silent_s > gaps.suspected_loss_s and not self._overdue:
            self._overdue = True
            self.note("info", "overdue: late or lost", silent_s=round(silent_s, 3))
        elif silent_s <= gaps.late_s:
            self._overdue = False

    def tell_counts(self, now_ns: int) -> None:
        """Log faulty, surplus and missing values in the capture."""
        counts = self.health.counts()
        for kind, (level, what) in TOLD.items():
            told, told_ns = self._told.get(kind, (0, now_ns - round(TELL_EVERY_S * 1e9)))
            if counts[kind] > told and now_ns - told_ns >= TELL_EVERY_S * 1e9:
                self._told[kind] = (counts[kind], now_ns)
                self.note(level, what, new=counts[kind] - told, total=counts[kind])

    def status(self, now_ns: int) -> SensorStatus:
        """Return the slot as a screen shows it."""
        return SensorStatus(
            sensor=self.bound,
            state=self.state.value,
            reconnects=max(0, self.epoch - self.base_epoch),
            battery_percent=self.battery_percent,
            health=self.health.live(now_ns),
            rssi_dbm=self.rssi_dbm,
        )
