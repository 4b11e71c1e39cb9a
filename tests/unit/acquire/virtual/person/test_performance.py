"""The person gets into an exercise and out of it again without a jump, also out of a turn, and hits what there is."""

from __future__ import annotations

import numpy as np
import pytest

from acquire.protocol.schedule import Prompt
from acquire.virtual.person.body import DOF, STAND, Body, pose_vector, posture
from acquire.virtual.person.motions import MOTIONS
from acquire.virtual.person.performance import Performance

T0_NS = 3_000_000_000_000
STEP_NS = 10_000_000


def _done(name: str, seconds: float, seed: int = 4) -> tuple[Performance, np.ndarray]:
    """Return an exercise that was told to stop after some seconds, and times until two seconds after that."""
    performance = Performance(seed)
    performance.prompt(Prompt(at_s=0.0, kind="exercise_start", label=name), T0_NS)
    stop_ns = T0_NS + round(seconds * 1e9)
    performance.prompt(Prompt(at_s=seconds, kind="exercise_stop", label=name), stop_ns)
    return performance, np.arange(T0_NS, stop_ns + 2_000_000_000, STEP_NS, dtype=np.int64)


@pytest.mark.parametrize("name", sorted(MOTIONS))
def test_nothing_jumps_from_standing_to_standing(name: str) -> None:
    performance, at_ns = _done(name, 7.3)
    joints = posture(Body(), performance.working_pose(at_ns)).joints
    speed_m_s = np.linalg.norm(np.diff(joints, axis=0), axis=2) / (STEP_NS * 1e-9)
    # Hands and feet of a quick person; a jump in one step of 10 ms would be tens of metres a second.
    assert 1.0 < speed_m_s.max() < 14.0
    standing = posture(Body(), pose_vector(STAND)[None]).joints[0]
    np.testing.assert_allclose(joints[0], standing, atol=1e-6)
    np.testing.assert_allclose(joints[-1], standing, atol=1e-6)


@pytest.mark.parametrize("seconds", [3.0, 3.6, 4.0, 4.4, 5.0])
def test_whoever_is_told_to_stop_in_a_turn_ends_it_the_shorter_way(seconds: float) -> None:
    performance, at_ns = _done("pirouette", seconds)
    turn = performance.working_pose(at_ns)[:, DOF["turn"]]
    assert turn[-1] == pytest.approx(360.0 * round(turn[-1] / 360.0), abs=1e-6) or abs(turn[-1]) < 1e-6
    # The stored angle falls back to standing's by whole turns at the very end only; what is seen never spins back fast.
    seen = np.unwrap(np.radians(turn))
    assert np.abs(np.diff(seen)).max() / (STEP_NS * 1e-9) < np.radians(1100.0)


def test_targets_push_in_repetitions_of_their_side_against_what_hits_them() -> None:
    performance, at_ns = _done("hook_punch", 9.0)
    pushes = performance.pushes(at_ns)
    assert set(pushes) == {"left_wrist", "right_wrist"}
    left, right = (np.linalg.norm(pushes[f"{side}_wrist"], axis=1) for side in ("left", "right"))
    assert left.max() > 30.0
    assert right.max() > 30.0
    assert np.all(left * right == 0.0)
    assert np.all(pushes["left_wrist"][:, 2] <= 0.0)
    assert np.all(pushes["left_wrist"][:, 0] >= 0.0)
    assert np.all(pushes["right_wrist"][:, 0] <= 0.0)
    assert _done("front_punch", 9.0)[0].pushes(at_ns) == {}
