"""Columns of any name go from a table to a capture, a session and its report, and come back the same."""

from __future__ import annotations

import csv
import html
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataset.capture.reader import Capture
from dataset.importers.emg_columns import RESERVED, clean_name, not_emg_by_name
from dataset.muscles import recognise
from dataset.session.file import check_session, group_name, read_session, write_session
from dataset.session.types import Aligned, ChannelTable, EmgStream, EventTable, ExerciseTable, Session, StreamSync
from dataset.support.errors import InputError
from sync import cli
from sync.calibration import names as label_names
from sync.events.contacts import ContactKind
from sync.import_files import import_files
from sync.options import ImportOptions
from sync.report import figures
from sync.result import ContactEvidence
from sync.session_summary import session_as_text
from tests.sealed import edited_session

ODD = ("EMG 1", "a/b", ".", "..", "$x_1$ and $y", "[bold]red[/bold]", "[/red]", "<script>alert(1)</script>", "筋肉",
       "_hidden", "n" * 300, "%2F", "left_a/b", "video", "", "a", "a", r"\alpha$")  # fmt: skip


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small grey clip."""
    path = tmp_path_factory.mktemp("film") / "v.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(150):
            grey = np.full((48, 64, 3), 80 + i % 3, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode())
    return path


def table(path: Path, names: Sequence[str], rows: int = 60) -> Path:
    value = np.random.default_rng(0).integers(80, 140, (rows, len(names)))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["time_s", *names])
        writer.writerows([f"{i / 10 + 0.002 * (i % 3):.3f}", *row] for i, row in enumerate(value))
    return path


def session_of(channels: Sequence[str]) -> Session:
    n, blank = 5, ("",) * len(channels)
    time_s = np.arange(n) / 10
    emg = np.arange(float(n * len(channels))).reshape(n, -1)
    return Session(
        subject="S01", session_uuid="u", created_utc="2026-01-01", zero_host_ns=0, verdict="PASS", verdict_reason="",
        rate_hz=10.0,
        channels=ChannelTable(name=tuple(channels), muscle=tuple(channels), side=blank, unit=blank, profile=blank,
                              serial=blank, placement=blank, electrode=blank),
        emg={c: EmgStream(time_s=time_s, value=emg[:, i], arrival_s=time_s, index_inferred=False)
             for i, c in enumerate(channels)},
        events=EventTable(time_s=np.zeros(0), uncertainty_s=np.zeros(0), kind=(), label=(), source=()),
        exercises=ExerciseTable(name=(), start_s=np.zeros(0), stop_s=np.zeros(0)),
        sync={c: StreamSync(method="m", verdict="PASS", reason=str(i)) for i, c in enumerate(("video", *channels))},
        aligned=Aligned(time_s=time_s, emg=emg, emg_valid=emg >= 0, segment=np.zeros(n, dtype=np.int64),
                        exercise=("",) * n),
        provenance=(),
    )  # fmt: skip


TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(TEXT, min_size=1, max_size=5))
def test_any_text_as_a_name_comes_back_from_the_session(film: Path, names: list[str]) -> None:
    try:
        channels = imported(film, names)
    except InputError as error:
        assert "is sEMG" in error.what
        return
    check_round_trip(channels)


def test_odd_names_come_back_from_the_session(film: Path) -> None:
    check_round_trip(imported(film, ODD))


@settings(max_examples=12, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=5, unique=True))
def test_a_session_keeps_any_names(names: list[str]) -> None:
    check_round_trip([name for name in names if "\0" not in name and name not in RESERVED] or ["a"])


def imported(film: Path, names: Sequence[str]) -> list[str]:
    """Return the channels that columns of these names become in a capture, having seen that none lost its name."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with Capture.open(
            import_files(folder / "c", ImportOptions(video=film, emg=table(folder / "e.csv", names, rows=25)))
        ) as capture:
            channels = [s.channel for s in capture.sensors]
    own = {n for n in map(clean_name, names) if n and n not in RESERVED and not not_emg_by_name(n)}
    assert {n for n in own if recognise(n).channel is None} <= set(channels)
    return channels


def check_round_trip(channels: list[str]) -> None:
    """Write a session of these channels, read it, and compare everything that goes by their names."""
    with tempfile.TemporaryDirectory() as made:
        path, stored = Path(made) / "s.h5", session_of(channels)
        write_session(path, stored)
        assert check_session(path) == []
        back = read_session(path)
    assert back.channels.name == tuple(channels)
    assert list(back.emg) == channels
    assert {c: back.emg[c].value.tolist() for c in channels} == {c: stored.emg[c].value.tolist() for c in channels}
    assert {name: s.reason for name, s in back.sync.items()} == {n: s.reason for n, s in stored.sync.items()}
    assert all(channel in session_as_text(back) for channel in channels)


@given(st.lists(st.text(), unique=True, max_size=20))
def test_no_two_names_share_a_group(names: list[str]) -> None:
    groups = [group_name(name) for name in names]
    assert len(set(groups)) == len(names)
    assert all(g and g != "." and "/" not in g and "\0" not in g for g in groups)


@pytest.mark.parametrize("name", ["left_biceps", "EMG 1", "50 %", "a.b", "Bizeps é"])
def test_a_name_that_hdf5_takes_is_the_groups_own(name: str) -> None:
    assert group_name(name) == name


