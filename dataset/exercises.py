"""Names of the paper's twenty exercises, of the fifteen in its later data, and their synonyms elsewhere."""

from __future__ import annotations

import re

#: The twenty exercises of the paper, as stored in events and sessions.
PAPER_EXERCISES = (
    "jumping_jack",
    "high_kick",
    "leg_back",
    "front_kick",
    "front_punch",
    "hook_punch",
    "pirouette",
    "skater",
    "twist",
    "squat",
    "feet_cross",
    "elbow_punch",
    "side_shuffle",
    "batting",
    "side_lunge",
    "running",
    "ball_throw",
    "bowling",
    "knee_kick",
    "woodchop",
)

#: The fifteen exercises of the later public data, as stored.
LATER_EXERCISES = (
    "elbow_punch",
    "front_kick",
    "front_punch",
    "high_kick",
    "hook_punch",
    "jumping_jack",
    "knee_kick",
    "leg_back",
    "feet_cross",
    "rond_de_jambe",
    "running",
    "side_shuffle",
    "side_lunge",
    "skater",
    "squat",
)

_ALIASES = {
    "squats": "squat",
    "leg_cross": "feet_cross",
    "shuffle": "side_shuffle",
    "side_lunges": "side_lunge",
    "slow_skater": "skater",
    "rondde_jambe": "rond_de_jambe",
}


def canonical_exercise(name: str) -> str:
    """Return the stored spelling of an exercise: ``"HookPunch"`` and ``"hook punch"`` become ``"hook_punch"``.

    Unknown names are kept, in the same spelling.
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    plain = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
    return _ALIASES.get(plain, plain)


def exercise_title(name: str) -> str:
    """Return an exercise's display name: ``hook_punch`` becomes ``Hook punch``."""
    return name.replace("_", " ").capitalize()
