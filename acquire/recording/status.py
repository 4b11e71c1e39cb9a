"""Status of a recording as a plain object for other programs, printed by ``mia-record status --json``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from acquire.bluetooth.status import trouble
from acquire.recording.take import Snapshot


def status_dict(snapshot: Snapshot) -> dict[str, Any]:
    """Return a snapshot as a JSON object; unknown values are None."""
    cue, camera, disk = snapshot.cue, snapshot.camera, snapshot.disk
    return {
        "phase": str(snapshot.phase),
        "rig": snapshot.rig,
        "subject": snapshot.subject,
        "capture": None if snapshot.folder is None else str(snapshot.folder.absolute()),
        "elapsed_s": round(snapshot.elapsed_s, 3),
        "remaining_s": round(max(0.0, snapshot.remaining_s), 3),
        "paused": snapshot.paused,
        "pausing": snapshot.pausing,
        "cue": None
        if cue is None
        else {"kind": cue.kind, "title": cue.title, "text": cue.text, "left_s": round(cue.left_s, 3),
              "next": cue.next_title, "repetition": cue.repetition, "repetitions": cue.repetitions},
        "sensors": [
            {
                "slot": s.sensor.slot,
                "channel": s.sensor.channel,
                "state": s.state,
                "received": s.health.received,
                "expected": s.health.expected,
                "rate_hz": round(s.health.rate_hz, 3),
                "silent_s": round(s.health.silent_s, 3) if math.isfinite(s.health.silent_s) else None,
                "battery_percent": s.battery_percent,
                "reconnects": s.reconnects,
                "trouble": trouble(s),
            }
            for s in snapshot.sensors
        ],
        "camera": None
        if camera is None
        else {"rate_hz": round(camera.rate_hz, 3), "dropped": camera.dropped},
        "sound": snapshot.sound is not None,
        "led_box": snapshot.box,
        "disk_minutes": None if disk is None or not math.isfinite(disk.minutes_left) else round(disk.minutes_left, 1),
    }  # fmt: skip


def status_text(status: Mapping[str, Any]) -> str:
    """Format :func:`status_dict`'s object as text."""
    phase = "paused" if status["paused"] else status["phase"]
    lines = [
        f"{phase}: subject {status['subject']}, {status['elapsed_s']:.0f} s, {status['remaining_s']:.0f} s left",
        f"  {status['capture'] or 'nothing is stored yet'}",
    ]
    if (cue := status["cue"]) is not None:
        lines.append(f"  {cue['title']}" + (f", then {cue['next']}" if cue["next"] else ""))
    for sensor in status["sensors"]:
        battery = "" if sensor["battery_percent"] is None else f"  battery {sensor['battery_percent']} %"
        lines.append(
            f"  {sensor['slot']} {sensor['channel']:18} {sensor['state']:12} {sensor['rate_hz']:6.1f}/s{battery}"
            + (f"  {sensor['trouble']}" if sensor["trouble"] else "")
        )
    if (camera := status["camera"]) is not None:
        lines.append(f"  camera {camera['rate_hz']:.1f}/s, {camera['dropped']} dropped")
    if status["disk_minutes"] is not None:
        lines.append(f"  disk for {status['disk_minutes']:.0f} minutes")
    return "\n".join(lines)
