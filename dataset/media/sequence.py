"""Several video files as one, by a playlist: a phone splits a long recording; nothing is copied or re-encoded.

A sequence is a playlist of FFmpeg's concat format (``.ffconcat``), which all readers here open like a file.
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
from dataset.support.stored_path import stored_path

_HEADER = "ffconcat version 1.0"


def check_sequence(parts: Sequence[VideoFacts]) -> None:
    """Check that files can be parts of one recording.

    Raises
    ------
    VideoError
        They differ in a property that is constant within one recording.
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
    """Write the playlist of a sequence: each part's picture begins where the previous one ends.

    Parameters
    ----------
    path : Path
        Ends in ``.ffconcat``.
    parts : sequence of VideoFacts
        In order.
    """
    lines = [_HEADER]
    for number, part in enumerate(parts):
        # FFmpeg places every file's earliest stream at its start; a picture that begins after its sound does
        # so in the sequence too.
        lead_s = _picture_lead_s(part)
        following_s = _picture_lead_s(parts[number + 1]) if number + 1 < len(parts) else lead_s
        length_s = part.end_s - part.first_s + lead_s - following_s
        quoted = str(part.path.resolve()).replace("'", r"'\''")
        lines += [f"file '{quoted}'", f"duration {length_s:.6f}"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _picture_lead_s(part: VideoFacts) -> float:
    """Return the delay of a file's first frame after its earliest stream."""
    return max(0.0, -(part.sound_offset_s or 0.0))


def playlist_files(path: Path) -> tuple[Path, ...]:
    """Return the files of a path: a playlist's parts, or the file itself."""
    if path.suffix != PLAYLIST:
        return (path,)
    lines = path.read_text(encoding="utf-8").splitlines()
    quoted = [line[len("file '") : -1] for line in lines if line.startswith("file '")]
    return tuple(Path(text.replace(r"'\''", "'")) for text in quoted)


def file_names(path: Path) -> str:
    """Return the name to store for a video, without its folders; for a sequence, the names of all parts."""
    return " + ".join(map(stored_path, playlist_files(path)))


def describe_files(path: Path) -> tuple[str, str]:
    """Return name and SHA-256 to store in a session for a video; for a sequence, those of all parts."""
    return file_names(path), " + ".join(map(sha256_of, playlist_files(path)))


@contextmanager
def as_one_video(files: Sequence[Path]) -> Iterator[Path | None]:
    """Yield one path for all files during the block; None if there are no files.

    Raises
    ------
    VideoError
        One is a list of files or not a video, or they are not parts of one recording.
    """
    for path in files:
        if path.suffix == PLAYLIST:
            raise VideoError(f"{path} is not a video", "it is a list of files", "name its parts themselves, in order")
    if len(files) < 2:
        yield files[0] if files else None
        return
    parts = [examine_video(path) for path in files]
    check_sequence(parts)
    with tempfile.TemporaryDirectory(prefix="mia-video-") as folder:
        playlist = Path(folder) / f"sequence{PLAYLIST}"
        write_playlist(playlist, parts)
        yield playlist
