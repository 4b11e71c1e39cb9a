"""What the screen asks for at each moment."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from acquire.cues import cue_at
from acquire.protocol import load_protocol
from acquire.schedule import build_schedule

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
