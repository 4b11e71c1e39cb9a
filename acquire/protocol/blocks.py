"""Blocks of a schedule: a sync sequence, one muscle's calibration, or an exercise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from acquire.protocol.schedule import Prompt

_CALIBRATION = ("rest_start", "rest_stop", "contract_start", "contract_stop")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Prompts ``first`` to ``last``, both included, that are done together or not at all.

    Attributes
    ----------
    kind : {"sync", "calibration", "exercise"}
    label : str
        The exercise, or the muscle's channel.
    first, last : int
        Indices into the schedule's prompts.
    start_s, stop_s : float
        Times of the first and last prompt in the schedule.
    """

    kind: str
    label: str
    first: int
    last: int
    start_s: float
    stop_s: float


def blocks_of(prompts: Sequence[Prompt]) -> tuple[Block, ...]:
    """Group prompts in time order into blocks; prompts outside any block (a single flash) are left out."""
    found: list[Block] = []
    first = 0
    for i, prompt in enumerate(prompts):
        begins, ends, kind = _role(prompts, i)
        if begins:
            first = i
        if ends:
            start = prompts[first]
            found.append(
                Block(kind=kind, label=start.label, first=first, last=i, start_s=start.at_s, stop_s=prompt.at_s)
            )
    return tuple(found)


def _role(prompts: Sequence[Prompt], i: int) -> tuple[bool, bool, str]:
    """Return whether a prompt begins a block, whether it ends one, and of which kind."""
    prompt = prompts[i]
    if prompt.kind in _CALIBRATION:
        before, after = (prompts[k] if 0 <= k < len(prompts) else None for k in (i - 1, i + 1))
        return not _same_muscle(before, prompt), not _same_muscle(after, prompt), "calibration"
    kind, _, end = prompt.kind.partition("_")
    return end == "start", end == "stop" and kind in ("sync", "exercise"), kind


def _same_muscle(other: Prompt | None, prompt: Prompt) -> bool:
    return other is not None and other.kind in _CALIBRATION and other.label == prompt.label
