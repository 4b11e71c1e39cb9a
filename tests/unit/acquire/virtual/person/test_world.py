"""The hidden truth is one: the same for everybody who asks, smooth, and it answers contacts where it should."""

from __future__ import annotations

import numpy as np
import pytest

from acquire.protocol.protocol import Protocol
from acquire.protocol.schedule import Prompt, build_schedule
from acquire.virtual.person.world import World
from dataset.muscles import CONTACT_OF_MUSCLE, PAPER_CHANNELS
from dataset.pose.skeleton import JOINT
from dataset.support.errors import InputError

T0_NS = 7_123_456_789_000
ARM, LEG = "left_biceps", "right_hamstrings"


def _prompted(seed: int, protocol: Protocol, **options: float) -> World:
    world = World(seed, "S03", **options)  # type: ignore[arg-type]
    for prompt in build_schedule(protocol, 5).prompts:
        world.prompt(prompt, T0_NS + round(prompt.at_s * 1e9))
    return world


def _every(seconds: float, step_s: float = 0.01) -> np.ndarray:
    return T0_NS + np.arange(0, round(seconds * 1e9), round(step_s * 1e9), dtype=np.int64)


def test_two_worlds_agree_though_one_hears_and_is_asked_bit_by_bit(short_protocol: Protocol) -> None:
    schedule = build_schedule(short_protocol, 5)
    whole = _prompted(11, short_protocol)
    start = _every(schedule.duration_s, 0.1)
    live = World(11, "S03")
    waiting = list(schedule.prompts)
    got: dict[str, list[int]] = {ARM: [], LEG: []}
    for at in start:
        # As in real time: a value is asked for when its interval ends, prompts come when they come.
        while waiting and T0_NS + waiting[0].at_s * 1e9 <= at + 100_000_000:
            prompt = waiting.pop(0)
            live.prompt(prompt, T0_NS + round(prompt.at_s * 1e9))
        for channel, values in got.items():
            values.append(live.value(channel, int(at), int(at) + 100_000_000))
    for channel, values in got.items():
        np.testing.assert_array_equal(values, whole.values(channel, start, start + 100_000_000))
    assert live.contacts() == whole.contacts()
    np.testing.assert_array_equal(live.joints(int(start[90])), whole.joints(int(start[90])))


def test_another_seed_is_another_recording_of_the_same_person(short_protocol: Protocol) -> None:
    one, other = _prompted(1, short_protocol), _prompted(2, short_protocol)
    assert one.body == other.body
    assert one.look == other.look
    assert [c.host_ns for c in one.contacts()] != [c.host_ns for c in other.contacts()]
    assert [b.lead_s for b in one.bursts] != [b.lead_s for b in other.bursts]
    assert one.placement == other.placement
    assert World(1, "S04").body != one.body
    assert World(1, "S04").placement != one.placement


def test_contacts_follow_their_cues_as_quickly_as_people_do(short_protocol: Protocol) -> None:
    world = _prompted(4, short_protocol)
    cues = [p for p in build_schedule(short_protocol, 5).prompts if p.kind.endswith("_cue")]
    assert [c.kind for c in world.contacts()] == [p.kind.removesuffix("_cue") for p in cues]
    reactions = [(c.host_ns - T0_NS) * 1e-9 - p.at_s for c, p in zip(world.contacts(), cues, strict=True)]
    assert 0.25 <= min(reactions) <= max(reactions) <= 0.6
    assert np.std(reactions) > 0.01


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_arms_answer_claps_and_legs_stomps_and_nothing_else(seed: int, short_protocol: Protocol) -> None:
    world = _prompted(seed, short_protocol)
    for channel in PAPER_CHANNELS:
        burst = world.bursts[PAPER_CHANNELS.index(channel)]
        for contact in world.contacts():
            span = contact.host_ns + np.arange(-400, 400) * 1_000_000
            level = world.level(channel.name, span)
            rises = float(np.ptp(level))
            if contact.kind == CONTACT_OF_MUSCLE[channel.muscle]:
                assert rises > 0.45 * burst.counts
            else:
                assert rises < 0.05 * burst.counts + 3.0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_stated_lead_is_the_centre_of_the_bursts(seed: int, short_protocol: Protocol) -> None:
    world = _prompted(seed, short_protocol)
    for channel in PAPER_CHANNELS:
        centres = []
        for contact in world.contacts(CONTACT_OF_MUSCLE[channel.muscle]):
            since_s = np.arange(-0.6, 0.6, 0.001)
            level = world.level(channel.name, contact.host_ns + np.round(since_s * 1e9).astype(np.int64))
            line = np.linspace(level[0], level[-1], len(level))
            centres.append(float(np.sum(since_s * (level - line)) / np.sum(level - line)))
        lead_s = world.lead_s(channel.name)
        assert lead_s is not None
        assert np.mean(centres) == pytest.approx(-lead_s, abs=0.004)


