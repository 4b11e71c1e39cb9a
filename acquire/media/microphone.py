"""Sound in time-stamped blocks, each with a PTS on the picture's clock by the lower envelope of arrivals."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acquire.event_log import EventLog
from acquire.hardware import SoundSource
from acquire.media.video_recorder import VideoRecorder
from dataset.capture.writer import CaptureWriter
from dataset.support import clock
from dataset.support.errors import HardwareError, MiaError

#: Largest rise of the line over the arrivals' lower envelope; sound cards drift less.
MAX_DRIFT_PPM = 200.0
#: Arrivals that stay this much behind the line mean that samples were lost.
LOST_SAMPLES_S = 0.05
LOST_AFTER_S = 2.0
#: Without a block for this long the microphone is reported silent.
SILENT_S = 2.0
#: Time from there to the first attempt to reopen it, and between attempts.
RETRY_S = 3.0


class ArrivalLine:
    """Host time of a sample's number: the arrivals' lower envelope, allowed to rise slowly with the card's drift.

    A block is delivered after its last sample was taken, never before, so its arrival bounds the line from above;
    a single late delivery has no effect.
    """

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._offset_ns: float | None = None
        self._last_ns = 0
        self._excess: deque[tuple[int, float]] = deque()

    def add(self, n_samples: int, arrival_ns: int) -> bool:
        """Add the arrival of a block that ends at sample ``n_samples``; True if samples were lost before it."""
        offset_ns = arrival_ns - n_samples / self._rate_hz * 1e9
        if self._offset_ns is None:
            self._offset_ns = offset_ns
        else:
            risen_ns = self._offset_ns + (arrival_ns - self._last_ns) * MAX_DRIFT_PPM * 1e-6
            self._offset_ns = min(risen_ns, offset_ns)
        self._last_ns = arrival_ns
        self._excess.append((arrival_ns, offset_ns - self._offset_ns))
        while self._excess[-1][0] - self._excess[0][0] > LOST_AFTER_S * 1e9:
            self._excess.popleft()
        full = self._excess[-1][0] - self._excess[0][0] > 0.8 * LOST_AFTER_S * 1e9
        if full and min(e for _, e in self._excess) > LOST_SAMPLES_S * 1e9:
            self._offset_ns += min(e for _, e in self._excess)
            self._excess.clear()
            return True
        return False

    def host_ns(self, sample: int) -> int:
        """Return the host time of a sample's number."""
        if self._offset_ns is None:
            raise ValueError("no block has arrived yet")
        return round(self._offset_ns + sample / self._rate_hz * 1e9)


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundStatus:
    """Microphone state for the screen; ``level_db`` is the last block's, relative to full scale."""

    rate_hz: int
    level_db: float
    blocks: int


