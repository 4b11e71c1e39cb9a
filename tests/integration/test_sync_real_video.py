"""A real clip without flash or clap: refused in words, or written marked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dataset.session.file import read_session
from dataset.support.errors import OutputExistsError
from sync.import_files import import_files
from sync.options import ImportOptions, SyncOptions
from sync.pipeline import run_capture
from tests.present import present

CHANNELS = ("left_biceps", "right_biceps", "left_triceps", "right_triceps",
            "left_quadriceps", "right_quadriceps", "left_hamstrings", "right_hamstrings")  # fmt: skip


@pytest.fixture(scope="module")
def clip(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The squat clip with a made table of sEMG that has nothing to do with it."""
    folder = tmp_path_factory.mktemp("clip")
    rng = np.random.default_rng(0)
    time_s = np.arange(0, 41, 0.1)
    lines = ["time_s," + ",".join(CHANNELS)]
    lines += [f"{t:.1f}," + ",".join(f"{v:.0f}" for v in rng.uniform(80, 140, len(CHANNELS))) for t in time_s]
    (folder / "e.csv").write_text("\n".join(lines))
    return import_files(
        folder / "capture", ImportOptions(video=shared_data / "video" / "mrpose" / "squat.mp4", emg=folder / "e.csv")
    )


@pytest.mark.realdata
def test_it_is_refused_in_words_and_no_session_is_written(clip: Path, tmp_path: Path) -> None:
    result = run_capture(clip, tmp_path, SyncOptions(pose=False))
    assert result.exit_code == 3
    assert result.verdict == "FAIL"
    assert "no flash" in result.reasons[0]
    assert "no clap or stomp" in result.reasons[0]
    assert not list(tmp_path.glob("*.h5"))
    assert list(tmp_path.glob("*.html"))


@pytest.mark.realdata
@pytest.mark.slow
def test_it_is_written_marked_with_keypoints_on_the_grid(clip: Path, tmp_path: Path) -> None:
    result = run_capture(clip, tmp_path, SyncOptions(allow_unverified=True))
    session = read_session(present(result.session_path))
    assert session.verdict == "FAIL"
    assert np.isfinite(present(session.aligned.keypoints_2d)).any(axis=(1, 2)).mean() >= 0.92


@pytest.mark.realdata
def test_a_refused_run_is_made_again_into_the_same_folder_and_a_session_never_overwritten(
    clip: Path, tmp_path: Path
) -> None:
    refused = run_capture(clip, tmp_path, SyncOptions(pose=False))
    written = run_capture(clip, tmp_path, SyncOptions(pose=False, allow_unverified=True))
    assert written.report_path == refused.report_path
    assert "--allow-unverified was given" in written.report_path.read_text(encoding="utf-8")
    with pytest.raises(OutputExistsError):
        run_capture(clip, tmp_path, SyncOptions(pose=False, allow_unverified=True))
