"""Tables of experiments: Markdown for people, long rows for CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from dataset.exercises import exercise_title
from dataset.muscles import channel_from_name
from model.experiments.bootstrap import Estimate, Summary
from model.experiments.sentences import figure

Row = dict[str, object]

#: Columns of every long table.
COLUMNS = ("experiment", "comparison", "system", "exercise", "channel", "metric", "value", "low", "high", "seeds",
           "recordings")  # fmt: skip


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table with the first column aligned left and the others right."""
    lines = ["| " + " | ".join(header) + " |", "|" + "|".join(["---", *["---:"] * (len(header) - 1)]) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(map(_cell, row)) + " |" for row in rows)])


def _cell(text: str) -> str:
    """Return a cell's text with characters escaped that would end the cell or start HTML."""
    return text.replace("\\", "\\\\").replace("|", r"\|").replace("<", "&lt;")


def by_exercise(summaries: Mapping[str, Summary], exercises: Sequence[str], unit: str) -> str:
    """Return a table of RMSE by exercise and its mean, one column per system."""
    body = [
        [exercise_title(name) or "unlabelled", *(figure(one.exercise(e)) for one in summaries.values())]
        for e, name in enumerate(exercises)
        if any(one.exercise(e).value is not None for one in summaries.values())
    ]
    mean = ["**mean of exercises**", *(f"**{figure(one.rmse())}**" for one in summaries.values())]
    return markdown([f"RMSE ({unit})", *summaries], [*body, mean])


def by_muscle(summaries: Mapping[str, Summary], channels: Sequence[str], unit: str) -> str:
    """Return a table of RMSE and R2 by muscle, one column per system."""
    body = [
        [
            channel_from_name(name).label,
            *(f"{figure(one.channel(c))}; R2 {figure(one.r2(c), 2)}" for one in summaries.values()),
        ]
        for c, name in enumerate(channels)
    ]
    return markdown([f"RMSE ({unit})", *summaries], body)


def overall(summaries: Mapping[str, Summary], channels: Sequence[str], unit: str) -> str:
    """Return a table of RMSE in counts and within-subject z, and R2, one row per system."""
    body = [
        [name, figure(one.rmse()), figure(one.pooled()), figure(one.rmse("sse_z"), 2), figure(one.rmse("sse_shape"), 2),
         _mean_r2(one, len(channels)), str(one.n_seeds), str(one.n_recordings)]
        for name, one in summaries.items()
    ]  # fmt: skip
    header = ["system", f"RMSE, mean of exercises ({unit})", f"RMSE, pooled ({unit})", "RMSE (z)",
              "RMSE (z, each standardised)", "R2, mean of muscles", "seeds", "test recordings"]  # fmt: skip
    return markdown(header, body)


def _mean_r2(one: Summary, n_channels: int) -> str:
    known = [value for c in range(n_channels) if (value := one.r2(c).value) is not None]
    return f"{sum(known) / len(known):.2f}" if known else "-"


def long_rows(
    experiment: str,
    comparison: str,
    summaries: Mapping[str, Summary],
    exercises: Sequence[str],
    channels: Sequence[str],
    unit: str,
) -> list[Row]:
    """Return every value of the systems as a row."""
    rows: list[Row] = []
    for system, one in summaries.items():

        def add(metric: str, estimate: Estimate, one: Summary = one, system: str = system, **where: str) -> None:
            rows.append({
                "experiment": experiment, "comparison": comparison, "system": system, "exercise": "", "channel": "",
                "metric": metric, "value": estimate.value, "low": estimate.low, "high": estimate.high,
                "seeds": one.n_seeds, "recordings": one.n_recordings, **where,
            })  # fmt: skip

        add(f"rmse_mean_exercises_{unit}", one.rmse())
        add(f"rmse_{unit}", one.pooled())
        add("rmse_mean_exercises_z", one.rmse("sse_z"))
        add("rmse_mean_exercises_z_standardised", one.rmse("sse_shape"))
        for e, name in enumerate(exercises):
            add(f"rmse_{unit}", one.exercise(e), exercise=name)
        for c, name in enumerate(channels):
            add(f"rmse_{unit}", one.channel(c), channel=name)
            add("rmse_z", one.channel(c, "sse_z"), channel=name)
            add("r2", one.r2(c), channel=name)
    return [row for row in rows if row["value"] is not None]


def as_csv(rows: Sequence[Mapping[str, object]], columns: Sequence[str] = COLUMNS) -> str:
    """Return rows as CSV, numbers with six digits."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
    return text.getvalue()
