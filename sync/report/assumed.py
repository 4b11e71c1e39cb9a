"""Assumptions: the constants in the clock maps, those measured in this session and those taken from priors."""

from __future__ import annotations

import math

from dataset.muscles import channel_from_name
from sync.quality.stream_alignment import DelaySource, SensorConstants
from sync.report.section import Section, Table, milliseconds
from sync.result import SyncResult

_MEANING = {
    "screen_latency_s": "delay from a flash's stored time to its light, by source",
    "av_skew_s": "lag of the file's sound behind its picture",
    "acoustic_delay_s": "travel time of sound from the person to the microphone",
}


def assumed_section(result: SyncResult) -> Section | None:
    """Return the table of named constants; None where no stream has one."""
    users: dict[tuple[str, str, str, str], list[str]] = {}
    for stream_name, stream in result.streams.items():
        label = channel_from_name(stream_name).label
        for name in _MEANING:
            value, sd = stream.constants.get(name), stream.constants.get(f"{name[:-2]}_sd_s", math.nan)
            if isinstance(value, str) or value is None or isinstance(sd, str):
                continue
            if not math.isfinite(sd) and value == 0.0:
                continue
            key = (name, milliseconds(value, signed=True), milliseconds(sd), _source(result, name, stream_name))
            users.setdefault(key, []).append(label)
        source = SensorConstants.read(stream.constants).delay_source
        if "delay_source" in stream.constants and source is not DelaySource.MEASURED:
            how = "other sensors of the rig" if source is DelaySource.ASSUMED else "prior of its model"
            key = (
                "sensor delay",
                milliseconds(-stream.offset_s, signed=True),
                milliseconds(stream.offset_ci95_s / 1.96),
                how,
            )
            users.setdefault(key, []).append(label)
    if not users:
        return None
    rows = tuple(
        (
            name,
            value,
            f"± {sd}",
            source,
            ", ".join(labels),
            _MEANING.get(name, "delay from the signal to a value's arrival"),
        )
        for (name, value, sd, source), labels in users.items()
    )
    return Section(
        title="Assumptions",
        texts=(
            "Constants used in the clock maps, with their standard deviations. A constant marked prior was not "
            "measured in this session: an error in it shifts all values of its streams equally, and is included in "
            "their intervals where the method says so.",
        ),
        table=Table(head=("constant", "value (ms)", "sd (ms)", "source", "used for", "meaning"), rows=rows),
    )


def _source(result: SyncResult, name: str, stream: str) -> str:
    sound = result.streams.get("sound")
    if name == "av_skew_s" and sound is not None and sound.method == "beeps":
        return "beeps and flashes"
    if name == "screen_latency_s":
        return f"prior ({result.streams[stream].constants.get('flash_source') or 'no source'})"
    return "prior"
