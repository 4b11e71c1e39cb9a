"""The figure is where its joints are, and a flash brightens the rows it lit."""

from __future__ import annotations

import numpy as np
import pytest

from acquire.virtual.film import HEIGHT, WIDTH
from acquire.virtual.person.body import STAND, Body, pose_vector, posture
from acquire.virtual.person.figure import Figure, Look, expose
from acquire.virtual.person.motions import MOTIONS, base_offset, repetition_offset
from dataset.pose.skeleton import JOINT


def _bodies(name: str, n: int = 12) -> np.ndarray:
    phase = np.linspace(0.0, 1.0, n)
    offset = repetition_offset(name, phase, mirror=np.arange(n) % 2 == 1, amplitude=np.full(n, 1.1))
    return posture(Body(height_m=1.86), pose_vector(STAND) + base_offset(name) + offset).joints


@pytest.mark.parametrize("name", sorted(MOTIONS))
def test_the_whole_body_stays_in_the_picture(name: str) -> None:
    for seed in range(5):
        figure = Figure(Look.drawn(np.random.default_rng(seed)), 1.86)
        pixel, _ = figure.project(_bodies(name))
        assert pixel[..., 0].min() > 5
        assert pixel[..., 0].max() < WIDTH - 5
        assert pixel[..., 1].min() > 5
        assert pixel[..., 1].max() < HEIGHT


@pytest.mark.parametrize("name", ["squat", "jumping_jack"])
def test_limbs_are_drawn_where_the_joints_are(name: str) -> None:
    look = Look()
    figure = Figure(look, 1.86)
    for body in _bodies(name, 5):
        image = figure.draw(body)
        assert image.shape == (HEIGHT, WIDTH, 3)
        assert image.dtype == np.uint8
        for joint, colour in (("left_wrist", look.skin), ("right_knee", look.trousers), ("right_ankle", look.shoes)):
            pixel, _ = figure.project(body[JOINT[joint]])
            x, y = round(float(pixel[0])), round(float(pixel[1]))
            patch = image[y - 5 : y + 6, x - 5 : x + 6].reshape(-1, 3).astype(float)
            nearest = np.abs(patch - np.array(colour)).sum(axis=1).min()
            assert nearest < 90, joint


def test_the_persons_left_is_on_the_right_of_the_picture() -> None:
    figure = Figure(Look())
    pixel, _ = figure.project(posture(Body(), pose_vector(STAND)[None]).joints[0])
    assert pixel[JOINT["left_shoulder"], 0] > pixel[JOINT["right_shoulder"], 0]
    assert pixel[JOINT["nose"], 1] < pixel[JOINT["mid_hip"], 1]


def test_a_flash_brightens_the_lit_rows_in_proportion() -> None:
    image = np.full((4, 6, 3), 100, np.uint8)
    lit = expose(image, np.array([0.0, 0.5, 1.0, 0.0]), gain=0.4, light=20.0)
    assert [int(lit[row, 0, 0]) for row in range(4)] == [100, 130, 160, 100]
    assert int(image.max()) == 100


def test_no_picture_gets_brighter_than_white() -> None:
    lit = expose(np.full((2, 2, 3), 240, np.uint8), np.ones(2), gain=0.5, light=30.0)
    assert int(lit.min()) == 255
