"""Draw what the virtual people do and which muscles work: docs/images/virtual-exercises.jpg and virtual-activity.png.

Run as `python -m scripts.virtual_pictures [SUBJECT]`. Look at both after a change to a motion or to the muscles.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import numpy as np

from acquire.protocol.schedule import Prompt
from acquire.virtual.person.figure import Figure, Image
from acquire.virtual.person.motions import MOTIONS
from acquire.virtual.person.world import World
from dataset.exercises import exercise_title
from dataset.muscles import PAPER_CHANNELS
from dataset.support.arrays import FloatArray

IMAGES = Path(__file__).resolve().parent.parent / "docs/images"
SEED = 1
_T0_NS = 10**12
# What is shown of the second repetition, and what is averaged, from when the person is in the exercise.
_SHOWN = (0.30, 0.50, 0.70)
_AVERAGED_NS = (1_000_000_000, 12_000_000_000)
_ACROSS = 3


def started(subject: str, exercise: str) -> World:
    """Return a world in which the subject does one exercise from second 0 on."""
    world = World(SEED, subject)
    world.prompt(Prompt(at_s=0.0, kind="exercise_start", label=exercise), _T0_NS)
    return world


def poses(subject: str, exercise: str) -> Image:
    """Return three moments of the exercise's second repetition, side by side."""
    world = started(subject, exercise)
    figure = Figure(world.look, world.body.height_m, girth=world.body.girth)
    start_ns = world.exercises()[0].start_ns
    period_s = MOTIONS[exercise].period_s
    at_s = np.array([period_s * (1.0 + share) for share in _SHOWN])
    bodies = world.joints_at(start_ns + np.round(at_s * 1e9).astype(np.int64))
    images = [np.ascontiguousarray(figure.draw(body)[:, 110:530]) for body in bodies]
    row = np.hstack([cv2.resize(image, (126, 144), interpolation=cv2.INTER_AREA) for image in images])
    cv2.putText(row, exercise_title(exercise), (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (30, 30, 30), 1, cv2.LINE_AA)
    return np.asarray(row, dtype=np.uint8)


def contact_sheet(subject: str) -> Image:
    """Return all exercises in one picture."""
    tiles = [poses(subject, name) for name in sorted(MOTIONS)]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % _ACROSS)
    return np.vstack([np.hstack(tiles[i : i + _ACROSS]) for i in range(0, len(tiles), _ACROSS)])


def mean_activity(subject: str) -> FloatArray:
    """Return each exercise's mean activity by channel, shape (exercises, 8)."""
    at_ns = _T0_NS + np.arange(_AVERAGED_NS[0], _AVERAGED_NS[1], 10_000_000, dtype=np.int64)
    rows = []
    for name in sorted(MOTIONS):
        world = started(subject, name)
        rows.append([world.activation(channel.name, at_ns).mean() for channel in PAPER_CHANNELS])
    return np.array(rows)


def main() -> None:
    """Draw both."""
    subject = sys.argv[1] if len(sys.argv) > 1 else "V1"
    cv2.imwrite(str(IMAGES / "virtual-exercises.jpg"), contact_sheet(subject), [cv2.IMWRITE_JPEG_QUALITY, 82])
    activity = mean_activity(subject)
    figure, axes = plt.subplots(figsize=(7.0, 7.5), layout="constrained")
    image = axes.imshow(activity, cmap="YlOrRd", aspect="auto", vmin=0.0)
    axes.set_xticks(range(8), [channel.label for channel in PAPER_CHANNELS], rotation=35, ha="right")
    axes.set_yticks(range(len(activity)), [exercise_title(name) for name in sorted(MOTIONS)])
    axes.set_title(f"Mean activity of the virtual subject {subject} (1 = full effort), seed {SEED}")
    figure.colorbar(image)
    figure.savefig(IMAGES / "virtual-activity.png", dpi=110)


if __name__ == "__main__":
    main()
