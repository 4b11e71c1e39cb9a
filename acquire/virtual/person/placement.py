"""Placement of one person's sensors: gain for their muscle, crosstalk of its neighbour, and level at rest.

Sensors stay where they are from one recording of a person to the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataset.muscles import PAPER_CHANNELS

_ANTAGONISTS = {
    "biceps": "triceps",
    "triceps": "biceps",
    "quadriceps": "hamstrings",
    "hamstrings": "quadriceps",
}

#: For each of ``PAPER_CHANNELS``, the index of its antagonist's.
ANTAGONIST = tuple(
    next(i for i, c in enumerate(PAPER_CHANNELS) if (c.muscle, c.side) == (_ANTAGONISTS[channel.muscle], channel.side))
    for channel in PAPER_CHANNELS
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One person's electrodes, in the order of ``PAPER_CHANNELS``.

    Attributes
    ----------
    gain : tuple of float
        Counts for a muscle's activity relative to the usual: skin, fat and the electrode's place over the muscle.
    crosstalk : tuple of float
        Share of the antagonist's activity that is picked up too.
    rest_counts : tuple of float
        Level at rest.
    """

    gain: tuple[float, ...]
    crosstalk: tuple[float, ...]
    rest_counts: tuple[float, ...]

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Placement:
        """Draw a person's electrodes: people differ from each other by more than their own sensors do."""
        n = len(PAPER_CHANNELS)
        person = float(rng.normal(0.0, 0.30))
        gain = np.exp(np.clip(person + rng.normal(0.0, 0.20, n), np.log(0.4), np.log(1.6)))
        return cls(
            gain=tuple(float(x) for x in gain),
            crosstalk=tuple(float(x) for x in rng.uniform(0.01, 0.08, n)),
            rest_counts=tuple(float(x) for x in np.exp(rng.uniform(np.log(18.0), np.log(150.0), n))),
        )
