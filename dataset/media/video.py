"""Decodes frames of a video file with their presentation times, never from index and rate."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from dataset.media.decoded_frame import DecodedFrame, rotation_deg, to_ns
from dataset.support.arrays import IntArray
from dataset.support.errors import VideoError

#: Suffix of playlists of several files, see :mod:`dataset.media.sequence`; its files may be in any folder.
PLAYLIST = ".ffconcat"
#: Containers that cameras, phones and sound recorders write. Others are rejected: among them are playlists, which any
#: file may contain and which make FFmpeg open arbitrary files and addresses.
_CONTAINERS = ("matroska", "webm", "mov", "mp4", "avi", "mpegts", "mpeg", "mpegvideo", "asf", "flv", "ogg", "mxf", "dv",
               "nut", "h264", "hevc", "gif", "yuv4mpegpipe", "wav", "w64", "aiff", "flac", "mp3",
               "aac")  # fmt: skip
_PROTOCOLS = "file"


def container_options(path: Path) -> dict[str, str]:
    """Return FFmpeg's options to open a video: one file with its own tracks, or a playlist that we wrote."""
    containers = ",".join(_CONTAINERS)
    if path.suffix != PLAYLIST:
        return {"format_whitelist": containers, "protocol_whitelist": _PROTOCOLS}
    return {"format_whitelist": f"concat,{containers}", "protocol_whitelist": _PROTOCOLS, "safe": "0"}


#: Usual maximum distance of key frames; larger ones are learned from the file.
_KEY_SPACING_NS = 2_000_000_000
_REORDERING_NS = 250_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoMeta:
    """Metadata of a video file.

    Attributes
    ----------
    width, height : int
        In pixels, after rotation.
    n_frames : int
        As declared or estimated; 0 if unknown.
    nominal_hz : float
        Average rate; frames may be spaced irregularly.
    duration_s : float
        0 if unknown.
    has_sound : bool
    rotation_deg : int
        Clockwise rotation that makes the picture upright: 0, 90, 180 or 270.
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
        Presentation time in the file.
    image : ndarray of uint8, shape (height, width, 3)
        BGR, or RGB if requested; upright and C-contiguous.
    """

    index: int
    pts_ns: int
    image: NDArray[np.uint8]


def probe_video(path: Path) -> VideoMeta:
    """Read a file's metadata; the first frame is decoded, so a file without a picture is refused.

    Raises
    ------
    VideoError
        The file is missing or cannot be decoded.
    """
    with opened_video(path) as container:
        stream = container.streams.video[0]
        first = next(iter(container.decode(stream)), None)
        if first is None:
            raise VideoError(f"the video {path} cannot be decoded", "it holds no picture")
        rotation = rotation_deg(first)
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


def frame_pts_ns(path: Path) -> IntArray:
    """Return each frame's presentation time in nanoseconds, shape (F,), without decoding pictures.

    Raises
    ------
    VideoError
        The file is missing, cannot be read, or has no picture.
    """
    with opened_video(path) as container:
        stream = container.streams.video[0]
        # Packed: as Python integers an hour's frames take ten megabytes.
        stamps = array("q", (p.pts for p in container.demux(stream) if p.pts is not None and not p.is_discard))
        if not stamps:
            raise VideoError(f"the video {path} cannot be decoded", "it holds no picture")
        ascending = np.sort(np.array(stamps, dtype=np.int64))
        return np.fromiter((to_ns(int(stamp), stream.time_base) for stamp in ascending), np.int64, len(ascending))


def iter_frames(
    path: Path,
    *,
    indices: IntArray | None = None,
    times_ns: IntArray | None = None,
    threads: int = 0,
    rgb: bool = False,
) -> Iterator[Frame]:
    """Decode a video frame by frame with presentation times.

    Parameters
    ----------
    path : Path
    indices : ndarray of int, optional
        Only these frames; long gaps between them are skipped by seeking if the file allows it. Of
        frames that share a time only the first is used.
    times_ns : ndarray of int64, shape (F,), optional
        Presentation times of all frames, if known; else the file is scanned for them first.
    threads : int
        Threads of the decoder; 0: its own choice.
    rgb : bool
        Yield pictures in RGB rather than BGR.

    Raises
    ------
    VideoError
        The file is missing or cannot be decoded. A truncated file yields its frames up to the end.
    """
    for index, frame in _numbered(path, indices, times_ns, threads):
        yield Frame(index=index, pts_ns=frame.pts_ns, image=frame.picture("rgb24" if rgb else "bgr24"))


def _numbered(
    path: Path, indices: IntArray | None, times_ns: IntArray | None, threads: int
) -> Iterator[tuple[int, DecodedFrame]]:
    """Decode the requested frames, each with its index."""
    if indices is None:
        yield from enumerate(decode_frames(path, threads=threads))
        return
    times_ns = frame_pts_ns(path) if times_ns is None else times_ns
    wanted = np.unique(indices)
    wanted = wanted[(wanted >= 0) & (wanted < len(times_ns))]
    if np.any(np.diff(times_ns) < 0):  # times that go back: frames can only be told apart by counting
        chosen = frozenset(wanted.tolist())
        yield from ((k, frame) for k, frame in enumerate(decode_frames(path, threads=threads)) if k in chosen)
        return
    number = dict(zip(times_ns[wanted].tolist(), wanted.tolist(), strict=True))
    for frame in _decoded_at(path, deque(number), threads):
        yield number[frame.pts_ns], frame


