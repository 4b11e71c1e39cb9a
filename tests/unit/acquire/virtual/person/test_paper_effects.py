"""What the paper shows of muscles in movement is in the virtual person, and shrinks where its cause is taken away.

Each effect is looked for in several people, through co-contraction, delay, potentiation and fatigue. No table says
which muscle works in which exercise: loads follow from who stands on what, how a limb moves, and what it hits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from acquire.protocol.schedule import Prompt
from acquire.virtual.person import motions
from acquire.virtual.person.activation import Activation
from acquire.virtual.person.body import DOF, STAND, Body, pose_vector, posture
from acquire.virtual.person.dynamics import joint_torques
from acquire.virtual.person.motion import minimum_jerk
from acquire.virtual.person.muscles import Muscles
from acquire.virtual.person.performance import Performance
from acquire.virtual.person.world import World
from dataset.muscles import PAPER_CHANNELS
from dataset.pose.skeleton import JOINT, flexion_rad
from dataset.support.arrays import FloatArray, IntArray

Mask = NDArray[np.bool_]

T0_NS = 5_000_000_000_000
SUBJECTS = ("V1", "V2", "S03", "S04")
CHANNEL = {channel.name: i for i, channel in enumerate(PAPER_CHANNELS)}


@dataclass(frozen=True, slots=True)
class Done:
    """Twelve seconds of one exercise: joints (T, 25, 3) and the activity of each channel (8, T), every 10 ms."""

    joints: FloatArray
    active: FloatArray

    def mean(self, channel: str, when: Callable[[Done], Mask]) -> float:
        """Return a channel's mean activity while something holds."""
        mask = when(self)
        assert mask.sum() > 50
        return float(self.active[CHANNEL[channel], mask].mean())

    def height(self, joint: str) -> FloatArray:
        """Return a joint's height over where it is lowest."""
        y = self.joints[:, JOINT[joint], 1]
        return np.asarray(y - y.min())

    def bend_deg(self, side: str) -> FloatArray:
        """Return how far a knee is bent."""
        return np.asarray(np.degrees(flexion_rad(self.joints, f"{side}_hip", f"{side}_knee", f"{side}_ankle")))


def _do(subject: str, exercise: str) -> Done:
    world = World(9, subject)
    world.prompt(Prompt(at_s=0.0, kind="exercise_start", label=exercise), T0_NS)
    # From when the person has got into it.
    at_ns = T0_NS + np.arange(1_200_000_000, 12_000_000_000, 10_000_000, dtype=np.int64)
    active = np.stack([world.activation(channel.name, at_ns) for channel in PAPER_CHANNELS])
    return Done(world.joints_at(at_ns), active)


