"""Other apps' tables as a capture, and bad tables refused with row and column."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
import pytest

from dataset.capture.reader import Capture
from dataset.capture.types import Sensor
from dataset.capture.writer import CaptureHeader, CaptureWriter
from dataset.sensors.decode import decode
from dataset.sensors.profile import find_profile
from dataset.support.errors import CaptureError, InputError, MiaError, OutputExistsError, VideoError
from sync.import_files import import_files, read_emg
from sync.options import ImportOptions
from sync.read_capture import read_recording
from sync.time_unit import TimeUnit


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
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


def table(folder: Path, text: str, name: str = "e.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_values_times_blanks_and_events_are_kept(tmp_path: Path, video: Path) -> None:
    emg = table(tmp_path, "time_s,left_biceps,right_quadriceps\n0.5,10,20\n0.6,,21\n0.7,12,22.5\n")
    flashes = table(tmp_path, "time_s\n0.65\n0.55\n", "f.csv")
    exercises = table(tmp_path, "name,start_s,stop_s\nHook Punch,0.5,0.6\n", "x.csv")
    out = import_files(
        tmp_path / "cap", ImportOptions(video=video, emg=emg, flashes=flashes, exercises=exercises, subject="K7")
    )
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
        ("time_s,a\n0,1\n", ("too short",)),
        ("", ("empty",)),
        ("time_s;a\n0;1\n1;2\n", ("separated by commas",)),
        ("time_s;a\n0,5;1\n1,5;2\n", ("separated by commas",)),
        ("time_s\ta\n0\t1\n", ("separated by commas",)),
        ("time_s,a\n0,1\n0.2,2\n0.1,3\n", ("row 4", "time_s", "jumps back")),
        ('time_s,a\n"0,5",1\n', ("row 2", "'0,5'")),
        ("time_s,a\n0,\n0.1, \n", ("no value",)),
        ("time_s,a\n0,1\n1e10,2\n", ("row 3", "out of range")),
        ("time_s,a\n-1e300,1\n0,2\n", ("row 2", "out of range")),
    ],
)
def test_a_bad_table_is_refused_naming_row_and_column_and_leaves_nothing(
    tmp_path: Path, video: Path, text: str, said: tuple[str, ...]
) -> None:
    emg = table(tmp_path, text)
    with pytest.raises(InputError) as caught:
        import_files(tmp_path / "cap", ImportOptions(video=video, emg=emg))
    assert all(part in str(caught.value) for part in said), str(caught.value)
    assert caught.value.exit_code == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["e.csv"]


@pytest.mark.parametrize(
    ("option", "text"), [("flashes", "time_s\n1e10\n"), ("exercises", "name,start_s,stop_s\nsquat,1,1e300\n")]
)
def test_times_that_no_clock_holds_are_refused_in_tables_of_events(
    tmp_path: Path, video: Path, option: str, text: str
) -> None:
    emg, bad = table(tmp_path, "time_s,a\n0,1\n0.1,1\n"), table(tmp_path, text, "bad.csv")
    flashes, exercises = (bad, None) if option == "flashes" else (None, bad)
    with pytest.raises(InputError, match=r"row 2.*1e"):
        import_files(tmp_path / "cap", ImportOptions(video=video, emg=emg, flashes=flashes, exercises=exercises))
    assert not (tmp_path / "cap").exists()


@pytest.mark.parametrize("name", ["f", "x"])
def test_bad_tables_of_events_are_refused(tmp_path: Path, video: Path, name: str) -> None:
    emg = table(tmp_path, "time_s,a\n0,1\n0.1,1\n")
    bad = table(tmp_path, "time_s,name,start_s,stop_s\n1,squat,3,x\n" if name == "x" else "time_s\nsoon\n", "bad.csv")
    flashes, exercises = (None, bad) if name == "x" else (bad, None)
    with pytest.raises(InputError, match="row 2"):
        import_files(tmp_path / "cap", ImportOptions(video=video, emg=emg, flashes=flashes, exercises=exercises))


def test_missing_and_undecodable_inputs_are_refused(tmp_path: Path, video: Path) -> None:
    emg = table(tmp_path, "time_s,a\n0,1\n0.1,1\n")
    broken = table(tmp_path, "this is no video", "v.mp4")
    with pytest.raises(VideoError):
        import_files(tmp_path / "cap", ImportOptions(video=broken, emg=emg))
    with pytest.raises(MiaError):
        import_files(tmp_path / "cap", ImportOptions(video=tmp_path / "none.mp4", emg=emg))
    with pytest.raises(InputError):
        import_files(tmp_path / "cap", ImportOptions(video=video, emg=tmp_path / "none.csv"))
    assert not (tmp_path / "cap").exists()


def test_an_existing_capture_is_never_overwritten(tmp_path: Path, video: Path) -> None:
    emg = table(tmp_path, "time_s,a\n0,1\n0.1,1\n")
    import_files(tmp_path / "cap", ImportOptions(video=video, emg=emg))
    with pytest.raises(OutputExistsError):
        import_files(tmp_path / "cap", ImportOptions(video=video, emg=emg))


def test_blank_cells_are_not_a_number(tmp_path: Path) -> None:
    read = read_emg(table(tmp_path, "time_s,a,b\n0,1,\n0.1, ,2\n\n"))
    assert np.isnan(read.value).tolist() == [[False, True], [True, False]]


def test_equal_stamps_are_packets_and_are_taken(tmp_path: Path, video: Path) -> None:
    emg = table(tmp_path, "time_s,a\n0,1\n0,2\n0.01,3\n0.01,4\n0.02,5\n0.02,6\n")
    with Capture.open(import_files(tmp_path / "cap", ImportOptions(video=video, emg=emg))) as capture:
        samples = decode(find_profile("float64-le"), capture.notifications(1))
    assert samples.arrival_ns.tolist() == [0, 0, 10_000_000, 10_000_000, 20_000_000, 20_000_000]
    assert samples.value.tolist() == [1, 2, 3, 4, 5, 6]


def rows_of(times: Iterable[float], fmt: str = "{:.6f}") -> str:
    return "time_s,a\n" + "".join(f"{fmt.format(t)},{k % 7}\n" for k, t in enumerate(times))


@pytest.mark.parametrize("rate_hz", [10.0, 100.0, 1000.0, 2000.0])
@pytest.mark.parametrize("unit", [TimeUnit.MS, TimeUnit.US])
def test_times_in_another_unit_are_refused_by_its_name(
    tmp_path: Path, video: Path, rate_hz: float, unit: TimeUnit
) -> None:
    """The film of two seconds tells which, where the rate would allow either."""
    time_s = 35.9 + np.arange(round(2 * rate_hz)) / rate_hz
    emg = table(tmp_path, rows_of(time_s * unit.per_second))
    with pytest.raises(InputError) as caught:
        import_files(tmp_path / "cap", ImportOptions(video=video, emg=emg))
    assert f"--time-unit {unit.value}," in str(caught.value.hint)
    out = import_files(tmp_path / "cap", ImportOptions(video=video, emg=emg, time_unit=unit))
    with Capture.open(out) as capture:
        arrival_ns = decode(find_profile("float64-le"), capture.notifications(1)).arrival_ns
    np.testing.assert_allclose(arrival_ns * 1e-9, time_s, atol=2e-9)


@pytest.mark.parametrize("rate_hz", [5.0, 10.0, 1000.0])
def test_seconds_are_seconds(tmp_path: Path, rate_hz: float) -> None:
    """Also where the table is much longer than the film."""
    read = read_emg(table(tmp_path, rows_of(np.arange(3000) / rate_hz)), film_s=2.0)
    np.testing.assert_allclose(read.time_s, np.arange(3000) / rate_hz, atol=1e-6)
    slow = table(tmp_path, rows_of(np.arange(50.0) * 2), "slow.csv")
    assert read_emg(slow, time_unit=TimeUnit.S).time_s[-1] == 98.0


def test_flashes_and_exercises_have_the_tables_unit(tmp_path: Path, video: Path) -> None:
    emg = table(tmp_path, rows_of(1456704054000000 + 10_000 * np.arange(50), "{:.0f}"))
    flashes = table(tmp_path, "time_s\n1456704054100000\n", "f.csv")
    exercises = table(tmp_path, "name,start_s,stop_s\nsquat,1456704054100000,1456704054200000\n", "x.csv")
    out = import_files(
        tmp_path / "cap",
        ImportOptions(video=video, emg=emg, flashes=flashes, exercises=exercises, time_unit=TimeUnit.US),
    )
    with Capture.open(out) as capture:
        assert [e.t_ns // 1000 for e in capture.events("flash")] == [1456704054100000]
        assert [e.t_ns // 1000 for e in capture.events("exercise_stop")] == [1456704054200000]
        assert capture.notifications(1).arrival_ns[0] // 1000 == 1456704054000000


@pytest.mark.parametrize(
    ("times", "row", "longest"),
    [
        ([-3.2e7, *np.arange(30) / 10], 3, 2),
        ([*np.arange(30) / 10, 3.2e7], 32, 1),
        ([*np.arange(30) / 10, *np.arange(40) / 10], 32, 2),
        ([3.2e7, *np.arange(30) / 10], 3, 2),
    ],
)
def test_a_clock_that_was_set_is_refused_by_row_and_can_be_cut(
    tmp_path: Path, video: Path, times: list[float], row: int, longest: int
) -> None:
    emg = table(tmp_path, rows_of(times))
    with pytest.raises(InputError, match=f"row {row}, column 'time_s'") as caught:
        import_files(tmp_path / "cap", ImportOptions(video=video, emg=emg))
    assert f"--epoch {longest}" in str(caught.value.hint)
    assert not (tmp_path / "cap").exists()
    n = max(k for k in (30, 40) if k < len(times)) if row == 32 and longest == 2 else 30
    out = import_files(tmp_path / "cap", ImportOptions(video=video, emg=emg, epoch=longest))
    with Capture.open(out) as capture:
        arrival_ns = capture.notifications(1).arrival_ns
    np.testing.assert_allclose(arrival_ns * 1e-9, np.arange(n) / 10, atol=1e-9)
    with pytest.raises(InputError, match="no epoch 9"):
        read_emg(emg, epoch=9)


def test_a_table_of_days_is_refused_before_anything_is_laid_out_over_it(tmp_path: Path) -> None:
    emg = table(tmp_path, rows_of(np.arange(40) * 8000.0))
    with pytest.raises(InputError, match=r"span 3\.6 days"):
        read_emg(emg, time_unit=TimeUnit.S)


def test_a_capture_that_spans_a_year_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    sensor = Sensor(slot=1, channel="left_biceps", muscle="biceps", side="left", profile=find_profile("float64-le"))
    writer = CaptureWriter(
        tmp_path, subject="S01", sensors=[sensor], header=CaptureHeader(host_clock="file", clock_resolution_ns=1)
    )
    for at_s in (0.0, *(3.2e7 + np.arange(30) / 10)):
        writer.notification(1, 0, "file", round(at_s * 1e9), struct.pack("<d", at_s % 3))
    writer.close()
    with Capture.open(tmp_path) as capture, pytest.raises(CaptureError, match=r"span 370\.4 days"):
        read_recording(capture, None)


@pytest.mark.parametrize("pattern", ["rate change", "gaps", "rows missing"])
def test_exact_times_reach_the_recording(tmp_path: Path, video: Path, pattern: str) -> None:
    """A rate that halves was half a second off, twenty gaps 204 ms, one row of twenty missing 25 ms."""
    rng = np.random.default_rng(1)
    time_s = 35.619925 + np.concatenate([np.arange(3000) / 1000, 3 + np.arange(1500) / 500])
    if pattern == "gaps":
        time_s = np.delete(time_s, np.concatenate([np.arange(at, at + 60) for at in rng.integers(0, 4400, 20)]))
    elif pattern == "rows missing":
        time_s = time_s[rng.random(len(time_s)) > 0.05]
    out = import_files(tmp_path / "cap", ImportOptions(video=video, emg=table(tmp_path, rows_of(time_s))))
    with Capture.open(out) as capture:
        zero_ns, recording = read_recording(capture, None)
    stamps_ns = np.round(np.round(time_s, 6) * 1e9).astype(np.int64)
    clock = recording.sensors["a"].clock
    assert zero_ns == stamps_ns[0]
    np.testing.assert_array_equal(clock.time_s, (stamps_ns - zero_ns) * 1e-9)
    assert clock.ci95_s == 0.0
    if pattern == "gaps":
        assert 1 - recording.sensors["a"].delivered(0.0, clock.time_s[-1]) == pytest.approx(0.2, abs=0.06)
    else:
        assert recording.sensors["a"].delivered(0.0, clock.time_s[-1]) == 1.0
