"""The report's figures, each from plain arrays, each returned as a self-contained data URI."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import cv2
import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from dataset.exercises import exercise_title
from dataset.figure_text import channel_text, figure_text, quiet_about_glyphs
from dataset.pose.drawing import draw_skeleton
from dataset.session.types import Aligned, ExerciseTable
from dataset.support.arrays import FloatArray
from dataset.support.disk_arrays import BLOCK, blocks
from sync.result import ContactEvidence

#: Lines of more points than this are drawn as pixels: a long session's report stays small.
_MOST_POINTS = 4000
#: A long line is drawn by the extremes of so many stretches, at least; a figure is 1,400 pixels wide.
_MOST_DRAWN = 6000
#: Exercises named in a figure at most; more would overlap.
_MOST_NAMES = 16

#: One channel about one contact: its name, seconds after the contact, values, and its answer's centroid or NaN.
Answer = tuple[str, FloatArray, FloatArray, float]

# Okabe and Ito's palette: distinguishable for the colour-blind.
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#6b7280"

_STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9ca3af",
    "axes.labelcolor": "#374151",
    "xtick.color": "#374151",
    "ytick.color": "#374151",
    "axes.grid": True,
    "grid.color": "#e5e7eb",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "none",
}


@contextmanager
def _figure(
    width_in: float, height_in: float, rows: int = 1, columns: int = 1, **kw: Any
) -> Iterator[tuple[Figure, Any]]:
    # A Figure of its own, without pyplot: no global state, safe in threads and in worker processes.
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        try:
            yield figure, figure.subplots(rows, columns, squeeze=False, **kw)
        finally:
            figure.clear()  # a figure is a ring of references, which would keep its values for a while


def _uri(figure: Figure) -> str:
    buffer = io.BytesIO()
    with mpl.rc_context(_STYLE), quiet_about_glyphs():
        figure.savefig(buffer, format="svg", metadata={"Date": None}, dpi=130)
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()


def _outline(time_s: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the points of a line that show: of a long one the lowest and the highest of every few, gaps left open.

    There are several such pairs to a pixel, so that the line looks the same and takes no more memory than a short one.
    """
    several = len(values) // _MOST_DRAWN
    if several < 2:
        return time_s, values
    times, drawn = [], []
    for block in blocks(time_s, size=several * max(1, BLOCK // several)):
        value, n = values[block], -(-(block.stop - block.start) // several)
        rows = np.minimum(np.arange(n * several), len(value) - 1).reshape(n, several)
        piece = value[rows]
        absent = np.isnan(piece)
        lowest = np.where(absent, np.inf, piece).argmin(axis=1)
        highest = np.where(absent, -np.inf, piece).argmax(axis=1)
        chosen = np.stack([lowest, highest, np.where(absent.any(axis=1), absent.argmax(axis=1), lowest)], axis=1)
        kept = np.unique(np.take_along_axis(rows, chosen, axis=1))
        times.append(time_s[block][kept])
        drawn.append(value[kept])
    return np.concatenate(times), np.concatenate(drawn)


def _shade_exercises(axes: Axes, exercises: ExerciseTable, *, names: bool) -> None:
    # Two artists, not one an exercise: a long session has hundreds in each of eight panels.
    bars = [[(a, 0), (a, 1), (b, 1), (b, 0)] for a, b in zip(exercises.start_s, exercises.stop_s, strict=True)]
    for first, alpha in ((0, 0.13), (1, 0.07)):
        shade = PolyCollection(
            bars[first::2], transform=axes.get_xaxis_transform(), facecolors=BLUE, alpha=alpha, linewidths=0
        )
        axes.add_collection(shade, autolim=False)
    if bars:
        axes.update_datalim([corner for bar in bars for corner in bar], updatey=False)
    if names and len(exercises.name) <= _MOST_NAMES:
        for name, start, stop in zip(exercises.name, exercises.start_s, exercises.stop_s, strict=True):
            axes.annotate(
                figure_text(exercise_title(name)), ((start + stop) / 2, 1.02), xycoords=("data", "axes fraction"),
                ha="center", va="bottom", fontsize=7, color="#374151", rotation=25,
            )  # fmt: skip


def grid_figure(aligned: Aligned, channels: Sequence[str], units: Sequence[str], exercises: ExerciseTable) -> str:
    """Return the sEMG of every channel on the grid, gaps left open.

    Parameters
    ----------
    aligned : Aligned
    channels, units : sequence of str, length C
    exercises : ExerciseTable
    """
    n = len(channels)
    with _figure(10.5, 0.85 * n + 0.9, n, 1, sharex=True) as (figure, panels):
        for i, (channel, unit) in enumerate(zip(channels, units, strict=True)):
            axes = panels[i, 0]
            _shade_exercises(axes, exercises, names=i == 0)
            axes.plot(
                *_outline(aligned.time_s, aligned.emg[:, i]),
                color=BLUE,
                linewidth=1,
                rasterized=len(aligned.time_s) > _MOST_POINTS,
            )
            if np.isnan(aligned.emg[:, i]).all():
                axes.text(0.5, 0.5, "no aligned value", transform=axes.transAxes, ha="center", color=RED)
            axes.set_ylabel(f"{channel_text(channel)}\n{figure_text(unit)}", rotation=0, ha="right", va="center")
            axes.yaxis.set_major_locator(mpl.ticker.MaxNLocator(2))
        panels[-1, 0].set_xlabel("session time (s)")
        if len(aligned.time_s):
            panels[-1, 0].set_xlim(aligned.time_s[0], aligned.time_s[-1])
        figure.align_ylabels()
        return _uri(figure)


def brightness_figure(frame_time_s: FloatArray, brightness: FloatArray, sent_s: FloatArray, seen_s: FloatArray) -> str:
    """Return the picture's brightness with the flashes sent and the onsets detected.

    Parameters
    ----------
    frame_time_s, brightness : ndarray, shape (V,)
        Session time and mean luma (0 to 255) of each frame.
    sent_s, seen_s : ndarray
        Session times of the flashes on the host clock, and of the onsets found in the picture.
    """
    with _figure(10.5, 2.2) as (figure, panels):
        axes = panels[0, 0]
        axes.plot(
            *_outline(frame_time_s, brightness), color=GREY, linewidth=0.8, label="mean brightness",
            rasterized=len(frame_time_s) > _MOST_POINTS,
        )  # fmt: skip
        top = float(np.nanmax(brightness)) if len(brightness) else 1.0
        axes.plot(sent_s, np.full(len(sent_s), top * 1.06), "|", color=BLUE, markersize=9, label="flash sent")
        axes.plot(seen_s, np.full(len(seen_s), top * 1.16), "|", color=RED, markersize=9, label="onset detected")
        axes.set(xlabel="session time (s)", ylabel="luma (0-255)")
        axes.legend(loc="upper center", ncols=3, bbox_to_anchor=(0.5, 1.25))
        return _uri(figure)


def residual_figure(streams: Sequence[tuple[str, FloatArray, FloatArray]]) -> str:
    """Return each matched event's residual in milliseconds.

    Parameters
    ----------
    streams : sequence of (name, time_s, residual_s)
    """
    with _figure(10.5, 2.4) as (figure, panels):
        axes = panels[0, 0]
        colours = (BLUE, RED, GREEN, ORANGE)
        markers = ("o", "s", "^", "x")
        for i, (name, time_s, residual_s) in enumerate(streams):
            axes.plot(time_s, 1e3 * residual_s, markers[i % 4], color=colours[i % 4], markersize=4, label=name)
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.set(xlabel="session time (s)", ylabel="residual (ms)")
        axes.legend(loc="upper center", ncols=4, bbox_to_anchor=(0.5, 1.22))
        return _uri(figure)


def response_figure(panels_of: Sequence[tuple[str, list[tuple[FloatArray, FloatArray]], float, float, str]]) -> str:
    """Return, per channel, the sEMG about every contact, with the response's centroid and its interval.

    Parameters
    ----------
    panels_of : sequence of (channel, traces, response_s, ci95_s, note)
        ``traces`` holds pairs (seconds after the contact's sound, value less its rest) of one contact each;
        ``response_s`` NaN where the channel has no event of its own.
    """
    columns = 4
    rows = max(1, -(-len(panels_of) // columns))
    many = sum(len(time_s) for _, traces, *_ in panels_of for time_s, _ in traces) > _MOST_POINTS
    with _figure(10.5, 2.1 * rows, rows, columns, sharex=True) as (figure, panels):
        for axes in panels.flat[len(panels_of) :]:
            axes.set_visible(False)
        for axes, (channel, traces, response_s, ci95_s, note) in zip(panels.flat, panels_of, strict=False):
            for time_s, value in traces:
                axes.plot(
                    time_s, value, color=GREY, linewidth=0.7, alpha=0.7, marker=".", markersize=3, rasterized=many
                )
            axes.axvline(0, color=RED, linewidth=1)
            if np.isfinite(response_s):
                axes.axvspan(response_s - ci95_s, response_s + ci95_s, color=BLUE, alpha=0.25, linewidth=0)
                axes.axvline(response_s, color=BLUE, linewidth=1)
            axes.set_title(f"{channel_text(channel)}: {note}", fontsize=8)
            axes.set_xlim(-0.6, 1.0)
        for axes in panels[-1]:
            axes.set_xlabel("time after the sound (s)")
        return _uri(figure)


def lag_figure(lags_s: FloatArray, curves: Sequence[tuple[str, FloatArray, float, str]], lag_s: float) -> str:
    """Return the correlation of each channel with its motion over the lag.

    Parameters
    ----------
    lags_s : ndarray, shape (L,)
    curves : sequence of (channel, correlation, its lag, motion)
    lag_s : float
        The lag found; NaN where none is told.
    """
    columns = min(4, len(curves))
    rows = -(-len(curves) // columns)
    with _figure(10.2, 1.9 * rows + 0.2, rows, columns, sharex=True, sharey=True) as (figure, axes):
        for axis in axes.flat[len(curves) :]:
            axis.set_axis_off()
        for axis, (channel, curve, own_s, motion) in zip(axes.flat, curves, strict=False):
            axis.axvline(0.0, color="#9ca3af", linewidth=0.8)
            if np.isfinite(lag_s):
                axis.axvline(lag_s, color=RED, linewidth=1.0, linestyle="--")
            axis.plot(lags_s, curve, color=BLUE, linewidth=1.2)
            if np.isfinite(own_s):
                axis.plot([own_s], [float(curve.max())], "o", color=ORANGE, markersize=4)
            axis.set_title(f"{channel_text(channel)}: {motion}", fontsize=8, loc="left")
        for axis in axes[-1]:
            axis.set_xlabel("lag of sEMG (s)")
        for axis in axes[:, 0]:
            axis.set_ylabel("correlation")
        return _uri(figure)


def arrivals_figure(streams: Sequence[tuple[str, FloatArray, FloatArray]]) -> str:
    """Return the lateness of each value relative to its sensor's clock map, in milliseconds.

    Parameters
    ----------
    streams : sequence of (channel, arrival_s, lateness_s)
        Of a long one the least and the most late of every few are drawn.
    """
    legend_rows = -(-len(streams) // 4)
    with _figure(10.5, 2.0 + 0.2 * legend_rows) as (figure, panels):
        axes = panels[0, 0]
        many = sum(len(arrival_s) for _, arrival_s, _ in streams) > _MOST_POINTS
        handles: list[Line2D] = []
        labels: list[str] = []
        cycle = mpl.colormaps["viridis"](np.linspace(0, 0.9, max(1, len(streams))))
        for (name, arrival_s, late_s), colour in zip(streams, cycle, strict=True):
            label = channel_text(name)
            at_s, drawn_s = _outline(arrival_s, late_s)
            handles += axes.plot(at_s, 1e3 * drawn_s, ".", markersize=2.5, color=colour, rasterized=many)
            labels.append(label)
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, -1.0), max(high, 1.0))  # what is even to a rounding error looks even
        axes.set(xlabel="session time (s)", ylabel="lateness (ms)")
        # By handles: matplotlib passes over what is labelled with a name that starts with an underscore.
        figure.legend(handles, labels, loc="outside upper center", ncols=4, markerscale=3, fontsize=8)
        return _uri(figure)


def timeline_figure(
    presence: Sequence[tuple[str, FloatArray]],
    events: Sequence[tuple[str, FloatArray, NDArray[np.bool_]]],
    exercises: ExerciseTable,
) -> str:
    """Return the session at a glance.

    Parameters
    ----------
    presence : sequence of (label, stretches)
        Stretches, shape (K, 2), in which the stream has frames or values.
    events : sequence of (label, time_s, matched)
        Events of one kind, and which of them were matched.
    exercises : ExerciseTable
    """
    labels = [label for label, *_ in events] + [label for label, _ in presence]
    many = sum(len(s) for _, s in presence) + sum(len(t) for _, t, _ in events) > _MOST_POINTS
    with _figure(10.5, 0.26 * len(labels) + 1.0) as (figure, panels):
        axes = panels[0, 0]
        _shade_exercises(axes, exercises, names=True)
        for row, (_, time_s, matched) in enumerate(events):
            axes.plot(time_s[matched], np.full(int(matched.sum()), row), "|", color=BLUE, markersize=9, rasterized=many)
            axes.plot(time_s[~matched], np.full(int((~matched).sum()), row), "x", color=RED, markersize=6)
        for row, (label, true_runs) in enumerate(presence, start=len(events)):
            bars = [(float(a), float(b - a)) for a, b in true_runs]
            colour = GREY if label == "video" else GREEN
            axes.broken_barh(bars, (row - 0.3, 0.6), facecolors=colour, linewidth=0, rasterized=many)
        axes.set_yticks(range(len(labels)), [figure_text(label) for label in labels])
        axes.set_ylim(len(labels) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("session time (s)")
        return _uri(figure)


def contact_figure(contacts: Sequence[tuple[ContactEvidence, Sequence[Answer]]]) -> str:
    """Return a row for each contact: its sound's envelope, and the sensors' values about it.

    Parameters
    ----------
    contacts : sequence of (ContactEvidence, answers)
    """
    ratio = {"width_ratios": (2, 3)}
    most = max((len(answers) for _, answers in contacts), default=0)
    row_in = max(1.25, 0.13 * most)
    with _figure(10.5, row_in * len(contacts) + 0.6, len(contacts), 2, sharex="col", gridspec_kw=ratio) as (
        figure,
        panels,
    ):
        for (left, right), (contact, answers) in zip(panels, contacts, strict=True):
            left.plot(1e3 * contact.sound_time_s, contact.sound, color=GREY, linewidth=0.9)
            left.axvline(0, color=RED, linewidth=1)
            if np.isfinite(contact.uncertainty_s):
                half_ms = 1e3 * contact.uncertainty_s
                left.axvspan(-half_ms, half_ms, color=RED, alpha=0.25, linewidth=0)
            left.set_ylabel(f"{contact.kind}\n{contact.time_s:.2f} s", rotation=0, ha="right", va="center")
            left.set_xlim(-50, 150)
            left.yaxis.set_major_locator(mpl.ticker.MaxNLocator(2))
            right.axvline(0, color=RED, linewidth=1)
            for row, (_, time_s, value, latency_s) in enumerate(answers):
                base = len(answers) - 1 - row
                peak = float(np.ptp(value)) if len(value) else 0.0
                if peak > 0:
                    right.plot(time_s, base + 0.85 * (value - np.min(value)) / peak, color=GREY, linewidth=0.9,
                               marker=".", markersize=3)  # fmt: skip
                if np.isfinite(latency_s):
                    right.plot([latency_s, latency_s], [base, base + 0.85], color=BLUE, linewidth=1.6)
            names = [channel_text(a[0]) for a in reversed(answers)]
            right.set_yticks(np.arange(len(names)) + 0.4, names, fontsize=7)
            right.set_ylim(-0.1, max(1, len(names)))
            right.set_xlim(-0.5, 1.0)
        panels[0, 0].set_title("sound envelope (full scale 1)", fontsize=9)
        panels[0, 1].set_title("sEMG", fontsize=9)
        panels[-1, 0].set_xlabel("time after the onset (ms)")
        panels[-1, 1].set_xlabel("time after the contact (s)")
        return _uri(figure)


def lit_uri(lit: FloatArray, *, height_px: int) -> str:
    """Return how far each band of rows was lit, a column a frame, as a small PNG; blue where it is not known.

    Parameters
    ----------
    lit : ndarray, shape (K, B)
        0 to 1, NaN where the flash does not show.
    """
    share = np.clip(np.nan_to_num(lit.T), 0.0, 1.0)
    picture = np.repeat((255 * share).astype(np.uint8)[:, :, None], 3, axis=2)
    picture[~np.isfinite(lit.T)] = (170, 120, 60)  # BGR
    tall = cv2.resize(picture, (22 * lit.shape[0], height_px), interpolation=cv2.INTER_NEAREST)
    tall[:, ::22] = (128, 128, 128)
    _, encoded = cv2.imencode(".png", tall)
    return "data:image/png;base64," + base64.b64encode(encoded.tobytes()).decode()


def frame_uri(image: NDArray[np.uint8], *, keypoints: FloatArray | None = None, confidence: FloatArray | None = None,
              height_px: int = 260) -> str:  # fmt: skip
    """Return a video frame as a small JPEG, with its keypoints drawn where they are given."""
    picture = np.ascontiguousarray(image) if keypoints is None else draw_skeleton(image, keypoints, confidence)
    width_px = max(1, round(picture.shape[1] * height_px / picture.shape[0]))
    small = cv2.resize(picture, (width_px, height_px), interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 82])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()
