"""Colours and signs of the capture screen: every colour has a sign beside it, for eyes and terminals without colour."""

from __future__ import annotations

#: Teal, amber and rose differ in lightness as well, so they stay apart for the colour-blind.
GOOD, WARN, BAD, DIM, TRACE, PLAIN = "#56c8b0", "#f2b155", "#ff6f91", "#8593a5", "#6aa9ff", "#d8dee9"
BACKGROUND = "#10151d"

#: Sign, colour and word of each state of a sensor.
STATES = {
    "scanning": ("○", DIM, "searching"),
    "connecting": ("◐", DIM, "connecting"),
    "streaming": ("●", GOOD, ""),
    "stale": ("▲", WARN, "STALE"),
    "lost": ("✖", BAD, "LOST"),
    "reconnecting": ("◌", BAD, "RETRYING"),
    "stopped": ("■", DIM, "stopped"),
}

#: Sign and colour of each level of a check, a verdict and a row of the log.
LEVELS = {
    "ok": ("✔", GOOD),
    "wait": ("◌", DIM),
    "warning": ("▲", WARN),
    "bad": ("✖", BAD),
    "error": ("✖", BAD),
    "info": ("·", DIM),
    "event": ("▸", TRACE),
    "PASS": ("✔", GOOD),
    "WARNING": ("▲", WARN),
    "FAIL": ("✖", BAD),
}


def level_style(level: str) -> tuple[str, str]:
    """Return sign and colour of a level."""
    return LEVELS.get(level, ("·", DIM))


def clock_text(seconds: float) -> str:
    """Return seconds as ``m:ss``."""
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02}"
