"""Phone-like files: every frame at its own time, cut by edit lists, turned, in parts; sound where the file lays it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.media.facts import examine_video
from dataset.media.sequence import as_one_video, check_sequence, describe_files, playlist_files, write_playlist
from dataset.media.sound import read_sound
from dataset.media.video import PLAYLIST, decode_frames, frame_pts_ns, iter_frames
from dataset.support.errors import VideoError
from tests.unit.phone import codec_available, film, phone_times_ms, pyav_times_ns

HEVC = pytest.param("libx265", marks=pytest.mark.skipif(not codec_available("libx265"), reason="no HEVC encoder"))


def click_s(path: Path) -> float:
    """Return the presentation time of the loudest sample."""
    sound = read_sound(path)
    assert sound is not None
    return float(sound.start_s + np.argmax(np.abs(sound.samples[:])) / sound.rate_hz)


@pytest.mark.parametrize("codec", [HEVC, "libx264"])
@pytest.mark.parametrize("turned", [False, True])
def test_an_irregular_phone_file_keeps_its_own_times(tmp_path: Path, codec: str, turned: bool) -> None:
    times_ms = phone_times_ms(60, 4)
    path = film(tmp_path / "v.mp4", times_ms, codec=codec, flash_at=20, click_ms=times_ms[20], turned=turned)
    facts = examine_video(path)
    assert facts.codec == ("hevc" if codec == "libx265" else "h264")
    assert (facts.rotation_deg, facts.width, facts.height) == ((90, 48, 64) if turned else (0, 64, 48))
    assert (round(facts.shortest_gap_s, 6), round(facts.longest_gap_s, 6)) == (0.02, 0.159) and facts.variable_rate
    expected = pyav_times_ns(path)
    assert expected == [1_000_000 * t for t in times_ms]
    assert frame_pts_ns(path).tolist() == expected
    assert [f.pts_ns for f in iter_frames(path)] == expected
    luma = {frame.pts_ns: float(frame.luma(1, 1).mean()) for frame in decode_frames(path)}
    assert list(luma) == expected and max(luma, key=lambda pts: luma[pts]) == expected[20]
    assert click_s(path) == pytest.approx(times_ms[20] / 1000, abs=0.001)
    assert facts.sound_offset_s == 0 and facts.priming_told


@pytest.mark.parametrize("rate_hz", [60, 240])
def test_fast_cameras_are_read_frame_by_frame(tmp_path: Path, rate_hz: int) -> None:
    times_ms = [round(k * 1000 / rate_hz) for k in range(rate_hz)]
    path = film(tmp_path / "v.mp4", times_ms, codec="libx264", sound=False)
    facts = examine_video(path)
    assert facts.n_frames == rate_hz and not facts.sound_codec and facts.sound_offset_s is None
    assert facts.median_gap_s == pytest.approx(1 / rate_hz, abs=0.001)
    assert frame_pts_ns(path).tolist() == pyav_times_ns(path)


@pytest.mark.parametrize(
    ("times_ms", "shown_ms", "offset_s"),
    [
        ([-200, -160, -100, 0, 33, 70, 400], [0, 33, 70, 400], 0.0),  # an edit that cuts the beginning off
        ([500, 533, 570, 900], [500, 533, 570, 900], -0.5),  # an empty edit: the picture begins after the sound
    ],
)
def test_edit_lists_are_followed(tmp_path: Path, times_ms: list[int], shown_ms: list[int], offset_s: float) -> None:
    path = film(tmp_path / "v.mp4", times_ms, codec="libx264", click_ms=250.0)
    assert b"elst" in path.read_bytes()
    assert (frame_pts_ns(path) // 1_000_000).tolist() == shown_ms
    assert [f.pts_ns for f in iter_frames(path)] == pyav_times_ns(path)
    assert examine_video(path).sound_offset_s == pytest.approx(offset_s, abs=1e-6)
    assert click_s(path) == pytest.approx(0.25, abs=0.001)


def test_sound_that_begins_later_than_the_picture_is_told(tmp_path: Path) -> None:
    path = film(tmp_path / "v.mp4", phone_times_ms(30, 2), codec="libx264", sound_from_ms=300, click_ms=700.0)
    assert examine_video(path).sound_offset_s == pytest.approx(0.3, abs=0.022)  # less AAC's own silence
    assert click_s(path) == pytest.approx(0.7, abs=0.001)


def test_parts_are_one_video_whose_pictures_follow_one_another(tmp_path: Path) -> None:
    (tmp_path / "it's here").mkdir()
    parts = []
    for k, name in enumerate(("a.mp4", "it's here/b.mp4", "c.mp4")):
        times_ms = phone_times_ms(25, k)
        parts.append(film(tmp_path / name, times_ms, codec="libx264", first_grey=30 * k, click_ms=times_ms[12]))
    facts = [examine_video(path) for path in parts]
    with as_one_video(parts) as path:
        assert path is not None and playlist_files(path) == tuple(p.resolve() for p in parts)
        times_s = frame_pts_ns(path) * 1e-9
        begins_s = np.cumsum([0.0, *(f.end_s for f in facts[:-1])])
        expected = np.concatenate([b + np.array(pyav_times_ns(p)) * 1e-9 for b, p in zip(begins_s, parts, strict=True)])
        np.testing.assert_allclose(times_s, expected, atol=1.5e-5)  # a tick of the file's clock
        shown = list(iter_frames(path))
        assert [f.pts_ns * 1e-9 for f in shown] == times_s.tolist()
        greys = [float(f.image.mean()) for f in shown]
        assert abs(greys[25] - 30) < 6 and abs(greys[50] - 60) < 6
        some = list(iter_frames(path, indices=np.array([3, 40, 70])))
        assert [f.index for f in some] == [3, 40, 70] and abs(float(some[2].image.mean()) - greys[70]) < 1e-9
        sound = read_sound(path)
        assert sound is not None
        loud = np.abs(sound.samples[:])
        for begin_s, part in zip(begins_s, parts, strict=True):
            at_s = begin_s + pyav_times_ns(part)[12] * 1e-9
            near = slice(round((at_s - 0.05) * 48000), round((at_s + 0.05) * 48000))
            assert (near.start + np.argmax(loud[near])) / 48000 == pytest.approx(at_s, abs=0.003)
        names, sums = describe_files(path)
        assert names.count(" + ") == sums.count(" + ") == 2
    assert not path.exists()


def test_one_file_or_none_needs_no_playlist(tmp_path: Path) -> None:
    with as_one_video([]) as path:
        assert path is None
    with as_one_video([tmp_path / "v.mp4"]) as path:
        assert path == tmp_path / "v.mp4"


@given(st.text(alphabet="abc' \\é", min_size=1, max_size=12).filter(lambda s: s.strip(" .") == s))
@settings(max_examples=30, deadline=None)
def test_any_name_survives_a_playlist(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.mktemp("names")
    path = film(folder / "v.mp4", [0, 33], codec="libx264", sound=False).rename(folder / f"{name}.mp4")
    facts = examine_video(path)
    write_playlist(folder / f"list{PLAYLIST}", [facts, facts])
    assert playlist_files(folder / f"list{PLAYLIST}") == (path.resolve(), path.resolve())
    assert len(frame_pts_ns(folder / f"list{PLAYLIST}")) == 4


def test_files_of_different_cameras_are_no_sequence(tmp_path: Path) -> None:
    a = film(tmp_path / "a.mp4", [0, 33, 66], codec="libx264", sound=False)
    b = film(tmp_path / "b.mp4", [0, 33, 66], codec="libx264", sound=True)
    with pytest.raises(VideoError, match=r"a.mp4 and b.mp4 are not parts.*sound: none and aac"):
        check_sequence([examine_video(a), examine_video(b)])
    turned = film(tmp_path / "c.mp4", [0, 33, 66], codec="libx264", sound=False, turned=True)
    with pytest.raises(VideoError, match="picture: 64x48 and 48x64"), as_one_video([a, turned]):
        pass