class Microphone:
    """Receives blocks from a source continuously; they are recorded while a video recorder is attached.

    Parameters
    ----------
    source : SoundSource
        Started here.
    event_log : EventLog
    open_again : callable, optional
        Opens the microphone anew after it went away; what comes then has an epoch of its own.
    silent_s : float
        Without a block for this long it is reported silent.
    retry_s : float
        From there to the first try to open it again, and from one try to the next.
    """

    def __init__(
        self,
        source: SoundSource,
        event_log: EventLog,
        open_again: Callable[[], SoundSource | None] | None = None,
        *,
        silent_s: float = SILENT_S,
        retry_s: float = RETRY_S,
    ) -> None:
        self._silent_s, self._retry_s = silent_s, retry_s
        self._source = source
        self._open_again = open_again
        self._opening: threading.Thread | None = None
        self._next_try_ns = 0
        self._said = False
        self._closed = False
        self._event_log = event_log
        self._line = ArrivalLine(source.rate_hz)
        self._n_heard = 0
        self._n_recorded = 0
        self._epoch = 0
        self._blocks = 0
        self._level_db = -120.0
        self._last_ns = clock.now_ns()
        self._silent = False
        self._lock = threading.Lock()
        self._muxer: VideoRecorder | None = None
        self._writer: CaptureWriter | None = None
        source.start(self._on_block)

    @property
    def rate_hz(self) -> int:
        """Samples per second."""
        return self._source.rate_hz

    def attach(self, muxer: VideoRecorder, writer: CaptureWriter) -> None:
        """Start recording with the picture's first frame."""
        with self._lock:
            self._muxer, self._writer = muxer, writer
            self._n_recorded = self._epoch = 0

    def detach(self) -> None:
        """Stop recording."""
        with self._lock:
            self._muxer = self._writer = None

    def _on_block(self, samples: NDArray[np.int16]) -> None:
        arrival_ns = clock.now_ns()
        with self._lock:
            self._last_ns = arrival_ns
            first = self._n_heard
            self._n_heard += len(samples)
            self._blocks += 1
            self._level_db = level_db(samples)
            if self._line.add(self._n_heard, arrival_ns):
                self._epoch += 1
                self._event_log.log("warning", "samples of sound were lost", {"epoch": self._epoch})
            if self._muxer is not None and self._writer is not None and self._muxer.zero_ns is not None:
                self._record(self._muxer, self._writer, samples, first, arrival_ns)

    def _record(
        self, muxer: VideoRecorder, writer: CaptureWriter, samples: NDArray[np.int16], first: int, arrival_ns: int
    ) -> None:
        zero_ns = muxer.zero_ns or 0
        pts_ns = self._line.host_ns(first) - zero_ns
        if self._n_recorded == 0 and pts_ns < 0:
            # Sound before the first frame is not stored in the file.
            cut = min(len(samples), int(np.ceil(-pts_ns * 1e-9 * self.rate_hz)))
            samples, pts_ns = samples[cut:], self._line.host_ns(first + cut) - zero_ns
        if len(samples) == 0:
            return
        writer.audio_block(self._epoch, self._n_recorded, len(samples), arrival_ns)
        muxer.sound(samples, max(0, pts_ns))
        self._n_recorded += len(samples)

    def watch(self) -> None:
        """Log once when no block comes any more, and when they come again; called now and then."""
        silent = clock.now_ns() - self._last_ns > self._silent_s * 1e9
        if silent != self._silent:
            self._silent = silent
            what = "the microphone is silent: no block comes" if silent else "the microphone is back"
            self._event_log.log("warning" if silent else "info", what)
            # A process that stood still finds its blocks waiting: they would be dated wrongly by a new line.
            self._next_try_ns = clock.now_ns() + round(self._retry_s * 1e9)
        # Whoever calls here also gives the prompts: a sound library that hangs must not hold them up.
        opening = self._opening is not None and self._opening.is_alive()
        if silent and self._open_again is not None and not opening and clock.now_ns() >= self._next_try_ns:
            self._opening = threading.Thread(target=self._reopen, args=(self._open_again,), daemon=True)
            self._opening.start()

    def _reopen(self, open_again: Callable[[], SoundSource | None]) -> None:
        try:
            with contextlib.suppress(MiaError):  # it is gone already
                self._source.stop()
            source = open_again()
            if source is None or source.rate_hz != self.rate_hz:
                raise HardwareError("the microphone came back with another rate", "its rate is not the recording's")
            with self._lock:
                adopted = not self._closed
                if adopted:
                    self._source, self._line = source, ArrivalLine(source.rate_hz)
                    self._epoch += 1
            if not adopted:
                source.stop()
                return
            source.start(self._on_block)
            self._event_log.log("info", "the microphone is opened again", {"epoch": self._epoch})
            self._said = False
        except MiaError as error:
            if not self._said:  # the attempts continue
                self._event_log.log("warning", "the microphone does not open again", {"error": str(error)})
            self._said = True
        self._next_try_ns = clock.now_ns() + round(self._retry_s * 1e9)

    def status(self) -> SoundStatus:
        """Return the microphone's state now."""
        return SoundStatus(rate_hz=self.rate_hz, level_db=self._level_db, blocks=self._blocks)

    def close(self) -> None:
        """Stop the microphone."""
        with self._lock:
            self._closed = True
        if self._opening is not None:
            self._opening.join(self._silent_s)
        try:
            self._source.stop()
        except MiaError as error:  # unplugged; its data is stored
            self._event_log.log("warning", "the microphone does not close", {"error": str(error)})


def level_db(samples: NDArray[np.int16]) -> float:
    """Return the RMS level of a block in decibels relative to full scale, at least -120."""
    if len(samples) == 0:
        return -120.0
    rms = float(np.sqrt(np.mean((samples.astype(np.float64) / 32768.0) ** 2)))
    return max(-120.0, 20 * float(np.log10(max(rms, 1e-9))))
