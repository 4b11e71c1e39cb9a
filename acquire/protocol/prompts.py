"""The words that ask for rest or a contraction: one text for one prompt, whoever shows it."""

from __future__ import annotations

#: Shown for as long as a muscle rests.
REST_TEXT = "let everything hang loose"
#: Shares of the greatest effort: what a calibration asks for, and what assigning by flexing does.
FULL_EFFORT, HALF_EFFORT = 1.0, 0.5
_HOW_HARD = {FULL_EFFORT: "as hard as you can", HALF_EFFORT: "about half as hard as you can"}


def flex_text(channel: str, effort: float) -> str:
    """Return what asks for one muscle at ``FULL_EFFORT`` or ``HALF_EFFORT``; it fits into a line of 80 columns."""
    return f"flex your {channel.replace('_', ' ')} {_HOW_HARD[effort]} and hold"
