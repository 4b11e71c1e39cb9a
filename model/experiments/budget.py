"""Budget of an experiment (seeds, steps, learning rates) in two tiers, stated in its tables."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dataset.support.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Budget of one tier.

    Steps are those of 32 windows; a network with smaller batches gets more steps, to see as many windows.

    Attributes
    ----------
    tier : str
    seeds : int
        Trainings in distribution, each with its own initial weights and order of windows.
    seeds_elsewhere : int
        Trainings in the other experiments.
    published_steps, tuned_steps : int
        Steps at the published and at the tuned learning rate.
    tuning_steps : int
        Steps for each learning rate that is tried.
    learning_rates : tuple of float
        Rates tried; the one with the lowest error on the validation part is the tuned one.
    most_exercises : int or None
        Number of exercises left out one at a time, evenly spaced; None: all.
    lengths : tuple of int
        Frames of a window in ``temporal``.
    most_counts : int or None
        Numbers of exercises in ``transfer``; None: each from 1.
    published_everywhere : bool
        Whether the published rate is run in every experiment, or only in distribution.
    """

    tier: str
    seeds: int
    seeds_elsewhere: int
    published_steps: int
    tuned_steps: int
    tuning_steps: int
    learning_rates: tuple[float, ...]
    most_exercises: int | None
    lengths: tuple[int, ...]
    most_counts: int | None
    published_everywhere: bool


TIERS = {
    "quick": Budget(
        tier="quick", seeds=2, seeds_elsewhere=1, published_steps=300, tuned_steps=500, tuning_steps=250,
        learning_rates=(3e-5, 1e-4, 3e-4), most_exercises=3, lengths=(1, 15, 30), most_counts=2,
        published_everywhere=False,
    ),
    "full": Budget(
        tier="full", seeds=3, seeds_elsewhere=3, published_steps=20_000, tuned_steps=4000, tuning_steps=1000,
        learning_rates=(1e-5, 3e-5, 1e-4, 3e-4, 1e-3), most_exercises=None, lengths=(1, 5, 10, 15, 20, 25, 30),
        most_counts=None, published_everywhere=True,
    ),
}  # fmt: skip


def budget_of(tier: str, *, seeds: int | None = None, steps: int | None = None) -> Budget:
    """Return a tier's budget, with other numbers of seeds or steps if given.

    ``steps`` applies to both learning rates; tuning gets half.

    Raises
    ------
    InputError
        There is no tier of that name.
    """
    if tier not in TIERS:
        raise InputError(f"unknown tier {tier!r}", f"known: {', '.join(TIERS)}")
    budget = TIERS[tier]
    if seeds is not None:
        budget = replace(budget, seeds=seeds, seeds_elsewhere=seeds)
    if steps is not None:
        budget = replace(budget, published_steps=steps, tuned_steps=steps, tuning_steps=max(1, steps // 2))
    return budget
