"""Figures of experiments: points with intervals by exercise, lines over a number, matrices of retrieval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dataset.arrays import FloatArray
from dataset.exercises import exercise_title
from model.experiments.scores import Estimate, Summary

#: Okabe and Ito's colours, distinguishable for the colour-blind: one a system, whatever the figure.
COLOURS = {
    "random": "#999999", "mean": "#bbbbbb", "subject_mean": "#777777", "nn": "#000000", "nn_subject": "#555555",
    "cnn-paper": "#0072b2", "transformer-paper": "#d55e00", "mia": "#009e73",
}  # fmt: skip
_DPI = 110


def colour_of(system: str) -> str:
    """Return a system's colour; one network has one at all learning rates."""
    return COLOURS[system.partition(" ")[0].rstrip(",")]


def draw_by_exercise(
    summaries: Mapping[str, Summary], exercises: Sequence[str], path: Path, *, title: str, unit: str
) -> Path:
    """Draw RMSE and interval of every system in every exercise, and their means; write it as PNG."""
    shown = [e for e in range(len(exercises)) if any(s.exercise(e).value is not None for s in summaries.values())]
    n, k = len(shown) + 1, len(summaries)
    figure, axes = _figure(9.0, 1.7 + n * (0.16 * k + 0.12))
    for i, (system, one) in enumerate(summaries.items()):
        figures = [*(one.exercise(e) for e in shown), one.rmse()]
        y = np.arange(n, dtype=np.float64) + 0.8 * ((i + 0.5) / k - 0.5)
        _points(axes, figures, y, system, hollow="published" in system)
    for row in range(n):
        if row % 2:
            axes.axhspan(row - 0.5, row + 0.5, color="#f4f4f4", zorder=0, linewidth=0)
    axes.axhline(n - 1.5, color="#333333", linewidth=0.8)
    names = [*(exercise_title(exercises[e]) or "unlabelled" for e in shown), "mean of exercises"]
    axes.set_yticks(range(n), names)
    axes.set_ylim(n - 0.5, -0.5)
    axes.set_xlim(left=0.0)
    axes.set_xlabel(f"RMSE ({unit}), 95 % interval over recordings and seeds")
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    figure.legend(loc="outside right upper", frameon=False, fontsize=9)
    return _saved(figure, axes, path, title)


def _points(axes: Axes, figures: Sequence[Estimate], y: FloatArray, system: str, *, hollow: bool) -> None:
    value, low, high = _ends(figures)
    there = np.isfinite(value)
    colour = colour_of(system)
    axes.errorbar(
        value[there], y[there], xerr=[(value - low)[there], (high - value)[there]], fmt="o", color=colour,
        markersize=4.5, linewidth=1.2, markerfacecolor="white" if hollow else colour, label=system, zorder=3,
    )  # fmt: skip


def _ends(figures: Sequence[Estimate]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return values, and the lower and upper ends of their intervals: the values where there is none."""
    value = np.array([np.nan if f.value is None else f.value for f in figures], dtype=np.float64)
    low = np.array([np.nan if f.low is None else f.low for f in figures], dtype=np.float64)
    high = np.array([np.nan if f.high is None else f.high for f in figures], dtype=np.float64)
    return value, np.fmin(low, value), np.fmax(high, value)


def draw_lines(
    x: Sequence[float],
    lines: Mapping[str, Sequence[Estimate]],
    path: Path,
    *,
    title: str,
    xlabel: str,
    unit: str,
    dashed: Sequence[str] = (),
    x_ticks: Sequence[float] | None = None,
) -> Path:
    """Draw figures over a number, with their intervals as bands; write it as PNG.

    Parameters
    ----------
    x : sequence of float
    lines : mapping of str to sequence of Estimate
        By label, whose first word is a system's name.
    path : Path
    title, xlabel, unit : str
    dashed : sequence of str
        Labels drawn dashed.
    x_ticks : sequence of float, optional
    """
    figure, axes = _figure(8.5, 4.6)
    for label, figures in lines.items():
        value, low, high = _ends(figures)
        colour = colour_of(label)
        style = "--" if label in dashed else "-"
        axes.plot(x, value, style, marker="o", color=colour, label=label, markersize=4)
        axes.fill_between(x, low, high, color=colour, alpha=0.12, linewidth=0)
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(f"RMSE, mean of exercises ({unit})")
    if x_ticks is not None:
        axes.set_xticks(list(x_ticks))
    axes.grid(color="#dddddd", linewidth=0.6)
    figure.legend(loc="outside right upper", frameon=False, fontsize=9)
    return _saved(figure, axes, path, title)


def draw_matrices(matrices: Mapping[str, FloatArray], exercises: Sequence[str], path: Path, *, title: str) -> Path:
    """Draw matrices of shares, rows asked for and columns retrieved, beside each other; write it as PNG."""
    names = [exercise_title(name) for name in exercises]
    size = 1.6 + 0.32 * len(names)
    width = len(matrices) * (size + 0.3) + 0.8
    figure = Figure(figsize=(max(width, 8.5), 0.88 * size + 2.0), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(1, len(matrices), squeeze=False, sharey=True)[0]
    for axes, (name, matrix) in zip(grid, matrices.items(), strict=True):
        image = axes.imshow(matrix, vmin=0.0, vmax=1.0, cmap="viridis")
        axes.set_title(name, fontsize=10)
        axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=8)
        axes.set_yticks(range(len(names)), names, fontsize=8)
        axes.set_xlabel("retrieved")
        if len(names) <= 6:
            for (i, j), share in np.ndenumerate(matrix):
                axes.text(j, i, f"{share:.2f}", ha="center", va="center", fontsize=8,
                          color="black" if share > 0.6 else "white")  # fmt: skip
    grid[0].set_ylabel("asked for")
    figure.colorbar(image, ax=list(grid), shrink=0.8, label="share of windows")
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, dpi=_DPI)
    return path


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _saved(figure: Figure, axes: Axes, path: Path, title: str) -> Path:
    axes.set_title(title, fontsize=11, loc="left")
    figure.savefig(path, dpi=_DPI)
    return path