@pytest.fixture
def without_target(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let everybody strike the air."""
    plain = {name: replace(motion, strike=None) for name, motion in motions.MOTIONS.items()}
    monkeypatch.setattr(motions, "MOTIONS", plain)
    yield


def _left_knee_bent(done: Done) -> Mask:
    return np.asarray(done.bend_deg("left") > 50.0)


def _left_foot_raised(done: Done) -> Mask:
    return np.asarray(done.height("left_ankle") > 0.20)


def _left_arm_strikes(done: Done) -> Mask:
    """When the left upper arm points ahead."""
    arm = done.joints[:, JOINT["left_elbow"]] - done.joints[:, JOINT["left_shoulder"]]
    return np.asarray((arm[:, 2] > 0.6 * np.linalg.norm(arm, axis=1)) & (arm[:, 1] > -0.1))


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_left_quadriceps_works_in_the_side_lunge_and_not_in_the_skater(subject: str) -> None:
    lunge, skater = _do(subject, "side_lunge"), _do(subject, "skater")
    idle = skater.mean("left_quadriceps", _left_knee_bent)
    assert lunge.mean("left_quadriceps", _left_knee_bent) > 5.0 * idle
    # The leg that the skater stands on does what the other is spared.
    assert skater.mean("right_quadriceps", _left_knee_bent) > 5.0 * idle


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_hamstrings_work_in_leg_back_and_not_in_the_front_kick(subject: str) -> None:
    back, kick = _do(subject, "leg_back"), _do(subject, "front_kick")
    idle = kick.mean("left_hamstrings", _left_foot_raised)
    assert back.mean("left_hamstrings", _left_foot_raised) > 2.5 * idle
    # A leg held up in front hangs on the hip's flexors instead.
    assert kick.mean("left_quadriceps", _left_foot_raised) > 1.3 * idle


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_triceps_works_in_the_hook_punch_and_not_in_the_elbow_punch(subject: str) -> None:
    hook, elbow = _do(subject, "hook_punch"), _do(subject, "elbow_punch")
    assert hook.mean("left_triceps", _left_arm_strikes) > 2.0 * elbow.mean("left_triceps", _left_arm_strikes)


def test_the_triceps_has_less_to_do_where_the_fist_meets_nothing(request: pytest.FixtureRequest) -> None:
    against_pad = _do("V1", "hook_punch").mean("left_triceps", _left_arm_strikes)
    request.getfixturevalue("without_target")
    assert _do("V1", "hook_punch").mean("left_triceps", _left_arm_strikes) < 0.6 * against_pad


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_supporting_hamstrings_work_in_the_knee_kick_and_not_in_the_front_kick(subject: str) -> None:
    knee, front = _do(subject, "knee_kick"), _do(subject, "front_kick")
    idle = front.mean("right_hamstrings", _left_foot_raised)
    assert knee.mean("right_hamstrings", _left_foot_raised) > 3.0 * idle


def test_the_supporting_hamstrings_hold_against_what_the_knee_meets(request: pytest.FixtureRequest) -> None:
    against_pad = _do("V1", "knee_kick").mean("right_hamstrings", _left_foot_raised)
    request.getfixturevalue("without_target")
    assert _do("V1", "knee_kick").mean("right_hamstrings", _left_foot_raised) < 0.7 * against_pad


class _Pose(Performance):
    """Goes into a pose within a second and stays there."""

    def __init__(self, angles: dict[str, float]) -> None:
        super().__init__(0)
        self._change = pose_vector({**STAND, **angles}) - pose_vector(STAND)

    @property
    def first_effort_ns(self) -> int:
        return T0_NS

    def working_pose(self, host_ns: IntArray) -> FloatArray:
        into = minimum_jerk(np.asarray((host_ns - T0_NS) * 1e-9, dtype=np.float64))
        return np.asarray(pose_vector(STAND) + into[:, None] * self._change)


@pytest.mark.parametrize("seed", range(4))
def test_activity_is_highest_at_the_onset_of_a_pose_then_falls_and_rises_as_it_tires(seed: int) -> None:
    crouch = {f"{side}_{joint}": angle for side in ("left", "right") for joint, angle in (
        ("hip_flexion", 70.0), ("knee", 90.0))}  # fmt: skip
    activation = Activation(Body(), Muscles.drawn(np.random.default_rng(seed)), _Pose({**crouch, "lean": 30.0}))
    at_ns = T0_NS + np.arange(0, 180_000_000_000, 100_000_000, dtype=np.int64)
    active = activation(CHANNEL["left_quadriceps"], at_ns)
    onset, later = active[:20].max(), active[20:]
    quietest = 20 + int(np.argmin(later))
    assert onset > 1.10 * active[quietest]
    assert 30 <= quietest <= 200  # some seconds after the onset
    assert active[-1] > 1.08 * active[quietest]
    assert np.all(np.diff(active[quietest + 1 :]) > -1e-9)


def test_the_legs_rest_while_the_body_flies() -> None:
    """In a jump the floor carries nothing, and what falls with the body costs nothing."""
    done = _do("V1", "jumping_jack")
    feet = np.minimum(done.joints[:, JOINT["left_big_toe"], 1], done.joints[:, JOINT["right_big_toe"], 1])
    flying = feet - feet.min() > 0.03
    for channel in ("left_quadriceps", "right_quadriceps"):
        working = done.active[CHANNEL[channel]]
        assert working[flying].mean() < 0.5 * working[~flying].mean()


def test_arms_that_fall_cost_less_than_arms_that_are_lowered() -> None:
    """A forearm let go from the horizontal swings down as a pendulum; lowered slowly, it must be held all the way."""
    length_m = 0.682 * 0.150 * Body().height_m
    fall = _swing(length_m)
    time_s = np.arange(len(fall)) * 0.01
    slow = np.interp(time_s * 0.25, time_s, fall)
    costs = []
    for angles in (fall, slow):
        pose = np.repeat(
            pose_vector({**STAND, "lean": 0.0, "left_shoulder_elevation": 0.0, "left_shoulder_rotation": 0.0})[None],
            len(angles),
            axis=0,
        )
        pose[:, DOF["left_elbow"]] = angles
        costs.append(float(np.abs(joint_torques(Body(), posture(Body(), pose), 0.01)["left_elbow"]).mean()))
    assert costs[0] < 0.05 * costs[1]


def _swing(length_m: float) -> FloatArray:
    """Return the angle from hanging, in degrees every 10 ms, of a pendulum let go at 90, until it hangs."""
    angle, speed, dt_s = np.pi / 2.0, 0.0, 1e-5
    course = [angle]
    for step in range(1, 100_000):
        speed -= 9.81 / length_m * np.sin(angle) * dt_s
        angle += speed * dt_s
        if angle < 0.2:
            break
        if step % 1000 == 0:
            course.append(angle)
    return np.asarray(np.degrees(course), dtype=np.float64)
