"""Camera threads: one time-stamps frames and passes them on, one detects failure and reopens the camera."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acquire.event_log import EventLog
from acquire.hardware import FrameSource
from acquire.media.frame_rate import JUDGE_EVERY_S, WINDOW_S, FrameRateMonitor, RateChange
from acquire.media.video_recorder import VideoRecorder
from dataset.support import clock
from dataset.support.errors import HardwareError

#: A slow camera may be silent for this many of its periods.
SILENT_PERIODS = 5
LONGEST_PATIENCE_S = 300.0
RATE_WINDOW_S = 2.0
#: Every n-th row is compared to detect a frozen picture; sensor noise changes every row of every frame.
_EVERY_ROW = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraWaits:
    """How long a camera may be silent, and how often it is watched and opened again.

    Attributes
    ----------
    silent_s : float
        Without a frame, or with one and the same picture, for this long it has failed; noticed within two seconds.
    watch_every_s, reopen_every_s : float
    open_patience_s : float
        Opening a camera up to its first frame takes seconds on some systems. Each attempt that hangs doubles it: a hung
        thread cannot be ended, and they must not pile up.
    rate_window_s, judge_rate_every_s : float
        The rate is taken over this long, and so often.
    """

    silent_s: float = 1.5
    watch_every_s: float = 0.1
    reopen_every_s: float = 1.0
    open_patience_s: float = 8.0
    rate_window_s: float = WINDOW_S
    judge_rate_every_s: float = JUDGE_EVERY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraStatus:
    """Camera state for the screen; ``state`` is ``running``, ``silent`` or ``lost``."""

    state: str
    width: int
    height: int
    rate_hz: float
    written: int
    dropped: int


class _Reader(threading.Thread):
    """Reads one connection of the camera; a read that never returns is abandoned with its thread."""

    def __init__(self, camera: Camera, source: FrameSource | None) -> None:
        super().__init__(name="camera", daemon=True)
        self.source = source
        self.began_s = time.monotonic()
        self.last_frame_s: float | None = None
        self.changed_s = self.began_s
        self.abandoned = threading.Event()
        self.ended = threading.Event()
        self._camera = camera
        self._rows: NDArray[np.uint8] | None = None

    def run(self) -> None:
        """Open the camera if it is not open, and read until it fails or is abandoned."""
        camera = self._camera
        try:
            if self.source is None:
                self.source = camera.open_again()
            while self.source is not None and not self.abandoned.is_set():
                image = self.source.read()
                arrival_ns = clock.now_ns()
                if image is None:
                    break
                camera.take(self, arrival_ns, image)
        except Exception as error:  # noqa: BLE001 - drivers raise any exception; the camera is then reopened
            camera.say(self, "warning", "reading the camera failed", {"error": repr(error)})
        finally:
            if self.source is not None:
                self.source.release()
            self.ended.set()

    def note(self, image: NDArray[np.uint8]) -> None:
        """Store that a frame arrived, and whether it differs from the last one."""
        self.last_frame_s = time.monotonic()
        rows = image[::_EVERY_ROW]
        if self._rows is None or not np.array_equal(rows, self._rows):
            self.changed_s = self.last_frame_s
            self._rows = rows.copy()

    def shows(self, rows: NDArray[np.uint8] | None) -> bool:
        """Return whether the picture equals the last one."""
        return rows is not None and self._rows is not None and np.array_equal(rows, self._rows)

    @property
    def rows(self) -> NDArray[np.uint8] | None:
        """Sampled rows of the last new picture."""
        return self._rows


class Camera:
    """Reads a camera continuously; frames go to a video recorder while one is attached.

    Parameters
    ----------
    source : FrameSource
        An open camera.
    reopen : callable
        Opens the camera again after it has failed; may hang.
    event_log : EventLog
    waits : CameraWaits

    Notes
    -----
    Each connection is an epoch of its own, with a thread of its own. It is given up when a read fails, when no frame
    comes for ``silent_s``, or when the same picture comes for as long, as some drivers give it after unplugging.
    A picture that is still the same after the camera was opened again is what the camera sees.
    """

    def __init__(
        self,
        source: FrameSource,
        reopen: Callable[[], FrameSource | None],
        event_log: EventLog,
        waits: CameraWaits = CameraWaits(),
    ) -> None:
        self._waits = waits
        self.width, self.height, self.nominal_hz = source.width, source.height, source.nominal_hz
        self.turn = source.turn
        self._reopen = reopen
        self._event_log = event_log
        self._lock = threading.Lock()
        self._muxer: VideoRecorder | None = None
        self._last_muxer: VideoRecorder | None = None
        self._epoch = 0
        self._arrivals: deque[int] = deque(maxlen=600)
        self._picture: NDArray[np.uint8] | None = None
        self._cadences: dict[int, FrameRateMonitor] = {}
        self._cadence = self._new_monitor()
        self._stop = threading.Event()
        self._patience_s = self._waits.open_patience_s
        self._still: NDArray[np.uint8] | None = None
        self._next_try_s = 0.0
        self._lost = False
        self._silent_s = max(waits.silent_s, SILENT_PERIODS / self.nominal_hz if self.nominal_hz > 0 else 0.0)
        event_log.log(
            "info",
            "camera opened",
            {"width": self.width, "height": self.height, "declared_hz": self.nominal_hz, **source.asked},
        )
        self._reader: _Reader | None = _Reader(self, source)
        self._reader.start()
        self._watcher = threading.Thread(target=self._watch, name="camera-watch", daemon=True)
        self._watcher.start()

    def _new_monitor(self) -> FrameRateMonitor:
        return FrameRateMonitor(self._waits.rate_window_s, self._waits.judge_rate_every_s)

    def attach(self, muxer: VideoRecorder) -> None:
        """Start recording with the next frame."""
        with self._lock:
            self._epoch = 0
            self._cadences = {0: self._new_monitor()}
            self._muxer = self._last_muxer = muxer

    def detach(self) -> None:
        """Stop recording."""
        with self._lock:
            self._muxer = None

    # -- called by readers ----------------------------------------------------------------------------------------

    def open_again(self) -> FrameSource | None:
        """Open the camera; None if it does not open or has another picture size."""
        try:
            source = self._reopen()
        except HardwareError:
            return None
        if source is not None and (source.width, source.height) != (self.width, self.height):
            self._event_log.log(
                "error",
                "the camera came back with another size",
                {"width": source.width, "height": source.height, "needed": [self.width, self.height]},
            )
            source.release()
            return None
        return source

    def take(self, reader: _Reader, arrival_ns: int, image: NDArray[np.uint8]) -> None:
        """Take a frame; one from an abandoned reader is discarded."""
        with self._lock:
            if reader is not self._reader or reader.abandoned.is_set():
                return
            if self._lost:
                self._lost = False
                self._epoch += 1
                self._patience_s = self._waits.open_patience_s
                self._cadence = self._new_monitor()
                self._event_log.log("info", "the camera is back", {"epoch": self._epoch}, t_ns=arrival_ns)
            self._arrivals.append(arrival_ns)
            self._picture = image
            if self._muxer is not None:
                self._muxer.frame(self._epoch, arrival_ns, image)
                self._cadences.setdefault(self._epoch, self._new_monitor()).add(arrival_ns)
            change = self._cadence.add(arrival_ns)
            reader.note(image)
        if change is not None:
            self._say_rate(change)

    def say(self, reader: _Reader, level: str, what: str, detail: dict[str, Any]) -> None:
        """Log an event of a reader, unless it was abandoned."""
        if reader is self._reader and not self._stop.is_set():
            self._event_log.log(level, what, detail)

    def _say_rate(self, change: RateChange) -> None:
        if change.before_hz:
            detail = {"before_hz": round(change.before_hz, 2), "after_hz": round(change.after_hz, 2)}
            self._event_log.log("warning", "the camera's rate changed", detail)
        else:
            detail = {"declared_hz": round(self.nominal_hz, 2), "measured_hz": round(change.after_hz, 2)}
            self._event_log.log("info", "the camera's rate", detail)

    # -- the watch ------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._stop.wait(self._waits.watch_every_s):
            reader = self._reader
            if reader is None:
                if time.monotonic() >= self._next_try_s:
                    self._read_anew()
            elif reader.ended.is_set():
                if not self._lost:
                    self._lose(reader, "the camera delivers no frames; opening it again", {})
                self._next_try_s = time.monotonic() + self._waits.reopen_every_s
                self._reader = None
            else:
                self._judge(reader)

    def _judge(self, reader: _Reader) -> None:
        now_s = time.monotonic()
        if reader.last_frame_s is None:
            if now_s - reader.began_s > self._patience_s:
                self._patience_s = min(2 * self._patience_s, LONGEST_PATIENCE_S)
                detail = {"after_s": round(now_s - reader.began_s, 1), "next_after_s": self._patience_s}
                self._lose(reader, "opening the camera hangs; trying again", detail)
                self._read_anew()
            return
        silent_s, still_s = now_s - reader.last_frame_s, now_s - reader.changed_s
        if silent_s > self._silent_s:
            self._lose(reader, "the camera is silent; opening it again", {"silent_s": round(silent_s, 2)})
            self._read_anew()
        elif still_s > self._silent_s and not reader.shows(self._still):
            # Once only: a lens cap, or a deliberately still picture, looks the same after reopening.
            self._still = reader.rows
            self._lose(reader, "the picture does not change; opening it again", {"still_s": round(still_s, 2)})
            self._next_try_s = (
                now_s + self._waits.reopen_every_s
            )  # this one's read returns, and lets go of the camera first
            self._reader = None

    def _lose(self, reader: _Reader, what: str, detail: dict[str, Any]) -> None:
        """Abandon a reader; its thread ends when its read returns, if ever."""
        with self._lock:
            self._lost = True
            reader.abandoned.set()
        if not self._stop.is_set():
            self._event_log.log("warning", what, {"epoch": self._epoch, **detail})

    def _read_anew(self) -> None:
        with self._lock:
            reader = self._reader = _Reader(self, None)
        reader.start()

    # -- status ---------------------------------------------------------------------------------------------------

    def status(self) -> CameraStatus:
        """Return the camera's state now."""
        now_ns = clock.now_ns()
        arrivals = [t for t in list(self._arrivals) if now_ns - t < RATE_WINDOW_S * 1e9]
        span_s = (arrivals[-1] - arrivals[0]) * 1e-9 if len(arrivals) > 1 else 0.0
        last_ns = self._arrivals[-1] if self._arrivals else now_ns
        state = "lost" if self._lost else "silent" if now_ns - last_ns > self._silent_s * 1e9 else "running"
        muxer = self._last_muxer
        return CameraStatus(
            state=state,
            width=self.width,
            height=self.height,
            rate_hz=(len(arrivals) - 1) / span_s if span_s > 0 else 0.0,
            written=muxer.n_written if muxer else 0,
            dropped=muxer.n_dropped if muxer else 0,
        )

    def picture(self) -> NDArray[np.uint8] | None:
        """Return the last picture from the camera, (height, width, 3; BGR); read-only."""
        return self._picture

    def health(self) -> dict[str, Any]:
        """Return the camera's statistics of each epoch of the recording, for the manifest."""
        with self._lock:
            epochs = [{"epoch": n, **asdict(cadence.summary())} for n, cadence in sorted(self._cadences.items())]
        return {"width": self.width, "height": self.height, "declared_hz": self.nominal_hz, "epochs": epochs}

    def close(self) -> None:
        """Stop reading and close the camera; a hanging read is abandoned after two seconds."""
        self._stop.set()
        self._watcher.join()
        reader = self._reader
        if reader is None:
            return
        reader.abandoned.set()
        reader.join(timeout=2.0)
        if reader.is_alive():
            self._event_log.log("warning", "the camera's read hangs; abandoned")
