"""The terminal as a flash: the whole screen turns white, with the host time at which that was written."""

from __future__ import annotations

import asyncio
import contextvars
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.text import Text
from textual.app import App
from textual.screen import Screen

from acquire.flasher import Flash, FlashCallback
from dataset import clock

SOURCE = "terminal"
SOURCE_OVER_SSH = "terminal over ssh"
#: A terminal that has drawn nothing by then gave no flash.
GIVE_UP_S = 1.0
RETRY_S = 0.1


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


def over_ssh(environment: Mapping[str, str]) -> bool:
    """Return whether this program's terminal is at the other end of an SSH connection."""
    return any(environment.get(name) for name in ("SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"))


@dataclass(slots=True)
class _Wanted:
    screen: FlashScreen
    duration_ms: int
    done: FlashCallback


class TerminalFlasher:
    """Turns the terminal of a Textual app white; a :class:`acquire.flasher.Flasher`.

    Made in the app's own loop. The app calls :meth:`on_display` from its ``post_display_hook``.

    Notes
    -----
    What is stored is when the white was written, between the beginning of its drawing and the end of its writing.
    The terminal shows it later, never earlier: at its next refresh, and over SSH after the network's way too. That
    latency is one-sided and not measured; the synchroniser assumes a prior for it and calls the alignment a warning
    at best.
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
        flash = Flash(
            t_ns=(from_ns + written_ns) // 2,
            uncertainty_ns=(written_ns - from_ns) // 2,
            detail={
                "duration_ms": wanted.duration_ms,
                "latency": "one-sided, not measured",
                "over_ssh": self.over_ssh,
                "terminal": self._terminal,
            },
        )
        self._loop.call_later(wanted.duration_ms / 1000, self._end, wanted.screen)
        wanted.done(flash)

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
