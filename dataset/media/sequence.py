"""Several video files as one: a phone splits a long recording, and nothing is copied or encoded again.

A sequence is a playlist of FFmpeg's concat format (``.ffconcat``), which every reader here opens like a file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dataset.media.facts import VideoFacts, examine_video
from dataset.media.video import PLAYLIST
from dataset.support.errors import VideoError
from dataset.support.files import sha256_of

_HEADER = "ffconcat version 1.0"


def check_sequence(parts: Sequence[VideoFacts]) -> None:
    """Check that files can be parts of one recording.

    Raises
    ------
    VideoError
        They differ in what a camera does not change while it films.
    """
    first = parts[0]
    for part in parts[1:]:
        for what, a, b in (
            ("picture", f"{first.width}x{first.height}", f"{part.width}x{part.height}"),
            ("codec", first.codec, part.codec),
            ("rotation", f"{first.rotation_deg} degrees", f"{part.rotation_deg} degrees"),
            ("sound", first.sound_codec or "none", part.sound_codec or "none"),
        ):
            if a != b:
                raise VideoError(
                    f"{first.path.name} and {part.path.name} are not parts of one recording",
                    f"{what}: {a} and {b}",
                    "name the parts of one recording only, in order",
                )


def write_playlist(path: Path, parts: Sequence[VideoFacts]) -> None:
    """Write the playlist of a sequence: each part's picture begins where the one before ends.

    Parameters
    ----------
    path : Path
        Ends in ``.ffconcat``.
    parts : sequence of VideoFacts
        In order.
    """
    lines = [_HEADER]
    for number, part in enumerate(parts):
        # FFmpeg lays every file's earliest stream at its beginning; a picture that begins later than its sound does
        # so in the sequence too.
        lead_s = _picture_lead_s(part)
        following_s = _picture_lead_s(parts[number + 1]) if number + 1 < len(parts) else lead_s
        length_s = part.end_s - part.first_s + lead_s - following_s
        quoted = str(part.path.resolve()).replace("'", r"'\''")
        lines += [f"file '{quoted}'", f"duration {length_s:.6f}"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _picture_lead_s(part: VideoFacts) -> float:
    """Return by how much a file's first frame lies after its earliest stream."""
    return max(0.0, -(part.sound_offset_s or 0.0))


def playlist_files(path: Path) -> tuple[Path, ...]:
    """Return the files that a path stands for: a playlist's parts, or the file itself."""
    if path.suffix != PLAYLIST:
        return (path,)
    lines = path.read_text(encoding="utf-8").splitlines()
    quoted = [line[len("file '") : -1] for line in lines if line.startswith("file '")]
    return tuple(Path(text.replace(r"'\''", "'")) for text in quoted)


def file_names(path: Path) -> str:
    """Return the name that is stored for a video; of a sequence, those of all parts."""
    return " + ".join(map(str, playlist_files(path)))


def describe_files(path: Path) -> tuple[str, str]:
    """Return name and SHA-256 that a session stores for a video; of a sequence, those of all parts."""
    return file_names(path), " + ".join(map(sha256_of, playlist_files(path)))


@contextmanager
def as_one_video(files: Sequence[Path]) -> Iterator[Path | None]:
    """Yield one path that stands for all files while the block lasts; None where there are none.

    Raises
    ------
    VideoError
        One is a list of files, one of several is no video, or they are not parts of one recording.
    """
    for path in files:
        if path.suffix == PLAYLIST:
            raise VideoError(f"{path} is no video", "it is a list of files", "name its parts themselves, in order")
    if len(files) < 2:
        yield files[0] if files else None
        return
    parts = [examine_video(path) for path in files]
    check_sequence(parts)
    with tempfile.TemporaryDirectory(prefix="mia-video-") as folder:
        playlist = Path(folder) / f"sequence{PLAYLIST}"
        write_playlist(playlist, parts)
        yield playlist
