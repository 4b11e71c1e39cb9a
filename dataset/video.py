"""Frames of a video file with their own times: never index divided by rate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import cv2
import numpy as np
from numpy.typing import NDArray

from dataset.errors import VideoError


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoMeta:
    """What a video file says of itself.

    Attributes
    ----------
    width, height : int
        In pixels, after rotation.
    n_frames : int
        As declared or estimated; 0 where the file does not tell.
    nominal_hz : float
        Average rate; frames may be spaced irregularly.
    duration_s : float
        0 where unknown.
    has_sound : bool
    rotation_deg : int
        Clockwise turn that makes the picture upright: 0, 90, 180 or 270.
    """

    width: int
    height: int
    n_frames: int
    nominal_hz: float
    duration_s: float
    has_sound: bool
    rotation_deg: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One decoded frame.

    Attributes
    ----------
    index : int
        Position in the file, from 0.
    pts_ns : int
        The file's own presentation time.
    image : ndarray of uint8, shape (height, width, 3) in BGR, or (height, width) in grey
        Upright.
    """

    index: int
    pts_ns: int
    image: NDArray[np.uint8]


def probe_video(path: Path) -> VideoMeta:
    """Return what the file says of itself; the first frame is decoded, so a file without a picture is refused.

    Raises
    ------
    VideoError
        The file is missing or cannot be decoded.
    """
    with _opened(path) as container:
        stream = container.streams.video[0]
        first = next(iter(container.decode(stream)), None)
        if first is None:
            raise VideoError(f"the video {path} cannot be decoded", "it holds no picture")
        rotation = _rotation_deg(first)
        width, height = first.width, first.height
        if rotation in (90, 270):
            width, height = height, width
        rate = stream.average_rate or stream.guessed_rate
        duration_s = (container.duration or 0) / av.time_base
        return VideoMeta(
            width=width,
            height=height,
            n_frames=stream.frames or (round(duration_s * float(rate)) if rate else 0),
            nominal_hz=float(rate) if rate else 0.0,
            duration_s=duration_s,
            has_sound=bool(container.streams.audio),
            rotation_deg=rotation,
        )


def frame_pts_ns(path: Path) -> NDArray[np.int64]:
    """Return each frame's presentation time in nanoseconds, shape (F,), without decoding pictures.

    Raises
    ------
    VideoError
        The file is missing, cannot be read, or holds no picture.
    """
    with _opened(path) as container:
        stream = container.streams.video[0]
        stamps = sorted(
            packet.pts for packet in container.demux(stream) if packet.pts is not None and not packet.is_discard
        )
        if not stamps:
            raise VideoError(f"the video {path} cannot be decoded", "it holds no picture")
        return np.array([_to_ns(stamp, stream.time_base) for stamp in stamps], dtype=np.int64)


def iter_frames(
    path: Path, *, gray_width: int | None = None, indices: NDArray[np.int64] | None = None
) -> Iterator[Frame]:
    """Decode a video frame by frame, each with its own time.

    Parameters
    ----------
    path : Path
    gray_width : int, optional
        Yield grey pictures reduced to about this width (for brightness), much faster than full colour.
    indices : ndarray of int, optional
        Convert only these frames; all are decoded, since each depends on the one before.

    Raises
    ------
    VideoError
        The file is missing or cannot be decoded. A file that breaks off later yields what it has.
    """
    wanted = None if indices is None else frozenset(int(i) for i in indices)
    with _opened(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        index = -1
        try:
            for frame in container.decode(stream):
                if frame.pts is None:
                    continue
                index += 1
                if wanted is not None and index not in wanted:
                    continue
                image = _upright(_pixels(frame, gray_width), _rotation_deg(frame))
                yield Frame(index=index, pts_ns=_to_ns(frame.pts, frame.time_base), image=image)
        except av.error.FFmpegError as error:
            if index < 0:
                raise _undecodable(path, error) from error
        if index < 0:
            raise VideoError(f"the video {path} cannot be decoded", "it holds no picture")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise VideoError(f"no video at {path}", "there is no such file")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise VideoError(f"{path} is not a video", "it holds no picture track")
            yield container
    except av.error.FFmpegError as error:
        raise _undecodable(path, error) from error


def _undecodable(path: Path, error: Exception) -> VideoError:
    why = getattr(error, "strerror", None) or str(error)
    return VideoError(f"the video {path} cannot be decoded", why, "play it, or convert it to MP4 or MKV first")


def _pixels(frame: av.VideoFrame, gray_width: int | None) -> NDArray[np.uint8]:
    if gray_width is None:
        return np.asarray(frame.to_ndarray(format="bgr24"), dtype=np.uint8)
    gray = _luma(frame)
    height = max(1, round(gray.shape[0] * gray_width / gray.shape[1]))
    # INTER_AREA averages all pixels: mean brightness is kept exactly, rows stay rows.
    return np.asarray(cv2.resize(gray, (gray_width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _luma(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Return the luma plane without a colour conversion where the format has one."""
    if frame.format.name in ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "nv12"):
        plane = frame.planes[0]
        rows = np.frombuffer(memoryview(plane), dtype=np.uint8).reshape(-1, plane.line_size)
        return np.asarray(rows[: frame.height, : frame.width], dtype=np.uint8)
    return np.asarray(frame.to_ndarray(format="gray"), dtype=np.uint8)


def _rotation_deg(frame: av.VideoFrame) -> int:
    """Return the clockwise turn that makes the picture upright (PyAV gives the counter-clockwise angle)."""
    return (-round(frame.rotation / 90) * 90) % 360


_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def _upright(image: NDArray[np.uint8], rotation_deg: int) -> NDArray[np.uint8]:
    if rotation_deg not in _TURNS:
        return image
    return np.asarray(cv2.rotate(image, _TURNS[rotation_deg]), dtype=np.uint8)


def _to_ns(stamp: int, time_base: Fraction) -> int:
    return round(stamp * time_base.numerator * 1_000_000_000 / time_base.denominator)
