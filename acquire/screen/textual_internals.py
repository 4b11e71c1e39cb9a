"""The private parts of Textual that the screen needs, in one place; written for the release named here.

Textual has no public way to ask how much its driver still has to write, to write a question to the terminal, or to
look up the binding of a key on another screen. ``tests/unit/acquire/screen/test_textual_internals.py`` holds that the
installed release is the one these were read in, and that each still does what it did.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode

#: Read in this release; look at each function again before another one is allowed in pyproject.toml.
WRITTEN_FOR = "8"


def writes_waiting(app: App[Any]) -> int:
    """Return how many writes wait for a terminal that has not read them; 0 where nothing is queued, as in tests.

    ``textual.drivers._writer_thread.WriterThread`` has room for 30; with one more the app's loop stands still.
    """
    writer = getattr(app._driver, "_writer_thread", None)
    return 0 if writer is None else int(writer._queue.qsize())


def write_to_terminal(app: App[Any], text: str) -> bool:
    """Write to the terminal behind what was drawn; returns False where there is none."""
    driver = app._driver
    if driver is None or app.is_headless:
        return False
    driver.write(text)
    return True


def bindings_of(owner: DOMNode, key: str) -> Iterable[Binding]:
    """Return what a key is bound to on a screen or a widget."""
    return owner._bindings.key_to_bindings.get(key, ())
