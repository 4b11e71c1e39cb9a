"""A run: read sessions, split, train, evaluate and plot into one folder; evaluate it later on other sessions."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from dataset.session.file import find_sessions, read_session
from dataset.session.types import Session
from dataset.splits import Split, TrainedOn, split_windows, windows_not_trained_on
from dataset.support import clock
from dataset.support.errors import InputError, OutputExistsError, RefusedError
from dataset.support.files import current_umask, sha256_of, sync_folder, sync_tree, written_whole
from dataset.support.outputs import cannot_write, check_writable
from dataset.support.version import software
from dataset.windows import Windows, windows_from_sessions
from model import networks, plots
from model.checkpoint import REFERENCE, WEIGHTS, load_network, load_training_windows, save_run
from model.evaluation import measure
from model.options import FitOptions
from model.run_files import (
    CONFIG,
    METRICS,
    Metrics,
    RunConfig,
    load_config,
    metrics_of,
    write_checksums,
    write_json,
)
from model.training.loop import Training, predict, train

PLOT = "prediction.png"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Result of training or evaluating a run.

    Attributes
    ----------
    run : Path
    metrics : Metrics
        As in ``metrics.json``.
    metrics_path, plot_path : Path
    notes : tuple of str
        Notes for the user: windows left out, sessions that did not pass.
    """

    run: Path
    metrics: Metrics
    metrics_path: Path
    plot_path: Path
    notes: tuple[str, ...]


