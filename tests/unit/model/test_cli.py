from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from dataset.importers.mia import import_mia
from model import cli
from tests.modes import modes
from tests.sealed import edited_session

Maker = Callable[..., Path]
Cli = Callable[..., tuple[int, str, str]]

METRICS = {
    "rmse",
    "rmse_per_exercise",
    "rmse_per_channel",
    "rmse_mean_exercises",
    "rmse_normalised",
    "r2",
    "floors",
    "n_train",
    "n_test",
    "seconds",
    "parameters",
    "split",
    "sessions",
}


@pytest.fixture
def mia_train(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs ``mia-train`` in this process: exit code, stdout, stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mia-train", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        out = capsys.readouterr()
        return int(end.value.code or 0), out.out, out.err

    return run


def test_a_fit_on_the_first_pass_beats_the_mean_on_the_second(
    mia_train: Cli, make_session: Maker, tmp_path: Path
) -> None:
    make_session()
    code, out, err = mia_train(
        "fit", tmp_path / "sessions", "--out", tmp_path / "run", "--split", "pass", "--epochs", 25, "--json"
    )
    assert code == 0, err
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert json.loads(out)["metrics"] == metrics
    assert set(metrics) == METRICS
    assert set(metrics["floors"]) == {"random", "mean", "subject_mean", "nn", "nn_subject"}
    assert set(metrics["split"]) == {"name", "seed", "embargo_frames"}
    assert len(metrics["sessions"][0]["sha256"]) == 64
    assert metrics["n_train"] == metrics["n_test"] == 68
    assert metrics["rmse"] < 0.6 * metrics["floors"]["mean"]
    assert (tmp_path / "run" / "prediction.png").read_bytes()[:4] == b"\x89PNG"
    assert not [f for f in tmp_path.iterdir() if f.name.endswith(".part")]

    # The same sessions again: the run's own test part, and the same numbers.
    code, out, err = mia_train("evaluate", tmp_path / "run", tmp_path / "sessions", "--json")
    assert code == 0, err
    again = json.loads(out)["metrics"]
    assert set(again) == METRICS
    assert again["n_test"] == 68
    for key in ("rmse", "rmse_normalised"):
        assert again[key] == pytest.approx(metrics[key], rel=1e-5)
    assert again["floors"] == pytest.approx(metrics["floors"])
    assert len(list((tmp_path / "run").glob("evaluate-*.json"))) == 1

    # A session it has not seen: all of its windows.
    other = make_session("other", seed=5, subject="S09")
    code, out, _ = mia_train("evaluate", tmp_path / "run", other, "--json")
    assert code == 0
    assert json.loads(out)["metrics"]["n_test"] == 136

    code, out, err = mia_train("show", tmp_path / "run")
    assert code == 0
    assert "136" not in out
    assert "68 training and 68 test windows" in out


def test_a_run_is_its_owners_alone(mia_train: Cli, make_session: Maker, tmp_path: Path) -> None:
    path = make_session()
    out = tmp_path / "runs"
    assert mia_train("fit", path, "--out", out / "one", "--epochs", 1, "--stride", 17)[0] == 0
    assert modes(out) == ({"0700"}, {"0600"})
    words = ("--epochs", 1, "--stride", 17, "--group-readable")
    assert mia_train("fit", path, "--out", out / "two", *words)[0] == 0
    assert modes(out / "two") == ({"0750"}, {"0640"})


def test_the_same_seed_gives_the_same_weights(mia_train: Cli, make_session: Maker, tmp_path: Path) -> None:
    path = make_session()
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert mia_train("fit", path, "--out", tmp_path / name, "--stride", 8, "--epochs", 2, "--seed", seed)[0] == 0
    a, b, c = (load_file(tmp_path / name / "model.safetensors") for name in "abc")
    assert all(np.array_equal(a[k], b[k]) for k in a)
    assert not all(np.array_equal(a[k], c[k]) for k in a)


def test_the_papers_transformer_can_be_fitted(mia_train: Cli, make_session: Maker, tmp_path: Path) -> None:
    path = make_session()
    options = ("--model", "transformer-paper", "--epochs", 1, "--stride", 17, "--split", "pass")
    code, out, err = mia_train("fit", path, "--out", tmp_path / "run", *options)
    assert code == 0, err
    assert "RMSE" in out
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["parameters"] == 2_430_856


@pytest.mark.parametrize("split", ["recording", "exercise", "subject", "time"])
def test_every_split_can_be_fitted(mia_train: Cli, make_session: Maker, tmp_path: Path, split: str) -> None:
    for i in range(2):
        make_session(f"s{i}", seed=i, subject=f"S{i}")
    out = tmp_path / "run"
    code, _, err = mia_train("fit", tmp_path / "sessions", "--out", out, "--split", split, "--epochs", 1, "--stride", 8)
    assert code == 0, err
    assert json.loads((out / "metrics.json").read_text())["split"]["name"] == split


def test_a_session_that_failed_is_refused_unless_told(mia_train: Cli, make_session: Maker, tmp_path: Path) -> None:
    path = make_session(verdict="FAIL")
    command = ("fit", path, "--out", tmp_path / "run", "--epochs", 1, "--stride", 8, "--json")
    code, out, _ = mia_train(*command)
    assert code == 3
    assert json.loads(out)["error"]["code"] == "refused"
    assert not (tmp_path / "run").exists()
    assert mia_train(*command, "--allow-unverified")[0] == 0
    code, _, err = mia_train("evaluate", tmp_path / "run", path)
    assert code == 3
    assert "verdict FAIL" in err


def test_a_run_that_exists_is_not_touched(mia_train: Cli, make_session: Maker, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    code, _, err = mia_train("fit", make_session(), "--out", tmp_path / "run")
    assert code == 2
    assert "exists" in err
    assert not list((tmp_path / "run").iterdir())


def test_a_run_in_the_place_of_a_file_is_refused_before_training(
    mia_train: Cli, make_session: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setattr("model.runs.train", lambda *_, **__: pytest.fail("trained for nothing"))
    code, _, err = mia_train("fit", make_session(), "--out", tmp_path / "file" / "run")
    assert code == 2
    assert "cannot write into" in err


def test_bad_input_is_exit_2_with_one_line(mia_train: Cli, make_session: Maker, tmp_path: Path) -> None:
    path = make_session()
    text = tmp_path / "text.h5"
    text.write_text("no session")
    (tmp_path / "empty").mkdir()
    for arguments, says in (
        ((tmp_path / "none.h5",), "no session at"),
        ((text,), "is not a session"),
        ((tmp_path / "empty",), "no session in"),
        ((path, "--model", "cnn"), "unknown model 'cnn'"),
        ((path, "--split", "random"), "no split 'random'"),
        ((path, "--split", "subject"), "at least two subjects"),
        ((path, "--split", "exercise", "--hold-out", "bowling"), "no exercise bowling"),
        ((path, "--epochs", "0"), "--epochs"),
        ((path, "--epochs", "ten"), "--epochs"),
    ):
        code, out, err = mia_train("fit", *arguments, "--out", tmp_path / "run")
        assert code == 2, arguments
        assert says in err
        assert out == ""
        assert not (tmp_path / "run").exists()


def test_a_folder_that_is_no_run_is_exit_2(mia_train: Cli, make_session: Maker, tmp_path: Path) -> None:
    path = make_session()
    assert mia_train("show", tmp_path)[0] == 2
    assert mia_train("evaluate", tmp_path / "none", path)[0] == 2
    assert mia_train("fit", path, "--out", tmp_path / "run", "--epochs", 1, "--stride", 17)[0] == 0
    weights = tmp_path / "run" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    code, _, err = mia_train("evaluate", tmp_path / "run", path)
    assert code == 2
    assert "model.safetensors has changed" in err


def test_sessions_of_other_muscles_do_not_fit_a_run(mia_train: Cli, make_session: Maker, tmp_path: Path) -> None:

    assert mia_train("fit", make_session(), "--out", tmp_path / "run", "--epochs", 1, "--stride", 17)[0] == 0
    other = make_session("other", seed=2)
    with edited_session(other) as file:
        file["channels/name"][0] = b"left_lats"
    code, _, err = mia_train("evaluate", tmp_path / "run", other)
    assert code == 2
    assert "left_lats" in err


@pytest.mark.slow
@pytest.mark.realdata
def test_the_published_squats_are_predicted_below_18_counts(mia_train: Cli, shared_data: Path, tmp_path: Path) -> None:
    import_mia(shared_data / "mia_squat" / "MIADatasetOfficial", tmp_path / "S")
    code, _, err = mia_train("fit", tmp_path / "S", "--out", tmp_path / "run", "--split", "time")
    assert code == 0, err
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert (metrics["n_train"], metrics["n_test"]) == (516, 124)
    assert metrics["rmse"] < 18.0
    assert metrics["rmse"] < metrics["floors"]["nn_subject"]
