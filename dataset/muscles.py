"""The muscles and channels of the paper, and those of its later public data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One sensor's place on the body.

    Attributes
    ----------
    muscle : str
        Muscle in lower case, such as ``biceps``.
    side : str
        ``left`` or ``right``, the subject's own.
    """

    muscle: str
    side: str

    @property
    def name(self) -> str:
        """Channel name as stored everywhere, such as ``left_biceps``."""
        return f"{self.side}_{self.muscle}"

    @property
    def label(self) -> str:
        """Name for people, such as ``L biceps``."""
        return f"{self.side[0].upper()} {self.muscle}"


def _both_sides(*muscles: str) -> tuple[Channel, ...]:
    return tuple(Channel(muscle=m, side=s) for m in muscles for s in ("left", "right"))


#: The paper's eight channels in slot order.
PAPER_CHANNELS = _both_sides("biceps", "triceps", "quadriceps", "hamstrings")

#: Channel order of the published windows (measured: left four, then right four; lats in place of triceps).
MIA_CHANNELS = tuple(
    Channel(muscle=m, side=s) for s in ("left", "right") for m in ("quadriceps", "hamstrings", "lats", "biceps")
)

#: Which sync contact a muscle answers to: arms answer claps, legs answer stomps.
CONTACT_OF_MUSCLE = {
    "biceps": "clap",
    "triceps": "clap",
    "lats": "clap",
    "quadriceps": "stomp",
    "hamstrings": "stomp",
}


def channel_from_name(name: str) -> Channel:
    """Return the channel called ``name``; a name without a known side gets side ``""``."""
    side, _, muscle = name.partition("_")
    if side in ("left", "right") and muscle:
        return Channel(muscle=muscle, side=side)
    return Channel(muscle=name, side="")


def in_order_of_the_body(names: Iterable[str]) -> tuple[str, ...]:
    """Return channel names in the paper's order, others after them as they come.

    A session's order does not depend on which sensor happened to be put on which muscle.
    """
    paper = {channel.name: i for i, channel in enumerate(PAPER_CHANNELS)}
    return tuple(sorted(names, key=lambda name: paper.get(name, len(paper))))
