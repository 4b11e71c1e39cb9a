"""Leave-one-subject-out cross-validation, in counts and within-subject z."""

from __future__ import annotations

from pathlib import Path

from model.experiments import figures, tables
from model.experiments.context import Context, Report, Results, by_system
from model.experiments.exercises import best_key
from model.experiments.jobs import Job
from model.experiments.sentences import below


def jobs(context: Context) -> list[Job]:
    """Return the runs: each subject left out once."""
    if len(context.subjects) < 2:
        return []
    return [job for name in context.subjects for job in context.all_systems(f"subject:{name}", everywhere=True)]


def report(context: Context, results: Results, out: Path) -> Report:
    """Write the figure to ``out`` and return the tables."""
    runs = jobs(context)
    if not runs:
        return Report(markdown="There is only one subject, so none can be left out.", rows=(), figures=())
    unit, channels, exercises = context.windows.unit, context.windows.channels, context.exercises
    summaries = by_system(runs, results)
    title = "Error by exercise, leave-one-subject-out" + (" - virtual data" if context.virtual else "")
    drawn = figures.draw_by_exercise(summaries, exercises, out / "people.png", title=title, unit=unit)
    rows = tables.long_rows("people", "all", summaries, exercises, channels, unit)
    sections = [
        f"{len(context.subjects)} subjects, each left out once. Counts do not transfer between people (skin, "
        "placement, strength): for *z, each standardised*, truth and prediction are standardised within the person and "
        "muscle before they are compared, so only the shape over time counts; a constant gives 1.00, an unrelated "
        "signal 1.41.",
        tables.overall(summaries, channels, unit),
        tables.by_exercise(summaries, exercises, unit),
    ]
    for name in context.subjects:
        one = by_system([job for job in runs if job.parts == f"subject:{name}"], results)
        sections += [f"Subject {name} left out:", tables.overall(one, channels, unit)]
        rows += tables.long_rows("people", f"subject {name} left out", one, exercises, channels, unit)
    lines = []
    for system in ("nn", "cnn-paper", "transformer-paper", "mia"):
        key = best_key(summaries, system)
        if key is None:
            continue
        mine, mean = summaries[key].mean_exercises("sse_shape"), summaries["mean"].mean_exercises("sse_shape")
        lines.append("- " + below(f"{key} against a constant, shape only", mine, mean, "z",
                                  enough=summaries[key].n_recordings > 1, digits=2))  # fmt: skip
    sections += ["\n".join(lines), f"![{title}]({drawn.name})"]
    return Report(markdown="\n\n".join(sections), rows=rows, figures=(drawn,))
