"""What a person reads: hints are whole, columns stay apart, and one prompt has one text."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from acquire.assignment import Undecided
from acquire.media.microphone import SoundStatus
from acquire.preflight.checks import SILENT_DB, BodyView, Check, preflight
from acquire.protocol.cues import cue_at
from acquire.protocol.prompts import FULL_EFFORT, flex_text
from acquire.protocol.protocol import built_in_protocols, load_protocol
from acquire.protocol.schedule import build_schedule
from acquire.recording.assignment_procedure import flex_prompt
from acquire.screen.assign import answers_text, assignment_cue
from acquire.screen.check import checks_text
from acquire.screen.drawing import hint_lines
from acquire.screen.view import AssignmentView
from acquire.screen.widgets import CuePanel, sound_words
from dataset.muscles import PAPER_CHANNELS
from tests.unit.acquire.screen import frozen

CHANNELS = tuple(c.name for c in PAPER_CHANNELS)
#: Columns of the list of checks, and of the line under the big words, on a terminal of 80.
LIST_WIDTH, CUE_WIDTH = 77, 76


def squeezed(text: object) -> str:
    return " ".join(str(text).replace("→", " ").split())


def worst_checks() -> list[Check]:
    """Return every line that is not well: nothing there, everything broken, nobody in the picture."""
    bare: dict[str, Any] = {"camera": None, "sound": None, "box": False}
    broken = replace(frozen.snapshot("waiting"), sensors=frozen.sensors_in_trouble(), **bare)
    quiet = frozen.snapshot("ready", sound=SoundStatus(level_db=-90.0, rate_hz=48000, blocks=5))
    bodies = (BodyView(nobody=True), BodyView(missing=("head", "left foot")), BodyView(unavailable="x" * 60))
    found = [*preflight(broken, None)]
    for body in bodies:
        found += preflight(quiet, body)
    return found


def test_hints_are_whole_and_columns_apart_in_80_columns() -> None:
    checks = worst_checks()
    for check in checks:
        shown = str(checks_text((check,), LIST_WIDTH))
        assert max(map(len, shown.splitlines())) <= LIST_WIDTH, shown
        assert check.do in squeezed(shown), shown
        assert not check.do or f"{check.found} {check.do}" not in shown, "the two run together"
    phone = list(preflight(replace(frozen.snapshot("ready"), camera=None, sound=None, box=False), BodyView()))
    assert len(str(checks_text(tuple(phone), LIST_WIDTH)).splitlines()) == len(phone), "all at one look, without a rig"
    assert "no camera" in str(checks_text(tuple(checks), LIST_WIDTH))


@given(st.text("abc -", max_size=200).map(squeezed), st.integers(12, 120), st.integers(0, 6))
def test_a_wrapped_hint_loses_no_word(hint: str, width: int, indent: int) -> None:
    words = [word for word in hint.split() if len(word) <= 4]
    lines = hint_lines(" ".join(words), width, indent=indent)
    assert squeezed(lines) == " ".join(words)
    assert all(len(line) <= max(width, indent + 12) for line in lines.splitlines())


def test_why_a_muscle_is_not_clear_is_said_in_full() -> None:
    hint = "if two sensors are on one muscle, move one; else flex again with the other muscles relaxed"
    answers = {CHANNELS[0]: Undecided(slots=(1, 2), why="alike", hint=hint)}
    shown = answers_text(list(CHANNELS), AssignmentView(answers=answers), 44)
    assert hint in squeezed(shown) and max(map(len, str(shown).splitlines())) <= 44


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_screen_says_what_the_procedure_asks_for(channel: str) -> None:
    cue = assignment_cue(AssignmentView(running=True, asked=channel, left_s=1.0))
    assert cue.text == flex_prompt(channel).text and "half as hard" in cue.text
    assert len(cue.text) + len(f"next: {cue.next_title}") < CUE_WIDTH


@pytest.mark.parametrize("name", built_in_protocols())
def test_what_comes_after_a_rest_is_never_a_rest(name: str) -> None:
    protocol, _ = load_protocol(Path(name))
    schedule = build_schedule(protocol, 1, calibrate=CHANNELS)
    cues = [cue_at(schedule, 0.25 * n) for n in range(int(4 * schedule.duration_s))]
    rests = [cue for cue in cues if cue.title == "Rest"]
    assert rests and all(cue.next_title != "Rest" for cue in rests)
    assert any(now.title == "Rest" and then.title == now.next_title for now, then in pairwise(cues))
    assert flex_text(CHANNELS[0], FULL_EFFORT) in {cue.text for cue in cues}


@pytest.mark.parametrize("name", built_in_protocols())
def test_every_instruction_fits_into_80_columns(name: str) -> None:
    protocol, _ = load_protocol(Path(name))
    schedule = build_schedule(protocol, 1, calibrate=CHANNELS)
    assert max(len(prompt.text) for prompt in schedule.prompts) < CUE_WIDTH


@given(st.floats(-120.0, 0.0))
def test_a_level_that_is_not_silent_fills_some_of_the_meter(level_db: float) -> None:
    text = Text()
    sound_words(text, SoundStatus(level_db=level_db, rate_hz=48000, blocks=5))
    assert ("▮" in str(text)) is (level_db > SILENT_DB)


def test_the_panel_knows_every_kind_of_cue() -> None:
    assert {"ready", "rest", "contract", "exercise", "contact", "paused", "done"} < set(CuePanel.KINDS)
