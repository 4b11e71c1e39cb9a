"""Writes picture and sound to ``video.mkv`` in short clusters, so that a kill loses at most a fraction of a second."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from numpy.typing import NDArray

from acquire.media.orientation import UPRIGHT, Orientation
from dataset.support.errors import HardwareError

#: Matroska rounds every PTS to a millisecond, so the encoder works in milliseconds too.
TIME_BASE = Fraction(1, 1000)
_NS_PER_TICK = 1_000_000

#: A file is written once and decoded several times. Without loop filter and arithmetic coding, and one step coarser so
#: that it is no larger, it is decoded in 0.3-0.5 of the time; what it loses, 0.3-0.6 dB, is the sensor's noise.
_PICTURE = {"tune": "zerolatency,fastdecode", "crf": "24", "bf": "0", "threads": "1"}

# A cluster each tenth of a second, written through at once: what is not there yet is lost in a kill. A silent
# microphone may hold the picture back 0.2 s at most.
_CONTAINER = {"cluster_time_limit": "100", "flush_packets": "1", "max_interleave_delta": "200000"}


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFormat:
    """Format of a video file.

    Attributes
    ----------
    width, height : int
        Size of every frame in pixels, as delivered by the camera; both even.
    nominal_hz : float
        The camera's nominal rate; a hint for players only, times come from each frame's own PTS.
    sound_rate_hz : int or None
        Sampling rate of the sound track, None for none.
    turn : Orientation
        Rotation that makes each frame upright.
    preset : str
        x264 preset.
    """

    width: int
    height: int
    nominal_hz: float
    sound_rate_hz: int | None = None
    turn: Orientation = UPRIGHT
    preset: str = "veryfast"


class VideoWriter:
    """Writes one MKV file: H.264 picture without B-frames and, with a microphone, 16-bit mono sound.

    Frames and sound may come from two threads.

    Parameters
    ----------
    path : Path
        The file to write.
    video : VideoFormat

    Raises
    ------
    HardwareError
        The file cannot be opened, or this build of FFmpeg lacks the H.264 encoder.
    """

    def __init__(
        self,
        path: Path,
        video: VideoFormat,
    ) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._closed = False
        self._size = (video.height, video.width)
        self._turn = video.turn
        self._given_ns: int | None = None
        self._picture_tick = -1
        self._sound_tick = -1
        self._sound_rate_hz = video.sound_rate_hz
        self._container = av.open(str(path), "w", format="matroska", container_options=_CONTAINER)
        try:
            rate = Fraction(video.nominal_hz).limit_denominator(1001)
            options = {"preset": video.preset, **_PICTURE}
            self._picture = self._container.add_stream("libx264", rate=rate, options=options)
        except (ValueError, av.error.FFmpegError) as error:
            self._container.close()
            raise HardwareError("no H.264 encoder", str(error), "install PyAV from its wheel") from error
        self._picture.width, self._picture.height = video.turn.size(video.width, video.height)
        self._picture.pix_fmt = "yuv420p"
        self._picture.time_base = TIME_BASE
        self._picture.codec_context.time_base = TIME_BASE
        self._picture.codec_context.gop_size = max(1, round(video.nominal_hz))
        self._sound = None
        if video.sound_rate_hz is not None:
            self._sound = self._container.add_stream("pcm_s16le", rate=video.sound_rate_hz, layout="mono")
        try:
            self._container.start_encoding()  # opens the file and writes its header
        except (OSError, av.error.FFmpegError) as error:
            raise HardwareError(f"cannot write {path}", str(error), "choose another --out") from error

    def write_frame(self, bgr: NDArray[np.uint8], pts_ns: int) -> int:
        """Encode one frame.

        Parameters
        ----------
        bgr : ndarray of uint8, shape (height, width, 3)
        pts_ns : int
            Nanoseconds since the recording's zero, not negative, later than the frame before.

        Returns
        -------
        int
            The PTS as written, in nanoseconds: whole milliseconds, the next free one if two frames share one.
        """
        if bgr.shape != (*self._size, 3):
            raise ValueError(f"a frame of shape {bgr.shape}, expected {(*self._size, 3)}")
        with self._lock:
            if pts_ns < 0 or (self._given_ns is not None and pts_ns <= self._given_ns):
                raise ValueError(f"frame PTS {pts_ns} ns after {self._given_ns} ns: they must grow from 0")
            self._given_ns = pts_ns
            tick = max(_tick(pts_ns), self._picture_tick + 1)
            self._picture_tick = tick
            frame = av.VideoFrame.from_ndarray(self._turn(bgr), format="bgr24")
            frame.pts = tick
            frame.time_base = TIME_BASE
            self._container.mux(self._picture.encode(frame))
            return tick * _NS_PER_TICK

    def write_sound(self, samples: NDArray[np.int16], pts_ns: int) -> int:
        """Write one block of sound.

        Parameters
        ----------
        samples : ndarray of int16, shape (n,)
        pts_ns : int
            When the first sample was taken, nanoseconds since the recording's zero, not negative.

        Returns
        -------
        int
            The PTS as written, in nanoseconds; never before that of the block before.
        """
        if self._sound is None:
            raise ValueError("this file has no sound track")
        if pts_ns < 0:
            raise ValueError(f"sound PTS {pts_ns} ns is before the recording's zero")
        with self._lock:
            tick = max(_tick(pts_ns), self._sound_tick + 1)
            self._sound_tick = tick
            # PCM needs no encoder: the samples are the packet.
            packet = av.Packet(np.ascontiguousarray(samples, dtype="<i2").tobytes())
            packet.stream = self._sound
            packet.time_base = TIME_BASE
            packet.pts = packet.dts = tick
            packet.duration = round(len(samples) * 1000 / (self._sound_rate_hz or 1))
            packet.is_keyframe = True
            self._container.mux(packet)
            return tick * _NS_PER_TICK

    def close(self) -> None:
        """Flush the encoder and finish the file; closing twice is harmless."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._picture_tick >= 0:
                self._container.mux(self._picture.encode(None))
            self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _tick(pts_ns: int) -> int:
    return (pts_ns + _NS_PER_TICK // 2) // _NS_PER_TICK