def test_bursts_begin_after_their_cue(short_protocol: Protocol) -> None:
    """Otherwise a sensor that is asked in real time would have to know the future."""
    cues = [p for p in build_schedule(short_protocol, 5).prompts if p.kind.endswith("_cue")]
    for seed in range(12):
        world = _prompted(seed, short_protocol)
        for contact, cue in zip(world.contacts(), cues, strict=True):
            for i, channel in enumerate(PAPER_CHANNELS):
                if CONTACT_OF_MUSCLE[channel.muscle] == contact.kind:
                    cue_s = cue.at_s - (contact.host_ns - T0_NS) * 1e-9
                    assert float(world.bursts[i].shape(np.array([cue_s - 0.03]))[0]) == 0.0


def test_levels_are_smooth_and_values_within_the_sensors_range(short_protocol: Protocol) -> None:
    world = _prompted(6, short_protocol)
    at_ns = _every(18.0)
    for channel in PAPER_CHANNELS:
        level = world.level(channel.name, at_ns)
        assert np.abs(np.diff(level)).max() < 150.0
        values = world.values(channel.name, at_ns, at_ns + 100_000_000)
        assert values.min() >= 0
        assert values.max() <= 1023
        assert np.std(values - level) > 0.5


def test_a_value_is_the_mean_over_its_interval(short_protocol: Protocol) -> None:
    world = _prompted(6, short_protocol)
    start = _every(18.0, 0.1)
    fine = np.stack([world.level(ARM, start + k * 1_000_000) for k in range(100)]).mean(axis=0)
    error = world.values(ARM, start, start + 100_000_000) - fine
    quiet = fine < np.percentile(fine, 50)
    assert np.abs(error[quiet]).mean() < 4.0
    assert abs(error.mean()) < 3.0


def test_the_person_squats_when_told_and_stands_again(short_protocol: Protocol) -> None:
    world = _prompted(3, short_protocol)
    (squat,) = world.exercises()
    assert squat.name == "squat"
    assert squat.stop_ns is not None
    start_s = next(p.at_s for p in build_schedule(short_protocol, 5).prompts if p.kind == "exercise_start")
    assert 0.2 <= (squat.start_ns - T0_NS) * 1e-9 - start_s <= 0.5
    hips = [world.joints(int(t))[JOINT["mid_hip"], 1] for t in range(squat.start_ns, squat.stop_ns, 100_000_000)]
    standing = world.joints(squat.start_ns - 100_000_000)[JOINT["mid_hip"], 1]
    after = world.joints(squat.stop_ns + 600_000_000)[JOINT["mid_hip"], 1]
    assert min(hips) < standing - 0.2
    assert after == pytest.approx(standing, abs=0.02)


def test_repetitions_differ_in_pace_and_size(short_protocol: Protocol) -> None:
    world = World(8, "S03")
    world.prompt(Prompt(at_s=0.0, kind="exercise_start", label="jumping_jack"), T0_NS)
    hands = world.joints_at(_every(30.0, 0.02))[:, JOINT["left_wrist"], 1]
    tops = [i for i in range(1, len(hands) - 1) if hands[i - 1] < hands[i] >= hands[i + 1] and hands[i] > 1.5]
    assert len(tops) > 15
    gaps = np.diff(tops) * 0.02
    assert 0.03 < np.std(gaps[gaps > 0.4]) / np.mean(gaps[gaps > 0.4]) < 0.25
    assert np.std(hands[tops]) > 0.02


def test_missed_cues_and_dead_sensors_can_be_asked_for(short_protocol: Protocol) -> None:
    assert _prompted(3, short_protocol, missed_contacts=1.0).contacts() == ()
    dead = World(3, "S03", dead_channels=(ARM,))
    for prompt in build_schedule(short_protocol, 5).prompts:
        dead.prompt(prompt, T0_NS + round(prompt.at_s * 1e9))
    assert np.ptp(dead.level(ARM, _every(18.0))) < 10.0
    assert np.ptp(dead.level(LEG, _every(18.0))) > 50.0


def test_an_unknown_exercise_is_refused(short_protocol: Protocol) -> None:
    with pytest.raises(InputError, match="does not know"):
        World(1).prompt(Prompt(at_s=0.0, kind="exercise_start", label="levitation"), T0_NS)
