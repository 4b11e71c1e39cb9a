"""Messages shown for some seconds: the most severe first, then the newest; repetitions are counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

Level = Literal["information", "warning", "error"]
_GRAVITY: dict[Level, int] = {"information": 0, "warning": 1, "error": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message; ``count`` is how often it came while it was shown."""

    words: str
    level: Level = "information"
    count: int = 1


class Notices:
    """The notices that are not over yet.

    Parameters
    ----------
    clock_s : callable
        Seconds of a clock that never goes back.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._live: list[tuple[Notice, float]] = []  # with the second at which it ends, the newest last

    def say(self, words: str, level: Level = "information", *, seconds: float = 5.0) -> None:
        """Show a message for some seconds; a repeated one is counted and shown longer."""
        self._forget()
        said = Notice(words=words, level=level)
        for old, until_s in self._live:
            if (old.words, old.level) == (words, level):
                said = replace(old, count=old.count + 1)
                self._live.remove((old, until_s))
                break
        self._live.append((said, self._clock_s() + seconds))

    def current(self) -> Notice | None:
        """Return the message to show now; None if there is none."""
        self._forget()
        gravest = max((_GRAVITY[notice.level] for notice, _ in self._live), default=0)
        return next((notice for notice, _ in reversed(self._live) if _GRAVITY[notice.level] == gravest), None)

    def _forget(self) -> None:
        now_s = self._clock_s()
        self._live = [(notice, until_s) for notice, until_s in self._live if until_s > now_s]
