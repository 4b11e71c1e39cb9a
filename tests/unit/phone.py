"""Files as phones write them, made with PyAV: variable rate, turned, HEVC, AAC, edit lists, parts."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.present import present

SOUND_HZ = 48_000


def codec_available(name: str) -> bool:
    """Return whether this build of FFmpeg can encode with ``name``."""
    return name in av.codecs_available


def phone_times_ms(n: int, seed: int, *, shortest_ms: int = 20, longest_ms: int = 159) -> list[int]:
    """Return times of frames as irregular as a phone's in poor light, from 0."""
    gaps = np.random.default_rng(seed).integers(shortest_ms, longest_ms + 1, n - 1)
    gaps[:2] = (shortest_ms, longest_ms)
    return [0, *np.cumsum(gaps).tolist()]


def film(
    path: Path,
    times_ms: Sequence[int],
    *,
    codec: str = "libx265",
    sound: bool = True,
    sound_from_ms: int = 0,
    flash_at: int | None = None,
    click_ms: float | None = None,
    first_grey: int = 0,
    turned: bool = False,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a video whose ``k``-th frame has brightness ``first_grey + k`` and whose sound clicks once.

    Parameters
    ----------
    times_ms : sequence of int
        Presentation times; negative ones are cut off by the edit list that FFmpeg then writes.
    sound_from_ms : int
        Presentation time of the first sample.
    flash_at : int
        This frame is white.
    click_ms : float
        Presentation time of a click.
    turned : bool
        Mark the file as filmed on its side.
    """
    with av.open(str(path), "w", container_options=options or {}) as container:
        video = container.add_stream(codec, rate=30)
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        if codec == "libx265":
            video.codec_context.options = {"x265-params": "log-level=none", "preset": "ultrafast"}
            video.codec_context.codec_tag = "hvc1"
        audio = container.add_stream("aac", rate=SOUND_HZ, layout="mono") if sound else None
        for k, at_ms in enumerate(times_ms):
            grey = 255 if k == flash_at else (first_grey + k) % 100
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), grey, np.uint8), format="bgr24")
            frame.pts, frame.time_base = at_ms, Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            n = max(2048, round((times_ms[-1] - sound_from_ms) / 1000 * SOUND_HZ))
            samples = np.zeros(n + 1024, np.float32)
            if click_ms is not None:
                at = round((click_ms - sound_from_ms) / 1000 * SOUND_HZ)
                samples[at : at + 48] = 0.9 * (-1.0) ** np.arange(48)
            for i in range(0, n, 1024):
                block = av.AudioFrame.from_ndarray(samples[None, i : i + 1024], format="fltp", layout="mono")
                block.sample_rate, block.time_base = SOUND_HZ, Fraction(1, SOUND_HZ)
                block.pts = i + round(sound_from_ms / 1000 * SOUND_HZ)
                container.mux(audio.encode(block))
            container.mux(audio.encode(None))
    if turned:
        turn_quarter(path)
    return path


def turn_quarter(path: Path, quarters: int = 1) -> None:
    """Mark an MP4 as filmed on its side, as a phone does: in the track's matrix, in quarters clockwise."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 40
    cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarters % 4]
    content[at : at + 36] = struct.pack(">9i", cos << 16, sin << 16, 0, -sin << 16, cos << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


def pyav_times_ns(path: Path) -> list[int]:
    """Return each decoded frame's time as PyAV has it."""
    with av.open(str(path)) as container:
        frames = [f for f in container.decode(video=0) if f.pts is not None]
        return [round(present(f.pts) * present(f.time_base) * 1_000_000_000) for f in frames]
