"""One run of an experiment: train one system on one part, predict another, and store the result in a file."""

from __future__ import annotations

import hashlib
import json
import time
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from dataset.splits import Split, split_for_experiment
from dataset.support.arrays import FloatArray, IntArray
from dataset.support.errors import InputError
from dataset.support.files import written_whole
from dataset.support.own_files import own_file
from dataset.support.parsing import parse_json
from dataset.windows import Windows
from model import networks
from model.baselines import BASELINES, channel_means, nearest_windows, predict_baselines
from model.evaluation import Errors, ErrorSums
from model.experiments.crops import cropped, joined
from model.networks.base import Network
from model.training.loop import SAVE_EVERY_S, TrainingSettings, embed, predict, train_steps, with_rate

#: System of the job that computes all baselines; the word is part of the result files' format.
BASELINES_JOB = "floors"
#: Most validation windows used to evaluate a checkpoint; of more, evenly spaced ones are used.
MOST_VALIDATED = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Specification of one run.

    Attributes
    ----------
    system : str
        A network, or ``floors``.
    parts : str
        See :func:`dataset.splits.split_for_experiment`.
    rate : str
        Origin of the learning rate: ``published``, ``tuned`` or ``own``; empty for the baselines.
    learning_rate : float
    steps, seed : int
    batch : int
        Windows of the full length per step; shorter windows are more, for the same number of frames.
    length : int
        Frames that a prediction is made from.
    start_from : str
        Key of the job whose weights training starts from; empty: from scratch.
    start_at_mean : bool
        Initialise the last layer to predict the training mean, not randomly.
    keep : tuple of str
        Stored in addition to the scores: ``predicted``, ``neighbours`` (by pose for the baselines, by embedding for a
        network), ``weights``.
    """

    system: str
    parts: str
    rate: str = ""
    learning_rate: float = 0.0
    steps: int = 0
    seed: int = 0
    batch: int = 0
    length: int = 30
    start_from: str = ""
    start_at_mean: bool = False
    keep: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Name of the result file: a readable part, and a hash of the whole specification."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]
        readable = "-".join(w for w in (self.system, self.rate, self.parts.partition(":")[0]) if w)
        return f"{readable}-{digest}"

    @property
    def label(self) -> str:
        """The system's name in tables."""
        return f"{self.system} ({self.rate})" if self.rate in ("published", "tuned") else self.system


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Result of a job.

    Attributes
    ----------
    scores : mapping of str to ErrorSums
        By system: one for a network, all of them for the job of the baselines.
    about : mapping
        JSON: steps, seconds, checks, sizes of the parts, parameters.
    test : ndarray of int64
        The test part's windows.
    predicted : ndarray, shape (N, L, C), or None
    neighbours : ndarray of int64, shape (N, 2), or None
        For each test window the nearest known window, and the nearest one of another exercise.
    """

    scores: dict[str, ErrorSums]
    about: dict[str, Any]
    test: IntArray
    predicted: FloatArray | None
    neighbours: IntArray | None


def result_path(folder: Path, key: str) -> Path:
    """Return the path of a job's result."""
    return folder / f"{key}.npz"


def run_job(
    job: Job,
    windows: Windows,
    folder: Path,
    *,
    save_every_s: float = SAVE_EVERY_S,
    progress: Callable[[int], None] | None = None,
) -> Path:
    """Run a job and return its result file; if that exists already, nothing is done.

    An unfinished training stored next to it is resumed.

    Parameters
    ----------
    job : Job
    windows : Windows
        Of all sessions.
    folder : Path
        Of the results.
    save_every_s : float
        Seconds between two copies of an unfinished training.
    progress : callable, optional
        Called with the training steps done, after each.

    Raises
    ------
    InputError
        A part would be empty, or the weights to start from are missing.
    """
    path = result_path(folder, job.key)
    if path.is_file():
        return path
    torch.set_num_threads(1)  # parallel runs use the cores better, and results must not depend on the number of threads
    started = time.perf_counter()
    parts = split_for_experiment(windows, job.parts)
    known, test = windows.take(parts.known), windows.take(parts.test)
    exercises = exercise_axis(windows)
    about: dict[str, Any] = {
        "job": asdict(job),
        "n_train": len(parts.train), "n_validation": len(parts.validation), "n_test": len(parts.test),
        "parts": parts.how,
    }  # fmt: skip
    neighbours = None
    if job.system == BASELINES_JOB:
        crops, which = cropped(test, job.length)
        found = predict_baselines(cropped(known, job.length)[0], crops, seed=job.seed)
        predictions = {name: joined(found[name], which, windows.length) for name in BASELINES}
        if "neighbours" in job.keep:
            neighbours = parts.known[_neighbours(known, test, lambda a, b: nearest_windows(known, test, a, b))]
    else:
        settings = TrainingSettings(steps=job.steps, seed=job.seed, save_every_s=save_every_s)
        network, trained = _trained(job, windows, parts, folder, settings, progress)
        about |= trained
        crops, which = cropped(test, job.length)
        predictions = {job.label: joined(predict(network, crops), which, windows.length)}
        if "neighbours" in job.keep:
            one, other = (torch.from_numpy(embed(network, w).reshape(len(w), -1)) for w in (known, test))
            neighbours = parts.known[_neighbours(known, test, lambda a, b: _nearest(one, other, a, b))]
        if "weights" in job.keep:
            with written_whole(_weights_path(folder, job.key)) as part:
                part.write_bytes(save({k: v.contiguous() for k, v in network.state_dict().items()}))
    scores = {name: Errors(known, test, one).sums(exercises) for name, one in predictions.items()}
    about["seconds"] = round(time.perf_counter() - started, 3)
    _write(
        path,
        scores,
        about,
        parts.test,
        predicted=predictions.get(job.label, predictions.get("nn")) if "predicted" in job.keep else None,
        neighbours=neighbours,
    )
    return path


