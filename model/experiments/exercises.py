"""Table 1: every system in distribution, and with one exercise left out at a time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from model.experiments import figures, paper, tables
from model.experiments.bootstrap import Summary
from model.experiments.context import IN_DISTRIBUTION, Context, Report, Results, by_system
from model.experiments.jobs import Job
from model.experiments.sentences import figure, ordering


def jobs(context: Context) -> list[Job]:
    """Return the runs: in distribution at both rates, and for each exercise left out."""
    return [*_in_distribution(context), *_left_out(context)]


def report(context: Context, results: Results, out: Path) -> Report:
    """Write the figures to ``out`` and return the tables of Table 1."""
    unit, channels, exercises = context.windows.unit, context.windows.channels, context.exercises
    titles = {"in distribution": _in_distribution(context), "exercise left out": _left_out(context)}
    found = {title: by_system(runs, results) for title, runs in titles.items() if runs}
    sections, rows, drawn = [], [], []
    for title, summaries in found.items():
        name = out / f"exercises-{title.replace(' ', '-')}.png"
        heading = f"Error by exercise, {title}" + (" - virtual data" if context.virtual else "")
        drawn.append(figures.draw_by_exercise(summaries, exercises, name, title=heading, unit=unit))
        networks = {k: v for k, v in summaries.items() if k == "nn" or "(" in k or k == "mia"}
        sections += [
            f"### {title.capitalize()}",
            tables.overall(summaries, channels, unit),
            tables.by_exercise(summaries, exercises, unit),
            "By muscle, all exercises pooled:",
            tables.by_muscle(networks, channels, unit),
            f"![{heading}]({name.name})",
        ]
        rows += tables.long_rows("exercises", title, summaries, exercises, channels, unit)
    if not _left_out(context):
        sections.append("There is only one exercise, so none can be left out.")
    sections += ["### Comparison with the paper", _beside_the_paper(found, unit), *_words(found, unit)]
    return Report(markdown="\n\n".join(sections), rows=rows, figures=tuple(drawn))


def _in_distribution(context: Context) -> list[Job]:
    return context.all_systems(IN_DISTRIBUTION)


def _left_out(context: Context) -> list[Job]:
    if len(context.exercises) < 2:
        return []
    chosen = spaced(context.exercises, context.budget.most_exercises)
    return [job for name in chosen for job in context.all_systems(f"exercise:{name}", everywhere=True)]


def spaced(names: tuple[str, ...], most: int | None) -> list[str]:
    """Return at most the given number of ``names``, evenly spaced."""
    if most is None or most >= len(names):
        return list(names)
    return [names[i] for i in np.unique(np.linspace(0, len(names) - 1, most).round().astype(int))]


def best_key(summaries: Mapping[str, Summary], system: str) -> str | None:
    """Return the key of a system in a table, preferably tuned: its best at this budget."""
    return next((key for key in (f"{system} (tuned)", system, f"{system} (published)") if key in summaries), None)


def _beside_the_paper(found: Mapping[str, Mapping[str, Summary]], unit: str) -> str:
    header = ["mean of exercises, RMSE"]
    for title in found:
        header += [f"here, {title} ({unit})", f"paper, {title}"]
    body = []
    for system in paper.ORDER:
        line = [system]
        for title, summaries in found.items():
            key = best_key(summaries, system)
            published = paper.TABLE_1[system][0 if title == "in distribution" else 1]
            line += [figure(summaries[key].rmse()) if key else "-", "-" if published is None else f"{published:.1f}"]
        body.append(line)
    return tables.markdown(header, body)


def _words(found: Mapping[str, Mapping[str, Summary]], unit: str) -> list[str]:
    lines = []
    for title, summaries in found.items():
        order = [(name, key) for name in paper.ORDER if (key := best_key(summaries, name))]
        if title != "in distribution":
            order = [(name, key) for name, key in order if name != "random"]  # the paper gives no value for it
        lines += [f"Paper's order, {title} (each better than the one before):"]
        lines += ["\n".join(f"- {sentence}" for sentence in ordering(summaries, order, unit))]
    return lines
