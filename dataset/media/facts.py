"""Facts about a video file: frame times, codecs, and offset of the sound, read without decoding the pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av.error
import numpy as np

from dataset.media.decoded_frame import to_ns
from dataset.media.video import opened_video, probe_video, undecodable
from dataset.support.arrays import FloatArray
from dataset.support.errors import VideoError

#: Frame intervals that vary by more than this share of their median mean a variable frame rate.
_VARIABLE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFacts:
    """Facts about one file, from one pass without decoding its pictures.

    Attributes
    ----------
    codec : str
        Video codec, such as ``h264`` or ``hevc``.
    width, height : int
        In pixels, upright.
    rotation_deg : int
        Clockwise rotation stated in the file.
    n_frames : int
    first_s, end_s : float
        Presentation time of the first frame, and of the end of the last.
    median_gap_s, shortest_gap_s, longest_gap_s : float
        Intervals between neighbouring frames; 0 for a single frame.
    sound_codec : str
        Empty if there is no sound.
    sound_start_s : float or None
        Presentation time of the first decoded sample, after the cut of an edit list.
    priming_told : bool or None
        Whether the file states the encoder delay (priming) of its sound; None if not
        applicable or unknown. An AAC track that does not state it is 21 to 48 ms late.
    created_utc : str
        Creation time in the file; the start of the recording on most phones. Empty if not stated.
    """

    path: Path
    codec: str
    width: int
    height: int
    rotation_deg: int
    n_frames: int
    first_s: float
    end_s: float
    median_gap_s: float
    shortest_gap_s: float
    longest_gap_s: float
    sound_codec: str
    sound_start_s: float | None
    priming_told: bool | None
    created_utc: str

    @property
    def variable_rate(self) -> bool:
        """Whether frames are spaced irregularly."""
        return self.longest_gap_s - self.shortest_gap_s > _VARIABLE * self.median_gap_s

    @property
    def sound_offset_s(self) -> float | None:
        """Start of the sound after the start of the picture, by the file's time stamps; None without sound."""
        return None if self.sound_start_s is None else self.sound_start_s - self.first_s

    def as_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        rounded = {k: round(v, 6) if isinstance(v, float) else v for k, v in asdict(self).items()}
        offset_s = self.sound_offset_s
        return rounded | {
            "path": str(self.path),
            "variable_rate": self.variable_rate,
            "sound_offset_s": None if offset_s is None else round(offset_s, 6),
        }


def examine_video(path: Path) -> VideoFacts:
    """Read all packets of a video file, without decoding pictures, and return its facts.

    Raises
    ------
    VideoError
        It is missing, not a video, cut off before its first picture, or cannot be decoded.
    """
    meta = probe_video(path)
    with opened_video(path) as container:
        stream = container.streams.video[0]
        stamps: list[int] = []
        last_length = 0
        try:
            for packet in container.demux(stream):
                if packet.pts is None or packet.is_discard:
                    continue
                if not stamps or packet.pts > max(stamps[-1], 0):
                    last_length = packet.duration or 0
                stamps.append(packet.pts)
        except av.error.FFmpegError as error:
            if not stamps:
                raise undecodable(path, error) from error
        if not stamps:
            raise VideoError(f"the video {path} cannot be decoded", "it holds no picture")
        stamps.sort()
        base = stream.time_base
        time_s: FloatArray = np.array([to_ns(stamp, base) * 1e-9 for stamp in stamps])
        gaps_s = np.diff(time_s)
        median_s = float(np.median(gaps_s)) if len(gaps_s) else 0.0
        length_s = to_ns(last_length, base) * 1e-9 if last_length else median_s
        codec = str(stream.codec_context.name)
        created = str(container.metadata.get("creation_time") or stream.metadata.get("creation_time") or "")
    sound_codec, sound_start_s, told = _sound(path) if meta.has_sound else ("", None, None)
    return VideoFacts(
        path=path, codec=codec, width=meta.width, height=meta.height, rotation_deg=meta.rotation_deg,
        n_frames=len(stamps), first_s=float(time_s[0]), end_s=float(time_s[-1]) + length_s, median_gap_s=median_s,
        shortest_gap_s=float(gaps_s.min()) if len(gaps_s) else 0.0,
        longest_gap_s=float(gaps_s.max()) if len(gaps_s) else 0.0, sound_codec=sound_codec,
        sound_start_s=sound_start_s, priming_told=told, created_utc=created,
    )  # fmt: skip


def _sound(path: Path) -> tuple[str, float | None, bool | None]:
    """Return codec and first time of the sound, and whether its encoder delay is stated."""
    with opened_video(path) as container:
        stream = container.streams.audio[0]
        codec = str(stream.codec_context.name)
        stamp_s: float | None = None
        told: bool | None = None
        try:
            for packet in container.demux(stream):
                if stamp_s is None and packet.pts is not None:
                    stamp_s = float(packet.pts * packet.time_base)
                    # If later than 0, the encoder delay may be subtracted already.
                    told = True if packet.is_discard or stamp_s < 0 else False if stamp_s < 1e-6 else None
                for frame in packet.decode():
                    if frame.time is not None:
                        start_s = float(frame.time)
                        skipped = stamp_s is not None and start_s > stamp_s + 1e-6
                        return codec, start_s, (skipped or told) if codec == "aac" else None
        except av.error.FFmpegError:
            pass  # sound that cannot be decoded: reported when it is read
        return codec, None, None