def load_result(folder: Path, key: str) -> Result:
    """Return a job's result.

    Raises
    ------
    InputError
        The file is missing or damaged.
    """
    path = own_file(folder, result_path(folder, key).name)
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        about = parse_json(str(arrays["about"]))
        scores = {
            name: ErrorSums(**{k: arrays[f"scores/{i}/{k}"] for k in ErrorSums.__slots__})
            for i, name in enumerate(about["systems"])
        }
        return Result(
            scores=scores, about=about, test=arrays["test"],
            predicted=arrays["predicted"].astype(np.float64) if "predicted" in arrays else None,
            neighbours=arrays.get("neighbours"),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read", str(error), "delete it and run again with --resume") from error


def exercise_axis(windows: Windows) -> tuple[str, ...]:
    """Return the names of the exercises, sorted: the axis of all scores."""
    return tuple(str(name) for name in np.unique(windows.exercise))


def _trained(
    job: Job,
    windows: Windows,
    parts: Split,
    folder: Path,
    settings: TrainingSettings,
    progress: Callable[[int], None] | None,
) -> tuple[Network, dict[str, Any]]:
    train = cropped(windows.take(parts.train), job.length)[0]
    validation = cropped(windows.take(_spaced(parts.validation, MOST_VALIDATED)), job.length)[0]
    torch.manual_seed(job.seed)
    network = networks.build(job.system, train)
    if job.start_at_mean:
        network.start_at(channel_means(train.emg))
    if job.start_from:
        weights = _weights_path(folder, job.start_from)
        try:
            network.load_state_dict(load_file(own_file(folder, weights.name)))
        except (OSError, RuntimeError) as error:
            raise InputError(f"{weights} cannot be read", str(error), "run again with --resume") from error
    batch = max(1, round(job.batch * windows.length / job.length))
    trained = train_steps(
        network,
        train,
        replace(settings, recipe=with_rate(network.recipe, job.learning_rate, batch)),
        validation=validation,
        saved=folder / f"{job.key}.unfinished",
        progress=progress,
    )
    rmse = [value for _, value in trained.checks]
    return trained.network, {
        "checks": [list(check) for check in trained.checks],
        "best_step": trained.best_step,
        "validation_rmse": min(rmse),
        "still_falling": trained.best_step == job.steps,
        "parameters": trained.network.n_parameters(),
        "device": trained.device,
    }


def _spaced(rows: IntArray, most: int) -> IntArray:
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), most)).round().astype(np.int64))]


def _neighbours(known: Windows, test: Windows, nearest: Callable[[IntArray, IntArray], IntArray]) -> IntArray:
    """Return for each test window the nearest known one, and the nearest of another exercise; shape (N, 2)."""
    everyone, queries = np.arange(len(known)), np.arange(len(test))
    found = np.stack([nearest(everyone, queries)] * 2, axis=1)
    for exercise in np.unique(test.exercise):
        others = everyone[known.exercise != exercise]
        if len(others):
            mine = queries[test.exercise == exercise]
            found[mine, 1] = nearest(others, mine)
    return found


def _nearest(known: Tensor, test: Tensor, candidates: IntArray, queries: IntArray) -> IntArray:
    """Return for each query the nearest candidate; indices into ``known``."""
    a, b = known[torch.from_numpy(candidates)], test[torch.from_numpy(queries)]
    rows = [torch.cdist(b[i : i + 512], a).argmin(1).numpy() for i in range(0, len(b), 512)]
    return np.asarray(candidates[np.concatenate(rows)], dtype=np.int64)


def _weights_path(folder: Path, key: str) -> Path:
    return folder / f"{key}.safetensors"


def _write(
    path: Path,
    scores: dict[str, ErrorSums],
    about: dict[str, Any],
    test: IntArray,
    *,
    predicted: FloatArray | None,
    neighbours: IntArray | None,
) -> None:
    arrays: dict[str, Any] = {
        f"scores/{i}/{k}": getattr(one, k) for i, one in enumerate(scores.values()) for k in ErrorSums.__slots__
    }
    arrays |= {"test": test, "about": np.array(json.dumps({**about, "systems": list(scores)}))}
    if predicted is not None:
        arrays["predicted"] = predicted.astype(np.float32)
    if neighbours is not None:
        arrays["neighbours"] = neighbours
    with written_whole(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **arrays)
