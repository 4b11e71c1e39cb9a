"""Records frames and sound to ``video.mkv``: one thread owns the encoder; frames beyond its capacity are dropped."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from acquire.event_log import EventLog
from acquire.media.video_writer import (
    VideoFormat,
    VideoWriter,  # imported here, not on opening: loading PyAV would delay arriving values
)
from dataset.capture.writer import CaptureWriter

#: Frames that may queue for the encoder: two seconds at 30 Hz, fewer where they are large.
MAX_WAITING_FRAMES = 60
MAX_WAITING_BYTES = 256_000_000
_FEWEST_WAITING = 8
#: Blocks of sound that may queue: ten seconds of 20 ms.
MAX_WAITING_BLOCKS = 500
#: An encoder at its limit drops a frame now and then; this is logged once per this many seconds.
CAUGHT_UP_S = 10.0
_MS = 1_000_000


class Encoder(Protocol):
    """Writer of the file; see ``acquire.media.video_writer.VideoWriter``."""

    def write_frame(self, bgr: NDArray[np.uint8], pts_ns: int) -> int:
        """Encode one frame; returns the PTS as written."""
        ...

    def write_sound(self, samples: NDArray[np.int16], pts_ns: int) -> int:
        """Encode one block of sound; returns the PTS as written."""
        ...

    def close(self) -> None:
        """Finish the file."""
        ...


def open_encoder(path: Path, video: VideoFormat) -> Encoder:
    """Open ``path`` for writing with the project's encoder settings."""
    return VideoWriter(path, video)


@dataclass(frozen=True, slots=True)
class _Frame:
    epoch: int
    index: int
    arrival_ns: int
    pts_ns: int
    image: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Sound:
    pts_ns: int
    samples: NDArray[np.int16]


def frames_that_may_wait(width: int, height: int) -> int:
    """Return how many frames of a size may queue for the encoder."""
    return max(_FEWEST_WAITING, min(MAX_WAITING_FRAMES, MAX_WAITING_BYTES // (width * height * 3)))


class VideoRecorder:
    """The video of one recording; PTS 0 is the arrival of its first frame.

    Parameters
    ----------
    encoder : Encoder
        Used only in the recorder's own thread.
    writer : CaptureWriter
        Gets one ``frame`` row for every frame, with its PTS or, if it was dropped, NULL.
    event_log : EventLog
    max_waiting_frames : int
        More are dropped.
    caught_up_s : float
        Without a dropped frame for this long the encoder has caught up.
    """

    def __init__(
        self,
        encoder: Encoder,
        writer: CaptureWriter,
        event_log: EventLog,
        *,
        max_waiting_frames: int = MAX_WAITING_FRAMES,
        caught_up_s: float = CAUGHT_UP_S,
    ) -> None:
        self._caught_up_s = caught_up_s
        self._encoder = encoder
        self._writer = writer
        self._event_log = event_log
        self._queue: queue.SimpleQueue[_Frame | _Sound | None] = queue.SimpleQueue()
        self._waiting = threading.Semaphore(max_waiting_frames)
        self._waiting_sound = threading.Semaphore(MAX_WAITING_BLOCKS)
        self._behind_since_ns: int | None = None
        self._n_behind = 0
        self._last_pts_ms = -1
        self._next_index = 0
        self.zero_ns: int | None = None
        self.n_written = 0
        self.n_dropped = 0
        #: Of those: frames within a millisecond of the previous one, as in a camera's backlog.
        self.n_too_close = 0
        self.n_sound_dropped = 0
        #: CPU time of encoding and writing, in seconds.
        self.cpu_s = 0.0
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="encoder", daemon=True)
        self._thread.start()

    def frame(self, epoch: int, arrival_ns: int, image: NDArray[np.uint8]) -> None:
        """Take one frame; called in the camera's thread, never waits."""
        if self.zero_ns is None:
            self.zero_ns = arrival_ns
        index = self._next_index
        self._next_index += 1
        # MKV holds whole milliseconds, one frame each; a frame that would need more than 1 ms of shift is dropped.
        pts_ms = max(round((arrival_ns - self.zero_ns) / _MS), self._last_pts_ms + 1)
        too_close = pts_ms * _MS - (arrival_ns - self.zero_ns) > _MS
        room = self.failure is None and not too_close and self._waiting.acquire(blocking=False)
        if self.failure is None and not too_close:
            self._say_behind(arrival_ns, behind=not room)
        if not room:
            self.n_dropped += 1
            self.n_too_close += too_close
            self._writer.frame(epoch, index, arrival_ns, None)
            return
        self._last_pts_ms = pts_ms
        self._queue.put(_Frame(epoch, index, arrival_ns, pts_ms * _MS, image))

    def sound(self, samples: NDArray[np.int16], pts_ns: int) -> None:
        """Take one block of sound whose first sample is at ``pts_ns``; if the queue is full it is dropped."""
        if self.failure is not None:
            return
        if self._waiting_sound.acquire(blocking=False):
            self._queue.put(_Sound(pts_ns, samples))
            return
        if self.n_sound_dropped == 0:
            self._event_log.log("warning", "the encoder falls behind; sound is dropped")
        self.n_sound_dropped += 1

    def _say_behind(self, arrival_ns: int, *, behind: bool) -> None:
        """Log when the encoder falls behind and when it has caught up; called in the camera's thread."""
        if behind:
            self._n_behind += 1
            if self._behind_since_ns is None:
                self._behind_since_ns = arrival_ns
                self._event_log.log("warning", "the encoder falls behind; frames are dropped", t_ns=arrival_ns)
        elif self._behind_since_ns is not None and arrival_ns - self._behind_since_ns > self._caught_up_s * 1e9:
            detail = {"dropped": self._n_behind}
            self._event_log.log("info", "the encoder has caught up", detail, t_ns=arrival_ns)
            self._behind_since_ns, self._n_behind = None, 0

    def health(self) -> dict[str, Any]:
        """Return the statistics of frames and sound, for the manifest."""
        return {
            "written": self.n_written,
            "dropped": self.n_dropped,
            "of_these_too_close": self.n_too_close,
            "sound_blocks_dropped": self.n_sound_dropped,
            "encoder_cpu_s": round(self.cpu_s, 3),
        }

    def close(self) -> None:
        """Encode the queue and finish the file."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            (self._waiting if isinstance(item, _Frame) else self._waiting_sound).release()
            self._encode(item)
            self.cpu_s = time.thread_time()
        try:
            self._encoder.close()
        except Exception as error:  # noqa: BLE001 - PyAV raises many kinds; the sensors' recording must continue
            self._fail(error)

    def _encode(self, item: _Frame | _Sound) -> None:
        pts_ns = item.pts_ns
        if self.failure is None:
            try:
                if isinstance(item, _Frame):
                    pts_ns = self._encoder.write_frame(item.image, item.pts_ns)
                else:
                    self._encoder.write_sound(item.samples, item.pts_ns)
            except Exception as error:  # noqa: BLE001 - as above: a full disk, an encoder's refusal
                self._fail(error)
        if isinstance(item, _Frame):
            written = self.failure is None
            self.n_written += written
            self.n_dropped += not written
            self._writer.frame(item.epoch, item.index, item.arrival_ns, pts_ns if written else None)

    def _fail(self, error: Exception) -> None:
        self.failure = error
        self._event_log.log("error", "writing the video failed; the sensors continue", {"error": repr(error)})
