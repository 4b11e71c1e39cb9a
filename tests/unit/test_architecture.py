"""The house stands as drawn: who may import whom, and what no module may do."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("acquire", "dataset", "model", "sync")
ALLOWED = {
    "dataset": {"dataset"},
    "acquire": {"acquire", "dataset"},
    "sync": {"sync", "dataset"},
    "model": {"model", "dataset"},
}


def modules(room: str) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted((ROOT / room).rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def imported_rooms(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module]
        for name in names:
            top = name.partition(".")[0]
            if top in ROOMS:
                yield node.lineno, top


@pytest.mark.parametrize("room", ROOMS)
def test_imports_flow_one_way(room: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {other}"
        for path, tree in modules(room)
        for line, other in imported_rooms(tree)
        if other not in ALLOWED[room]
    ]
    assert wrong == []


@pytest.mark.parametrize("room", ROOMS)
def test_libraries_neither_print_nor_assert(room: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in modules(room)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
        or (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print")
        or (isinstance(node, ast.ExceptHandler) and node.type is None)
    ]
    assert wrong == []


def test_the_host_clock_has_one_source() -> None:
    """`acquire` takes no time but from dataset.support.clock: two clocks in one capture would never be found again."""
    forbidden = {"perf_counter_ns", "monotonic_ns", "time_ns"}
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno} uses {node.attr}"
        for path, tree in modules("acquire")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in forbidden
    ]
    assert wrong == []


def test_the_session_page_is_made_from_the_schema() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "scripts/session_docs.py"], capture_output=True, text=True, check=True
    )
    assert (ROOT / "docs/session.md").read_text(encoding="utf-8") == made.stdout