# -- decoding -----------------------------------------------------------------------------------------------------


class CannotEnterError(Exception):
    """Seeking to the requested time is impossible; the caller then reads the file from its start."""


def decode_frames(
    path: Path, *, start_ns: int | None = None, stop_ns: int | None = None, threads: int = 0
) -> Iterator[DecodedFrame]:
    """Decode the frames that have a time stamp, in order.

    Parameters
    ----------
    path : Path
    start_ns, stop_ns : int, optional
        Only frames from ``start_ns`` on and before ``stop_ns``.
    threads : int
        Threads of the decoder; 0: its own choice.

    Raises
    ------
    VideoError
        The file is missing or cannot be decoded. A truncated file yields its frames up to the end.
    CannotEnterError
        Seeking to ``start_ns`` is impossible: read it from its start.
    """
    with opened_video(path) as container:
        stream = _prepared(container, threads)
        if start_ns is not None:
            _enter(container, stream, start_ns)
        reached = False
        try:
            for frame in _with_times(container, stream):
                if start_ns is not None and not reached and frame.pts_ns > start_ns:
                    raise CannotEnterError(f"{path} at {start_ns * 1e-9:.3f} s")
                reached = True
                if stop_ns is not None and frame.pts_ns >= stop_ns:
                    return
                if start_ns is None or frame.pts_ns >= start_ns:
                    yield frame
        except av.error.FFmpegError as error:
            if not reached and start_ns is None:
                raise undecodable(path, error) from error
        if not reached:
            if start_ns is not None:
                raise CannotEnterError(f"{path} at {start_ns * 1e-9:.3f} s")
            raise VideoError(f"the video {path} cannot be decoded", "it holds no picture")


def _decoded_at(path: Path, left: deque[int], threads: int) -> Iterator[DecodedFrame]:
    """Decode the frames at the times ``left``, ascending; those that cannot be decoded are skipped."""
    try:
        yield from _entering(path, left, threads)
    except CannotEnterError:
        for frame in decode_frames(path, threads=threads) if left else ():
            if _is_next(frame.pts_ns, left):
                yield frame
            if not left:
                return


def _entering(path: Path, left: deque[int], threads: int) -> Iterator[DecodedFrame]:
    with opened_video(path) as container:
        stream = _prepared(container, threads)
        # Key frames were at most this far apart so far: seeking over less would decode twice.
        spacing_ns, reached_ns = _KEY_SPACING_NS, 0
        while left:
            entered_ns = left[0] if left[0] - reached_ns > spacing_ns else None
            if entered_ns is not None:
                _enter(container, stream, entered_ns)
            far = False
            try:
                for frame in _with_times(container, stream):
                    reached_ns = frame.pts_ns
                    if entered_ns is not None:
                        if reached_ns > entered_ns:
                            break
                        spacing_ns = max(spacing_ns, entered_ns - reached_ns)
                        entered_ns = None
                    if _is_next(reached_ns, left):
                        yield frame
                    if not left:
                        return
                    if far := left[0] - reached_ns > spacing_ns:
                        break
            except av.error.FFmpegError as error:
                raise CannotEnterError(str(error)) from error
            if entered_ns is not None:
                raise CannotEnterError(f"{path} at {entered_ns * 1e-9:.3f} s")
            if not far:
                return


def _is_next(time_ns: int, left: deque[int]) -> bool:
    """Return whether a time is the next of those left; it and earlier ones are removed."""
    while left and left[0] < time_ns:
        left.popleft()
    if left and left[0] == time_ns:
        left.popleft()
        return True
    return False


def _prepared(container: Any, threads: int) -> Any:
    stream = container.streams.video[0]
    stream.codec_context.thread_count = threads
    stream.codec_context.thread_type = "NONE" if threads == 1 else "AUTO"
    return stream


def _with_times(container: Any, stream: Any) -> Iterator[DecodedFrame]:
    decoded = container.decode(stream)
    return (DecodedFrame(f, to_ns(f.pts, f.time_base)) for f in decoded if f.pts is not None)


def _enter(container: Any, stream: Any, start_ns: int) -> None:
    """Seek to the last key frame at or before a time."""
    # Containers seek by decoding times, which precede presentation times by a few frames.
    at_ns = max(0, start_ns - _REORDERING_NS)
    try:
        container.seek(int(at_ns * 1e-9 / stream.time_base), stream=stream)
    except (av.error.FFmpegError, OSError) as error:
        raise CannotEnterError(str(error)) from error


@contextmanager
def opened_video(path: Path) -> Iterator[Any]:
    """Yield the open container of a video file, or of a playlist of files.

    Raises
    ------
    VideoError
        It is missing, has no picture track, or cannot be read.
    """
    if not path.is_file():
        raise VideoError(f"no video at {path}", "there is no such file")
    try:
        with av.open(str(path), options=container_options(path)) as container:
            if not container.streams.video:
                raise VideoError(f"{path} is not a video", "it holds no picture track")
            yield container
    except av.error.FFmpegError as error:
        raise undecodable(path, error) from error


def undecodable(path: Path, error: Exception) -> VideoError:
    """Return the error for a video that cannot be decoded."""
    why = getattr(error, "strerror", None) or str(error)
    return VideoError(f"the video {path} cannot be decoded", why, "play it, or convert it to MP4 or MKV first")
