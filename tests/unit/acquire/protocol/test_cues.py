"""What the screen asks for at each moment."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from acquire.protocol.cues import contact_cue, cue_at, waiting_cue
from acquire.protocol.protocol import load_protocol, parse_protocol
from acquire.protocol.schedule import build_schedule

PLAN, _ = load_protocol(None)


@given(seed=st.integers(0, 1000), part=st.floats(0, 1))
def test_there_is_always_something_to_do_that_ends(seed: int, part: float) -> None:
    schedule = build_schedule(PLAN, seed)
    elapsed_s = part * schedule.duration_s
    cue = cue_at(schedule, elapsed_s)
    assert cue.title and -1e-9 <= cue.left_s <= schedule.duration_s - elapsed_s + 1e-9


def test_the_words_follow_the_schedule() -> None:
    schedule = build_schedule(PLAN, 3)
    for prompt in schedule.prompts:
        cue = cue_at(schedule, prompt.at_s + 0.001)
        if prompt.kind == "clap_cue":
            assert (cue.kind, cue.title) == ("contact", "Clap")
        elif prompt.kind == "stomp_cue":
            assert (cue.kind, cue.title) == ("contact", "Stomp")
        elif prompt.kind == "exercise_start":
            assert cue.kind == "exercise" and cue.title.lower().replace(" ", "_") == prompt.label
        elif prompt.kind == "exercise_stop":
            assert cue.kind != "exercise"
    assert cue_at(schedule, 0.0).kind == "ready"
    assert cue_at(schedule, schedule.duration_s).kind == "done"


def test_repetitions_are_counted_in_the_exercises_time() -> None:
    plan = parse_protocol(
        "name='x'\nlead_in_s=1\n[sync]\nclaps=0\nstomps=0\n[[exercises]]\nname='squat'\nrepetitions=4\nseconds_each=2",
        "x",
    )
    schedule = build_schedule(plan, 0)
    shown = [cue_at(schedule, 1.0 + t).repetition for t in (0.1, 1.9, 2.1, 5.0, 7.9)]
    assert shown == [1, 1, 2, 3, 4]
    assert cue_at(schedule, 1.5).repetitions == 4 and cue_at(schedule, 0.5).repetitions == 0


def test_a_calibration_is_read_as_rest_and_flex() -> None:
    schedule = build_schedule(PLAN, 1, calibrate=("left_biceps",))
    shown = [
        (cue_at(schedule, p.at_s + 0.01).kind, cue_at(schedule, p.at_s + 0.01).title) for p in schedule.prompts[:6:2]
    ]
    assert shown == [("rest", "Rest"), ("contract", "Flex: left biceps"), ("rest", "Rest")]


def test_standing_still_names_what_comes() -> None:
    schedule = build_schedule(PLAN, 1)
    index = next(i for i, p in enumerate(schedule.prompts) if p.kind == "exercise_start")
    paused, counting = waiting_cue(schedule, index, 0.0), waiting_cue(schedule, index, 2.5)
    assert (paused.kind, paused.title, paused.next_title) == ("paused", "Paused", "Squat")
    assert (counting.kind, counting.left_s, counting.next_title) == ("ready", 2.5, "Squat")
    assert waiting_cue(schedule, len(schedule.prompts), 0.0).next_title == ""
    assert contact_cue("clap_cue", 0.1) is not None and contact_cue("clap_cue", 5.0) is None
