"""What a video file says of itself before anything is aligned: its frames' own times, its codec, its sound's place."""

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

#: Frames whose intervals spread by more than this share of their median are of variable rate.
_VARIABLE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFacts:
    """One file, read through once without decoding its pictures.

    Attributes
    ----------
    codec : str
        Of the picture, such as ``h264`` or ``hevc``.
    width, height : int
        In pixels, upright.
    rotation_deg : int
        Clockwise turn that the file asks for.
    n_frames : int
    first_s, end_s : float
        Presentation time of the first frame, and of the end of the last.
    median_gap_s, shortest_gap_s, longest_gap_s : float
        Between neighbouring frames; 0 with a single frame.
    sound_codec : str
        Empty where there is no sound.
    sound_start_s : float or None
        Presentation time of the first sample, decoded, so after an edit list's cut.
    priming_told : bool or None
        Whether the file tells how much of its first sound is the coder's own silence; None where the question does
        not arise. An AAC track that does not tell it sounds 21 to 48 ms late. None also where it cannot be known.
    created_utc : str
        As the file has it; the beginning of the recording on most phones. Empty where it is not told.
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
        """By how much the sound begins after the picture, as the file lays them; None without sound."""
        return None if self.sound_start_s is None else self.sound_start_s - self.first_s

    def as_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        rounded = {k: round(v, 6) if isinstance(v, float) else v for k, v in asdict(self).items()}
        offset_s = self.sound_offset_s
        return rounded | {
            "path": str(self.path),
            "variable_rate": self.variable_rate,
            "sound_offset_s": None if offset_s is None else round(offset_s, 6),
        }


def examine_video(path: Path) -> VideoFacts:
    """Read a video file through.

    Raises
    ------
    VideoError
        It is missing, no video, cut off before its first picture, or cannot be decoded.
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
    """Return codec and first time of the sound, and whether the coder's own silence before it is told."""
    with opened_video(path) as container:
        stream = container.streams.audio[0]
        codec = str(stream.codec_context.name)
        stamp_s: float | None = None
        told: bool | None = None
        try:
            for packet in container.demux(stream):
                if stamp_s is None and packet.pts is not None:
                    stamp_s = float(packet.pts * packet.time_base)
                    # Later than 0, the stamp may have the silence taken off already.
                    told = True if packet.is_discard or stamp_s < 0 else False if stamp_s < 1e-6 else None
                for frame in packet.decode():
                    if frame.time is not None:
                        start_s = float(frame.time)
                        skipped = stamp_s is not None and start_s > stamp_s + 1e-6
                        return codec, start_s, (skipped or told) if codec == "aac" else None
        except av.error.FFmpegError:
            pass  # sound that cannot be decoded: whoever listens to it says so
        return codec, None, None
