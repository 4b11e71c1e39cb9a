"""Rest and maximum on the whole way: marked in a capture, stored beside the counts, shown, and in the report."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from acquire.protocol.protocol import parse_protocol
from acquire.virtual.film import Film
from acquire.virtual.simulate import simulate
from acquire.virtual.simulate_options import SimulateOptions
from dataset.session.file import check_sessions, read_session
from sync.options import SyncOptions
from sync.pipeline import run_capture
from sync.result import SyncResult
from sync.session_summary import session_as_dict, session_as_text
from tests.present import present
from tests.sealed import seal_again

Made = tuple[SyncResult, dict[str, Any]]

PROTOCOL = """
name = "short"
rest_s = 4.0
lead_in_s = 4.0
[sync]
claps = 4
stomps = 4
[[exercises]]
name = "squat"
seconds = 4.0
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A simulated recording whose exercise is marked as the legs' contraction, and its session."""
    root = tmp_path_factory.mktemp("calibration")
    capture = simulate(
        root / "captures",
        SimulateOptions(subject="M", minutes=None, seed=5, protocol=(parse_protocol(PROTOCOL, "short"), PROTOCOL)),
    )
    squat = json.loads((capture / "truth.json").read_text())["exercises"][0]
    start, stop = squat["start_host_ns"], squat["stop_host_ns"]
    marks = [
        (start, "contract_start", "quadriceps"), (stop, "contract_stop", "quadriceps"),
        (stop + 400_000_000, "rest_start", ""), (stop + 3_900_000_000, "rest_stop", ""),
    ]  # fmt: skip
    database = sqlite3.connect(capture / "capture.db")
    with database:
        database.executemany(
            "INSERT INTO event (t_ns, uncertainty_ns, kind, label, source, detail) VALUES (?, 0, ?, ?, 'test', '{}')",
            marks,
        )
    database.close()
    seal_again(capture)
    return run_capture(capture, root / "sessions", SyncOptions(pose=False)), squat


def test_they_are_what_the_stored_values_say(made: Made) -> None:
    result, squat = made
    session = read_session(present(result.session_path))
    zero = session.zero_host_ns
    start, stop = ((squat[k] - zero) * 1e-9 for k in ("start_host_ns", "stop_host_ns"))
    legs, calibration = 0, present(session.calibration)
    for i, name in enumerate(session.channels.name):
        stream, rest, maximum = session.emg[name], calibration.rest_counts[i], calibration.mvc_counts[i]
        during_rest = stream.value[(stream.time_s > stop + 0.9) & (stream.time_s < stop + 3.4)]
        assert rest == pytest.approx(np.median(during_rest), abs=0.2 * np.ptp(during_rest) + 1e-9)
        if "quadriceps" not in name:
            assert np.isnan(maximum)
            continue
        legs += 1
        effort = stream.value[(stream.time_s >= start) & (stream.time_s <= stop)]
        assert np.median(effort) < maximum <= effort.max()
        assert maximum > rest
    assert legs == 2


def test_the_counts_stay_as_received_and_the_file_is_valid(made: Made) -> None:
    result, _ = made
    assert check_sessions([present(result.session_path)]) == {str(result.session_path): []}
    with h5py.File(result.session_path) as file:
        assert file["calibration/mvc_counts"].shape == file["channels/name"].shape
        assert file["calibration/rest_counts"].attrs["unit"] == "counts"
    session = read_session(present(result.session_path))
    top = max(stream.value.max() for stream in session.emg.values())
    assert top > 5.0  # counts, not shares of a maximum
    step = next(s for s in session.provenance if s["step"] == "calibration")
    assert (step["n_rests"], step["n_contractions"], step["n_marks_without_partner"]) == (1, 1, 0)


def test_they_are_shown(made: Made) -> None:
    result, _ = made
    session = read_session(present(result.session_path))
    told = json.loads(json.dumps(session_as_dict(session)["calibration"], allow_nan=False))
    assert told["left_biceps"]["mvc_counts"] is None
    assert told["left_quadriceps"]["mvc_counts"] == pytest.approx(
        present(session.calibration).mvc_counts[session.channels.name.index("left_quadriceps")]
    )
    assert "maximum not measured" in session_as_text(session)
    page = result.report_path.read_text()
    assert "Rest and maximum" in page
    assert f"{told['left_quadriceps']['mvc_counts']:.4g}" in page


SHORT = PROTOCOL.replace("squat", "twist") + "\n[calibration]\nrest_s = 2.5\ncontract_s = 1.6\n"


def test_what_the_recorder_asks_for_is_written_muscle_by_muscle(tmp_path: Path) -> None:
    """Rest, contraction, rest of each muscle: its own maximum, far above what it shows while others are flexed."""
    capture = simulate(
        tmp_path / "captures",
        SimulateOptions(
            subject="M",
            minutes=None,
            seed=6,
            protocol=(parse_protocol(SHORT, "short"), SHORT),
            calibrate=True,
            film=Film(width=320, height=240),
        ),
    )
    result = run_capture(capture, tmp_path / "sessions", SyncOptions(pose=False))
    session = read_session(present(result.session_path))
    calibration = present(session.calibration)
    rest, maximum = calibration.rest_counts, calibration.mvc_counts
    assert np.isfinite(rest).all() and np.isfinite(maximum).all()
    step = next(s for s in session.provenance if s["step"] == "calibration")
    assert (step["n_rests"], step["n_contractions"], step["n_marks_without_partner"]) == (16, 8, 0)
    assert step["labels_of_no_channel"] == []
    for i, name in enumerate(session.channels.name):
        stream, events = session.emg[name], session.events
        span = [
            next(t for t, k, label in zip(events.time_s, events.kind, events.label, strict=True)
                 if (k, label) == (f"contract_{end}", name))
            for end in ("start", "stop")
        ]  # fmt: skip
        held = stream.value[(stream.time_s > span[0] + 1.0) & (stream.time_s < span[1])]
        assert maximum[i] > rest[i] + 30
        assert maximum[i] == pytest.approx(held.max(), rel=0.35)
        assert rest[i] == pytest.approx(np.percentile(stream.value, 20), abs=0.15 * (maximum[i] - rest[i]))
