"""Reads the sound of a video file, on the same clock as its frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from dataset.media.video import container_options
from dataset.support.disk_arrays import append, closing_quietly, mapped, temporary_file
from dataset.support.errors import VideoError

_FULL_SCALE = 32768.0
#: Stamps in MKV are rounded to 1 ms: smaller differences between blocks are not gaps.
_ROUNDING_S = 0.002
#: Samples written at a time.
_BLOCK = 1 << 20


class SampleFile:
    """Samples of a track, stored in 16 bits and read in slices as float: a long track takes no memory.

    Lossless for 16-bit tracks.

    Parameters
    ----------
    stored : ndarray of int16, shape (N,)
        In a temporary file (:mod:`dataset.support.disk_arrays`).
    """

    def __init__(self, stored: NDArray[np.int16]) -> None:
        self._stored = stored

    def __len__(self) -> int:
        return len(self._stored)

    def __getitem__(self, piece: slice) -> NDArray[np.float32]:
        """Return a slice as float32, -1 to 1."""
        return self._stored[piece].astype(np.float32) / np.float32(_FULL_SCALE)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all samples at once."""
        return self[:].astype(dtype or np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """A mono sound track.

    Attributes
    ----------
    samples : ndarray of float32, shape (N,), or SampleFile
        -1 to 1; has a length and can be sliced. Zeros in gaps of the track.
    rate_hz : int
    start_s : float
        Presentation time of the first sample, on the clock of the frames' PTS.
    """

    samples: NDArray[np.float32] | SampleFile
    rate_hz: int
    start_s: float

    @property
    def time_s(self) -> NDArray[np.float64]:
        """Presentation time of each sample, shape (N,)."""
        return self.start_s + np.arange(len(self.samples)) / self.rate_hz


def read_sound(path: Path, *, block: int = _BLOCK) -> Sound | None:
    """Read the first sound track as mono; None where there is none.

    Each decoded block is placed by its own time stamp, so a track with gaps or with drift against the
    picture keeps its times. Memory does not grow with the track's length.

    Parameters
    ----------
    path : Path
    block : int
        Samples written to the temporary file at once.

    Raises
    ------
    VideoError
        The file is missing or its sound cannot be decoded.
    """
    if not path.is_file():
        raise VideoError(f"no video at {path}", "there is no such file")
    with closing_quietly(temporary_file()) as file:
        track: _Track | None = None
        try:
            with av.open(str(path), options=container_options(path)) as container:
                if not container.streams.audio:
                    return None
                stream = container.streams.audio[0]
                for at_s, samples in _blocks(container, stream):
                    if track is None:
                        track = _Track(file, int(stream.rate), 0.0 if at_s is None else at_s, block)
                    track.add(at_s, samples)
        except av.error.FFmpegError as error:
            if track is None:
                why = getattr(error, "strerror", None) or str(error)
                raise VideoError(f"the sound of {path} cannot be decoded", why) from error
        return None if track is None else track.sound()


def _blocks(container: Any, stream: Any) -> Iterator[tuple[float | None, NDArray[np.int16]]]:
    """Yield each decoded block's time and its samples in mono."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=int(stream.rate))
    for frame in container.decode(stream):
        if frame.format.name in ("s16", "s16p") and frame.layout.nb_channels == 1 and frame.sample_rate == stream.rate:
            yield frame.time, np.asarray(frame.to_ndarray(), dtype=np.int16).ravel()
            continue
        parts = [np.asarray(r.to_ndarray(), dtype=np.int16).ravel() for r in resampler.resample(frame)]
        yield frame.time, np.concatenate(parts) if parts else np.zeros(0, dtype=np.int16)


class _Track:
    """Places blocks by their time stamps; small differences (rounding) are ignored, gaps become silence."""

    def __init__(self, file: BufferedRandom, rate_hz: int, start_s: float, block: int) -> None:
        self._file = file
        self._block = block
        self._rate_hz = rate_hz
        self._start_s = start_s
        self._tolerance = round(_ROUNDING_S * rate_hz)
        self._position = 0
        self._waiting: list[NDArray[np.int16]] = []
        self._n_waiting = 0

    def add(self, at_s: float | None, samples: NDArray[np.int16]) -> None:
        wanted = self._position if at_s is None else round((at_s - self._start_s) * self._rate_hz)
        if abs(wanted - self._position) > self._tolerance:
            self._write()
            self._position = max(wanted, 0)
            self._file.seek(2 * self._position)
        self._waiting.append(samples)
        self._position += len(samples)
        self._n_waiting += len(samples)
        if self._n_waiting >= self._block:
            self._write()

    def sound(self) -> Sound:
        self._write()
        stored = mapped(self._file, np.int16, (self._file.seek(0, 2) // 2,))
        return Sound(samples=SampleFile(stored), rate_hz=self._rate_hz, start_s=self._start_s)

    def _write(self) -> None:
        if self._waiting:
            append(self._file, np.concatenate(self._waiting))
        self._waiting, self._n_waiting = [], 0
