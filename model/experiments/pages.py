"""The page of an experiment with its results and conditions, and the table of its runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model.experiments import tables
from model.experiments.context import Context, Report, Results
from model.experiments.jobs import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Conditions of an experiment.

    Attributes
    ----------
    context : Context
    jobs : sequence of Job
    tuning : mapping of str to list of Job
        By network, the jobs that its learning rate was tuned with.
    results : mapping of str to Result
        Of the jobs and of tuning.
    notes : tuple of str
    """

    context: Context
    jobs: Sequence[Job]
    tuning: Mapping[str, Sequence[Job]]
    results: Results
    notes: tuple[str, ...]


def page(heading: str, found: Report, conditions: Conditions) -> str:
    """Return an experiment's page: its results and conditions."""
    context, results = conditions.context, conditions.results
    windows = context.windows
    heads = [heading]
    if context.virtual:
        heads.append("**Virtual data, not people.**")
    mine = {job.key: job for job in conditions.jobs}
    about = [results[key].about for key in mine]
    seconds = sum(float(a["seconds"]) for a in about)
    parts = sorted({str(a["parts"]) for a in about})
    lines = [
        f"{len(windows.recordings)} sessions ({', '.join(windows.recordings)}), {len(context.subjects)} subjects, "
        f"{len(windows)} windows of {windows.length} frames every {windows.stride}.",
        f"Tier {context.budget.tier}: {len(mine)} runs, {seconds:.0f} s in total, one thread each, on a machine with "
        f"{os.cpu_count()} cores ({', '.join(sorted({str(a['device']) for a in about if 'device' in a})) or 'cpu'}); "
        f"seeds {_counted(mine)}; no training window shares a frame with the test part.",
        *(f"Parts: {how}." for how in parts),
        *_budgets(mine, results),
        *_rates(conditions.tuning, context, results),
        "At the tuned rate the paper's networks start at the training mean; at the published rate they start as "
        "published, where hundreds of steps are spent on the output's offset alone.",
        *(f"Note: {note}." for note in conditions.notes),
        "Intervals: 95 %, bootstrap over recordings and seeds. Weights: the best of ten checks on the validation part.",
    ]
    return "\n\n".join([*heads, found.markdown, "### Conditions", "\n".join(f"- {line}" for line in lines)]) + "\n"


def _counted(jobs: Mapping[str, Job]) -> str:
    """Return the seeds of the networks' runs."""
    return ", ".join(str(seed) for seed in sorted({job.seed for job in jobs.values() if job.steps}))


def _budgets(jobs: dict[str, Job], results: Results) -> list[str]:
    """Return each network's budget, and how many of its runs were best at their last check."""
    lines = []
    groups: dict[tuple[str, float, int, int], list[str]] = {}
    for key, job in jobs.items():
        if job.steps:
            groups.setdefault((job.label, job.learning_rate, job.steps, job.batch), []).append(key)
    for (label, rate, steps, batch), keys in groups.items():
        falling = sum(bool(results[key].about["still_falling"]) for key in keys)
        lines.append(
            f"{label}: learning rate {rate:g}, {steps} steps of {batch} windows; {falling} of {len(keys)} runs were "
            "best at their last check" + (", so more steps may improve them." if falling else ".")
        )
    return lines


def _rates(tuning: Mapping[str, Sequence[Job]], context: Context, results: Results) -> list[str]:
    lines = []
    for system, tried in tuning.items():
        rates = ", ".join(f"{job.learning_rate:g}: {results[job.key].about['validation_rmse']:.1f}" for job in tried)
        edge = context.tuned[system] in (tried[0].learning_rate, tried[-1].learning_rate) and len(tried) > 1
        lines.append(
            f"Tuned rate of {system}: {context.tuned[system]:g}, chosen by validation RMSE after {tried[0].steps} "
            f"steps ({rates})" + ("; it is at the edge of the range tried." if edge else ".")
        )
    return lines


def runs_csv(results: Results) -> str:
    """Return one row per run: its settings, its cost, and the course of its training."""
    columns = ("run", "system", "rate", "learning_rate", "steps", "batch", "seed", "length", "parts", "n_train",
               "n_validation", "n_test", "seconds", "best_step", "validation_rmse", "still_falling", "parameters",
               "device")  # fmt: skip
    rows = []
    for key, result in results.items():
        about = {**result.about["job"], **result.about, "run": key, "parts": result.about["job"]["parts"]}
        rows.append({column: about.get(column, "") for column in columns})
    return tables.as_csv(rows, columns)
