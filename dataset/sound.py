"""The sound of a video file, on the same clock as its frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from dataset.errors import VideoError


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """A mono sound track.

    Attributes
    ----------
    samples : ndarray of float32, shape (N,)
        -1 to 1. Silence (zeros) where the track has a gap.
    rate_hz : int
    start_s : float
        Presentation time of the first sample, on the clock of the frames' PTS.
    """

    samples: NDArray[np.float32]
    rate_hz: int
    start_s: float

    @property
    def time_s(self) -> NDArray[np.float64]:
        """Presentation time of each sample, shape (N,)."""
        return self.start_s + np.arange(len(self.samples)) / self.rate_hz


def read_sound(path: Path) -> Sound | None:
    """Read the first sound track as mono; None where there is none.

    Each decoded block is laid where its own time stamp says, so a track with holes or with drift against the
    picture keeps its times.

    Raises
    ------
    VideoError
        The file is missing or its sound cannot be decoded.
    """
    if not path.is_file():
        raise VideoError(f"no video at {path}", "there is no such file")
    blocks: list[tuple[float, NDArray[np.float32]]] = []
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                return None
            stream = container.streams.audio[0]
            rate_hz = int(stream.rate)
            resampler = av.AudioResampler(format="flt", layout="mono", rate=rate_hz)
            for frame in container.decode(stream):
                at_s = frame.time
                parts = [np.asarray(r.to_ndarray(), dtype=np.float32).ravel() for r in resampler.resample(frame)]
                samples = np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)
                if at_s is None:
                    at_s = blocks[-1][0] + len(blocks[-1][1]) / rate_hz if blocks else 0.0
                blocks.append((at_s, samples))
    except av.error.FFmpegError as error:
        if not blocks:
            why = getattr(error, "strerror", None) or str(error)
            raise VideoError(f"the sound of {path} cannot be decoded", why) from error
    if not blocks:
        return None
    return _assemble(blocks, rate_hz)


def _assemble(blocks: list[tuple[float, NDArray[np.float32]]], rate_hz: int) -> Sound:
    """Lay blocks at their own times; small disagreements (rounded stamps) are joined, holes stay silent."""
    start_s = blocks[0][0]
    tolerance = round(0.002 * rate_hz)  # stamps in MKV are rounded to 1 ms
    position = 0
    placed: list[tuple[int, NDArray[np.float32]]] = []
    for at_s, samples in blocks:
        wanted = round((at_s - start_s) * rate_hz)
        if abs(wanted - position) > tolerance:
            position = max(wanted, 0)
        placed.append((position, samples))
        position += len(samples)
    total = max((at + len(samples) for at, samples in placed), default=0)
    track = np.zeros(total, dtype=np.float32)
    for at, samples in placed:
        track[at : at + len(samples)] = samples
    return Sound(samples=track, rate_hz=rate_hz, start_s=start_s)
