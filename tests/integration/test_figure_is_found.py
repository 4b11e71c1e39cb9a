"""The pose network takes the virtual figure for a person and puts its joints where they were drawn."""

from __future__ import annotations

import numpy as np
import pytest

from acquire.schedule import Prompt
from acquire.virtual.figure import HEIGHT, Figure, expose
from acquire.virtual.motions import MOTIONS
from acquire.virtual.world import World
from dataset.keypoints.mediapipe_pose import PoseLandmarker
from dataset.skeleton import JOINT

T0_NS = 4_000_000_000_000
JOINTS = [JOINT[f"{side}_{part}"] for side in ("left", "right") for part in (
    "shoulder", "elbow", "wrist", "hip", "knee", "ankle")]  # fmt: skip


# A pose of each kind for the quick suite: punching, on one leg, seen from behind, and both gestures.
_QUICK = ("hook_punch", "skater", "pirouette", "squat", "clap_cue", "stomp_cue")
_SLOW = tuple(pytest.param(name, marks=pytest.mark.slow) for name in sorted(MOTIONS) if name not in _QUICK)


@pytest.mark.parametrize("name", [*_QUICK, *_SLOW])
def test_the_figure_is_found_with_its_joints_in_place(name: str) -> None:
    world = World(len(name), f"S{len(name)}")
    kind, label = (name, "") if name.endswith("_cue") else ("exercise_start", name)
    world.prompt(Prompt(at_s=0.0, kind=kind, label=label), T0_NS)
    figure = Figure(world.look, world.body.height_m, girth=world.body.girth)
    errors = []
    n_frames = 24
    times_ns = T0_NS + np.arange(n_frames) * 100_000_000
    bodies = world.joints_at(times_ns)
    with PoseLandmarker() as landmarker:
        for time_ns, body in zip(times_ns, bodies, strict=True):
            image = figure.draw(body)
            if time_ns == times_ns[7]:
                image = expose(image, np.linspace(0.2, 1.0, HEIGHT), 0.35, 30.0)
            found = landmarker.find(image)
            if found is not None:
                errors.append(np.linalg.norm(found.keypoints_2d - figure.project(body)[0], axis=1)[JOINTS])
    assert len(errors) >= 0.95 * n_frames
    # Of a person about 330 pixels tall.
    assert np.median(errors) < 9.0
    assert np.median(errors, axis=0).max() < 30.0
