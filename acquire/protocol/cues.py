"""Cues of a schedule: the current task, the time left, and the next task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from acquire.protocol.schedule import Prompt, Schedule
from dataset.exercises import exercise_title

#: How long a clap or stomp cue stays on the screen.
CUE_SHOWN_S = 0.6

_CONTACTS = {"clap_cue": "Clap", "stomp_cue": "Stomp"}
#: Prompts that last, and the prompt that ends each.
_SPANS = {"exercise_start": "exercise_stop", "contract_start": "contract_stop", "rest_start": "rest_stop"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """Contents of the cue panel.

    Attributes
    ----------
    kind : str
        ``ready``, ``contact``, ``exercise``, ``rest``, ``contract``, ``paused`` or ``done``: decides the colour.
    title : str
        Text in big letters.
    text : str
        One line of explanation.
    left_s : float
        Time until the next cue.
    next_title : str
        Title of the next cue; empty at the end.
    repetition, repetitions : int
        Current repetition, from 1, and their number; 0 if an exercise is done by time.
    """

    kind: str
    title: str
    text: str
    left_s: float
    next_title: str
    repetition: int = 0
    repetitions: int = 0


def cue_at(schedule: Schedule, elapsed_s: float) -> Cue:
    """Return the cue at ``elapsed_s`` seconds after the start of the recording."""
    past = [p for p in schedule.prompts if p.at_s <= elapsed_s and p.kind != "flash"]
    to_come = [p for p in schedule.prompts if p.at_s > elapsed_s and _title(p)]
    coming = to_come[0] if to_come else None
    until_s = (coming.at_s if coming else schedule.duration_s) - elapsed_s
    last = past[-1] if past else None
    if last is not None and last.kind in _SPANS:
        stop_s = next(
            (p.at_s for p in schedule.prompts if p.kind == _SPANS[last.kind] and p.at_s > last.at_s), last.at_s
        )
        repetition = 0
        if last.repetitions:
            done = (elapsed_s - last.at_s) / max(stop_s - last.at_s, 1e-9)
            repetition = min(last.repetitions, 1 + int(done * last.repetitions))
        return Cue(
            kind=last.kind.removesuffix("_start"),
            title=_title(last),
            text=last.text,
            left_s=stop_s - elapsed_s,
            next_title=_next_title(to_come, _title(last)),
            repetition=repetition,
            repetitions=last.repetitions,
        )
    if last is not None and last.kind in _CONTACTS and elapsed_s - last.at_s < CUE_SHOWN_S:
        return _contact(last.kind, elapsed_s - last.at_s, _title(coming))
    if coming is None:
        return Cue(kind="done", title="Done", text="stand still", left_s=max(0.0, until_s), next_title="")
    if coming.kind in _CONTACTS:
        text = f"{_title(coming).lower()} once at each cue"
        return Cue(kind="ready", title="Get ready", text=text, left_s=until_s, next_title=_title(coming))
    return Cue(kind="rest", title="Rest", text=coming.text, left_s=until_s, next_title=_next_title(to_come, "Rest"))


def _next_title(to_come: Sequence[Prompt], now: str) -> str:
    """Return the title of the next task, skipping rests."""
    titles = [_title(prompt) for prompt in to_come]
    return next((title for title in titles if now != "Rest" or title != "Rest"), "")


def contact_cue(kind: str, since_s: float) -> Cue | None:
    """Return the cue of a clap or stomp requested outside the schedule; None once it has expired."""
    return _contact(kind, since_s, "") if 0.0 <= since_s < CUE_SHOWN_S else None


def waiting_cue(schedule: Schedule, index: int, left_s: float) -> Cue:
    """Return the cue while the schedule is held before prompt ``index``.

    Parameters
    ----------
    left_s : float
        Time left of a countdown; 0 in a pause, which the user ends.
    """
    coming = next((p for p in schedule.prompts[index:] if _title(p)), None)
    kind, title = ("ready", "Get ready") if left_s > 0.0 else ("paused", "Paused")
    text = coming.text if coming is not None and coming.kind not in _CONTACTS else ""
    return Cue(kind=kind, title=title, text=text, left_s=left_s, next_title=_title(coming))


def _contact(kind: str, since_s: float, next_title: str) -> Cue:
    text = "hands together, once" if kind == "clap_cue" else "both heels, once"
    return Cue(
        kind="contact", title=_CONTACTS[kind], text=text, left_s=CUE_SHOWN_S - since_s, next_title=next_title
    )  # fmt: skip


def _title(prompt: Prompt | None) -> str:
    """Return the title of a prompt; empty for prompts that are not shown."""
    if prompt is None:
        return ""
    if prompt.kind == "exercise_start":
        return exercise_title(prompt.label)
    if prompt.kind == "contract_start":
        return f"Flex: {muscle_title(prompt.label)}"
    if prompt.kind == "rest_start":
        return "Rest"
    return _CONTACTS.get(prompt.kind, "")


def muscle_title(channel: str) -> str:
    """Return a channel's display name, such as ``left biceps``."""
    return channel.replace("_", " ")
