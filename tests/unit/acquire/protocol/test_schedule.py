"""Sync sequences are irregular, seeded and at both ends; exercises fill what is between."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquire.protocol.protocol import (
    Exercise,
    Protocol,
    SyncSequence,
    built_in_protocols,
    load_protocol,
    parse_protocol,
)
from acquire.protocol.schedule import build_schedule
from dataset.exercises import LATER_EXERCISES, PAPER_EXERCISES
from dataset.support.errors import InputError

DEMO, _ = load_protocol(None)


def times(schedule_kind: str, seed: int = 1, duration_s: float | None = None) -> list[float]:
    return [p.at_s for p in build_schedule(DEMO, seed, duration_s).prompts if p.kind == schedule_kind]


@given(st.integers(0, 2**31))
def test_cues_come_at_both_ends_and_irregularly(seed: int) -> None:
    schedule = build_schedule(DEMO, seed)
    claps = times("clap_cue", seed)
    first_exercise, last_exercise = times("exercise_start", seed)[0], times("exercise_stop", seed)[-1]
    assert sum(t < first_exercise for t in claps) == sum(t > last_exercise for t in claps) == DEMO.sync.claps
    gaps = np.diff([t for t in claps if t < first_exercise])
    assert gaps.min() >= DEMO.sync.shortest_gap_s
    assert np.ptp(gaps) > 0
    assert [p.at_s for p in schedule.prompts] == sorted(p.at_s for p in schedule.prompts)


def test_the_same_seed_gives_the_same_schedule_and_another_another() -> None:
    assert build_schedule(DEMO, 5) == build_schedule(DEMO, 5)
    assert build_schedule(DEMO, 5) != build_schedule(DEMO, 6)


def test_every_cue_has_a_flash_near_it_and_no_flash_sounds_into_a_contact() -> None:
    flashes = np.array(times("flash"))
    cues = sorted(times("clap_cue") + times("stomp_cue"))
    assert len(flashes) == len(cues)
    # People answer a cue after a fifth of a second at the earliest.
    assert all(np.min(np.abs(flashes - cue)) <= 0.15 for cue in cues)
    assert all(not ((flashes > cue + 0.15) & (flashes < cue + 0.7)).any() for cue in cues)


def test_every_exercise_comes_once_a_pass() -> None:
    labels = [p.label for p in build_schedule(DEMO, 1).prompts if p.kind == "exercise_start"]
    assert labels == [e.name for e in DEMO.exercises] * DEMO.passes


@given(st.floats(30, 600))
def test_a_duration_is_met(duration_s: float) -> None:
    schedule = build_schedule(DEMO, 3, duration_s)
    assert schedule.duration_s == pytest.approx(duration_s)
    assert max(p.at_s for p in schedule.prompts) < duration_s
    starts, stops = times("exercise_start", 3, duration_s), times("exercise_stop", 3, duration_s)
    assert all(stop - start >= 1.0 - 1e-9 for start, stop in zip(starts, stops, strict=True))


def test_a_duration_too_short_for_both_sequences_still_gives_both() -> None:
    assert len(times("sync_start", duration_s=5.0)) == 2
    assert times("exercise_start", duration_s=5.0) == []


def test_a_protocol_without_sync_has_only_exercises() -> None:
    plain = Protocol(name="p", sync=SyncSequence(claps=0, stomps=0), exercises=(Exercise(name="Squats", seconds=3),))
    assert [p.kind for p in build_schedule(plain, 0).prompts] == ["exercise_start", "exercise_stop"]
    assert plain.exercises[0].name == "squat"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "not TOML"),
        ("title = 'x'", "name"),
        ("name = 'x'\n[[exercises]]\nname='squat'\nseconds='long'", r"exercises\.0\.seconds"),
        ("name = 'x'\n[[exercises]]\nname='!'\nseconds=3", "needs a name"),
        ("name = 'x'\npases = 2", "pases"),
    ],
)
def test_a_wrong_protocol_names_the_field(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_protocol(text, "p.toml")


def test_built_in_protocols_ask_for_the_papers_and_the_later_exercises() -> None:
    assert set(built_in_protocols()) >= {"demo", "paper", "later"}
    for name, exercises in (("paper", PAPER_EXERCISES), ("later", LATER_EXERCISES)):
        protocol, text = load_protocol(Path(name))
        assert tuple(e.name for e in protocol.exercises) == exercises
        assert all(e.text for e in protocol.exercises)
        assert parse_protocol(text, name) == protocol


def test_a_file_goes_before_a_built_in_protocol_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("paper").write_text('name = "mine"', encoding="utf-8")
    assert load_protocol(Path("paper"))[0].name == "mine"
    with pytest.raises(InputError, match="neither a file nor built in"):
        load_protocol(Path("papyrus"))


def test_a_calibration_comes_first_muscle_by_muscle_and_moves_nothing_else() -> None:
    plain, both = build_schedule(DEMO, 4), build_schedule(DEMO, 4, calibrate=("left_biceps", "right_biceps"))
    own = [(p.kind, p.label) for p in both.prompts if p.kind.startswith(("rest", "contract"))]
    of_one = ["rest_start", "rest_stop", "contract_start", "contract_stop", "rest_start", "rest_stop"]
    assert own == [(kind, channel) for channel in ("left_biceps", "right_biceps") for kind in of_one]
    rest = both.prompts[len(own) :]
    shift_s = rest[0].at_s - plain.prompts[0].at_s
    assert [p.at_s - shift_s for p in rest] == pytest.approx([p.at_s for p in plain.prompts])
    assert all("left biceps" in p.text for p in both.prompts if (p.kind, p.label) == ("contract_start", "left_biceps"))


def test_repetitions_take_their_time_and_rests_may_differ() -> None:
    exercises = (
        Exercise(name="squat", repetitions=5, seconds_each=2.0, rest_s=7.0),
        Exercise(name="twist", seconds=3.0),
    )
    plan = Protocol(name="p", sync=SyncSequence(claps=0, stomps=0), rest_s=1.0, lead_in_s=2.0, exercises=exercises)
    schedule = build_schedule(plan, 0)
    assert [(p.at_s, p.repetitions) for p in schedule.prompts] == [(2.0, 5), (12.0, 0), (19.0, 0), (22.0, 0)]
    assert schedule.duration_s == 23.0
    halved = build_schedule(plan, 0, 2.0 + 8.0 + 6.5)
    assert halved.duration_s == pytest.approx(16.5)
    assert halved.prompts[0].repetitions == 2  # as many as the shorter time has room for at the same pace


@pytest.mark.parametrize("fields", ["", "seconds = 3\nrepetitions = 4", "repetitions = 0"])
def test_an_exercise_is_timed_or_counted(fields: str) -> None:
    with pytest.raises(InputError, match=r"exercises\.0"):
        parse_protocol(f"name = 'x'\n[[exercises]]\nname = 'squat'\n{fields}", "p.toml")


def test_the_starter_takes_ten_minutes_and_its_first_pass_trains_for_its_second() -> None:
    starter, _ = load_protocol(Path("starter"))
    assert {e.name for e in starter.exercises} <= set(PAPER_EXERCISES)
    for seed in range(5):
        assert build_schedule(starter, seed).duration_s == pytest.approx(600.0, abs=10.0)
    assert starter.passes == 2
