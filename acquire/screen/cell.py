"""One sensor on the recording's screen: received and expected values, and the last seconds as a trace."""

from __future__ import annotations

import time
from collections import deque

from rich.text import Text
from textual.reactive import reactive

from acquire.bluetooth.status import SensorStatus, trouble
from acquire.quality.limits import battery_is_low
from acquire.screen.drawing import binned, braille_trace, nice_range
from acquire.screen.lines import TextLines
from acquire.screen.palette import BACKGROUND, BAD, DIM, GOOD, PLAIN, STATES, TRACE, WARN
from dataset.muscles import channel_from_name

#: Seconds of trace to choose from.
TRACES_S = (10.0, 30.0, 60.0)
#: A sensor at rest must not look like one in a storm.
SMALLEST_SPAN = 40.0
#: Shares of the last second's values that were lost: amber from the first, rose from the second. A 10 Hz value that
#: is late by one interval is a tenth.
LOSS_WARN, LOSS_BAD = 0.15, 0.35


class Loss:
    """Share of the last second's values that were lost."""

    def __init__(self) -> None:
        self._counts: deque[tuple[float, int, int]] = deque()

    def add(self, now_s: float, received: int, expected: int) -> float | None:
        """Take the counts now; returns the share, None where no rate is known or a second has not passed yet."""
        counts = self._counts
        if counts and received < counts[-1][1]:
            counts.clear()  # the counts were reset
        counts.append((now_s, received, expected))
        while len(counts) > 2 and now_s - counts[1][0] >= 1.0:
            counts.popleft()
        since_s, received_then, expected_then = counts[0]
        due = expected - expected_then
        if now_s - since_s < 0.9 or due <= 0:
            return None
        return max(0.0, 1.0 - (received - received_then) / due)


class SensorCell(TextLines):
    """Sign and state, muscle, last value, received of expected, loss, battery, strength, trace."""

    status: reactive[SensorStatus | None] = reactive(None, repaint=False)
    trace_s: reactive[float] = reactive(TRACES_S[0])

    def __init__(self) -> None:
        super().__init__()
        self._loss = Loss()
        self._share: float | None = None

    def watch_status(self, status: SensorStatus | None) -> None:
        """Work out the last second's loss, and make a sensor that is away unmistakable."""
        if status is None:
            return
        health = status.health
        self._share = self._loss.add(time.monotonic(), health.received, health.expected)
        self.set_class(status.state == "stale", "stale")
        self.set_class(status.state in ("lost", "reconnecting"), "away")
        self.redraw()

    def render(self) -> Text:
        """Draw."""
        status = self.status
        width, height = self.content_size.width, self.content_size.height
        if status is None or width < 12 or height < 1:
            return Text("")
        text = Text(no_wrap=True)
        self._headline(text, status, width)
        rows = height - 1
        if rows <= 0:
            return text
        health = status.health
        n_dots = 2 * width
        shown = health.trace[-max(1, round(health.rate_hz * self.trace_s)) :] if health.rate_hz else health.trace
        size = (health.rate_hz or 1.0) * self.trace_s / n_dots
        values = binned(shown, max(0, health.received - len(shown)), size)[-n_dots:]
        low, high = nice_range(values, SMALLEST_SPAN)
        if rows >= 3:
            self._details(text, status, low, high, width)
            rows -= 1
        style = TRACE if status.state == "streaming" else DIM
        for row in braille_trace(values, width, rows, low, high):
            text.append("\n" + row, style)
        return text

    def _headline(self, text: Text, status: SensorStatus, width: int) -> None:
        sign, colour, word = STATES.get(status.state, ("?", BAD, status.state))
        health = status.health
        text.append(f"{sign} ", f"bold {colour}")
        text.append(f"{channel_from_name(status.sensor.channel).label:<13}", f"bold {PLAIN}")
        value = "----" if health.value is None else f"{health.value:.0f}"
        text.append(f"{value:>5}", f"bold {PLAIN}" if status.state == "streaming" else DIM)
        parts: list[tuple[str, str]] = []
        if clipped(status):
            parts.append((" CLIP ", f"bold {BACKGROUND} on {BAD}"))
        if word:
            gone = status.state in ("stale", "lost", "reconnecting") and health.silent_s < 1e6
            silent = f" {health.silent_s:.0f} s" if gone else ""
            style = f"bold {BACKGROUND} on {colour}" if gone else f"bold {colour}"
            parts.append((f" {word}{silent} ", style))
        else:
            wrong = trouble(status)
            count = f"{health.received}/{health.expected}" if health.expected else f"{health.received}"
            parts.append((f"{'!' if wrong else ''}{count}", WARN if wrong else DIM))
            share = self._share
            if share is not None:
                style = f"bold {BAD}" if share >= LOSS_BAD else WARN if share >= LOSS_WARN else GOOD
                parts.append((f" ↓{100 * share:.0f}%", style))
        used = sum(len(words) for words, _ in parts)
        text.pad_right(max(1, width - text.cell_len - used))
        for words, style in parts:
            text.append(words, style)

    @staticmethod
    def _details(text: Text, status: SensorStatus, low: float, high: float, width: int) -> None:
        percent, health = status.battery_percent, status.health
        left = f"{low:.0f}–{high:.0f}"
        words = [f"{health.rate_hz:.1f}/s", f"gap {health.largest_gap_s:.2f} s"]
        if status.rssi_dbm is not None:
            words.append(f"{status.rssi_dbm} dBm")
        right = "  ".join(words)
        battery = "" if percent is None else f"  {'▲' if battery_is_low(percent) else ''}{percent} %"
        if len(left) + len(right) + len(battery) + 1 > width:
            right = words[-1]
        text.append("\n" + left, DIM)
        text.append(" " * max(1, width - len(left) - len(right) - len(battery)))
        text.append(right, DIM)
        low_battery = battery_is_low(percent)
        text.append(battery, f"bold {WARN}" if low_battery else DIM)


def clipped(status: SensorStatus) -> bool:
    """Return whether one of the last second's values lies at the end of the sensor's range, where it shows no more."""
    stream = status.sensor.profile.stream
    last = status.health.trace[-max(1, round(status.health.rate_hz)) :]
    return any(
        (stream.maximum is not None and v >= stream.maximum) or (stream.minimum and v <= stream.minimum) for v in last
    )
