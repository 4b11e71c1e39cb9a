"""A recording's phases go by their table alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquire.recording.phase import ENDED, OPEN, TRANSITIONS, Phase, PhaseMachine
from dataset.support.errors import InputError


def test_a_recording_goes_through_its_phases() -> None:
    machine = PhaseMachine()
    for phase in (Phase.OPENING, Phase.WAITING, Phase.READY, Phase.RECORDING, Phase.CLOSING, Phase.DONE):
        machine.go(phase)
    assert machine.now is Phase.DONE


def test_the_words_are_those_of_the_status() -> None:
    assert [str(phase) for phase in Phase] == [
        "closed", "opening", "waiting", "ready", "recording", "closing", "done", "failed"
    ]  # fmt: skip


def test_the_table_names_every_phase_and_only_ends_have_no_way_out() -> None:
    assert set(TRANSITIONS) == set(Phase)
    assert {phase for phase, to in TRANSITIONS.items() if not to} == ENDED
    assert all(Phase.CLOSING in TRANSITIONS[phase] for phase in set(Phase) - ENDED - {Phase.CLOSING})


@given(st.lists(st.one_of(st.sampled_from(Phase), st.booleans())))
def test_whatever_is_asked_only_steps_of_the_table_are_taken(asked: list[Phase | bool]) -> None:
    machine = PhaseMachine()
    for to in asked:
        before = machine.now
        if isinstance(to, bool):
            machine.set_ready(to)
            assert machine.now == ((Phase.READY if to else Phase.WAITING) if before in OPEN else before)
        elif to in TRANSITIONS[before]:
            machine.go(to)
            assert machine.now is to
        else:
            with pytest.raises(InputError, match=f"cannot be {to} now"):
                machine.go(to)
            assert machine.now is before
