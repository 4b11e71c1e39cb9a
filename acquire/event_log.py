"""Log rows for the capture's ``log`` table and the screen; rows are buffered until a recording starts."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dataset.capture.writer import CaptureWriter
from dataset.support import clock
from dataset.support.text import clean_json, clean_text

#: Rows buffered before a recording starts; a day of waiting must not fill the memory.
KEPT_ROWS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """One log row, on the host clock; ``level`` is the log's, or ``event`` for one of the capture's."""

    t_ns: int
    level: str
    what: str
    detail: dict[str, Any]


class EventLog:
    """Accepts log rows from any thread; passes them to the capture once there is one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: deque[LogRow] = deque(maxlen=KEPT_ROWS)
        self._waiting: deque[LogRow] = deque(maxlen=KEPT_ROWS)
        self._writer: CaptureWriter | None = None

    def log(self, level: str, what: str, detail: Mapping[str, Any] | None = None, *, t_ns: int | None = None) -> None:
        """Log one row, now or at host time ``t_ns``."""
        row = LogRow(
            t_ns=clock.now_ns() if t_ns is None else t_ns,
            level=level,
            what=clean_text(what),
            detail=clean_json(dict(detail or {})),
        )
        with self._lock:
            self._rows.append(row)
            if self._writer is None:
                self._waiting.append(row)
            else:
                self._writer.log(row.level, row.what, row.detail, t_ns=row.t_ns)

    def show(self, what: str, label: str = "", *, t_ns: int) -> None:
        """Show an event of the capture on the screen; it is not a log row, as it has its own table."""
        row = LogRow(t_ns=t_ns, level="event", what=what, detail={"label": clean_text(label)} if label else {})
        with self._lock:
            self._rows.append(row)

    def attach(self, writer: CaptureWriter) -> None:
        """Write the buffered rows, and every later row, to ``writer``."""
        with self._lock:
            for row in self._waiting:
                writer.log(row.level, row.what, row.detail, t_ns=row.t_ns)
            self._waiting.clear()
            self._writer = writer

    def detach(self) -> None:
        """Stop writing to a capture."""
        with self._lock:
            self._writer = None

    def recent(self, n: int) -> tuple[LogRow, ...]:
        """Return the last ``n`` rows, oldest first."""
        with self._lock:
            return tuple(self._rows)[-n:]
