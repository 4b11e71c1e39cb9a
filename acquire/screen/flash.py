"""The terminal as a flash: the whole screen turns white, with the host time at which that was written."""

from __future__ import annotations

import asyncio
import contextvars
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.text import Text
from textual import events
from textual.app import App
from textual.screen import Screen

from acquire.ledbox.flasher import Flash, FlashCallback
from acquire.screen.textual_internals import bindings_of, write_to_terminal
from dataset.support import clock

SOURCE = "terminal"
SOURCE_OVER_SSH = "terminal over ssh"
#: A terminal that has drawn nothing by then gave no flash.
GIVE_UP_S = 1.0
RETRY_S = 0.1
_WHERE_IS_THE_CURSOR = "\x1b[6n"


class FlashScreen(Screen[None]):
    """Nothing but white."""

    DEFAULT_CSS = "FlashScreen { background: #ffffff; }"

    def __init__(self) -> None:
        super().__init__()
        #: Host time before its first drawing; 0 until then.
        self.drawn_from_ns = 0

    def render(self) -> Text:
        """Draw."""
        if not self.drawn_from_ns:
            self.drawn_from_ns = clock.now_ns()
        return Text("")

    def on_key(self, event: events.Key) -> None:
        """Hand a key to what lies under the white, as if it were not there: a key must never be lost to a flash."""
        stack = self.app.screen_stack
        # One pressed at the white's end arrives when it is gone already.
        below = stack[stack.index(self) - 1] if self in stack else stack[-1]
        focused = below.focused
        if focused is not None and focused.check_consume_key(event.key, event.character):
            focused.post_message(event)
            return
        for owner in filter(None, (focused, below)):
            for binding in bindings_of(owner, event.key):
                event.stop()
                self.app.run_worker(self.app.run_action(binding.action, default_namespace=owner))
                return


def over_ssh(environment: Mapping[str, str]) -> bool:
    """Return whether this program's terminal is at the other end of an SSH connection."""
    return any(environment.get(name) for name in ("SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"))


@dataclass(slots=True)
class _Wanted:
    screen: FlashScreen
    duration_ms: int
    done: FlashCallback


@dataclass(frozen=True, slots=True)
class _Written:
    wanted: _Wanted
    t_ns: int
    uncertainty_ns: int


class TerminalFlasher:
    """Turns the terminal of a Textual app white; a :class:`acquire.ledbox.flasher.Flasher`.

    Made in the app's own loop. The app calls :meth:`on_display` from its ``post_display_hook`` and
    :meth:`on_answer` when a cursor's position comes.

    Notes
    -----
    What is stored is when the white was written, between the beginning of its drawing and the end of its writing.
    The terminal shows it later, never earlier: when it has read it, over SSH after the network's way, and at its next
    refresh. That latency is one-sided. The terminal is asked where its cursor is right behind the white; when it
    answers it has read the white, and ``answered_ms`` tells how long that took, there and back. When it was seen it
    cannot tell: the synchroniser assumes a prior and calls the alignment a warning at best.
    """

    def __init__(self, app: App[Any], environment: Mapping[str, str] = os.environ) -> None:
        self.over_ssh = over_ssh(environment)
        self.source = SOURCE_OVER_SSH if self.over_ssh else SOURCE
        self._app = app
        self._terminal = environment.get("TERM_PROGRAM") or environment.get("TERM", "")
        self._loop = asyncio.get_running_loop()
        # Textual finds its app in a context variable, which the threads that ask for flashes do not have.
        self._context = contextvars.copy_context()
        self._wanted: _Wanted | None = None
        self._written: _Written | None = None

    def request_flash(self, duration_ms: int, done: FlashCallback) -> None:
        """Turn white at once; called from any thread, never waits."""
        try:
            self._loop.call_soon_threadsafe(self._begin, duration_ms, done, context=self._context)
        except RuntimeError:  # the app is gone, and its loop with it
            done(None)

    def _begin(self, duration_ms: int, done: FlashCallback) -> None:
        if self._wanted is not None or not self._app.is_running:
            done(None)
            return
        self._wanted = wanted = _Wanted(FlashScreen(), duration_ms, done)
        self._app.push_screen(wanted.screen)
        self._loop.call_later(GIVE_UP_S, self._give_up, wanted)

    def on_display(self) -> None:
        """Take the time once the white has been handed to the terminal."""
        written_ns = clock.now_ns()
        wanted = self._wanted
        if wanted is None or not wanted.screen.drawn_from_ns or self._app.screen is not wanted.screen:
            return
        self._wanted = None
        from_ns = wanted.screen.drawn_from_ns
        written = _Written(wanted, (from_ns + written_ns) // 2, (written_ns - from_ns) // 2)
        self._loop.call_later(wanted.duration_ms / 1000, self._end, wanted.screen)
        if not write_to_terminal(self._app, _WHERE_IS_THE_CURSOR):
            self._tell(written, None)
            return
        self._written = written
        self._loop.call_later(GIVE_UP_S, self._on_no_answer, written)

    def on_answer(self) -> None:
        """Take the time at which the terminal answered the question behind the white."""
        answered_ns = clock.now_ns()
        written, self._written = self._written, None
        if written is not None:
            self._tell(written, round((answered_ns - written.t_ns) * 1e-6, 3))

    def _on_no_answer(self, written: _Written) -> None:
        if self._written is written:
            self._written = None
            self._tell(written, None)

    def _tell(self, written: _Written, answered_ms: float | None) -> None:
        detail = {
            "duration_ms": written.wanted.duration_ms,
            "latency": "one-sided, not measured",
            "answered_ms": answered_ms,
            "over_ssh": self.over_ssh,
            "terminal": self._terminal,
        }
        written.wanted.done(Flash(t_ns=written.t_ns, uncertainty_ns=written.uncertainty_ns, detail=detail))

    def _give_up(self, wanted: _Wanted) -> None:
        if self._wanted is wanted:
            self._wanted = None
            self._end(wanted.screen)
            wanted.done(None)

    def _end(self, screen: FlashScreen) -> None:
        if screen not in self._app.screen_stack:
            return
        if self._app.screen is screen:
            self._app.pop_screen()
        else:  # somebody opened another on it: when that is closed, the white must not be what is left
            self._loop.call_later(RETRY_S, self._end, screen)
