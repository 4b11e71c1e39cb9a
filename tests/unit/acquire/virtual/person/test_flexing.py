"""The virtual person flexes a muscle on demand; its antagonist holds the joint still."""

from __future__ import annotations

import numpy as np
import pytest

from acquire.protocol.schedule import Prompt
from acquire.virtual.devices.orders import make_world, prompt_order, read_prompt
from acquire.virtual.faults import Faults
from acquire.virtual.person.placement import ANTAGONIST
from acquire.virtual.person.world import World
from dataset.muscles import PAPER_CHANNELS
from dataset.support.errors import InputError

T0_NS = 3_000_000_000_000
CHANNELS = [c.name for c in PAPER_CHANNELS]


def flexing(seed: int, label: str, effort: float = 1.0) -> World:
    """Return a person who flexes from second 2 to second 5."""
    world = World(seed, f"F{seed}")
    world.prompt(Prompt(at_s=2.0, kind="contract_start", label=label, effort=effort), T0_NS + 2 * 10**9)
    world.prompt(Prompt(at_s=5.0, kind="contract_stop", label=label), T0_NS + 5 * 10**9)
    return world


def at(seconds: np.ndarray) -> np.ndarray:
    return T0_NS + np.asarray(np.asarray(seconds) * 1e9, dtype=np.int64)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("i", [0, 3, 5, 6])
def test_the_muscle_and_a_share_of_its_antagonist_and_nothing_else(seed: int, i: int) -> None:
    world = flexing(seed, CHANNELS[i])
    rest, held = at(np.arange(0.0, 2.0, 0.05)), at(np.arange(3.5, 5.0, 0.05))
    rise = [float(world.activation(c, held).mean() - world.activation(c, rest).mean()) for c in CHANNELS]
    assert rise[i] > 0.4
    share = rise[ANTAGONIST[i]] / rise[i]
    assert 0.2 * 0.75 < share < 0.4 * 1.5  # potentiation bends both a little
    assert max(abs(r) for k, r in enumerate(rise) if k not in (i, ANTAGONIST[i])) < 0.01


def test_it_begins_after_a_reaction_and_ends_after_one() -> None:
    world = flexing(1, "left_biceps")
    t = np.arange(0.0, 8.0, 0.01)
    level = world.level("left_biceps", at(t))
    middle = (level.min() + level.max()) / 2
    assert 2.2 < t[np.argmax(level > middle)] < 2.9
    assert 5.2 < t[len(t) - 1 - np.argmax(level[::-1] > middle)] < 5.9
    assert world.level("left_biceps", at(np.array([7.9])))[0] == pytest.approx(level[0], abs=0.03 * np.ptp(level) + 8)


def test_half_an_effort_is_less_than_a_whole_and_a_label_may_mean_several() -> None:
    held = at(np.arange(3.5, 5.0, 0.05))
    whole, half = (flexing(2, "left_biceps", e).activation("left_biceps", held).mean() for e in (1.0, 0.5))
    assert 0.35 < half / whole < 0.65
    both = flexing(2, "biceps")
    assert min(both.activation(c, held).mean() for c in ("left_biceps", "right_biceps")) > 0.4


def test_it_is_the_same_asked_bit_by_bit_and_before_an_exercise() -> None:
    whole, live = flexing(3, "left_triceps"), flexing(3, "left_triceps")
    squat = Prompt(at_s=6.0, kind="exercise_start", label="squat")
    whole.prompt(squat, T0_NS + 6 * 10**9)
    start = at(np.arange(0.0, 9.0, 0.1))
    expected = whole.values("left_triceps", start, start + 10**8)
    got = []
    for k, begin in enumerate(start):
        if k == 60:
            live.prompt(squat, T0_NS + 6 * 10**9)
        got.append(live.value("left_triceps", int(begin), int(begin) + 10**8))
    np.testing.assert_array_equal(got, expected)


def test_levels_at_rest_are_drawn_where_asked() -> None:
    world = make_world(4, "S1", Faults(rest_counts=(70.0, 870.0)))
    levels = [float(world.level(c, at(np.array([0.0])))[0]) for c in CHANNELS]
    assert 65 < min(levels) < 400 < max(levels) < 930
    with pytest.raises((InputError, ValueError), match="least and greatest"):
        Faults(rest_counts=(870.0, 70.0))


def test_an_order_carries_the_whole_prompt() -> None:
    prompt = Prompt(at_s=1.0, kind="contract_start", label="left_biceps", text="flex", repetitions=3, effort=0.5)
    assert read_prompt(prompt_order(prompt, 7)) == (prompt, 7)
