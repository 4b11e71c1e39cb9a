"""One to 64 channels of any name are fitted, judged, shown and drawn like the paper's eight."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dataset.session.file import read_session
from dataset.windows import windows_from_sessions
from model import cli
from model.experiments.tables import markdown
from model.plots import draw_predictions

Maker = Callable[..., Path]

#: Names that HDF5, matplotlib, rich, Markdown, HTML or a terminal would read as something else.
ODD = (
    "EMG 1", "a/b", ".", "..", "$x_1$ and $y", "[bold]red[/bold]", "[/red]", "<script>alert(1)</script>", "筋肉",
    "_hidden", "n" * 300, "%2F", "a|b",
)  # fmt: skip


def names(count: int) -> tuple[str, ...]:
    return (*ODD, *(f"EMG {i}" for i in range(2, 80)))[:count]


def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["mia-train", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    out = capsys.readouterr()
    return int(end.value.code or 0), out.out, out.err


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 3, 13, 64])
def test_sessions_of_any_channels_are_fitted_evaluated_and_shown(
    count: int,
    make_session: Maker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    session, run = make_session(channels=names(count), motions=("squat", "hook_punch")), tmp_path / "run"
    code, _, err = call(monkeypatch, capsys, "fit", session, "--out", run, "--split", "pass", "--epochs", 1)
    assert code == 0, err
    assert "EMG 1" in err
    assert (count < 7) or ("[bold]red[/bold]" in err and "[/red]" in err)
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert tuple(metrics["rmse_per_channel"]) == names(count)
    assert tuple(metrics["r2"]) == names(count)
    code, out, err = call(monkeypatch, capsys, "evaluate", run, session, "--json")
    assert code == 0, err
    assert tuple(json.loads(out)["metrics"]["rmse_per_channel"]) == names(count)
    code, out, err = call(monkeypatch, capsys, "show", run)
    assert code == 0, err


@pytest.mark.parametrize("count", [1, 13])
def test_predictions_of_any_channels_are_drawn(count: int, make_session: Maker, tmp_path: Path) -> None:
    windows = windows_from_sessions([read_session(make_session(channels=names(count), motions=("squat",)))])
    draw_predictions(windows, np.array(windows.emg), tmp_path / "p.png", title="100 $ of 筋肉 $")
    assert (tmp_path / "p.png").stat().st_size > 10_000


def test_a_cell_of_a_table_cannot_end_it() -> None:
    lines = markdown(["RMSE", "mia"], [["a|b", "1.0"], ["<b>", "2.0"]]).splitlines()
    assert all(line.replace(r"\|", "").count("|") == 3 for line in lines)
    assert "<b>" not in lines[-1]
