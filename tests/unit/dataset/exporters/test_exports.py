"""Every export reads back the numbers of the session, by another library where there is one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import edfio
import ezc3d
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from pynwb import NWBHDF5IO

from dataset.exporters.options import ExportFormat, ExportOptions, grid_of
from dataset.exporters.registry import export_sessions
from dataset.pose.skeleton import BODY_25
from dataset.session.file import read_session
from dataset.session.types import Session
from dataset.support.errors import OutputExistsError

FACE = ("nose", "eye", "ear")


def exported(form: ExportFormat, sessions: list[Path], tmp_path: Path, options: ExportOptions | None = None) -> Path:
    export_sessions(form, sessions, tmp_path / form, options or ExportOptions())
    return tmp_path / form


def table_of(form: ExportFormat, folder: Path, session: Session, name: str) -> pd.DataFrame:
    path = folder / session.name / f"{name}.{form}"
    return pq.read_table(path).to_pandas() if form is ExportFormat.PARQUET else pd.read_csv(path)


@pytest.mark.parametrize("form", [ExportFormat.CSV, ExportFormat.PARQUET])
def test_tables_hold_every_number_exactly(form: ExportFormat, sessions: list[Path], tmp_path: Path) -> None:
    folder = exported(form, sessions, tmp_path)
    for session in map(read_session, sessions):
        aligned = table_of(form, folder, session, "aligned")
        np.testing.assert_array_equal(aligned[list(session.channels.name)].to_numpy(), session.aligned.emg)
        np.testing.assert_array_equal(aligned["time_s"], session.aligned.time_s)
        if session.aligned.keypoints_3d is not None:
            for j, joint in enumerate(BODY_25):
                columns = [f"{joint}_{axis}_m" for axis in "xyz"]
                np.testing.assert_array_equal(aligned[columns].to_numpy(), session.aligned.keypoints_3d[:, j])
        emg = table_of(form, folder, session, "emg")
        for name, stream in session.emg.items():
            mine = emg[emg["channel"] == name]
            np.testing.assert_array_equal(mine["value"], stream.value)
            np.testing.assert_array_equal(mine["time_s"], stream.time_s)


@pytest.mark.parametrize("form", [ExportFormat.CSV, ExportFormat.PARQUET])
def test_the_dictionary_names_every_column_with_its_unit(
    form: ExportFormat, sessions: list[Path], tmp_path: Path
) -> None:
    folder = exported(form, sessions, tmp_path)
    for session in map(read_session, sessions):
        said = table_of(form, folder, session, "dictionary")
        for name in ("aligned", "emg", "events", "exercises", "channels", "sync"):
            columns = list(table_of(form, folder, session, name).columns)
            assert sorted(said.loc[said["table"] == name, "column"]) == sorted(columns)
        units = said[said["table"] == "aligned"].set_index("column")["unit"]
        assert tuple(units[name] for name in session.channels.name) == session.channels.unit


def assert_signals(signals: Any, session: Session, bits: int) -> None:
    grid = grid_of(session)
    assert len(signals) == len(session.channels.name)
    for c, signal in enumerate(signals):
        step = (signal.physical_max - signal.physical_min) / (2**bits - 1)
        there = np.isfinite(grid.emg[:, c])
        assert signal.sampling_frequency == pytest.approx(grid.rate_hz)
        np.testing.assert_allclose(signal.data[there], grid.emg[there, c], atol=0.51 * step, rtol=0)
        assert signal.physical_dimension == session.channels.unit[c]


def gap_rows(found: list[tuple[float, float, str]], session: Session) -> dict[str, set[int]]:
    rows: dict[str, set[int]] = {name: set() for name in session.channels.name}
    for start, length, name in found:
        first = round(start * session.rate_hz)
        rows[name] |= set(range(first, first + round(length * session.rate_hz)))
    return rows


def assert_gaps(found: list[tuple[float, float, str]], session: Session) -> None:
    grid = grid_of(session)
    assert gap_rows(found, session) == {
        name: set(np.flatnonzero(~np.isfinite(grid.emg[:, c])).tolist()) for c, name in enumerate(session.channels.name)
    }


def test_edf_holds_the_grid_within_half_a_step_and_names_its_gaps(sessions: list[Path], tmp_path: Path) -> None:
    folder = exported(ExportFormat.EDF, sessions, tmp_path)
    for session in map(read_session, sessions):
        file = edfio.read_edf(folder / f"{session.name}.edf")
        assert_signals(file.signals, session, 16)
        gaps = [(a.onset, a.duration or 0.0, a.text[4:]) for a in file.annotations if a.text.startswith("gap ")]
        assert_gaps(gaps, session)


def test_bids_holds_the_same_numbers_and_each_gap(sessions: list[Path], tmp_path: Path) -> None:
    folder = exported(ExportFormat.BIDS, sessions, tmp_path)
    for session in map(read_session, sessions):
        visit = session.name.rpartition("ses-")[2]
        place = folder / f"sub-{session.subject}" / f"ses-{visit}"
        (path,) = place.glob("emg/*_emg.bdf")
        assert_signals(edfio.read_bdf(path).signals, session, 24)
        events = pd.read_csv(str(path).replace("_emg.bdf", "_events.tsv"), sep="\t", keep_default_na=False)
        gaps = events[events["trial_type"] == "gap"]
        assert_gaps(
            list(zip(gaps["onset"].astype(float), gaps["duration"].astype(float), gaps["channel"], strict=True)),
            session,
        )
        said = json.loads(Path(str(path).replace(".bdf", ".json")).read_text(encoding="utf-8"))
        assert set(said["Synchronisation"]["Streams"]) == set(session.sync)
        keypoints = grid_of(session).keypoints_3d
        if keypoints is not None:
            (motion,) = place.glob("motion/*_motion.tsv")
            values = pd.read_csv(motion, sep="\t", header=None, na_values="n/a").to_numpy()[:, :75]
            np.testing.assert_array_equal(values, keypoints.reshape(len(keypoints), -1))


def test_sessions_of_one_visit_are_its_runs(sessions: list[Path], tmp_path: Path) -> None:
    again = tmp_path / "again" / sessions[0].name
    again.parent.mkdir()
    again.write_bytes(sessions[0].read_bytes())
    folder = exported(ExportFormat.BIDS, [*sessions, again], tmp_path)
    assert len({path.name for path in folder.rglob("*_emg.bdf")}) == 3
    assert len(pd.read_csv(folder / "participants.tsv", sep="\t")) == 2


def test_nwb_holds_values_events_and_keypoints(sessions: list[Path], tmp_path: Path) -> None:
    folder = exported(ExportFormat.NWB, sessions, tmp_path)
    for session in map(read_session, sessions):
        with NWBHDF5IO(str(folder / f"{session.name}.nwb"), "r") as io:
            file = io.read()
            for c, (name, stream) in enumerate(session.emg.items()):
                series = file.acquisition[f"EMG_{name}"]
                np.testing.assert_array_equal(series.data[:], stream.value)
                np.testing.assert_array_equal(series.timestamps[:], stream.time_s)
                assert series.unit == session.channels.unit[c]
            grid = grid_of(session)
            if grid.keypoints_3d is not None:
                pose = file.processing["behavior"]["Keypoints3D"]
                np.testing.assert_array_equal(
                    pose["left_knee"].data[:], grid.keypoints_3d[:, BODY_25.index("left_knee")]
                )
            assert len(file.events["events"]) == len(session.events.time_s) + len(session.exercises.name)


def test_c3d_holds_points_and_analogs(sessions: list[Path], tmp_path: Path) -> None:
    folder = exported(ExportFormat.C3D, sessions, tmp_path)
    for session in map(read_session, sessions):
        file, grid = ezc3d.c3d(str(folder / f"{session.name}.c3d")), grid_of(session)
        np.testing.assert_allclose(file["data"]["analogs"][0].T, grid.emg, rtol=1e-6)
        assert file["parameters"]["ANALOG"]["UNITS"]["value"] == list(session.channels.unit)
        if grid.keypoints_3d is not None:
            points = file["data"]["points"][:3].transpose(2, 1, 0)
            np.testing.assert_allclose(points, grid.keypoints_3d, rtol=1e-6)


@pytest.mark.parametrize("form", list(ExportFormat))
def test_without_the_face_no_file_mentions_it(form: ExportFormat, sessions: list[Path], tmp_path: Path) -> None:
    folder = exported(form, sessions, tmp_path, ExportOptions(face=False))
    whole = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    for joint in BODY_25:
        if joint.rpartition("_")[2] in FACE:
            assert f"{joint}_".encode() not in whole and f"/{joint}".encode() not in whole


def test_an_existing_folder_is_left_alone(sessions: list[Path], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(OutputExistsError):
        export_sessions(ExportFormat.CSV, sessions, tmp_path / "out", ExportOptions())
    assert list((tmp_path / "out").iterdir()) == []


def test_a_missing_library_is_named_and_leaves_nothing(sessions: list[Path], tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['pynwb'] = None; sys.argv[1:] = "
        f"{['export', 'nwb', str(sessions[0]), '--out', str(tmp_path / 'out')]!r}; from sync.cli import main; main()"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert made.returncode == 2 and "muscles-in-action[export]" in made.stderr and "Traceback" not in made.stderr
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.part").exists()


@pytest.mark.slow
def test_bids_passes_its_validator(sessions: list[Path], tmp_path: Path) -> None:
    folder = exported(ExportFormat.BIDS, sessions, tmp_path)
    validator = Path(sys.executable).with_name("bids-validator-deno")
    made = subprocess.run([validator, folder, "--json"], capture_output=True, text=True, check=False)
    issues = json.loads(made.stdout)["issues"]["issues"]
    assert [one for one in issues if one.get("severity") == "error"] == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_bids_is_read_by_mne_bids(sessions: list[Path], tmp_path: Path) -> None:
    from mne_bids import BIDSPath, read_raw_bids

    folder = exported(ExportFormat.BIDS, sessions, tmp_path)
    session = read_session(sessions[1])
    raw = read_raw_bids(
        BIDSPath(
            root=folder, subject=session.subject, session=session.name.rpartition("ses-")[2], task="exercises",
            run="1", datatype="emg", suffix="emg", extension=".bdf",
        )
    )  # fmt: skip
    assert len(raw.ch_names) >= len(session.channels.name) and raw.n_times == len(grid_of(session).emg)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_nwb_has_no_critical_finding(sessions: list[Path], tmp_path: Path) -> None:
    from nwbinspector import Importance, inspect_all

    found = list(inspect_all(exported(ExportFormat.NWB, sessions, tmp_path), importance_threshold=Importance.CRITICAL))
    assert found == []
