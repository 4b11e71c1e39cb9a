"""``mia-train experiment``: tables, figures, refusals, and going on where it was stopped."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from model import cli
from model.experiments import budget
from model.experiments import run as bench
from model.experiments.qualitative import figure_path
from model.experiments.runner import load_windows
from model.options import ExperimentOptions
from model.training import resume_file

Maker = Callable[..., Path]
Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tier of a few steps: what is tested is the bench, not the networks."""
    tiny = replace(
        budget.TIERS["quick"], seeds=1, seeds_elsewhere=1, published_steps=2, tuned_steps=2, tuning_steps=1,
        learning_rates=(1e-4, 1e-3), most_exercises=1, lengths=(1, 30), most_counts=2,
    )  # fmt: skip
    monkeypatch.setitem(budget.TIERS, "quick", tiny)
    monkeypatch.setattr("model.experiments.bootstrap.DRAWS", 100)
    load_windows.cache_clear()


@pytest.fixture
def mia_train(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Return a function that runs ``mia-train`` in this process: exit code, stdout, stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mia-train", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        out = capsys.readouterr()
        return int(end.value.code or 0), out.out, out.err

    return run


@pytest.fixture
def sessions(make_session: Maker, tmp_path: Path) -> Path:
    for i in range(2):
        make_session(f"s{i}", seed=i, subject=f"S{i % 2}", passes=3, motions=("squat", "hook_punch"))
    return tmp_path / "sessions"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_all_experiments_leave_their_tables_and_figures(mia_train: Cli, sessions: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, told, err = mia_train("experiment", "all", sessions, "--out", out, "--stride", 16, "--json")
    assert code == 0, err
    assert set(json.loads(told)["pages"]) == set(bench.EXPERIMENTS)
    for name in bench.EXPERIMENTS:
        page = (out / f"{name}.md").read_text()
        assert page.startswith(f"## {name.capitalize()}")
        assert "### Conditions" in page
        for figure in (line.partition("](")[2].rstrip(")") for line in page.splitlines() if line.startswith("![")):
            assert (out / figure).read_bytes()[:4] == b"\x89PNG"
    exercises = rows_of(out / "exercises.csv")
    systems = {row["system"] for row in exercises if row["comparison"] == "in distribution"}
    assert systems == {
        "random", "mean", "subject_mean", "nn", "nn_subject", "mia",
        *(f"{name} ({rate})" for name in ("cnn-paper", "transformer-paper") for rate in ("published", "tuned")),
    }  # fmt: skip
    assert {row["metric"] for row in exercises} >= {"rmse_counts", "rmse_z", "r2", "rmse_mean_exercises_counts"}
    assert all(float(row["low"]) <= float(row["high"]) for row in exercises if row["low"])
    assert {row["comparison"] for row in rows_of(out / "temporal.csv")} == {"0.0 s", "3.0 s"}
    assert {row["comparison"] for row in rows_of(out / "transfer.csv")} >= {"1 exercise, fine-tuned"}
    shares: dict[tuple[str, str, str], float] = {}
    for row in rows_of(out / "similarity.csv"):
        key = (row["comparison"], row["system"], row["exercise"])
        shares[key] = shares.get(key, 0.0) + float(row["value"])
    assert all(share == pytest.approx(1.0, abs=1e-5) for share in shares.values())
    runs = rows_of(out / "runs.csv")
    assert {row["parameters"] for row in runs if row["system"] == "transformer-paper"} == {"2430856"}

    # Again with --resume: nothing is run again, and the table is the same to the byte.
    before = (out / "transfer.csv").read_bytes()
    stamps = {path: path.stat().st_mtime_ns for path in (out / "runs").iterdir()}
    code, _, err = mia_train("experiment", "transfer", sessions, "--out", out, "--stride", 16, "--resume")
    assert code == 0, err
    assert (out / "transfer.csv").read_bytes() == before
    assert {path: path.stat().st_mtime_ns for path in (out / "runs").iterdir()} == stamps


@pytest.mark.slow
@pytest.mark.parametrize("name", ["exercises", "qualitative"])
def test_experiments_take_any_number_of_channels_of_any_name(
    mia_train: Cli, make_session: Maker, tmp_path: Path, name: str
) -> None:
    channels = (
        "$x_1$ and $y",
        "a|b",
        "[/red]",
        "<b>",
        "筋肉",
        "L gastrocnemius, upper",
        "n" * 300,
        "_",
        "left_a",
        "EMG 10",
    )
    for i in range(2):
        make_session(f"s{i}", seed=i, subject=f"S{i}", passes=3, motions=("squat", "hook_punch"), channels=channels)
    out = tmp_path / "out"
    code, _, err = mia_train("experiment", name, tmp_path / "sessions", "--out", out, "--stride", 16)
    assert code == 0, err
    page = (out / f"{name}.md").read_text(encoding="utf-8")
    if name == "exercises":
        assert r"| a\|b |" in page and "<b>" not in page
        found = {row["channel"] for row in rows_of(out / "exercises.csv")}
        assert found == {"", *channels}


def test_the_figure_of_an_exercise_of_any_name_lies_in_the_folder(tmp_path: Path) -> None:
    taken: list[Path] = []
    for exercise in ("squat", "../squat", "a/b", "", "/", "筋肉", "n" * 300):
        taken.append(figure_path(tmp_path, exercise, taken))
        assert taken[-1].parent == tmp_path and len(taken[-1].name) < 100
        taken[-1].touch()
    assert len(set(taken)) == len(taken)
    assert taken[0].name == "qualitative-squat.png"


def test_stopped_between_and_within_runs_it_ends_the_same(
    sessions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ExperimentOptions(stride=16)
    bench.run_experiments("exercises", [sessions], tmp_path / "whole", options, save_every_s=0.0)
    save: Callable[..., None] = resume_file.save
    saved: list[int] = []

    def stop_after_save(*given: object) -> None:
        save(*given)
        saved.append(1)
        if len(saved) in (3, 12, 20):
            raise KeyboardInterrupt

    monkeypatch.setattr(resume_file, "save", stop_after_save)
    for resume in (False, True, True):
        with pytest.raises(KeyboardInterrupt):
            bench.run_experiments(
                "exercises", [sessions], tmp_path / "cut", replace(options, resume=resume), save_every_s=0.0
            )
        assert not list((tmp_path / "cut").glob("*.md"))
        assert len(list((tmp_path / "cut" / "runs").glob("*.unfinished"))) == 1
    bench.run_experiments("exercises", [sessions], tmp_path / "cut", replace(options, resume=True))
    one, other = ((tmp_path / name / "exercises.csv").read_bytes() for name in ("whole", "cut"))
    assert one == other


def test_what_cannot_be_done_is_refused_before_anything_is_written(
    mia_train: Cli, sessions: Path, make_session: Maker, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    failed = make_session("failed", verdict="FAIL", folder=tmp_path / "failed")
    short = make_session("short", passes=1, seconds=3.2, folder=tmp_path / "short")
    for arguments, expected, says in (
        (("everything", sessions), 2, "unknown experiment 'everything'"),
        (("exercises", sessions, "--tier", "slow"), 2, "unknown tier 'slow'"),
        (("exercises", tmp_path / "none.h5"), 2, "no session at"),
        (("exercises", failed), 3, "verdict FAIL"),
        (("exercises", short), 2, "would be empty"),
        (("exercises", sessions, "--jobs", 2, "--scheduler", "tcp://127.0.0.1:9"), 2, "exclude each other"),
    ):
        code, _, err = mia_train("experiment", *arguments, "--out", out)
        assert (code, says in err) == (expected, True), err
        assert not out.exists()
    out.mkdir()
    code, _, err = mia_train("experiment", "people", sessions, "--out", out)
    assert (code, "exists" in err) == (2, True)
    code, _, err = mia_train("experiment", "people", sessions, "--out", out, "--resume")
    assert (code, "has no experiment to resume" in err) == (2, True)


def test_one_subject_and_one_exercise_are_no_error(mia_train: Cli, make_session: Maker, tmp_path: Path) -> None:
    path = make_session(motions=("squat",), passes=4, seconds=10.0)
    out = tmp_path / "out"
    only_one = (("people", "only one subject"), ("transfer", "only one subject"), ("exercises", "only one exercise"))
    for name, says in only_one:
        code, _, err = mia_train("experiment", name, path, "--out", out, "--stride", 16, "--resume")
        assert code == 0, err
        assert says in (out / f"{name}.md").read_text()
    # Other settings are another experiment.
    code, _, err = mia_train("experiment", "people", path, "--out", out, "--stride", 7, "--resume")
    assert (code, "another experiment" in err) == (2, True)


@pytest.mark.slow
def test_two_jobs_give_the_same_table(mia_train: Cli, sessions: Path, tmp_path: Path) -> None:
    command = ("experiment", "transfer", sessions, "--stride", 16)
    assert mia_train(*command, "--out", tmp_path / "one")[0] == 0
    code, _, err = mia_train(*command, "--out", tmp_path / "two", "--jobs", 2)
    assert code == 0, err
    one, other = ((tmp_path / name / "transfer.csv").read_bytes() for name in ("one", "two"))
    assert one == other
