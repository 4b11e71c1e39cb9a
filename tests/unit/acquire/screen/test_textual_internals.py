"""The private parts of Textual: the installed release is the one they were read in, and they do what they did."""

from __future__ import annotations

import ast
import threading
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.drivers._writer_thread import MAX_QUEUED_WRITES, WriterThread

from acquire.screen.app import WRITES_THAT_MAY_WAIT
from acquire.screen.textual_internals import WRITTEN_FOR, bindings_of, write_to_terminal, writes_waiting

ROOT = Path(__file__).resolve().parents[4]


class Bare(App[None]):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("a,b", "bell", "Bell")]


class StuckTerminal:
    """A file that nobody reads from: the first write blocks."""

    def __init__(self) -> None:
        self.read = threading.Event()
        self.written: list[str] = []

    def write(self, text: str) -> None:
        self.read.wait(30)
        self.written.append(text)

    def flush(self) -> None: ...

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1


class Driver:
    """A driver as on Linux, whose writes go to a thread."""

    def __init__(self, writer: WriterThread) -> None:
        self._writer_thread = writer

    def write(self, text: str) -> None:
        self._writer_thread.write(text)


def test_the_release_is_the_one_it_was_written_for() -> None:
    assert version("textual").partition(".")[0] == WRITTEN_FOR
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (textual,) = [words for words in pyproject["project"]["dependencies"] if words.startswith("textual")]
    allowed = f"textual>={WRITTEN_FOR},<{int(WRITTEN_FOR) + 1}"
    assert textual == allowed, "another release needs another look at acquire/screen/textual_internals.py"


def test_the_writes_that_wait_are_counted() -> None:
    terminal = StuckTerminal()
    writer = WriterThread(terminal)  # type: ignore[arg-type]
    app = Bare()
    app._driver = Driver(writer)  # type: ignore[assignment]
    assert writes_waiting(app) == 0
    for _ in range(WRITES_THAT_MAY_WAIT):
        app._driver.write("drawn")  # type: ignore[union-attr]
    assert writes_waiting(app) == WRITES_THAT_MAY_WAIT < MAX_QUEUED_WRITES
    terminal.read.set()
    writer.start()
    writer.stop()
    assert writes_waiting(app) == 0 and "".join(terminal.written) == "drawn" * WRITES_THAT_MAY_WAIT


async def test_without_a_terminal_nothing_waits_and_nothing_is_written() -> None:
    app = Bare()
    assert writes_waiting(app) == 0 and not write_to_terminal(app, "\x1b[6n")
    async with app.run_test():
        assert writes_waiting(app) == 0 and not write_to_terminal(app, "\x1b[6n")


def test_bindings_are_found_by_key() -> None:
    app = Bare()
    assert [b.action for b in bindings_of(app, "b")] == ["bell"]
    assert list(bindings_of(app, "x")) == []


def test_nobody_else_reaches_for_them() -> None:
    private = {"_driver", "_writer_thread", "_queue", "_bindings", "_compositor", "_notifications"}
    wrong = [
        f"{path.name}:{node.lineno} {node.attr}"
        for path in sorted((ROOT / "acquire/screen").glob("*.py"))
        if path.name != "textual_internals.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in private
    ]
    assert wrong == []
