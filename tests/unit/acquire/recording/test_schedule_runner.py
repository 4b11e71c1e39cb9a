"""What a person may do with a schedule, and the events that remain of it: no thread and no time are needed."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquire.recording.schedule_runner import COUNTDOWN_S, LogDue, MarkerDue, Reply, ScheduleRunner
from dataset.support.errors import InputError
from tests.unit.acquire.recording.schedules import BEGAN_NS, PLAN, SPANS, SYNC, WITHOUT_SYNC, Played, Row, S


@pytest.fixture
def show() -> Played:
    return Played(PLAN)


@pytest.fixture
def plain() -> Played:
    """Without sync sequences."""
    return Played(WITHOUT_SYNC)


def assert_sequences_are_whole(played: Played, *, at_least: int = 2) -> None:
    """Each sequence that begins is given in full and in its own time, its flashes too, whatever was done between."""
    planned = [p for p in played.schedule.prompts if p.kind in SYNC]
    rows = [row for row in played.rows if row.kind in SYNC and not row.requested]
    assert [row.kind for row in rows] == list(SYNC) * (len(rows) // 4) and len(rows) >= 4 * at_least
    flashes = [row.t_ns for row in played.rows if row.kind == "flash" and not row.requested]
    for k in range(0, len(rows), 4):
        really = [(row.t_ns - rows[k].t_ns) / S for row in rows[k : k + 4]]
        wanted = [[p.at_s - planned[i].at_s for p in planned[i : i + 4]] for i in (0, 4)]
        assert any(really == pytest.approx(one, abs=1e-6) for one in wanted)
        assert sum(rows[k].t_ns <= t_ns <= rows[k + 3].t_ns for t_ns in flashes) == 2


def assert_every_start_has_its_stop(rows: list[Row]) -> None:
    begun: dict[str, str] = {}
    for row in rows:
        span, _, end = row.kind.rpartition("_")
        if end == "start":
            assert span not in begun, f"{row} begins within another"
            begun[span] = row.label
        elif end == "stop":
            assert begun.pop(span) == row.label
    assert not begun


def test_played_through_it_is_the_schedule_to_the_nanosecond(show: Played) -> None:
    show.end()
    assert show.kinds() == [(p.kind, p.label) for p in show.schedule.prompts]
    really = [(row.t_ns - BEGAN_NS) / S for row in show.rows]
    assert really == pytest.approx([p.at_s for p in show.schedule.prompts], abs=1e-8)
    assert (show.now_ns - BEGAN_NS) / S >= show.schedule.duration_s
    assert_sequences_are_whole(show)


def test_a_late_look_gives_what_was_due_in_order(show: Played) -> None:
    show.now_ns += 500 * S
    show.wait(0.0)
    assert show.ended and show.kinds() == [(p.kind, p.label) for p in show.schedule.prompts]


def test_a_pause_asked_for_in_an_exercise_begins_at_its_end_and_ends_with_a_countdown(plain: Played) -> None:
    runner = plain.runner
    plain.until("exercise_start", "squat")
    assert plain.do(runner.pause) == "pauses after squat"
    assert (runner.pausing, runner.paused) == (True, False)
    plain.until("pause_start")
    assert (runner.pausing, runner.paused) == (False, True)
    cue = runner.cue(plain.now_ns)
    assert (cue.kind, cue.next_title) == ("paused", "Twist")
    left_s = runner.remaining_s(plain.now_ns)
    plain.wait(100.0)
    assert runner.remaining_s(plain.now_ns) == left_s and not plain.ended
    assert math.isinf(runner.wait_s(plain.now_ns))
    with pytest.raises(InputError, match="paused already"):
        plain.do(runner.pause)
    assert plain.do(runner.resume) == "continues in 3 s"
    plain.wait(1.0)
    cue = runner.cue(plain.now_ns)
    assert cue.kind == "ready" and cue.left_s == pytest.approx(2.0)
    plain.end()
    assert plain.kinds(*SPANS)[:5] == [
        ("exercise_start", "squat"), ("exercise_stop", "squat"), ("pause_start", ""), ("pause_stop", ""),
        ("exercise_start", "twist"),
    ]  # fmt: skip
    _, stop, begun, ended, again = [row.t_ns / S for row in plain.rows if row.kind in SPANS][:5]
    assert begun == stop and ended - begun == pytest.approx(100.0)
    assert again - ended == pytest.approx(COUNTDOWN_S + PLAN.rest_s, abs=1e-6)


def test_whatever_is_done_between_both_sequences_stay_whole(show: Played) -> None:
    runner = show.runner
    show.until("sync_start")
    assert show.do(runner.pause) == "pauses after the sync sequence"
    assert show.do(runner.resume) == "continues without a pause"
    with pytest.raises(InputError, match="not paused"):
        show.do(runner.resume)
    show.until("clap_cue")
    for refused in (runner.redo, runner.skip, runner.next):
        with pytest.raises(InputError, match="sync sequence runs"):
            show.do(refused)
    show.do(runner.pause)
    show.until("pause_start")
    show.do(runner.resume)
    show.until("exercise_start", "squat")
    show.do(runner.redo)
    show.until("exercise_start", "squat", times=2)
    show.do(runner.next)
    show.until("exercise_stop", "squat", times=2)
    show.do(runner.skip)
    show.until("exercise_stop", "running")
    with pytest.raises(InputError, match="nothing to skip"):
        show.do(runner.skip)
    show.do(runner.next)
    show.until("sync_start", times=2)
    with pytest.raises(InputError, match="this is the last"):
        show.do(runner.pause)
    show.end()
    assert_sequences_are_whole(show)
    assert [k for k, _ in show.kinds("pause_start", "sync_stop")] == ["sync_stop", "pause_start", "sync_stop"]


def test_redoing_cuts_what_runs_and_does_it_again(plain: Played) -> None:
    runner = plain.runner
    plain.until("exercise_start", "twist")
    assert plain.do(runner.redo) == "again: twist"
    assert plain.rows[-1].kind == "exercise_stop"
    assert (runner.cue(plain.now_ns).kind, runner.cue(plain.now_ns).next_title) == ("ready", "Twist")
    plain.until("exercise_start", "twist", times=2)
    assert runner.cue(plain.now_ns).repetitions == 2
    plain.end()
    twists = [row for row in plain.rows if row.label == "twist"]
    assert [row.kind for row in twists] == ["exercise_start", "exercise_stop"] * 2
    assert [row.detail for row in twists] == [{}, {"cut_short": True}, {"attempt": 2}, {}]
    assert (twists[3].t_ns - twists[2].t_ns) / S == pytest.approx(0.4, abs=1e-6)
    assert plain.kinds("marker") == [("marker", "redo twist")]
    assert [(a.command, a.label) for a in plain.actions if isinstance(a, MarkerDue)] == [("redo", "twist")]


def test_redoing_in_the_rest_goes_back_to_the_exercise_before(plain: Played) -> None:
    with pytest.raises(InputError, match="nothing to redo"):
        plain.do(plain.runner.redo)
    plain.until("exercise_stop", "squat")
    assert plain.do(plain.runner.redo) == "again: squat"
    plain.end()
    assert [label for _, label in plain.kinds("exercise_start")] == ["squat", "squat", "twist", "running"]


def test_skipping_leaves_out_what_comes_or_cuts_what_runs(plain: Played) -> None:
    plain.until("exercise_stop", "squat")
    assert plain.do(plain.runner.skip) == "skipped: twist"
    plain.until("exercise_start", "running")
    assert plain.do(plain.runner.skip) == "skipped: running"
    plain.end()
    assert plain.kinds(*SPANS) == [
        ("exercise_start", "squat"), ("exercise_stop", "squat"),
        ("exercise_start", "running"), ("exercise_stop", "running"),
    ]  # fmt: skip
    assert plain.rows[-1].detail == {"cut_short": True}


def test_skipping_what_a_pause_waits_for_begins_the_pause(plain: Played) -> None:
    plain.until("exercise_start", "squat")
    plain.do(plain.runner.pause)
    plain.do(plain.runner.skip)
    assert plain.runner.paused and plain.runner.cue(plain.now_ns).next_title == "Twist"
    plain.stop()
    assert plain.kinds(*SPANS) == [
        ("exercise_start", "squat"), ("exercise_stop", "squat"), ("pause_start", ""), ("pause_stop", "")
    ]  # fmt: skip


def test_going_on_ends_what_runs_begins_what_comes_and_ends_a_pause(plain: Played) -> None:
    runner = plain.runner
    plain.until("exercise_start", "squat")
    began_ns = plain.now_ns
    assert plain.do(runner.next) == "ended: squat"
    plain.until("exercise_stop", "squat")
    assert plain.do(runner.next) == "begins: twist"
    plain.until("exercise_start", "twist")
    assert plain.now_ns - began_ns < 10
    plain.do(runner.pause)
    plain.until("pause_start")
    assert plain.do(runner.next) == "begins: running"
    plain.until("exercise_start", "running")
    plain.end()
    assert all(row.detail == {} for row in plain.rows)
    assert [k for k, _ in plain.kinds("pause_start", "pause_stop")] == ["pause_start", "pause_stop"]
    with pytest.raises(InputError, match="nothing left in the schedule"):
        plain.do(runner.next)


def test_marks_flashes_and_claps_beside_the_schedule_are_stored(plain: Played) -> None:
    runner = plain.runner
    plain.until("exercise_start", "squat")
    assert plain.do(lambda t_ns: runner.mark("  knee \n hurts ", t_ns - S)) == "marked: knee hurts"
    assert (plain.rows[-1].label, plain.rows[-1].t_ns) == ("knee hurts", plain.now_ns - S)
    for text, why in (("  ", "it is empty"), ("x" * 501, "501 of at most 500")):
        with pytest.raises(InputError, match=why):
            plain.do(lambda t_ns, text=text: runner.mark(text, t_ns))  # type: ignore[misc]
    plain.do(runner.flash)
    plain.do(runner.clap_cue)
    assert (runner.cue(plain.now_ns).kind, runner.cue(plain.now_ns).title) == ("contact", "Clap")
    assert [(row.kind, row.requested) for row in plain.rows[-2:]] == [("flash", True), ("clap_cue", True)]
    logged = [a.what for a in plain.actions if isinstance(a, LogDue)]
    assert logged == ["flash requested", "clap requested"]
    plain.wait(0.7)
    assert runner.cue(plain.now_ns).kind != "contact"


@pytest.mark.parametrize("paused", [True, False])
def test_stopping_in_a_pause_and_in_an_exercise_leaves_nothing_open(plain: Played, *, paused: bool) -> None:
    plain.until("exercise_start", "squat")
    if paused:
        plain.do(plain.runner.pause)
        plain.until("pause_start")
    plain.stop()
    last = plain.rows[-1]
    assert last.kind == ("pause_stop" if paused else "exercise_stop") and last.detail == {"cut_short": True}
    assert_every_start_has_its_stop(plain.rows)


def test_a_muscles_calibration_is_cut_and_gone_through_whole() -> None:
    plan = WITHOUT_SYNC.model_copy(update={"exercises": ()})
    show = Played(plan, ("left_biceps", "left_triceps"))
    runner = show.runner
    assert runner.calibrating() == "left_biceps"
    show.until("rest_start", "left_biceps")
    assert runner.cue(show.now_ns).kind == "rest"
    show.do(runner.next)
    show.until("contract_start", "left_biceps")
    cue = runner.cue(show.now_ns)
    assert (cue.kind, cue.title) == ("contract", "Flex: left biceps")
    assert show.do(runner.skip) == "skipped: left_biceps"
    assert runner.calibrating() == "left_triceps"
    show.until("rest_start", "left_triceps")
    for kind in ("rest_stop", "contract_start", "contract_stop", "rest_start"):
        show.do(runner.next)
        show.until(kind, "left_triceps", times=2 if kind == "rest_start" else 1)
    show.do(runner.next)
    show.end()
    assert_every_start_has_its_stop(show.rows)
    assert [label for _, label in show.kinds("contract_stop")] == ["left_biceps", "left_triceps"]
    assert runner.calibrating() == ""


COMMANDS: dict[str, Callable[[ScheduleRunner], Callable[[int], Reply]]] = {
    "pause": lambda runner: runner.pause,
    "resume": lambda runner: runner.resume,
    "redo": lambda runner: runner.redo,
    "skip": lambda runner: runner.skip,
    "next": lambda runner: runner.next,
    "flash": lambda runner: runner.flash,
    "clap": lambda runner: runner.clap_cue,
}
#: What moves the position: all others leave it where it is.
JUMPS = ("redo", "skip", "next")

STEPS = st.lists(st.one_of(st.floats(0.0, 6.0), st.sampled_from(sorted(COMMANDS))), max_size=40)
CALIBRATE = st.sampled_from([(), ("left_biceps",), ("left_biceps", "left_triceps")])


def obey(played: Played, name: str) -> bool:
    """Carry out a command; False where it is refused, which changes nothing."""
    runner, before = played.runner, len(played.actions)
    state = runner.position_s(played.now_ns), runner.paused, runner.pausing, runner.wait_s(played.now_ns)
    try:
        played.do(COMMANDS[name](runner))
    except InputError:
        after = runner.position_s(played.now_ns), runner.paused, runner.pausing, runner.wait_s(played.now_ns)
        assert after == state and len(played.actions) == before
        return False
    return True


@given(STEPS, CALIBRATE, st.booleans())
def test_any_interleaving_of_commands_and_time_leaves_a_whole_recording(
    steps: list[float | str], calibrate: tuple[str, ...], play_on: bool
) -> None:
    played = Played(PLAN, calibrate)
    for step in steps:
        if isinstance(step, float):
            played.wait(step)
        elif not played.ended:
            obey(played, step)
    if play_on and not played.ended:
        if played.runner.pausing or played.runner.paused:
            played.do(played.runner.resume)
        played.end()
    if played.ended:
        assert_sequences_are_whole(played)
    played.stop()
    times = [row.t_ns for row in played.rows]
    assert times == sorted(times)
    whole = [row for row in played.rows if not row.kind.startswith("sync")]
    assert_every_start_has_its_stop(whole)
    squats = [row for row in played.rows if (row.kind, row.label) == ("exercise_start", "squat")]
    attempts = [row.detail.get("attempt", 1) for row in squats]
    assert attempts == list(range(1, len(attempts) + 1))


@given(STEPS)
def test_the_position_follows_the_clock_and_jumps_by_a_command_alone(steps: list[float | str]) -> None:
    played = Played(PLAN)
    runner = played.runner
    for step in steps:
        if played.ended:
            break
        before_s, at_ns = runner.position_s(played.now_ns), played.now_ns
        if isinstance(step, float):
            paused = runner.paused
            played.wait(step)
            gone_s, moved_s = (played.now_ns - at_ns) / S, runner.position_s(played.now_ns) - before_s
            assert -1e-6 <= moved_s <= gone_s + 1e-6
            assert not paused or moved_s == 0.0
        elif obey(played, step) and step not in JUMPS:
            assert runner.position_s(played.now_ns) == pytest.approx(before_s, abs=1e-9)


@given(STEPS)
def test_the_wait_is_exactly_until_something_is_due(steps: list[float | str]) -> None:
    played = Played(PLAN)
    for step in steps:
        if isinstance(step, float):
            played.wait(step)
        elif not played.ended:
            obey(played, step)
        wait_s = played.runner.wait_s(played.now_ns)
        if played.ended or not 1e-5 < wait_s < 1e6:
            continue
        sooner = played.runner.advance(played.now_ns + round(wait_s * S) - 1000)
        assert sooner.actions == () and sooner.wait_s is not None
        played.now_ns += round(wait_s * S) + 1
        due = played.runner.advance(played.now_ns)
        assert due.actions or due.wait_s is None
        played.take(due.actions)
        played.ended = due.wait_s is None
