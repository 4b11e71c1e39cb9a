"""Data shared by all experiments on one set of sessions: windows, budget, tuned rates, and construction of jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataset.windows import Windows
from model.baselines import BASELINES
from model.evaluation import ErrorSums
from model.experiments.bootstrap import Summary
from model.experiments.budget import Budget
from model.experiments.jobs import BASELINES_JOB, Job, Result, exercise_axis

#: The paper's networks, with their batch size and published learning rate (the project's network has its own recipe).
PAPER_NETWORKS = ("cnn-paper", "transformer-paper")
OWN_NETWORK = "mia"
NETWORKS = (*PAPER_NETWORKS, OWN_NETWORK)
BATCH = {"cnn-paper": 8, "transformer-paper": 32, "mia": 32}
RATE = {"cnn-paper": 5e-6, "transformer-paper": 5e-6, "mia": 1e-3}
_STEP_BATCH = 32

IN_DISTRIBUTION = "in-distribution"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Windows of a set of sessions, the budget, and the tuned learning rates.

    Attributes
    ----------
    windows : Windows
    budget : Budget
    tuned : mapping of str to float
        Tuned learning rate of each of the paper's networks; empty before tuning.
    virtual : bool
        Whether any session is of the virtual rig.
    """

    windows: Windows
    budget: Budget
    tuned: Mapping[str, float]
    virtual: bool

    @property
    def exercises(self) -> tuple[str, ...]:
        """Names of the exercises, sorted."""
        return exercise_axis(self.windows)

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subjects, sorted by number of windows, most first."""
        names, counts = np.unique(self.windows.subject, return_counts=True)
        return tuple(str(names[i]) for i in np.lexsort((names, -counts)))

    def baselines(self, parts: str, *, length: int | None = None) -> Job:
        """Return the job that computes the baselines."""
        length = length or self.windows.length
        return Job(system=BASELINES_JOB, parts=parts, length=length, keep=self._kept(parts, 0, length))

    def training(
        self, system: str, rate: str, parts: str, seed: int, *, length: int | None = None, start_from: str = ""
    ) -> Job:
        """Return the job that trains a network at its ``published``, ``tuned`` or ``own`` rate."""
        learning_rate = self.tuned[system] if rate == "tuned" else RATE[system]
        steps = self.budget.published_steps if rate == "published" else self.budget.tuned_steps
        return Job(
            system=system, rate=rate, parts=parts, seed=seed, learning_rate=learning_rate, batch=BATCH[system],
            steps=_as_many_windows(steps, system), length=length or self.windows.length, start_from=start_from,
            keep=self._kept(parts, seed, length or self.windows.length),
            start_at_mean=rate == "tuned" and not start_from,
        )  # fmt: skip

    def tuning(self) -> dict[str, list[Job]]:
        """Return for each of the paper's networks the jobs that its learning rate is tuned with."""
        return {
            system: [
                Job(
                    system=system, rate="tuning", parts=IN_DISTRIBUTION, learning_rate=rate, batch=BATCH[system],
                    steps=_as_many_windows(self.budget.tuning_steps, system), length=self.windows.length,
                    start_at_mean=True,
                )
                for rate in self.budget.learning_rates
            ]
            for system in PAPER_NETWORKS
        }  # fmt: skip

    def runs(self, system: str, *, everywhere: bool = False) -> list[tuple[str, int]]:
        """Return each rate and seed of a network's runs; ``everywhere``: outside Table 1's in-distribution part."""
        rates: tuple[str, ...] = ("published", "tuned")
        if system == OWN_NETWORK:
            rates = ("own",)
        elif everywhere and not self.budget.published_everywhere:
            rates = ("tuned",)
        seeds = self.budget.seeds_elsewhere if everywhere else self.budget.seeds
        return [(rate, seed) for rate in rates for seed in range(seeds)]

    def all_systems(self, parts: str, *, everywhere: bool = False, length: int | None = None) -> list[Job]:
        """Return the baselines' job and, for each seed, those of all networks."""
        jobs = [self.baselines(parts, length=length)]
        jobs += [
            self.training(system, rate, parts, seed, length=length)
            for system in NETWORKS
            for rate, seed in self.runs(system, everywhere=everywhere)
        ]
        return jobs

    def _kept(self, parts: str, seed: int, length: int) -> tuple[str, ...]:
        """Return what a job stores in addition to its scores, for all experiments, so that they can share runs."""
        if parts == IN_DISTRIBUTION and seed == 0 and length == self.windows.length:
            return ("predicted", "neighbours")
        return ("weights",) if parts.startswith("source:") else ()


def _as_many_windows(steps: int, system: str) -> int:
    return steps * _STEP_BATCH // BATCH[system]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Results of an experiment.

    Attributes
    ----------
    markdown : str
        Without a top-level heading.
    rows : sequence of dict
        The long table, one value per row: ``system``, ``exercise``, ``channel``, ``metric``, ``value``, ``low``,
        ``high`` and further keys that distinguish them.
    figures : tuple of Path
    """

    markdown: str
    rows: Sequence[Mapping[str, object]]
    figures: tuple[Path, ...]


#: Results by the job's key.
Results = Mapping[str, Result]


def by_system(jobs: Sequence[Job], results: Results) -> dict[str, Summary]:
    """Return each system's metrics, baselines first: jobs of one seed are summed, seeds are kept separate."""
    sums: dict[str, dict[int, ErrorSums]] = {}
    for job in jobs:
        for name, scores in results[job.key].scores.items():
            mine = sums.setdefault(name, {})
            mine[job.seed] = mine[job.seed] + scores if job.seed in mine else scores
    order = [*(f for f in BASELINES if f in sums), *(name for name in sums if name not in BASELINES)]
    return {name: Summary([sums[name][seed] for seed in sorted(sums[name])]) for name in order}
