"""Frames and sound come with the file's own times, and what cannot be decoded is said."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from dataset.media.sound import SampleFile, read_sound
from dataset.media.video import decode_frames, frame_pts_ns, iter_frames, probe_video
from dataset.support.errors import VideoError

RATE_HZ = 16_000


def make_video(path: Path, pts_ms: list[int], *, sound_blocks: list[tuple[int, np.ndarray]] | None = None) -> None:
    """Write pictures of growing brightness at the given times, and sound blocks at theirs."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=30, options={"bf": "0", "crf": "1"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.time_base = Fraction(1, 1000)
        video.codec_context.time_base = Fraction(1, 1000)
        audio = None
        if sound_blocks is not None:
            audio = container.add_stream("pcm_s16le", rate=RATE_HZ)
            audio.layout = "mono"
        for i, pts in enumerate(pts_ms):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), min(10 * i, 250), dtype=np.uint8), format="bgr24")
            frame.pts, frame.time_base = pts, Fraction(1, 1000)
            container.mux(video.encode(frame))
        for at, samples in sound_blocks or []:
            block = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
            block.rate, block.pts, block.time_base = RATE_HZ, at, Fraction(1, RATE_HZ)
            assert audio is not None
            container.mux(audio.encode(block))
        container.mux(video.encode(None))


@pytest.fixture
def irregular(tmp_path: Path) -> tuple[Path, list[int]]:
    pts_ms = [0, 20, 53, 90, 249, 270, 300]
    path = tmp_path / "v.mkv"
    make_video(path, pts_ms)
    return path, pts_ms


def test_irregular_frame_times_are_the_files_own(irregular: tuple[Path, list[int]]) -> None:
    path, pts_ms = irregular
    assert (frame_pts_ns(path) / 1e6).tolist() == pts_ms
    frames = list(iter_frames(path))
    assert [f.pts_ns // 1_000_000 for f in frames] == pts_ms
    assert [f.index for f in frames] == list(range(len(pts_ms)))
    brightness = [float(f.image.mean()) for f in frames]
    np.testing.assert_allclose(brightness, 10.0 * np.arange(len(pts_ms)), atol=4.9)


def test_only_the_frames_asked_for_are_converted(irregular: tuple[Path, list[int]]) -> None:
    frames = list(iter_frames(irregular[0], indices=np.array([1, 4])))
    assert [f.index for f in frames] == [1, 4]
    assert frames[0].image.shape == (48, 64, 3)


def test_the_file_says_what_it_is(irregular: tuple[Path, list[int]]) -> None:
    meta = probe_video(irregular[0])
    assert (meta.width, meta.height, meta.has_sound, meta.rotation_deg) == (64, 48, False, 0)
    assert read_sound(irregular[0]) is None


def test_sound_blocks_lie_where_their_stamps_say(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    first = rng.integers(-9000, 9000, 800).astype(np.int16)
    second = rng.integers(-9000, 9000, 800).astype(np.int16)
    path = tmp_path / "s.mkv"
    make_video(path, [0, 33, 66], sound_blocks=[(160, first), (1760, second)])
    sound = read_sound(path)
    assert sound is not None
    assert sound.rate_hz == RATE_HZ
    assert sound.start_s == pytest.approx(0.010, abs=0.001)
    np.testing.assert_allclose(sound.samples[:800], first / 32768, atol=1e-4)
    assert np.all(sound.samples[820:1580] == 0)
    np.testing.assert_allclose(sound.samples[-800:], second / 32768, atol=1e-4)
    assert sound.time_s[-800] == pytest.approx(0.110, abs=0.0015)


def test_a_track_of_many_blocks_is_read_piece_by_piece(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    track = rng.integers(-32768, 32767, 20 * 480, dtype=np.int16)
    path = tmp_path / "s.mkv"
    make_video(path, [0, 33, 66], sound_blocks=[(at, track[at : at + 480]) for at in range(0, len(track), 480)])
    sound = read_sound(path, block=1000)
    assert sound is not None
    assert isinstance(sound.samples, SampleFile)
    assert len(sound.samples) == len(track)
    expected = track / np.float32(32768)
    np.testing.assert_array_equal(np.asarray(sound.samples), expected)
    steps = slice(3, None, 7)
    for piece in (slice(0, 10), slice(950, 1050), slice(9590, 99999), slice(-5, None), slice(700, 600), steps):
        np.testing.assert_array_equal(sound.samples[piece], expected[piece])


def test_two_channels_of_another_format_become_one(tmp_path: Path) -> None:
    path = tmp_path / "s.mkv"
    t = np.arange(RATE_HZ) / RATE_HZ
    left, right = 0.5 * np.sin(2 * np.pi * 440 * t), 0.2 * np.sin(2 * np.pi * 1000 * t)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=30)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("pcm_f32le", rate=RATE_HZ)
        audio.layout = "stereo"
        container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), dtype=np.uint8), format="bgr24")))
        samples = np.column_stack([left, right]).astype(np.float32).reshape(1, -1)
        block = av.AudioFrame.from_ndarray(samples, format="flt", layout="stereo")
        block.rate, block.pts, block.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
        container.mux(audio.encode(block))
        container.mux(audio.encode(None))
        container.mux(video.encode(None))
    sound = read_sound(path)
    assert sound is not None
    np.testing.assert_allclose(sound.samples[:], (left + right) / 2, atol=1e-3)


@pytest.mark.parametrize("content", [b"", b"not a video at all" * 100])
def test_what_is_no_video_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "v.mp4"
    path.write_bytes(content)
    for use in (probe_video, frame_pts_ns, read_sound, lambda p: list(iter_frames(p))):
        with pytest.raises(VideoError):
            use(path)


def test_a_missing_video_is_named(tmp_path: Path) -> None:
    for use in (probe_video, frame_pts_ns, read_sound, lambda p: list(iter_frames(p))):
        with pytest.raises(VideoError, match=r"no video at .*gone\.mp4"):
            use(tmp_path / "gone.mp4")


def test_a_video_cut_off_yields_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "v.mkv"
    make_video(path, [33 * i for i in range(120)])
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])
    frames = list(iter_frames(path))
    assert 0 < len(frames) < 120


@pytest.mark.realdata
@pytest.mark.parametrize("clip", ["mrpose/squat.mp4", "pose2sim/cam01.mp4", "sports2d/demo.mp4"])
def test_real_clips_have_the_same_times_packed_and_decoded(shared_data: Path, clip: str) -> None:
    path = shared_data / "video" / clip
    stamps = [frame.pts_ns for frame in decode_frames(path)]
    assert stamps == frame_pts_ns(path).tolist()
    assert probe_video(path).n_frames == len(stamps)
