"""Who answers to flexing: right on the virtual person, in words where two answer alike or none does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.assignment import Assigned, Flexed, Samples, Undecided, assign, rebound
from acquire.protocol.schedule import Prompt
from acquire.recording.assignment_procedure import flex_prompt
from acquire.virtual.person.world import World
from dataset.capture.types import Sensor
from dataset.muscles import PAPER_CHANNELS

T0_NS = 5_000_000_000_000
CHANNELS = [c.name for c in PAPER_CHANNELS]
SLOTS = tuple(
    Sensor(slot=i + 1, channel=c.name, muscle=c.muscle, side=c.side, address=f"A{i}", placement=f"on {c.name}")
    for i, c in enumerate(PAPER_CHANNELS)
)


def flexed_by(world: World, channels: list[str], effort: float | None = None) -> tuple[list[Flexed], int]:
    """Let the virtual person flex one muscle after the other; returns the prompts and when it is over."""
    rest_s, flex_s = 2.0, 2.5
    flexed, at_ns = [], T0_NS
    for channel in channels:
        start_ns = at_ns + round(rest_s * 1e9)
        stop_ns = start_ns + round(flex_s * 1e9)
        prompt = flex_prompt(channel)
        world.prompt(prompt if effort is None else replace(prompt, effort=effort), start_ns)
        world.prompt(Prompt(at_s=0.0, kind="contract_stop", label=channel), stop_ns)
        flexed.append(Flexed(channel=channel, start_ns=start_ns, stop_ns=stop_ns))
        at_ns = stop_ns
    return flexed, at_ns


def worn(world: World, order: list[str], until_ns: int, seed: int) -> dict[int, Samples]:
    """Return what slots 1, 2, ... send that sit on the muscles of ``order``, each late by a delay of its own."""
    rng = np.random.default_rng([seed, 77])
    found = {}
    for slot, channel in enumerate(order, start=1):
        start = np.arange(T0_NS + rng.integers(0, 10**8), until_ns, 10**8, dtype=np.int64)
        value = world.values(channel, start, start + 10**8).astype(np.float64)
        late = start + 10**8 + rng.integers(10**7, 15 * 10**7)
        found[slot] = Samples(arrival_ns=late, value=value)
    return found


def test_right_on_a_hundred_people_with_levels_of_70_to_870_counts() -> None:
    right, margins, rests, shares = 0, [], [], []
    for seed in range(100):
        rng = np.random.default_rng([seed, 78])
        world = World(seed, f"P{seed}", rest_counts=(70.0, 870.0))
        order = [CHANNELS[i] for i in rng.permutation(8)]
        flexed, until_ns = flexed_by(world, [CHANNELS[i] for i in rng.permutation(8)])
        answers = assign(flexed, worn(world, order, until_ns, seed))
        found = {c: a.slot for c, a in answers.items() if isinstance(a, Assigned)}
        right += found == {channel: slot for slot, channel in enumerate(order, start=1)}
        margins += [a.margin for a in answers.values() if isinstance(a, Assigned)]
        rests += [float(world.level(c, np.array([T0_NS]))[0]) for c in CHANNELS]
        shares += list(world.muscles.cocontraction)
    assert right == 100
    assert min(rests) < 80 and max(rests) > 860
    assert 0.2 <= min(shares) < 0.22 and 0.38 < max(shares) <= 0.4
    assert min(margins) > 0.15


def test_at_full_effort_a_limb_at_the_end_of_its_range_is_refused_and_none_is_wrong() -> None:
    refused = 0
    for seed in range(55, 75):
        rng = np.random.default_rng([seed, 78])
        world = World(seed, f"P{seed}", rest_counts=(70.0, 870.0))
        order = [CHANNELS[i] for i in rng.permutation(8)]
        flexed, until_ns = flexed_by(world, [CHANNELS[i] for i in rng.permutation(8)], effort=1.0)
        for channel, answer in assign(flexed, worn(world, order, until_ns, seed)).items():
            refused += isinstance(answer, Undecided)
            assert isinstance(answer, Undecided) or order[answer.slot - 1] == channel
    assert 2 <= refused <= 8


@pytest.mark.parametrize("seed", range(10))
def test_refused_where_two_sensors_sit_on_one_muscle(seed: int) -> None:
    rng = np.random.default_rng([seed, 79])
    world = World(seed, f"Q{seed}", rest_counts=(70.0, 870.0))
    order = [CHANNELS[i] for i in rng.permutation(8)]
    twin, lost = (int(x) for x in rng.choice(8, 2, replace=False))
    missing = order[lost]
    order[lost] = order[twin]
    flexed, until_ns = flexed_by(world, CHANNELS)
    answers = assign(flexed, worn(world, order, until_ns, seed))
    refused = {c for c, a in answers.items() if isinstance(a, Undecided)}
    assert order[twin] in refused
    alike = answers[order[twin]]
    assert isinstance(alike, Undecided) and set(alike.slots) == {twin + 1, lost + 1}
    assert "respond alike" in alike.why and alike.hint
    for channel, answer in answers.items():
        if isinstance(answer, Assigned):
            assert order[answer.slot - 1] == channel and channel not in (missing, order[twin])


def test_two_sensors_alike_are_refused_at_the_first_muscle_too() -> None:
    world = World(3, "S3")
    flexed, until_ns = flexed_by(world, ["left_biceps"])
    own = worn(world, ["left_biceps", "right_biceps"], until_ns, 3)
    assert isinstance(assign(flexed, own)["left_biceps"], Assigned)
    twins = own | {3: replace(own[1])}
    refused = assign(flexed, twins)["left_biceps"]
    assert isinstance(refused, Undecided) and refused.slots == (1, 3)


def test_nobody_answers_where_the_sensor_is_dead_or_silent() -> None:
    world = World(4, "S4", dead_channels=["left_biceps"])
    flexed, until_ns = flexed_by(world, ["left_biceps"])
    own = worn(world, ["left_biceps", "right_hamstrings"], until_ns, 4)
    silent = {3: Samples(arrival_ns=np.zeros(0, dtype=np.int64), value=np.zeros(0))}
    answer = assign(flexed, own | silent)["left_biceps"]
    assert isinstance(answer, Undecided) and answer.slots == ()
    assert answer.why == "no sensor responded to the left biceps" and "flex it harder" in answer.hint
    assert assign([], own) == {}
    assert isinstance(assign(flexed, {})["left_biceps"], Undecided)


def test_a_muscle_flexed_again_counts_once() -> None:
    world = World(5, "S5")
    flexed, until_ns = flexed_by(world, ["left_biceps", "left_triceps", "left_biceps"])
    answers = assign(flexed, worn(world, ["left_triceps", "left_biceps"], until_ns, 5))
    assert {c: a.slot for c, a in answers.items() if isinstance(a, Assigned)} == {"left_triceps": 1, "left_biceps": 2}


@pytest.mark.parametrize("unit", [1.0, 1e-6])
def test_a_raw_waveform_is_judged_like_a_level_in_any_unit(unit: float) -> None:
    """Each packet's last value alone is seen, 40 a second, at an effort that is but twice the noise."""
    rng, t = np.random.default_rng(0), T0_NS + np.arange(0, 10 * 10**9, 25 * 10**6, dtype=np.int64)
    flexed = [Flexed(channel="left_biceps", start_ns=T0_NS + 4 * 10**9, stop_ns=T0_NS + 7 * 10**9)]
    tense = (t > flexed[0].start_ns + 3 * 10**8) & (t < flexed[0].stop_ns)
    raw = [Samples(arrival_ns=t, value=unit * rng.normal(512.0, np.where(tense, size, 24.0))) for size in (26.0, 55.0)]
    answer = assign(flexed, {1: raw[0], 2: raw[1]})["left_biceps"]
    assert isinstance(answer, Assigned) and answer.slot == 2
    nobody = assign(flexed, {1: raw[0]})["left_biceps"]
    assert isinstance(nobody, Undecided) and nobody.slots == ()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(range(8)), unique=True), st.randoms(use_true_random=False))
def test_rebinding_moves_muscles_and_keeps_devices(moved: list[int], random: object) -> None:
    slots = list(range(1, 9))
    random.shuffle(slots)  # type: ignore[attr-defined]
    slot_of = {CHANNELS[i]: slots[i] for i in moved}
    after = rebound(SLOTS, slot_of)
    assert [(s.slot, s.address) for s in after] == [(s.slot, s.address) for s in SLOTS]
    assert sorted(s.channel for s in after) == sorted(CHANNELS)
    assert all(f"{s.side}_{s.muscle}" == s.channel and s.placement == f"on {s.channel}" for s in after)
    channel_of = {s.slot: s.channel for s in after}
    assert all(channel_of[slot] == channel for channel, slot in slot_of.items())


def test_what_the_rig_lacks_cannot_be_bound() -> None:
    for wrong in ({"left_calf": 1}, {"left_biceps": 9}, {"left_biceps": 1, "left_triceps": 1}):
        with pytest.raises(ValueError, match=r"rig lacks|to two muscles"):
            rebound(SLOTS, wrong)