def test_two_channels_of_one_name_are_no_valid_session(tmp_path: Path) -> None:
    write_session(tmp_path / "s.h5", session_of(["a", "b"]))
    with edited_session(tmp_path / "s.h5") as file:
        file["channels/name"][:] = [b"a", b"a"]
    assert check_session(tmp_path / "s.h5") == ["two channels are called 'a'"]


def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["mia-sync", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    out = capsys.readouterr()
    return int(left.value.code or 0), out.out, out.err


@pytest.mark.parametrize("count", [3, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 13, 64))])
def test_any_number_of_channels_of_any_name_passes_through_every_command(
    count: int, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = (*ODD, *(f"EMG {i}" for i in range(2, 80)))[:count]
    emg = table(tmp_path / "e.csv", names)
    code, out, err = call(
        monkeypatch, capsys, "import", "files", "--out", tmp_path / "c", "--video", film, "--emg", emg, "--json"
    )
    assert code == 0, err
    channels = [c["channel"] for c in json.loads(out)["channels"]]
    assert len(channels) == count
    code, out, err = call(
        monkeypatch, capsys, "run", tmp_path / "c", "--out", tmp_path / "S", "--no-pose", "--allow-unverified", "--json"
    )
    assert code == 0, err
    told = json.loads(out)["sessions"][0]
    assert set(told["streams"]) == {*channels, "video"}
    page = Path(told["report"]).read_text(encoding="utf-8")
    assert all(html.escape(channel.removeprefix("left_")) in page for channel in channels)
    assert "<script>alert" not in page
    for command in ("show", "check", "lag"):
        code, out, err = call(monkeypatch, capsys, command, told["session"])
        assert code == 0, err
    code, out, _ = call(monkeypatch, capsys, "show", told["session"], "--json")
    assert json.loads(out)["channels"] == channels


def test_a_column_is_the_channel_that_is_given(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    emg = table(tmp_path / "e.csv", ["RECTUS FEM. LT", "a=b", "Marker", "Trigger"])
    given = ["--channel", "RECTUS FEM. LT=left_quadriceps", "--channel", "a=b=right_triceps", "--channel", "Marker=m"]
    files = ["--video", film, "--emg", emg]
    code, out, err = call(monkeypatch, capsys, "import", "files", "--out", tmp_path / "c", *files, *given)
    assert code == 0
    assert "left_quadriceps, right_triceps, m" in out
    assert "'Trigger' is left out: by its name it is a marker or trigger" in err
    with Capture.open(tmp_path / "c") as capture:
        assert [(s.channel, s.muscle, s.side, s.name) for s in capture.sensors] == [
            ("left_quadriceps", "quadriceps", "left", "RECTUS FEM. LT"), ("right_triceps", "triceps", "right", "a=b"),
            ("m", "m", "", "Marker"),
        ]  # fmt: skip


@pytest.mark.parametrize("option", ["left_biceps", "=left_biceps", "a=", "none=left_biceps", "a=video"])
def test_a_channel_option_that_says_nothing_is_refused(
    option: str, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    emg = table(tmp_path / "e.csv", ["a"])
    files = ["--out", tmp_path / "c", "--video", film, "--emg", emg]
    code, out, err = call(monkeypatch, capsys, "import", "files", *files, "--channel", option)
    assert (code, out) == (2, "")
    assert err.count("error:") == 1 and "hint:" in err
    assert not (tmp_path / "c").exists()


def test_text_in_a_marker_column_is_no_fault(film: Path, tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    rows = [f"{i / 10},{'jump' if i == 3 else ''},{(7 * i) % 11}" for i in range(30)]
    path.write_text("time_s,Marker,L biceps\n" + "\n".join(rows) + "\n")
    with Capture.open(import_files(tmp_path / "c", ImportOptions(video=film, emg=path))) as capture:
        assert [s.channel for s in capture.sensors] == ["left_biceps"]


@pytest.mark.parametrize(
    "channels",
    [
        ("$x_1$ and $y", "_hidden"),
        pytest.param([n for n in dict.fromkeys(ODD) if n], marks=pytest.mark.slow),
        pytest.param([f"EMG {i}" for i in range(64)], marks=pytest.mark.slow),
    ],
    ids=["two", "odd", "many"],
)
def test_figures_take_any_name(channels: Sequence[str]) -> None:
    t = np.linspace(-0.5, 1.0, 16)
    contact = ContactEvidence(
        kind=ContactKind.CLAP, time_s=1.0, pts_s=1.0, uncertainty_s=0.01, sound_time_s=t, sound=np.abs(t)
    )
    drawn = (
        figures.contact_figure([(contact, [(c, t, t**2, 0.1) for c in channels])]),
        figures.response_figure([(c, [(t, t**2)], 0.1, 0.01, "note") for c in channels]),
        figures.lag_figure(t, [(c, t**2, 0.1, "knee speed") for c in channels], 0.1),
        figures.arrivals_figure([(c, t, np.abs(t)) for c in channels]),
    )
    assert all(image.startswith("data:image/svg+xml") for image in drawn)


@pytest.mark.parametrize(
    ("label", "channel", "means"),
    [("EMG 1", "EMG 1", True), ("upper", "upper_trapezius", False), ("left", "left_biceps", True),
     ("Biceps", "left_biceps", True), ("left biceps", "left_biceps", True), ("EMG 2", "EMG 1", False)],
)  # fmt: skip
def test_marks_of_a_calibration_name_channels_of_any_name(label: str, channel: str, means: bool) -> None:
    assert label_names(label, channel) is means
