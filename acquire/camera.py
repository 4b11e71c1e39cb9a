"""The camera's thread: every frame is stamped first and handed on; a camera that fails is opened again."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acquire.hardware import FrameSource
from acquire.journal import Journal
from acquire.muxer import Muxer
from dataset import clock
from dataset.errors import HardwareError

REOPEN_EVERY_S = 1.0
SILENT_S = 2.0
RATE_WINDOW_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraStatus:
    """The camera as the screen sees it; ``state`` is ``running``, ``silent`` or ``lost``."""

    state: str
    width: int
    height: int
    rate_hz: float
    written: int
    dropped: int


class Camera:
    """Reads a camera for as long as it runs; frames go to a muxer while there is one.

    Parameters
    ----------
    source : FrameSource
        An open camera.
    reopen : callable
        Opens the camera again after it has failed.
    journal : Journal
    """

    def __init__(self, source: FrameSource, reopen: Callable[[], FrameSource | None], journal: Journal) -> None:
        self.width, self.height, self.nominal_hz = source.width, source.height, source.nominal_hz
        self._source: FrameSource | None = source
        self._reopen = reopen
        self._journal = journal
        self._muxer: Muxer | None = None
        self._last_muxer: Muxer | None = None
        self._epoch = 0
        self._arrivals: deque[int] = deque(maxlen=600)
        self._stop = threading.Event()
        self._silent = False
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()

    def attach(self, muxer: Muxer) -> None:
        """Record from the next frame on."""
        self._epoch = 0
        self._muxer = self._last_muxer = muxer

    def detach(self) -> None:
        """Record no more."""
        self._muxer = None

    def _run(self) -> None:
        while not self._stop.is_set():
            source = self._source
            if source is None:
                if self._stop.wait(REOPEN_EVERY_S):
                    break
                self._open_again()
                continue
            image = self._read(source)
            arrival_ns = clock.now_ns()
            if image is None:
                self._lose(source)
                continue
            self._arrivals.append(arrival_ns)
            muxer = self._muxer
            if muxer is not None:
                muxer.frame(self._epoch, arrival_ns, image)
        if self._source is not None:
            self._source.release()

    def _read(self, source: FrameSource) -> NDArray[np.uint8] | None:
        try:
            return source.read()
        except Exception as error:  # noqa: BLE001 - drivers raise what they like; the camera is then opened again
            self._journal.log("warning", "reading the camera failed", {"error": repr(error)})
            return None

    def _lose(self, source: FrameSource) -> None:
        if self._stop.is_set():
            return
        self._journal.log("warning", "the camera gives no frame; opening it again")
        source.release()
        self._source = None

    def _open_again(self) -> None:
        try:
            source = self._reopen()
        except HardwareError:
            return
        if source is None:
            return
        if (source.width, source.height) != (self.width, self.height):
            self._journal.log("error", "the camera came back with another size", {"width": source.width})
            source.release()
            return
        self._epoch += 1
        self._source = source
        self._journal.log("info", "the camera is back", {"epoch": self._epoch})

    def watch(self) -> None:
        """Log once when :meth:`FrameSource.read` hangs, and when frames come again; called now and then."""
        silent = self.status().state == "silent"
        if silent != self._silent:
            self._silent = silent
            self._journal.log("warning" if silent else "info", "the camera is silent" if silent else "frames again")

    def status(self) -> CameraStatus:
        """Return the camera's state now."""
        now_ns = clock.now_ns()
        arrivals = [t for t in list(self._arrivals) if now_ns - t < RATE_WINDOW_S * 1e9]
        span_s = (arrivals[-1] - arrivals[0]) * 1e-9 if len(arrivals) > 1 else 0.0
        last_ns = self._arrivals[-1] if self._arrivals else now_ns
        state = "lost" if self._source is None else "silent" if now_ns - last_ns > SILENT_S * 1e9 else "running"
        muxer = self._last_muxer
        return CameraStatus(
            state=state,
            width=self.width,
            height=self.height,
            rate_hz=(len(arrivals) - 1) / span_s if span_s > 0 else 0.0,
            written=muxer.n_written if muxer else 0,
            dropped=muxer.n_dropped if muxer else 0,
        )

    def close(self) -> None:
        """Stop reading and close the camera; a read that hangs is left behind after two seconds."""
        self._stop.set()
        self._thread.join(timeout=SILENT_S)
        if self._thread.is_alive():
            self._journal.log("warning", "the camera's read hangs; leaving it")
