"""Figures of bodies: muscles coloured from yellow (relaxed) to red (flexed), and motions beside their neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from dataset.figure_text import figure_text
from dataset.muscles import LEFT, Place, channel_from_name, place_of, recognise
from dataset.pose.skeleton import JOINT, LIMBS
from dataset.support.arrays import FloatArray

#: Where the muscles of a place are drawn: the limb's ends, and the side of its midline.
_PLACES = {
    Place.FRONT_OF_ARM: ("shoulder", "elbow", 1.0),
    Place.BACK_OF_ARM: ("shoulder", "elbow", -1.0),
    Place.FOREARM: ("elbow", "wrist", 1.0),
    Place.FRONT_OF_THIGH: ("hip", "knee", 1.0),
    Place.BACK_OF_THIGH: ("hip", "knee", -1.0),
    Place.INNER_THIGH: ("hip", "knee", 0.0),
    Place.SHIN: ("knee", "ankle", 1.0),
    Place.CALF: ("knee", "ankle", -1.0),
    Place.FLANK: ("shoulder", "hip", 0.0),
}
_COLOURS = colormaps["YlOrRd"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyFrames:
    """Keypoints of a body at K times, and the colour scale of its muscles' activity.

    Attributes
    ----------
    keypoints : ndarray, shape (K, 25, D)
        y down.
    times_s : sequence of float, K of them
    channels : sequence of str, C of them
    rest, top : ndarray, shape (C,)
        Activity drawn in yellow and in full red.
    """

    keypoints: FloatArray
    times_s: Sequence[float]
    channels: Sequence[str]
    rest: FloatArray
    top: FloatArray


def draw_activity(rows: Mapping[str, FloatArray], body: BodyFrames, path: Path, *, title: str) -> Path:
    """Draw a body at several times, one row for each of ``rows``, its muscles coloured by activity.

    Parameters
    ----------
    rows : mapping of str to ndarray, shape (K, C)
        Activity at the K times: measured, predicted.
    body : BodyFrames
    path : Path
    title : str
    """
    keypoints, times_s, rest, top = body.keypoints, body.times_s, body.rest, body.top
    figure = Figure(figsize=(1.5 + 1.75 * len(times_s), 0.9 + 3.0 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(rows), len(times_s), squeeze=False)
    for line, (name, activity) in zip(grid, rows.items(), strict=True):
        for k, axes in enumerate(line):
            _body(axes, keypoints[k])
            for c, channel in enumerate(body.channels):
                share = float(np.clip((activity[k, c] - rest[c]) / (top[c] - rest[c]), 0.0, 1.0))
                _muscle(axes, keypoints[k], channel, _COLOURS(0.12 + 0.8 * share) if np.isfinite(share) else "white")
        line[0].set_ylabel(name, fontsize=10)
    for axes, t in zip(grid[0], times_s, strict=True):
        axes.set_title(f"{t:.1f} s", fontsize=9)
    scale = ScalarMappable(Normalize(0.0, 1.0), colormaps["YlOrRd"])
    bar = figure.colorbar(scale, ax=grid.ravel().tolist(), shrink=0.5, ticks=[0.0, 1.0])
    bar.ax.set_yticklabels(["relaxed", "flexed"])
    figure.suptitle(figure_text(title, len(title), pixels=True), fontsize=11)
    figure.savefig(path, dpi=110)
    return path


def draw_motions(rows: Sequence[tuple[str, FloatArray]], path: Path, *, title: str, columns: int) -> Path:
    """Draw motions, each as a row of bodies in order of time, ``columns`` motions side by side.

    Parameters
    ----------
    rows : sequence of (str, ndarray of shape (K, 25, D))
    path : Path
    title : str
    columns : int
    """
    lines = -(-len(rows) // columns)
    figure = Figure(figsize=(3.4 * columns + 0.3, 1.75 * lines + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.ravel()[len(rows) :]:
        axes.set_visible(False)
    for axes, (name, keypoints) in zip(grid.ravel(), rows, strict=False):
        centred = keypoints - np.nanmean(keypoints, axis=(1, 2), keepdims=True)
        step = 0.62 * float(np.nanmax(np.ptp(np.nan_to_num(centred[..., 1]), axis=1)))
        for k, body in enumerate(centred):
            body[:, 0] += k * step
            _body(axes, body, legs=("#0072b2", "#d55e00"))
        axes.set_title(figure_text(name, len(name), pixels=True), fontsize=8.5)
    figure.suptitle(figure_text(title, len(title), pixels=True), fontsize=11)
    figure.savefig(path, dpi=110)
    return path


def _body(axes: Axes, joints: FloatArray, legs: tuple[str, str] = ("#9a9a9a", "#9a9a9a")) -> None:
    """Draw the limbs: the subject's left in the first colour, the right in the second, the middle in grey."""
    left = {i for name, i in JOINT.items() if name.startswith("left")}
    right = {i for name, i in JOINT.items() if name.startswith("right")}
    for a, b in LIMBS:
        colour = legs[0] if {a, b} & left else legs[1] if {a, b} & right else "#9a9a9a"
        axes.plot(joints[[a, b], 0], joints[[a, b], 1], "-", color=colour, linewidth=1.4, solid_capstyle="round")
    axes.set_aspect("equal", adjustable="datalim")
    axes.yaxis.set_inverted(True)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _muscle(axes: Axes, joints: FloatArray, channel: str, colour: str | tuple[float, float, float, float]) -> None:
    stored, read = channel_from_name(channel), recognise(channel)
    place, body_side = place_of(read.muscle) or place_of(stored.muscle), read.side or stored.side
    if place is None or place not in _PLACES or not body_side:
        return
    above, below, side = _PLACES[place]
    a, b = (joints[JOINT[f"{body_side}_{end}"], :2] for end in (above, below))
    along = b - a
    torso = float(np.linalg.norm(joints[JOINT["neck"], :2] - joints[JOINT["mid_hip"], :2]))
    length = float(np.hypot(*along))
    if not np.isfinite(length) or length == 0.0:
        return
    # Front muscles outwards, back muscles inwards: both are visible from any side.
    outwards = np.array([-along[1], along[0]]) / length * (-1.0 if body_side == LEFT else 1.0)
    shift = 0.055 * torso * side * outwards
    ends = np.array([a + 0.12 * along, b - 0.12 * along]) + shift
    axes.plot(ends[:, 0], ends[:, 1], "-", color="#5a4a3a", linewidth=5.6, solid_capstyle="round", zorder=3)
    axes.plot(ends[:, 0], ends[:, 1], "-", color=colour, linewidth=4.2, solid_capstyle="round", zorder=4)
