"""Other apps' tables as a capture, and bad tables refused with row and column."""

from __future__ import annotations

import av
import numpy as np
import pytest

from dataset.capture import Capture
from dataset.errors import InputError, MiaError, OutputExistsError, VideoError
from dataset.profiles import decode
from dataset.profiles.profile import find_profile
from sync.importing import import_files, read_emg


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A small grey clip."""
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(50):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 80 + i % 3, dtype=np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def table(folder, text, name="e.csv"):
    path = folder / name
    path.write_text(text)
    return path


def test_values_times_blanks_and_events_are_kept(tmp_path, video):
    emg = table(tmp_path, "time_s,left_biceps,right_quadriceps\n0.5,10,20\n0.6,,21\n0.7,12,22.5\n")
    flashes = table(tmp_path, "time_s\n0.65\n0.55\n", "f.csv")
    exercises = table(tmp_path, "name,start_s,stop_s\nHook Punch,0.5,0.6\n", "x.csv")
    out = import_files(tmp_path / "cap", video=video, emg=emg, flashes=flashes, exercises=exercises, subject="K7")
    with Capture.open(out) as capture:
        assert capture.subject == "K7"
        assert capture.meta["host_clock"] == "file"
        assert [s.channel for s in capture.sensors] == ["left_biceps", "right_quadriceps"]
        assert capture.sensors[0].muscle == "biceps"
        samples = decode(find_profile("float64-le"), capture.notifications(1))
        assert samples.arrival_ns.tolist() == [500_000_000, 700_000_000]
        assert samples.value.tolist() == [10.0, 12.0]
        assert [e.t_ns for e in capture.events("flash")] == [550_000_000, 650_000_000]
        assert [e.label for e in capture.events("exercise_start", "exercise_stop")] == ["hook_punch"] * 2
        assert capture.video_path == video.resolve()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time_s,a\n0,1\n0.1,abc\n", ("row 3", "'a'", "'abc'")),
        ("time_s,a\n0,1\n0.1,inf\n", ("row 3", "'a'")),
        ("time_s,a\n0,1\n0.1\n", ("row 3", "columns")),
        ("t,a\n0,1\n", ("'t'", "time_s")),
        ("time_s\n0\n", ("no column",)),
        ("time_s,a\n0,1\n0,2\n", ("row 3", "time_s")),
        ("time_s,a\n0,1\n,2\n", ("row 3", "time_s")),
        ("time_s,a\n0,1\n", ("too little",)),
        ("", ("empty",)),
        ("time_s;a\n0;1\n1;2\n", ("separated by commas",)),
        ("time_s;a\n0,5;1\n1,5;2\n", ("separated by commas",)),
        ("time_s\ta\n0\t1\n", ("separated by commas",)),
        ('time_s,a\n"0,5",1\n', ("row 2", "'0,5'")),
        ("time_s,a\n0,\n0.1, \n", ("no value",)),
        ("time_s,a\n0,1\n1e10,2\n", ("row 3", "out of range")),
        ("time_s,a\n-1e300,1\n0,2\n", ("row 2", "out of range")),
    ],
)
def test_a_bad_table_is_refused_naming_row_and_column_and_leaves_nothing(tmp_path, video, text, said):
    emg = table(tmp_path, text)
    with pytest.raises(InputError) as caught:
        import_files(tmp_path / "cap", video=video, emg=emg)
    assert all(part in str(caught.value) for part in said), str(caught.value)
    assert caught.value.exit_code == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["e.csv"]


@pytest.mark.parametrize(
    ("option", "text"), [("flashes", "time_s\n1e10\n"), ("exercises", "name,start_s,stop_s\nsquat,1,1e300\n")]
)
def test_times_that_no_clock_holds_are_refused_in_tables_of_events(tmp_path, video, option, text):
    emg = table(tmp_path, "time_s,a\n0,1\n0.1,1\n")
    with pytest.raises(InputError, match=r"row 2.*1e"):
        import_files(tmp_path / "cap", video=video, emg=emg, **{option: table(tmp_path, text, "bad.csv")})
    assert not (tmp_path / "cap").exists()


@pytest.mark.parametrize("name", ["f", "x"])
def test_bad_tables_of_events_are_refused(tmp_path, video, name):
    emg = table(tmp_path, "time_s,a\n0,1\n0.1,1\n")
    bad = table(tmp_path, "time_s,name,start_s,stop_s\n1,squat,3,x\n" if name == "x" else "time_s\nsoon\n", "bad.csv")
    given = {"exercises": bad} if name == "x" else {"flashes": bad}
    with pytest.raises(InputError, match="row 2"):
        import_files(tmp_path / "cap", video=video, emg=emg, **given)


def test_missing_and_undecodable_inputs_are_refused(tmp_path, video):
    emg = table(tmp_path, "time_s,a\n0,1\n0.1,1\n")
    broken = table(tmp_path, "this is no video", "v.mp4")
    with pytest.raises(VideoError):
        import_files(tmp_path / "cap", video=broken, emg=emg)
    with pytest.raises(MiaError):
        import_files(tmp_path / "cap", video=tmp_path / "none.mp4", emg=emg)
    with pytest.raises(InputError):
        import_files(tmp_path / "cap", video=video, emg=tmp_path / "none.csv")
    assert not (tmp_path / "cap").exists()


def test_an_existing_capture_is_never_overwritten(tmp_path, video):
    emg = table(tmp_path, "time_s,a\n0,1\n0.1,1\n")
    import_files(tmp_path / "cap", video=video, emg=emg)
    with pytest.raises(OutputExistsError):
        import_files(tmp_path / "cap", video=video, emg=emg)


def test_blank_cells_are_not_a_number(tmp_path):
    read = read_emg(table(tmp_path, "time_s,a,b\n0,1,\n0.1, ,2\n\n"))
    assert np.isnan(read.value).tolist() == [[False, True], [True, False]]
