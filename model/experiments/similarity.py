"""Figure 8: nearest-neighbour retrieval between exercises, by pose (V) and by the model's embedding (MV)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dataset.exercises import exercise_title
from dataset.support.arrays import FloatArray, IntArray
from model.experiments import figures, tables
from model.experiments.body_figures import draw_motions
from model.experiments.context import IN_DISTRIBUTION, Context, Report, Results
from model.experiments.jobs import Job, Result

SYSTEM, RATE = "transformer-paper", "tuned"
_FRAMES = (0, 7, 14, 21, 28)
_MOST_EXAMPLES = 5


def jobs(context: Context) -> list[Job]:
    """Return the runs: the baselines' for V, the paper's transformer for MV."""
    return [context.baselines(IN_DISTRIBUTION), context.training(SYSTEM, RATE, IN_DISTRIBUTION, 0)]


def report(context: Context, results: Results, out: Path) -> Report:
    """Write the figures to ``out`` and return the matrices."""
    baselines, network = (results[job.key] for job in jobs(context))
    exercises, asked = context.exercises, context.windows.exercise[baselines.test]
    found = {"V (pose)": _retrieved(context, baselines), "MV (model)": _retrieved(context, network)}
    nearest = {name: _matrix(asked, labels[:, 0], exercises) for name, labels in found.items()}
    others = {name: _matrix(asked, labels[:, 1], exercises) for name, labels in found.items()}
    end = " - virtual data" if context.virtual else ""
    title = "Nearest training window by exercise" + end
    drawn = [figures.draw_matrices(nearest, exercises, out / "similarity.png", title=title)]
    sections = [
        "A cell is the share of the row's test windows for which a window of the column's exercise is the nearest: in "
        "V by the mean squared distance of the skeletons, in MV by the distance of the embeddings, the input of the "
        f"last layer of {SYSTEM} ({RATE}). The training and validation parts are searched.",
        f"![{title}]({drawn[0].name})",
        *(_table(name, matrix, exercises) for name, matrix in nearest.items()),
        "\n".join(f"- {name}: {np.nanmean(np.diag(matrix)):.0%} on the diagonal, mean of exercises."
                  for name, matrix in nearest.items()),
        _diagonal_words(nearest),
    ]  # fmt: skip
    if len(exercises) > 1:
        title = "Nearest training window of another exercise" + end
        drawn.append(figures.draw_matrices(others, exercises, out / "similarity-others.png", title=title))
        examples = _examples(context, found, baselines, network)
        motions = draw_motions(
            examples, out / "similarity-neighbours.png", title="Retrieved neighbours" + end, columns=3
        )
        drawn.append(motions)
        sections += [
            f"### {title}", f"![{title}]({drawn[1].name})", _others_words(others, exercises),
            "Retrieved neighbours, the subject's left blue and right orange:",
            f"![Retrieved neighbours]({motions.name})",
        ]  # fmt: skip
    rows = [
        {"experiment": "similarity", "comparison": which, "system": name, "exercise": row, "channel": column,
         "metric": "share_retrieved", "value": float(matrix[i, j]), "seeds": 1}
        for which, matrices in (("nearest", nearest), ("nearest of another exercise", others))
        for name, matrix in matrices.items()
        for i, row in enumerate(exercises)
        for j, column in enumerate(exercises)
        if np.isfinite(matrix[i, j])
    ]  # fmt: skip
    return Report(markdown="\n\n".join(sections), rows=rows, figures=tuple(drawn))


def _neighbours(result: Result) -> IntArray:
    if result.neighbours is None:
        return np.zeros((0, 2), dtype=np.int64)
    return result.neighbours


def _retrieved(context: Context, result: Result) -> np.typing.NDArray[np.str_]:
    """Return the exercises retrieved for each test window, shape (N, 2): of all, and of the others."""
    return context.windows.exercise[_neighbours(result)]


def _matrix(
    asked: np.typing.NDArray[np.str_], retrieved: np.typing.NDArray[np.str_], exercises: tuple[str, ...]
) -> FloatArray:
    """Return how often each column's exercise is retrieved for each row's; a row without windows is NaN."""
    rows, columns = np.searchsorted(exercises, asked), np.searchsorted(exercises, retrieved)
    counts = np.zeros((len(exercises), len(exercises)))
    np.add.at(counts, (rows, columns), 1.0)
    total = counts.sum(1, keepdims=True)
    return np.where(total > 0, counts / np.maximum(total, 1.0), np.nan)


def _table(name: str, matrix: FloatArray, exercises: tuple[str, ...]) -> str:
    titles = [exercise_title(one) for one in exercises]
    body = [[title, *("-" if not np.isfinite(v) else f"{v:.2f}" for v in row)]
            for title, row in zip(titles, matrix, strict=True)]  # fmt: skip
    return tables.markdown([name, *titles], body)


def _diagonal_words(nearest: dict[str, FloatArray]) -> str:
    v, mv = (float(np.nanmean(np.diag(matrix))) for matrix in nearest.values())
    verdict = "Agrees" if mv < v else "No difference" if mv == v else "Disagrees"
    return f"Paper: MV is less diagonal than V. **{verdict}** ({mv:.0%} against {v:.0%}; no interval, one seed)."


def _others_words(others: dict[str, FloatArray], exercises: tuple[str, ...]) -> str:
    """Return for each exercise the most similar other one, by pose and by the model."""
    lines, differ, known = [], 0, 0
    for i, name in enumerate(exercises):
        if any(not np.isfinite(matrix[i]).all() for matrix in others.values()):
            continue
        pose, model = (int(np.argmax(matrix[i])) for matrix in others.values())
        known += 1
        differ += pose != model
        lines.append([exercise_title(name), exercise_title(exercises[pose]), exercise_title(exercises[model])])
    table = tables.markdown(["most similar exercise", "by pose (V)", "by the model (MV)"], lines)
    return f"{table}\n\nFor {differ} of {known} exercises, the most similar one differs between model and pose."


def _examples(
    context: Context, found: dict[str, np.typing.NDArray[np.str_]], baselines: Result, network: Result
) -> list[tuple[str, FloatArray]]:
    """Return motions to draw (query, neighbour by pose, by model) of windows for which the two neighbours differ."""
    windows = context.windows
    asked = windows.exercise[baselines.test]
    pose, model = (labels[:, 1] for labels in found.values())
    frames = np.array([f for f in _FRAMES if f < windows.length])
    rows: list[tuple[str, FloatArray]] = []
    for name in context.exercises:
        mine = np.flatnonzero(asked == name)
        if not len(mine) or len(rows) >= 3 * _MOST_EXAMPLES:
            continue
        differing = mine[pose[mine] != model[mine]]
        shown = differing if len(differing) else mine
        i = int(shown[len(shown) // 2])
        for what, window in (
            ("asked for", int(baselines.test[i])),
            ("by pose", int(_neighbours(baselines)[i, 1])),
            ("by the model", int(_neighbours(network)[i, 1])),
        ):
            label = f"{what}: {exercise_title(str(windows.exercise[window]))}, subject {windows.subject[window]}"
            rows.append((label, windows.keypoints[window, frames].astype(np.float64)))
    return rows
