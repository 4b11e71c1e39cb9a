"""Writing the report's page from its template."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from dataset.muscles import channel_from_name
from dataset.session.types import StreamSync, provenance_lines
from dataset.support.files import write_atomically
from sync.fit.match import MIN_MARGIN, MIN_MATCH_RATE, MIN_MATCHES
from sync.quality.advice import Advice, Cause
from sync.quality.gates import VIDEO_GATE_S, sensor_gate_s
from sync.report.sections import build_sections
from sync.result import SyncResult

#: A symbol beside each colour, for print and for readers who do not see colours.
_SIGN = {"PASS": "✔", "WARNING": "!", "FAIL": "✖"}

_MEANING = {
    "PASS": "All streams are aligned within the limits: the session can be used as it is.",
    "WARNING": "The session was written and can be used; read the reasons first, and report them with your results.",
    "FAIL": "The alignment could not be verified, so no session was written. To look at the data anyway, use "
    "--allow-unverified.",
}
_UNVERIFIED = (
    "The alignment could not be verified. The session was written, marked FAIL, because --allow-unverified was given; "
    "mia-train refuses it without the same option."
)


def write_report(path: Path, result: SyncResult) -> None:
    """Write the report of one synchronisation to ``path``: one HTML file that opens offline."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, render(result).encode())


def render(result: SyncResult) -> str:
    """Return the report's page."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string(resources.files(__package__).joinpath("report.html").read_text(encoding="utf-8"))
    session = result.session
    subtitle = [f"subject {session.subject}", f"{len(session.channels.name)} sensors"]
    if len(session.aligned.time_s):
        subtitle.append(f"{session.aligned.time_s[-1] - session.aligned.time_s[0]:.1f} s")
    if session.video is not None:
        subtitle.append(f"video {session.video.width} × {session.video.height}, {Path(session.video.file).name}")
    advice = result.advice
    unverified = result.verdict == "FAIL" and result.session_path is not None
    return template.render(
        title=f"Alignment of {result.report_path.stem}",
        subtitle=" · ".join(subtitle),
        virtual=session.is_virtual,
        verdict=result.verdict,
        reasons=list(result.reasons),
        meaning=_UNVERIFIED if unverified else _MEANING[result.verdict],
        sign=_SIGN,
        todo=_todo(result, advice),
        streams=[_row(name, stream, advice[name].text) for name, stream in result.streams.items()],
        gates={"matches": MIN_MATCHES, "rate": f"{MIN_MATCH_RATE:g}", "margin": f"{MIN_MARGIN:g}"},
        sections=build_sections(result),
        uuid=session.session_uuid,
        created=session.created_utc,
        zero=session.zero_host_ns,
        provenance=provenance_lines(session.provenance),
    )


def _todo(result: SyncResult, advice: Mapping[str, Advice]) -> list[str]:
    """Return the advice that could improve the verdict, each sentence once with the streams it is for."""
    streams_of: dict[str, list[str]] = {}
    for name, one in advice.items():
        # The sound is an intermediate step: its error is included in the sensors'.
        if one.text and name != "sound" and one.cause is not Cause.VIDEO_FIRST:
            streams_of.setdefault(one.text, []).append(_label(name))
    sensors = len(result.session.channels.name)
    return [f"{'every sensor' if len(n) == sensors > 1 else ', '.join(n)}: {text}" for text, n in streams_of.items()]


def _label(name: str) -> str:
    return channel_from_name(name).label


def _gate(name: str, stream: StreamSync) -> str:
    rate_hz = stream.constants.get("rate_hz", math.nan)
    gate_s = VIDEO_GATE_S
    if name not in ("video", "sound"):
        gate_s = sensor_gate_s(float(rate_hz))
    return " / ".join(f"{1e3 * bound:.0f}" for bound in gate_s)


def _row(name: str, stream: StreamSync, todo: str) -> dict[str, Any]:
    matched = f"{stream.n_matched} of {stream.n_reference}" if stream.n_reference else "-"
    residual = f"{_number(stream.rms_residual_s, 1e3)} / {_number(stream.max_residual_s, 1e3)}"
    return {
        "label": _label(name),
        "todo": todo,
        "gate": _gate(name, stream),
        "verdict": stream.verdict,
        "method": stream.method,
        "reason": stream.reason,
        "offset": _with_interval(stream.offset_s, stream.offset_ci95_s, 1e3),
        "rate": _with_interval(stream.rate_ppm, stream.rate_ci95_ppm, 1.0),
        "error": _number(stream.error_ci95_s, 1e3),
        "matched": matched,
        "margin": _number(stream.ambiguity_margin, 1.0, 2),
        "residual": residual if "-" not in (residual[0], residual[-1]) and stream.n_matched else "-",
    }


def _number(value: float, scale: float, digits: int = 1) -> str:
    return f"{value * scale:.{digits}f}" if math.isfinite(value) else "-"


def _with_interval(value: float, half_width: float, scale: float) -> str:
    if not math.isfinite(value):
        return "-"
    shown = round(value * scale, 1) + 0.0  # never "-0.0"
    return f"{shown:.1f}" + (f" ± {half_width * scale:.1f}" if math.isfinite(half_width) else "")
