"""``rig check``: share of its nominal rate that each sensor of the rig delivers, with an action if it is low."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from acquire.bluetooth.manager import SensorManager
from acquire.bluetooth.status import SensorStatus
from acquire.event_log import EventLog
from acquire.hardware import Hardware
from acquire.quality.disk import expected_bytes_per_s, look_at_disk
from acquire.quality.limits import FEW_MINUTES, battery_is_low
from dataset.capture.reader import Capture
from dataset.capture.types import Sensor
from dataset.capture.writer import CaptureWriter
from dataset.sensors.decode import Samples, decode
from dataset.support import clock

#: A sensor that delivers a smaller share of its values than this is below its rate.
LEAST_SHARE = 0.95
_WAIT_EVERY_S = 0.05
#: Largest allowed shift between the two clocks of this computer during the check.
_CLOCK_MOVES_S = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorCheck:
    """Result for one slot.

    Attributes
    ----------
    values, expected : int
        Values received, and expected at its rate; 0 expected if no rate is known.
    share : float or None
    at_rate : bool
    malformed : int
        Payloads, lines and frames that could not be decoded.
    battery_percent : int or None
    do : str
        Recommended action; empty if none is needed.
    """

    slot: int
    channel: str
    profile: str
    state: str
    address: str
    serial: str
    wanted_serial: str
    values: int
    expected: int
    share: float | None
    longest_gap_s: float
    malformed: int
    battery_percent: int | None
    at_rate: bool
    do: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RigCheck:
    """Result for the whole rig.

    Attributes
    ----------
    seconds : float
        Length of the check.
    disk_minutes : float
        Minutes of recording that fit on the disk.
    clock_resolution_ns : int
    clock_moved_s : float
        Shift of the wall clock against the recorder's clock during the check, if it was set.
    notes : tuple of str
        Further recommendations.
    """

    sensors: tuple[SensorCheck, ...]
    seconds: float
    disk_minutes: float
    clock_resolution_ns: int
    clock_moved_s: float
    notes: tuple[str, ...]

    @property
    def all_at_rate(self) -> bool:
        """Whether every sensor streams at its rate."""
        return all(s.at_rate for s in self.sensors)

    def as_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return {**asdict(self), "at_rate": sum(s.at_rate for s in self.sensors), "all_at_rate": self.all_at_rate}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSettings:
    """Duration of the check, and what recordings would contain besides the sensors.

    Attributes
    ----------
    seconds : float
        How long to record.
    patience_s : float
        How long to wait for all sensors before that.
    picture : (int, int, float) or None
        Width, height and rate of the camera, for the disk.
    sound_rate_hz : int
        Of the microphone, for the disk; 0: none.
    """

    seconds: float = 5.0
    patience_s: float = 20.0
    picture: tuple[int, int, float] | None = None
    sound_rate_hz: int = 0


def check_rig(
    hardware: Hardware,
    out: Path,
    settings: CheckSettings = CheckSettings(),
    progress: Callable[[float], None] = lambda _: None,
) -> RigCheck:
    """Connect all sensors, record a few seconds into a temporary capture, and compare the rates with the nominal ones.

    Parameters
    ----------
    hardware : Hardware
        Closed afterwards.
    out : Path
        Where recordings would go; the free space of its disk is measured.
    settings : CheckSettings
    progress : callable
        Called with the fraction done.

    Raises
    ------
    HardwareError
        Bluetooth is not available.
    """
    manager = SensorManager(hardware, EventLog())
    try:
        manager.start()
        _wait(manager, settings.patience_s, progress)
        with tempfile.TemporaryDirectory(prefix="mia-rig-check-") as folder:
            writer = CaptureWriter(Path(folder), subject="check", sensors=manager.sensors)
            before, began_ns = clock.anchor(), manager.attach(writer)
            for step in range(1, 11):
                time.sleep(settings.seconds / 10)
                progress(0.5 + 0.05 * step)
            stopped_ns, after = manager.detach(), clock.anchor()
            statuses = manager.statuses()
            writer.close(manager.health(stopped_ns))
            with Capture.open(Path(folder)) as capture:
                sensors = tuple(
                    _judge(wanted, status, capture, (began_ns, stopped_ns))
                    for wanted, status in zip(_in_order(hardware.sensors), statuses, strict=True)
                )
            bytes_per_s = (Path(folder) / "capture.db").stat().st_size / settings.seconds
    finally:
        manager.stop()
        hardware.finish(None)
    bytes_per_s += expected_bytes_per_s(n_sensors=0, picture=settings.picture, sound_rate_hz=settings.sound_rate_hz)
    minutes = look_at_disk(out, bytes_per_s).minutes_left
    moved_s = ((after[1] - before[1]) - (after[0] - before[0])) * 1e-9
    return RigCheck(
        sensors=sensors,
        seconds=round((stopped_ns - began_ns) * 1e-9, 3),
        disk_minutes=round(minutes, 1),
        clock_resolution_ns=clock.resolution_ns(),
        clock_moved_s=round(moved_s, 6),
        notes=_notes(minutes, moved_s),
    )


def _in_order(sensors: tuple[Sensor, ...]) -> list[Sensor]:
    return sorted(sensors, key=lambda s: s.slot)


def _wait(manager: SensorManager, patience_s: float, progress: Callable[[float], None]) -> None:
    began_s = time.monotonic()
    while (waited_s := time.monotonic() - began_s) < patience_s:
        here = sum(s.state == "streaming" and s.health.received > 0 for s in manager.statuses())
        if here == len(manager.statuses()):
            return
        progress(0.5 * min(1.0, waited_s / patience_s))
        time.sleep(_WAIT_EVERY_S)


def _judge(wanted: Sensor, status: SensorStatus, capture: Capture, span_ns: tuple[int, int]) -> SensorCheck:
    profile = wanted.profile
    rows = capture.notifications(wanted.slot)
    samples = decode(profile, rows)
    seconds = (span_ns[1] - span_ns[0]) * 1e-9
    expected = round(profile.stream.rate_hz * seconds)
    n = len(samples.value)
    share = n / expected if expected else None
    arrivals = rows.arrival_ns[(rows.arrival_ns >= span_ns[0]) & (rows.arrival_ns <= span_ns[1])]
    at_ns = np.concatenate([[span_ns[0]], arrivals, [span_ns[1]]])
    longest_gap_s = float(np.diff(at_ns).max()) * 1e-9
    steady = n > 0 and longest_gap_s < profile.gaps.reconnect_s
    at_rate = steady and (share is None or share >= LEAST_SHARE)
    malformed = samples.n_malformed + samples.n_corrupt
    return SensorCheck(
        slot=wanted.slot,
        channel=wanted.channel,
        profile=wanted.profile.name,
        state=status.state,
        address=status.sensor.address,
        serial=status.sensor.serial,
        wanted_serial=wanted.serial,
        values=n,
        expected=expected,
        share=None if share is None else round(share, 4),
        longest_gap_s=round(longest_gap_s, 3),
        malformed=malformed,
        battery_percent=status.battery_percent,
        at_rate=at_rate,
        do=_what_to_do(wanted, status, samples, at_rate, heard=len(arrivals) > 0, share=share),
    )


def _what_to_do(
    wanted: Sensor, status: SensorStatus, samples: Samples, at_rate: bool, *, heard: bool, share: float | None
) -> str:
    """Return the recommended action for a sensor."""
    n_bad = samples.n_malformed + samples.n_corrupt
    if not heard and status.state in ("scanning", "connecting"):
        who = wanted.serial or wanted.address or f"any {wanted.profile.name}"
        return f"not found ({who}): switch it on, and disconnect it from any phone app"
    if not heard:
        return "connected but silent: switch it off and on"
    if n_bad > len(samples.value):
        kind = wanted.profile.name
        return f"its payloads cannot be decoded as {kind}: check its profile, e.g. with mia-record listen"
    if share is not None and share > 1.25:
        return "it sends more than its rate: values delivered twice, or another rate; switch it off and on"
    if not at_rate:
        return "too few values arrive: move it closer, or use a second Bluetooth adapter (adapter = ...)"
    if battery_is_low(status.battery_percent):
        return "charge it"
    if not wanted.serial and not wanted.address:
        named = f'serial = "{status.sensor.serial}"' if status.sensor.serial else f'address = "{status.sensor.address}"'
        return f"this slot accepts any sensor: add {named} to the rig file"
    return ""


def _notes(minutes: float, moved_s: float) -> tuple[str, ...]:
    notes = []
    if minutes < FEW_MINUTES:
        notes.append(f"the disk holds {minutes:.0f} minutes: free some disk space or choose another --out")
    if abs(moved_s) > _CLOCK_MOVES_S:
        notes.append(
            f"the system clock was changed by {1e3 * moved_s:.0f} ms: wait until it is stable before recording"
        )
    if clock.resolution_ns() > 1_000_000:
        notes.append(
            f"this computer's clock has a resolution of {clock.resolution_ns() / 1e6:.1f} ms: too coarse for flashes"
        )
    return tuple(notes)


def check_text(check: RigCheck) -> str:
    """Format the result as text, one line per sensor."""
    lines = []
    for s in check.sensors:
        came = f"{s.values} of {s.expected} values" if s.expected else f"{s.values} values"
        battery = f", battery {s.battery_percent} %" if s.battery_percent is not None else ""
        serial = f", serial {s.serial}" if s.serial else ""
        lines.append(
            f"{s.slot} {s.channel:18} {'ok  ' if s.at_rate else 'FAIL'} {came}{serial}{battery}"
            f"{': ' + s.do if s.do else ''}"
        )
    at_rate = sum(s.at_rate for s in check.sensors)
    lines.append(
        f"{at_rate} of {len(check.sensors)} sensors at {LEAST_SHARE:.0%} of their rate for {check.seconds:.0f} s"
    )
    left = f"{check.disk_minutes:.0f} minutes" if check.disk_minutes < 6000 else "over 100 hours"
    lines.append(f"disk: {left}; clock: {check.clock_resolution_ns} ns, moved {1e3 * check.clock_moved_s:.1f} ms")
    lines += [f"note: {note}" for note in check.notes]
    return "\n".join(lines)
