"""Data down, messages up: steps reach for neither app nor recorder, and the app handles every message."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.message import Message

import acquire.screen
from acquire.screen import messages
from acquire.screen.app import CaptureApp

FOLDER = Path(acquire.screen.__file__).parent
STEPS = ("assign", "base", "calibrate", "check", "record", "setup", "summary")
#: What a screen may ask of Textual's app: how large it is, and to open a question over itself.
PUBLIC = {"push_screen", "size", "console"}
ABOVE = {"acquire.screen.app", "acquire.screen.conductor", "acquire.screen.take_runner", "acquire.recording.recorder"}


def nodes(step: str) -> Iterator[ast.AST]:
    return ast.walk(ast.parse((FOLDER / f"{step}.py").read_text(encoding="utf-8")))


@pytest.mark.parametrize("step", STEPS)
def test_a_step_reaches_for_neither_app_nor_recorder(step: str) -> None:
    wrong = [
        f"{step}.py:{node.lineno} self.app.{node.attr}"
        for node in nodes(step)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "app"
        and node.attr not in PUBLIC
    ]
    names = {node.module for node in nodes(step) if isinstance(node, ast.ImportFrom)}
    called = {node.func.id for node in nodes(step) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert wrong == [] and not names & ABOVE and "cast" not in called


def test_the_app_handles_every_message() -> None:
    kinds = {kind for kind in vars(messages).values() if isinstance(kind, type) and issubclass(kind, Message)} - {
        Message
    }
    assert len(kinds) > 10 and kinds <= set(CaptureApp._decorated_handlers)
