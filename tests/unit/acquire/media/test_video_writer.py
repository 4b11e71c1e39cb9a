"""What is written to the MKV comes back with the same times and samples."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import av
import numpy as np
import pytest
from av.subtitles.subtitle import SubtitleSet

from acquire.media.video_writer import VideoFormat, VideoWriter
from dataset.support.errors import HardwareError
from tests.present import present


def _writer(path: Path, sound_rate_hz: int | None = 16000) -> VideoWriter:
    return VideoWriter(
        path, VideoFormat(width=64, height=48, nominal_hz=30.0, sound_rate_hz=sound_rate_hz, preset="ultrafast")
    )


def _times_s(path: Path, kind: str) -> list[float]:
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams if s.type == kind)
        frames = [frame for frame in container.decode(stream) if not isinstance(frame, SubtitleSet)]
        return [float(present(frame.pts) * present(frame.time_base)) for frame in frames]


def _picture(level: int) -> np.ndarray:
    return np.full((48, 64, 3), level, np.uint8)


def test_irregular_frame_times_come_back_to_one_millisecond(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    pts_ns = np.cumsum(rng.integers(5_000_000, 80_000_000, 40)) - 5_000_000
    with _writer(tmp_path / "v.mkv", None) as writer:
        written = [writer.write_frame(_picture(i * 5), int(p)) for i, p in enumerate(pts_ns)]
    read = np.array(_times_s(tmp_path / "v.mkv", "video"))
    np.testing.assert_allclose(read, np.array(written) * 1e-9, atol=1e-9)
    np.testing.assert_allclose(read, pts_ns * 1e-9, atol=0.00051)


def test_the_first_frame_keeps_its_time_and_picture_and_sound_keep_their_distance(tmp_path: Path) -> None:
    with _writer(tmp_path / "v.mkv") as writer:
        for i in range(10):
            writer.write_sound(np.zeros(320, np.int16), 20_000_000 * i + 7_000_000)
        for i in range(6):
            writer.write_frame(_picture(90), 33_000_000 * i + 40_000_000)
    assert _times_s(tmp_path / "v.mkv", "video")[0] == pytest.approx(0.040)
    assert _times_s(tmp_path / "v.mkv", "audio")[0] == pytest.approx(0.007)


def test_sound_comes_back_sample_for_sample(tmp_path: Path) -> None:
    sound = np.random.default_rng(5).integers(-20000, 20000, 3200).astype(np.int16)
    with _writer(tmp_path / "v.mkv") as writer:
        for i, block in enumerate(np.split(sound, 10)):
            writer.write_sound(block, 20_000_000 * i)
            writer.write_frame(_picture(90), 20_000_000 * i)
    with av.open(str(tmp_path / "v.mkv")) as container:
        read = np.concatenate([f.to_ndarray().ravel() for f in container.decode(audio=0)])
    np.testing.assert_array_equal(read, sound)


def test_two_frames_within_one_millisecond_get_two_times(tmp_path: Path) -> None:
    with _writer(tmp_path / "v.mkv", None) as writer:
        first = writer.write_frame(_picture(10), 0)
        second = writer.write_frame(_picture(20), 200_000)
    assert (first, second) == (0, 1_000_000)


def test_time_that_does_not_grow_is_refused(tmp_path: Path) -> None:
    with _writer(tmp_path / "v.mkv", None) as writer:
        writer.write_frame(_picture(10), 5_000_000)
        with pytest.raises(ValueError, match="must grow"):
            writer.write_frame(_picture(10), 5_000_000)
        with pytest.raises(ValueError, match="shape"):
            writer.write_frame(np.zeros((10, 10, 3), np.uint8), 9_000_000)


def test_picture_and_sound_from_two_threads_lose_nothing(tmp_path: Path) -> None:
    with _writer(tmp_path / "v.mkv") as writer:

        def sing() -> None:
            for i in range(100):
                writer.write_sound(np.full(320, i, np.int16), 20_000_000 * i)

        thread = threading.Thread(target=sing)
        thread.start()
        for i in range(60):
            writer.write_frame(_picture(i), 33_333_333 * i)
        thread.join()
    assert len(_times_s(tmp_path / "v.mkv", "video")) == 60
    assert len(_times_s(tmp_path / "v.mkv", "audio")) == 100


def test_an_unclosed_file_already_holds_all_but_the_last_half_second(tmp_path: Path) -> None:
    writer = _writer(tmp_path / "v.mkv")
    for i in range(90):
        writer.write_frame(_picture(i), 33_333_333 * i)
        for j in range(2):
            writer.write_sound(np.zeros(267, np.int16), 33_333_333 * i + 16_666_667 * j)
    copy = tmp_path / "killed.mkv"
    copy.write_bytes((tmp_path / "v.mkv").read_bytes())
    writer.close()
    times = _times_s(copy, "video")
    assert times[-1] >= 89 * 0.0333 - 0.75
    assert all(b > a for a, b in itertools.pairwise(times))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(HardwareError, match="nowhere"):
        _writer(tmp_path / "nowhere" / "v.mkv")


def test_a_recording_is_quick_to_decode(tmp_path: Path) -> None:
    with VideoWriter(
        tmp_path / "v.mkv", VideoFormat(width=64, height=48, nominal_hz=30.0, sound_rate_hz=None)
    ) as writer:
        for i in range(3):
            writer.write_frame(_picture(i), 33_333_333 * i)
    settings = (tmp_path / "v.mkv").read_bytes()  # x264 writes them into the first packet
    assert b"cabac=0" in settings
    assert b"deblock=0" in settings
    assert b"bframes=0" in settings
    assert b"sliced_threads=0" in settings  # one picture is one slice
