"""Texts that ask for rest or a contraction: the same text wherever a prompt is shown."""

from __future__ import annotations

#: Shown while a muscle rests.
REST_TEXT = "let everything hang loose"
#: Shares of the maximal effort: requested for calibration, and for assignment by flexing.
FULL_EFFORT, HALF_EFFORT = 1.0, 0.5
_HOW_HARD = {FULL_EFFORT: "as hard as you can", HALF_EFFORT: "about half as hard as you can"}


def flex_text(channel: str, effort: float) -> str:
    """Return the text that asks for one muscle at ``FULL_EFFORT`` or ``HALF_EFFORT``; fits into 80 columns."""
    return f"flex your {channel.replace('_', ' ')} {_HOW_HARD[effort]} and hold"
