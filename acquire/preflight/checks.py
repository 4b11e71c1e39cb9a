"""Preflight checks by thresholds on a snapshot of the rig: one line each, with an action for each failed line."""

from __future__ import annotations

from dataclasses import dataclass

from acquire.bluetooth.status import SensorStatus
from acquire.quality.limits import FEW_MINUTES, LOW_BATTERY_PERCENT
from acquire.recording.take import Snapshot
from dataset.muscles import channel_from_name
from dataset.support import clock

#: A sensor that delivers a smaller share of its values than this over the last seconds is below its rate.
LEAST_SHARE = 0.9
#: A microphone whose level stays at or below this is muted.
SILENT_DB = -75.0
COARSE_CLOCK_NS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the preflight screen.

    Attributes
    ----------
    level : str
        ``ok``, ``wait``, ``warning`` or ``bad``.
    do : str
        Recommended action; empty if none is needed.
    """

    name: str
    level: str
    found: str
    do: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyView:
    """Result of the pose network for one picture.

    Attributes
    ----------
    missing : tuple of str
        Parts of the body that are not in the picture.
    nobody : bool
    unavailable : str
        Why the check could not run; empty if it ran.
    """

    missing: tuple[str, ...] = ()
    nobody: bool = False
    unavailable: str = ""


def preflight(snapshot: Snapshot, body: BodyView | None) -> tuple[Check, ...]:
    """Check every part of the rig by thresholds on a snapshot, in the order in which to fix problems.

    Parameters
    ----------
    snapshot : Snapshot
    body : BodyView or None
        None before the first check of the picture.
    """
    return (
        _sensors(snapshot.sensors),
        _batteries(snapshot),
        _disk(snapshot),
        _camera(snapshot),
        _body(snapshot, body),
        _sound(snapshot),
        _light(snapshot),
        _clock(clock.resolution_ns()),
    )


def ready_to_go(checks: tuple[Check, ...]) -> bool:
    """Return whether every check is ``ok`` or ``warning``."""
    return all(check.level in ("ok", "warning") for check in checks)


def sensor_trouble(status: SensorStatus) -> str:
    """Return the action for one sensor by its state and rate; empty if it streams at its nominal rate."""
    if status.state in ("scanning", "connecting"):
        who = status.sensor.serial or status.sensor.address or "any " + status.sensor.profile.name
        return f"switch on {who}; disconnect it from any phone app"
    if status.state == "stale":
        return "connected but silent: switch it off and on"
    if status.state != "streaming":
        return "move it closer; the search continues"
    nominal_hz = status.sensor.profile.stream.notification_rate_hz
    if nominal_hz and status.health.expected > 3 * nominal_hz and status.health.rate_hz < LEAST_SHARE * nominal_hz:
        return f"{status.health.rate_hz:.1f} of {nominal_hz:g} values/s: move it closer"
    if status.health.surplus:
        return "sends too many values: switch it off and on"
    return ""


def _label(status: SensorStatus) -> str:
    return channel_from_name(status.sensor.channel).label


def _is_opening(snapshot: Snapshot) -> bool:
    """Return whether the rig is not open yet: a missing device may still appear."""
    return snapshot.phase in ("closed", "opening")


def _sensors(sensors: tuple[SensorStatus, ...]) -> Check:
    troubles = [(_label(s), t) for s in sensors if (t := sensor_trouble(s))]
    without_value = sum(s.health.value is None for s in sensors)
    found = f"{len(sensors) - len(troubles)} of {len(sensors)} at rate"
    if not troubles:
        return Check(name="Sensors", level="wait" if without_value else "ok", found=found)
    waiting = all(s.state in ("scanning", "connecting", "streaming") for s in sensors)
    more = f" (and {len(troubles) - 1} more)" if len(troubles) > 1 else ""
    return Check(
        name="Sensors",
        level="wait" if waiting and without_value else "bad",
        found=found,
        do=f"{troubles[0][0]}: {troubles[0][1]}{more}",
    )


def _batteries(snapshot: Snapshot) -> Check:
    known = [(s.battery_percent, _label(s)) for s in snapshot.sensors if s.battery_percent is not None]
    if not known and any(s.state in ("scanning", "connecting") for s in snapshot.sensors):
        return Check(name="Batteries", level="wait", found="opening" if _is_opening(snapshot) else "not read yet")
    if not known:
        return Check(name="Batteries", level="ok", found="not reported by these sensors")
    percent, label = min(known)
    found = f"lowest {percent} % ({label})"
    if percent < LOW_BATTERY_PERCENT:
        return Check(name="Batteries", level="bad", found=found, do=f"charge {label}, or use another sensor")
    return Check(name="Batteries", level="ok", found=found)


def _disk(snapshot: Snapshot) -> Check:
    if snapshot.disk is None:
        return Check(name="Disk", level="wait", found="opening")
    found = snapshot.disk.time_left
    if snapshot.disk.minutes_left * 60 < snapshot.remaining_s:
        return Check(name="Disk", level="bad", found=found, do="free some space or choose another --out")
    if snapshot.disk.minutes_left < FEW_MINUTES:
        return Check(name="Disk", level="warning", found=found, do="enough for this take only")
    return Check(name="Disk", level="ok", found=found)


def _camera(snapshot: Snapshot) -> Check:
    camera = snapshot.camera
    if camera is None and _is_opening(snapshot):
        return Check(name="Camera", level="wait", found="opening")
    if camera is None:
        do = "film by phone, then: mia-record attach"
        return Check(name="Camera", level="warning", found="none", do=do)
    found = f"{camera.width}x{camera.height} at {camera.rate_hz:.1f}/s"
    if camera.state != "running":
        return Check(name="Camera", level="bad", found=camera.state, do="check its cable; close other programs")
    if camera.rate_hz == 0.0:
        return Check(name="Camera", level="wait", found=found)
    return Check(name="Camera", level="ok", found=found)


def _body(snapshot: Snapshot, body: BodyView | None) -> Check:
    name = "Whole body"
    if snapshot.camera is None and _is_opening(snapshot):
        return Check(name=name, level="wait", found="opening")
    if snapshot.camera is None:
        return Check(name=name, level="warning", found="no camera", do="check framing on the phone")
    if body is None:
        return Check(name=name, level="wait", found="looking")
    if body.unavailable:
        return Check(name=name, level="warning", found="check failed", do=body.unavailable)
    if body.nobody:
        return Check(name=name, level="bad", found="nobody in the picture", do="step in front of the camera")
    if body.missing:
        do = "step back, or turn the camera, until head and feet are visible"
        return Check(name=name, level="bad", found=f"not visible: {', '.join(body.missing)}", do=do)
    return Check(name=name, level="ok", found="head to feet")


def _sound(snapshot: Snapshot) -> Check:
    if snapshot.sound is None:
        if _is_opening(snapshot):
            return Check(name="Sound", level="wait", found="opening")
        do = "sensor delays cannot be measured"
        return Check(name="Sound", level="warning", found="none", do=do)
    if not snapshot.sound.blocks:
        return Check(name="Sound", level="wait", found="opening")
    found = f"{snapshot.sound.level_db:.0f} dB"
    if snapshot.sound.level_db <= SILENT_DB:
        return Check(
            name="Sound",
            level="warning",
            found=found,
            do="clap once; if the level does not move, unmute the microphone",
        )
    return Check(name="Sound", level="ok", found=found)


def _light(snapshot: Snapshot) -> Check:
    if snapshot.box:
        return Check(name="Flash", level="ok", found="LED box")
    if _is_opening(snapshot):
        return Check(name="Flash", level="wait", found="opening")
    do = "film this screen too; at best a WARNING"
    return Check(name="Flash", level="warning", found="this terminal", do=do)


def _clock(resolution_ns: int) -> Check:
    found = f"resolution {resolution_ns} ns"
    if resolution_ns > COARSE_CLOCK_NS:
        return Check(name="Clock", level="bad", found=found, do="too coarse for flashes: use another computer")
    return Check(name="Clock", level="ok", found=found)
