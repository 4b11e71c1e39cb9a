"""Figure 7: a person's model fine-tuned on some exercises of another person, compared with training from scratch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dataset.exercises import exercise_title
from model.experiments import figures, tables
from model.experiments.context import PAPER_NETWORKS, Context, Report, Results, by_system
from model.experiments.jobs import Job
from model.experiments.sentences import below, figure

_HOW = ("fine-tuned", "from scratch")


def jobs(context: Context) -> list[Job]:
    """Return the runs: models of the first subject, and for each number of exercises both ways of training."""
    if len(context.subjects) < 2:
        return []
    sources = [
        _source(context, system, rate, seed)
        for system in PAPER_NETWORKS
        for rate, seed in context.runs(system, everywhere=True)
    ]
    return [*sources, *(job for some in _choices(context) for how in _HOW for job in _of(context, some, how))]


def report(context: Context, results: Results, out: Path) -> Report:
    """Write the figure to ``out`` and return the table."""
    if len(context.subjects) < 2:
        return Report(markdown="There is only one subject, so nothing can be transferred.", rows=(), figures=())
    unit, choices = context.windows.unit, _choices(context)
    counts = [len(some) for some in choices]
    found = {how: [by_system(_of(context, some, how), results) for some in choices] for how in _HOW}
    names = list(found[_HOW[0]][0])
    labels = {f"{name}, {how}": [at[name] for at in found[how]] for name in names for how in _HOW}
    title = f"Subject {context.subjects[1]}, with and without a model of subject {context.subjects[0]}"
    title += " - virtual data" if context.virtual else ""
    about = figures.LineFigure(
        title=title,
        xlabel="exercises of the second subject trained on",
        unit=unit,
        dashed=[label for label in labels if label.endswith(_HOW[1])],
    )
    lines = {label: [one.rmse() for one in each] for label, each in labels.items()}
    drawn = figures.draw_lines(counts, lines, out / "transfer.png", about)
    rows = [
        row
        for how in _HOW
        for count, at in zip(counts, found[how], strict=True)
        for row in tables.long_rows(
            "transfer", f"{_counted(count)}, {how}", at, context.exercises, context.windows.channels, unit
        )
    ]
    words = []
    for name in names:
        for i, count in enumerate(counts):
            tuned, scratch = (found[how][i][name] for how in _HOW)
            what = f"{name}, {_counted(count)}, fine-tuned compared with from scratch"
            words.append("- " + below(what, tuned.mean_exercises(), scratch.mean_exercises(), unit,
                                      enough=tuned.n_recordings > 1))  # fmt: skip
    order = ", ".join(exercise_title(name) for name in _order(context))
    sections = [
        f"First subject {context.subjects[0]}, second {context.subjects[1]}; tested on all of the second subject's "
        f"exercises, whichever were trained on. Exercises are added in this order: {order}. Fine-tuning and training "
        "from scratch have the same steps and rate.",
        tables.markdown(
            [f"RMSE, mean of exercises ({unit})", *(f"{count}" for count in counts)],
            [[label, *(figure(one.rmse()) for one in each)] for label, each in labels.items()],
        ),
        "Paper: fine-tuning always beats training from scratch.",
        "\n".join(words),
        f"![{title}]({drawn.name})",
    ]
    return Report(markdown="\n\n".join(sections), rows=rows, figures=(drawn,))


def _counted(count: int) -> str:
    return f"{count} exercise{'s' if count > 1 else ''}"


def _source(context: Context, system: str, rate: str, seed: int) -> Job:
    return context.training(system, rate, f"source:{context.subjects[0]}", seed)


def _of(context: Context, exercises: Sequence[str], how: str) -> list[Job]:
    parts = f"target:{context.subjects[1]}:{','.join(sorted(exercises))}"
    return [
        context.training(
            system, rate, parts, seed,
            start_from=_source(context, system, rate, seed).key if how == _HOW[0] else "",
        )
        for system in PAPER_NETWORKS
        for rate, seed in context.runs(system, everywhere=True)
    ]  # fmt: skip


def _order(context: Context) -> list[str]:
    """Return the second subject's exercises in a random but reproducible order."""
    theirs = np.unique(context.windows.exercise[context.windows.subject == context.subjects[1]])
    return [str(name) for name in np.random.default_rng(0).permutation(theirs)]


def _choices(context: Context) -> list[list[str]]:
    """Return growing sets of exercises to train on."""
    order = _order(context)
    most = context.budget.most_counts or len(order)
    counts = np.unique(np.geomspace(1, len(order), min(most, len(order))).round().astype(int))
    return [order[:count] for count in (counts if most < len(order) else range(1, len(order) + 1))]