def fit(
    sessions: Sequence[Path],
    out: Path,
    options: FitOptions,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Train a model on sessions and write the run to ``out``: weights, settings, metrics and a plot.

    Parameters
    ----------
    sessions : sequence of Path
        Files, or folders of files that end in ``.h5``.
    out : Path
        Must not exist; written to a temporary folder and renamed when complete.
    options : FitOptions
    progress : callable, optional
        Called with the epochs done and their total.

    Raises
    ------
    OutputExistsError, InputError
    RefusedError
        A session's verdict is FAIL.
    """
    if out.exists():
        raise OutputExistsError(f"{out} exists", "runs are never overwritten", "choose another --out")
    check_writable(out.parent)
    networks.check_name(options.model)
    read = read_verified(sessions, allow_unverified=options.allow_unverified)
    windows = windows_from_sessions(read, stride=options.stride)
    parts = split_windows(windows, options.split, seed=options.seed, held_out=options.held_out)
    training_part, test_part = windows.take(parts.train), windows.take(parts.test)
    trained = train(options.model, training_part, seed=options.seed, epochs=options.epochs, progress=progress)
    predicted = predict(trained.network, test_part)
    hashes = [_sha256(s) for s in read]
    metrics = metrics_of(
        {
            **measure(training_part, test_part, predicted, seed=options.seed),
            "n_train": len(training_part),
            "n_test": len(test_part),
            "seconds": round(trained.seconds, 3),
            "parameters": trained.network.n_parameters(),
            "split": {"name": parts.name, "seed": parts.seed, "embargo_frames": parts.embargo_frames},
            "sessions": [{"session": s.name, "sha256": sha} for s, sha in zip(read, hashes, strict=True)],
        }
    )
    settings = _settings(read, hashes, windows, parts, trained)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent))
    except OSError as error:
        raise cannot_write(out.parent, error) from error
    try:
        save_run(part, name=options.model, network=trained.network, train=training_part, settings=settings)
        plots.draw_predictions(
            test_part,
            predicted,
            part / PLOT,
            title=_title(f"{options.model}, test part of --split {options.split}", metrics, read, windows.unit),
        )
        write_json(part / METRICS, metrics.as_dict())
        write_checksums(part, (CONFIG, METRICS, WEIGHTS, REFERENCE))
        _share(part)
        sync_tree(part)
        if out.exists():
            raise OutputExistsError(f"{out} exists", "it appeared during the training", "choose another --out")
        part.rename(out)
        sync_folder(out.parent)
    except OSError as error:
        raise cannot_write(out, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Result(
        run=out,
        metrics=metrics,
        metrics_path=out / METRICS,
        plot_path=out / PLOT,
        notes=_notes(read, windows, parts),
    )


def evaluate(run: Path, sessions: Sequence[Path], *, allow_unverified: bool = False) -> Result:
    """Evaluate a run on sessions and write ``evaluate-<UTC>.json`` and its plot into the run's folder.

    Of a session that the run was fitted on, only the windows of the run's test part are used; of others, all.

    Raises
    ------
    InputError
        No run, no sessions, sessions of other channels, or no window left that was not trained on.
    RefusedError
        A session's verdict is FAIL.
    """
    config = load_config(run)
    check_writable(run)
    network = load_network(run, config)
    reference = load_training_windows(run, config)
    read = read_verified(sessions, allow_unverified=allow_unverified)
    windows = windows_from_sessions(
        read, length=config.length, stride=config.stride, n_dims=reference.keypoints.shape[-1]
    )
    _check_fits(config, windows)
    hashes = [_sha256(s) for s in read]
    chosen = windows_not_trained_on(windows, _fitted_on(config, read, hashes))
    if not len(chosen):
        raise InputError(
            "no window to evaluate the run on", "it was trained on all of these sessions", "give other sessions"
        )
    test_part = windows.take(chosen)
    predicted = predict(network, test_part)
    metrics = metrics_of(
        {
            **measure(reference, test_part, predicted, seed=config.split.seed),
            "n_train": config.n_train,
            "n_test": len(test_part),
            "seconds": config.seconds,
            "parameters": network.n_parameters(),
            "split": config.split.model_dump(include={"name", "seed", "embargo_frames"}),
            "sessions": [{"session": s.name, "sha256": sha} for s, sha in zip(read, hashes, strict=True)],
        }
    )
    path = _free_name(run)
    plot = path.with_suffix(".png")
    try:
        with written_whole(plot) as part:
            plots.draw_predictions(
                test_part,
                predicted,
                part,
                title=_title(f"{config.model}, evaluated on {len(test_part)} windows", metrics, read, windows.unit),
            )
        write_json(path, metrics.as_dict())
    except OSError as error:
        raise cannot_write(run, error) from error
    left_out = len(windows) - len(chosen)
    notes = [f"{left_out} windows used in training, or next to such windows, are left out"] if left_out else []
    return Result(run=run, metrics=metrics, metrics_path=path, plot_path=plot, notes=tuple(notes))


def read_verified(paths: Sequence[Path], *, allow_unverified: bool) -> list[Session]:
    """Return the sessions in files and folders.

    Raises
    ------
    InputError
    RefusedError
        A session's verdict is FAIL, and such sessions are not allowed.
    """
    sessions = [read_session(path) for path in find_sessions(list(paths))]
    failed = [s for s in sessions if s.verdict == "FAIL"]
    if failed and not allow_unverified:
        names = ", ".join(s.name for s in failed)
        raise RefusedError(
            f"{names} {'has' if len(failed) == 1 else 'have'} verdict FAIL",
            failed[0].verdict_reason,
            "train on sessions that were aligned, or give --allow-unverified",
        )
    return sessions


def _settings(
    sessions: Sequence[Session], hashes: Sequence[str], windows: Windows, split: Split, trained: Training
) -> dict[str, Any]:
    def rows(part: Any, recording: int) -> list[int]:
        mine = part[windows.recording[part] == recording]
        return [int(row) for row in windows.start_row[mine]]

    return {
        "created_utc": clock.utc_iso(),
        "software": software(),
        "torch": torch.__version__,
        "device": trained.device,
        "channels": list(windows.channels),
        "unit": windows.unit,
        "rate_hz": windows.rate_hz,
        "length": windows.length,
        "stride": windows.stride,
        "n_train": len(split.train),
        "seconds": round(trained.seconds, 3),
        "epochs": trained.epochs,
        "steps": trained.steps,
        "losses": [round(loss, 6) for loss in trained.losses],
        "split": {
            "name": split.name,
            "seed": split.seed,
            "embargo_frames": split.embargo_frames,
            "held_out": list(split.held_out),
            "dropped_windows": split.n_dropped,
        },
        "sessions": [
            {
                "session": s.name,
                "session_uuid": s.session_uuid,
                "sha256": sha,
                "subject": s.subject,
                "verdict": s.verdict,
                "train_rows": rows(split.train, i),
                "test_rows": rows(split.test, i),
            }
            for i, (s, sha) in enumerate(zip(sessions, hashes, strict=True))
        ],
    }


def _fitted_on(config: RunConfig, sessions: Sequence[Session], hashes: Sequence[str]) -> list[TrainedOn]:
    """Return which of the sessions the run was trained on, by file or identity, and its test windows."""
    return [
        TrainedOn(recording=i, test_rows=seen.test_rows)
        for i, (session, sha) in enumerate(zip(sessions, hashes, strict=True))
        for seen in config.sessions
        if sha == seen.sha256 or session.session_uuid == seen.session_uuid
    ]


def _check_fits(config: RunConfig, windows: Windows) -> None:
    for what, mine, theirs in (
        ("channels", list(windows.channels), config.channels),
        ("unit", windows.unit, config.unit),
        ("rate_hz", windows.rate_hz, config.rate_hz),
    ):
        if mine != theirs:
            raise InputError("the sessions do not match the run", f"their {what}: {mine}; the run's: {theirs}")


def _notes(sessions: Sequence[Session], windows: Windows, split: Split) -> tuple[str, ...]:
    notes = [f"{s.name}: {s.verdict}, {s.verdict_reason}" for s in sessions if s.verdict != "PASS"]
    if virtual := [s.name for s in sessions if s.is_virtual]:
        notes.append(f"virtual data: {', '.join(virtual)}")
    if windows.n_incomplete:
        notes.append(f"{windows.n_incomplete} windows lack keypoints or sEMG and are left out")
    if split.held_out:
        notes.append(f"held out: {', '.join(split.held_out)}")
    if split.n_dropped:
        notes.append(f"{split.n_dropped} windows that span two parts are left out")
    return tuple(notes)


def _title(of: str, metrics: Metrics, sessions: Sequence[Session], unit: str) -> str:
    mine, mean, nearest = (
        "undefined" if value is None else f"{value:.1f}"
        for value in (metrics.rmse, metrics.floors.get("mean"), metrics.floors.get("nn"))
    )
    judged = f"RMSE {mine} {unit} (mean {mean}, nearest neighbour {nearest})"
    return f"{of}: {judged}" + (" - virtual data" if any(s.is_virtual for s in sessions) else "")


def _sha256(session: Session) -> str:
    if session.path is None:
        raise InputError(f"{session.name} was not saved to a file")
    return sha256_of(session.path)


def _free_name(run: Path) -> Path:
    """Return ``evaluate-<UTC>.json`` with a time that no earlier evaluation has."""
    path = run / f"evaluate-{clock.stamp()}.json"
    return path if not path.exists() else run / f"evaluate-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.json"


def _share(folder: Path) -> None:
    """Give a private temporary folder the user's default permissions for new files and folders."""
    mask = current_umask()
    folder.chmod(0o777 & ~mask)
    for file in folder.iterdir():
        file.chmod(0o666 & ~mask)
