"""The whole loop on the virtual rig: record, synchronise, train - judged against what really happened."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataset.capture.reader import Capture
from dataset.session.file import read_session
from dataset.session.types import Session

BIN = Path(sys.executable).parent
VIDEO_TOLERANCE_S = 0.010
RESPONSE_TOLERANCE_S = 0.050


def run(*command: str | Path, code: int = 0) -> dict[str, Any]:
    """Run one of the three commands with ``--json`` and return what it printed."""
    done = subprocess.run([BIN / str(command[0]), *map(str, command[1:]), "--json"], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


def assert_true(session: Session, capture: Capture) -> None:
    """Hold a session against its capture's ``truth.json``: the video at every PTS, each answering sensor."""
    truth = json.loads((capture.folder / "truth.json").read_text())
    frames = capture.frames()
    pts_s = frames.pts_ns[frames.pts_ns >= 0] * 1e-9
    video = session.sync["video"]
    mapped_s = (1 + video.rate_ppm * 1e-6) * pts_s + video.offset_s
    true_s = (truth["video"]["host_ns_at_pts0"] - session.zero_host_ns) * 1e-9
    true_s = true_s + (1 + truth["video"]["rate_ppm"] * 1e-6) * pts_s
    assert np.max(np.abs(mapped_s - true_s)) <= VIDEO_TOLERANCE_S
    for channel, sensor in truth["emg"].items():
        error_s = float(session.sync[channel].constants["response_s"]) - sensor["response_s"]
        assert abs(error_s) <= RESPONSE_TOLERANCE_S, channel


@pytest.mark.slow
def test_a_live_recording_is_aligned_as_it_really_was(tmp_path: Path) -> None:
    made = run("mia-record", "run", "--headless", "--rig", "virtual", "--subject", "Live", "--out", tmp_path / "c",
               "--duration", "32")  # fmt: skip
    synced = run("mia-sync", "run", tmp_path / "c", "--out", tmp_path / "s", "--no-pose")
    (entry,) = synced["sessions"]
    assert entry["verdict"] in ("PASS", "WARNING")
    session = read_session(entry["session"])
    assert session.is_virtual
    with Capture.open(Path(made["capture"])) as capture:
        assert_true(session, capture)
    assert Path(entry["report"]).read_text(encoding="utf-8").count("Virtual data") == 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_the_model_beats_the_baselines_on_the_second_pass(tmp_path: Path, seed: int) -> None:
    run("mia-record", "simulate", "--out", tmp_path / "c", "--subject", "V1", "--minutes", "1.15", "--seed", str(seed))
    synced = run("mia-sync", "run", tmp_path / "c", "--out", tmp_path / "s")
    session = read_session(synced["sessions"][0]["session"])
    assert session.aligned.keypoints_3d is not None
    assert np.isfinite(session.aligned.keypoints_3d[:, 0, 0]).mean() > 0.95
    run("mia-train", "fit", tmp_path / "s", "--split", "pass", "--out", tmp_path / "run")
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["rmse"] < metrics["floors"]["mean"]
    assert metrics["rmse"] < metrics["floors"]["nn"]
    assert set(metrics["rmse_per_exercise"]) == {"squat", "jumping_jack", "hook_punch", "front_kick"}
    assert list((tmp_path / "run").glob("*.png"))
