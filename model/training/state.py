"""Progress of a training: together with network and optimiser, everything that the rest of it depends on."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass(slots=True)
class State:
    """Steps, losses, checks, and the best weights so far."""

    step: int = 0
    total: float = 0.0
    losses: list[float] = field(default_factory=list)
    checks: list[tuple[int, float]] = field(default_factory=list)
    best_step: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
