"""The pose network takes the virtual figure for a person and puts its joints where they were drawn."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from acquire.protocol.schedule import Prompt
from acquire.virtual.film import HEIGHT
from acquire.virtual.person.figure import Figure, expose
from acquire.virtual.person.motions import MOTIONS
from acquire.virtual.person.world import World
from dataset.media.video import probe_video
from dataset.pose.extract import extract_pose
from dataset.pose.landmarker import PoseLandmarker
from dataset.pose.skeleton import JOINT
from tests.unit.native import refuse_strided
from tests.unit.phone import turn_quarter

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


@pytest.mark.parametrize(
    ("size", "turned"),
    [
        *(
            ((width, height), turned)
            for width, height in ((360, 640), (540, 960), (854, 480))
            for turned in (False, True)
        ),
        ((1080, 1920), False),
        *(
            pytest.param(size, turned, marks=pytest.mark.slow)
            for size, turned in (((1080, 1920), True), ((1170, 2532), False), ((1170, 2532), True))
        ),
    ],
)
def test_the_figure_is_found_in_a_film_of_any_width(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], turned: bool
) -> None:
    """Widths as phones and social media have them: few are a multiple of 16, and the decoder pads the rows."""
    refuse_strided(monkeypatch)
    width, height = size
    world = World(3, "S3")
    world.prompt(Prompt(at_s=0.0, kind="exercise_start", label="squat"), T0_NS)
    bodies = world.joints_at(T0_NS + np.arange(8) * 100_000_000)
    figure = Figure(world.look, world.body.height_m, width, height, girth=world.body.girth)
    path = tmp_path / "v.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.width, stream.height = (height, width) if turned else (width, height)
        stream.pix_fmt = "yuv420p"
        for k, body in enumerate(bodies):
            image = figure.draw(body)
            # A phone stores an upright picture lying on its side, and says which way to turn it.
            stored = np.ascontiguousarray(np.rot90(image)) if turned else image
            frame = av.VideoFrame.from_ndarray(stored, format="bgr24")
            frame.pts, frame.time_base = k, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    if turned:
        turn_quarter(path)
    meta = probe_video(path)
    assert (meta.width, meta.height, meta.rotation_deg) == (width, height, 90 if turned else 0)
    found = extract_pose(path).keypoints_2d
    assert found is not None
    off = np.linalg.norm(found - np.array([figure.project(body)[0] for body in bodies]), axis=2)[:, JOINTS]
    assert np.isfinite(off).all()
    assert np.median(off) < 0.025 * height
