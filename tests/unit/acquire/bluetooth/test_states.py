"""The table of a sensor's life, held against the promises made about it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquire.bluetooth.states import TABLE, Event, Machine, State
from acquire.screen.palette import STATES as SIGNS

EVERY = [(state, event) for state in State for event in Event]
CONNECTED = {State.STREAMING, State.STALE}


def machine_in(state: State) -> tuple[Machine, list[tuple[str, str, dict[str, Any]]]]:
    rows: list[tuple[str, str, dict[str, Any]]] = []
    machine = Machine(lambda *row: rows.append(row))
    machine.state = state
    return machine, rows


@pytest.mark.parametrize(("state", "event"), EVERY)
def test_each_step_goes_where_the_table_says_and_is_noted(state: State, event: Event) -> None:
    machine, rows = machine_in(state)
    machine.step(event, reason="r")
    if state == State.STOPPED:
        assert (machine.state, rows) == (State.STOPPED, [])
        return
    ((level, what, detail),) = rows
    step = TABLE.get((state, event))
    if step is None:
        assert (level, what, machine.state) == ("error", "unexpected", state)
        assert detail == {"state": state.value, "event": event.value, "reason": "r"}
    else:
        assert (level, what, machine.state) == (step.level, step.what, step.to)
        assert detail == {"from": state.value, "to": step.to.value, "reason": "r"}


def test_the_whole_life_of_a_sensor() -> None:
    life = {
        State.SCANNING: {"found": "connecting", "not found": "scanning"},
        State.CONNECTING: {"subscribed": "streaming", "failed": "scanning"},
        State.STREAMING: {"silent": "stale", "disconnected": "lost", "asked": "lost"},
        State.STALE: {"heard": "streaming", "disconnected": "lost", "given up": "lost", "asked": "lost"},
        State.LOST: {"retry": "reconnecting"},
        State.RECONNECTING: {
            "found": "reconnecting",
            "not found": "lost",
            "failed": "lost",
            "subscribed": "streaming",
        },
        State.STOPPED: {},
    }
    for state, leads in life.items():
        stop = {} if state == State.STOPPED else {"stop": "stopped"}
        assert {e.value: TABLE[s, e].to.value for s, e in TABLE if s == state} == leads | stop


def test_a_sensor_that_streamed_is_looked_for_until_the_hub_stops() -> None:
    """From streaming no way leads to an end but STOP, and never back to a slot that takes any device."""
    reached, todo = set(), [State.STREAMING]
    while todo:
        state = todo.pop()
        reached.add(state)
        todo += [s.to for (f, e), s in TABLE.items() if f == state and e != Event.STOP and s.to not in reached]
    assert reached == {State.STREAMING, State.STALE, State.LOST, State.RECONNECTING}
    for state in reached:
        assert any(f == state and e != Event.STOP and s.to != state for (f, e), s in TABLE.items())


def test_what_a_person_should_act_on_is_a_warning() -> None:
    for (state, event), step in TABLE.items():
        falls = state in CONNECTED and step.to not in CONNECTED and step.to != State.STOPPED
        falls &= event != Event.ASKED  # the person wants it
        assert step.level == ("warning" if falls or step.to == State.STALE or "failed" in step.what else "info")


def test_every_state_has_a_sign_on_the_screen() -> None:
    assert set(SIGNS) == {state.value for state in State}


@given(st.integers(1, 300))
def test_a_scan_in_vain_is_noted_ever_more_rarely(n: int) -> None:
    machine, rows = machine_in(State.SCANNING)
    for _ in range(n):
        machine.step(Event.NOT_FOUND)
    assert [detail.get("times", 1) for _, _, detail in rows] == [2**k for k in range(n.bit_length())]
    machine.step(Event.FOUND)
    machine.step(Event.FAILED)
    machine.step(Event.NOT_FOUND)
    assert "times" not in rows[-1][2], "and from the beginning after something has happened"
