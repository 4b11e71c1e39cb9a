"""What the person reads at a moment of the schedule: the thing to do now, how long still, and what comes next."""

from __future__ import annotations

from dataclasses import dataclass

from acquire.schedule import Prompt, Schedule
from dataset.exercises import exercise_title

#: How long a clap or stomp cue stays on the screen.
CUE_SHOWN_S = 0.6

_CONTACTS = {"clap_cue": "Clap", "stomp_cue": "Stomp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """What stands on the screen.

    Attributes
    ----------
    kind : str
        ``ready``, ``contact``, ``exercise``, ``rest`` or ``done``: decides the colour.
    title : str
        Big words.
    text : str
        One line of explanation.
    left_s : float
        Until this changes.
    next_title : str
        What comes then; empty at the end.
    """

    kind: str
    title: str
    text: str
    left_s: float
    next_title: str


def cue_at(schedule: Schedule, elapsed_s: float) -> Cue:
    """Return what to show ``elapsed_s`` seconds after the recording began."""
    past = [p for p in schedule.prompts if p.at_s <= elapsed_s and p.kind != "flash"]
    to_come = [p for p in schedule.prompts if p.at_s > elapsed_s and _title(p)]
    coming = to_come[0] if to_come else None
    until_s = (coming.at_s if coming else schedule.duration_s) - elapsed_s
    last = past[-1] if past else None
    if last is not None and last.kind == "exercise_start":
        stop_s = next((p.at_s for p in schedule.prompts if p.kind == "exercise_stop" and p.at_s > last.at_s), last.at_s)
        return Cue(
            kind="exercise",
            title=_title(last),
            text=last.text,
            left_s=stop_s - elapsed_s,
            next_title=_title(coming) if coming else "",
        )
    if last is not None and last.kind in _CONTACTS and elapsed_s - last.at_s < CUE_SHOWN_S:
        text = "hands together, once" if last.kind == "clap_cue" else "both heels, once"
        left_s = CUE_SHOWN_S - (elapsed_s - last.at_s)
        return Cue(kind="contact", title=_title(last), text=text, left_s=left_s, next_title=_title(coming))
    if coming is None:
        return Cue(kind="done", title="Done", text="stand still", left_s=max(0.0, until_s), next_title="")
    if coming.kind in _CONTACTS:
        text = f"{_title(coming).lower()} once at each cue"
        return Cue(kind="ready", title="Get ready", text=text, left_s=until_s, next_title=_title(coming))
    return Cue(kind="rest", title="Rest", text=coming.text, left_s=until_s, next_title=_title(coming))


def _title(prompt: Prompt | None) -> str:
    """Big words of a prompt; empty for those that are not shown."""
    if prompt is None:
        return ""
    if prompt.kind == "exercise_start":
        return exercise_title(prompt.label)
    return _CONTACTS.get(prompt.kind, "")
