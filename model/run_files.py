"""Schemas of a run's ``config.json`` and ``metrics.json``, checked once on reading, and the checksums of its files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dataset.support.errors import InputError
from dataset.support.files import sha256_of, write_atomically
from dataset.support.own_files import own_file
from dataset.support.parsing import JsonModel, ModelT, read_json, validated
from dataset.support.text import clean_json

FORMAT = "mia-run"
FORMAT_VERSION = "1"

CONFIG = "config.json"
METRICS = "metrics.json"
CHECKSUMS = "checksums.json"

_HINT = "copy the run again, or train again"

Count = Annotated[int, Field(ge=0, lt=2**53)]
Frames = Annotated[int, Field(ge=1, le=10_000)]
Channels = Annotated[int, Field(ge=1, le=64)]
Name = Annotated[str, Field(max_length=10_000)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Rate = Annotated[float, Field(gt=0, le=10_000)]
Baseline = Literal["random", "mean", "subject_mean", "nn", "nn_subject"]


class MiaShape(JsonModel):
    """Shape of the ``mia`` network: :class:`model.networks.mia.MiaConfig`."""

    model_config = ConfigDict(extra="forbid")

    n_dims: Literal[2, 3]
    n_channels: Channels
    length: Frames
    subjects: list[Name]
    width: Annotated[int, Field(ge=1, le=1024)]
    n_layers: Annotated[int, Field(ge=1, le=32)]
    n_heads: Annotated[int, Field(ge=1, le=64)]
    dropout: Annotated[float, Field(ge=0, lt=1)]

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> Self:
        if self.width % self.n_heads:
            raise ValueError(f"width {self.width} is no multiple of n_heads {self.n_heads}")
        return self


class PaperShape(JsonModel):
    """Shape of one of the paper's networks: :class:`model.networks.paper_inputs.PaperConfig`."""

    model_config = ConfigDict(extra="forbid")

    n_channels: Channels
    length: Frames
    source: Literal["image", "3d"]


_SHAPES: dict[str, type[BaseModel]] = {"mia": MiaShape, "transformer-paper": PaperShape, "cnn-paper": PaperShape}


class SplitEntry(JsonModel):
    """How the windows were split."""

    name: Name
    seed: Count
    embargo_frames: Count
    held_out: list[Name] = Field(default_factory=list)
    dropped_windows: Count = 0


class FittedSession(JsonModel):
    """A session that a run was fitted on, and the rows at which its windows start."""

    session: Name
    session_uuid: Name
    sha256: Sha256
    subject: Name
    verdict: Literal["PASS", "WARNING", "FAIL"]
    train_rows: list[Count]
    test_rows: list[Count]


class KeptWindows(JsonModel):
    """Facts of the stored training windows beside their arrays."""

    model_config = ConfigDict(extra="forbid")

    kept: Count
    of: Count
    image_xy: None = None
    subject: list[Name]
    exercise: list[Name]
    channels: list[Name]
    unit: Name
    recordings: list[Name]
    rate_hz: Rate
    stride: Frames
    n_incomplete: Count


class RunConfig(JsonModel):
    """Content of ``config.json``."""

    format: Literal["mia-run"]
    format_version: Literal["1"]
    model: Literal["mia", "transformer-paper", "cnn-paper"]
    network: dict[str, Any]
    created_utc: Name
    device: Name
    channels: Annotated[list[Name], Field(min_length=1, max_length=64)]
    unit: Name
    rate_hz: Rate
    length: Frames
    stride: Frames
    n_train: Count
    seconds: Annotated[float, Field(ge=0)]
    epochs: Count
    steps: Count
    losses: list[float | None]
    split: SplitEntry
    sessions: list[FittedSession]
    training_windows: KeptWindows

    @model_validator(mode="after")
    def _network_fits(self) -> Self:
        try:
            shape = validated(self.network, _SHAPES[self.model])
        except ValueError as error:
            raise ValueError(f"network.{error}") from None
        for name, wanted in (("n_channels", len(self.channels)), ("length", self.length)):
            if getattr(shape, name) != wanted:
                raise ValueError(f"network.{name} is {getattr(shape, name)}, not {wanted}")
        if self.training_windows.channels != self.channels:
            raise ValueError("training_windows.channels are not the run's channels")
        return self


class ScoredSession(JsonModel):
    """A session that metrics were computed from."""

    session: Name
    sha256: Sha256


class Metrics(JsonModel):
    """Content of ``metrics.json``; a number that is undefined is None."""

    rmse: float | None
    rmse_per_exercise: dict[str, float | None]
    rmse_per_channel: dict[str, float | None]
    rmse_mean_exercises: float | None
    rmse_normalised: float | None
    r2: dict[str, float | None]
    floors: dict[Baseline, float | None]
    n_train: Count
    n_test: Count
    seconds: Annotated[float, Field(ge=0)]
    parameters: Count
    split: SplitEntry
    sessions: list[ScoredSession]

    @model_validator(mode="after")
    def _channels_agree(self) -> Self:
        if set(self.r2) != set(self.rmse_per_channel):
            raise ValueError("r2 and rmse_per_channel name different channels")
        return self

    def as_dict(self) -> dict[str, Any]:
        """Return the content as ``--json`` prints it."""
        return self.model_dump(exclude_unset=True)


def metrics_of(values: Mapping[str, Any]) -> Metrics:
    """Return measured metrics; numbers that are not finite (an overflow, a failed training) become None."""
    return validated(clean_json(values), Metrics)


def load_config(folder: Path) -> RunConfig:
    """Return the settings of the run in ``folder``, after checking its files against their checksums.

    Raises
    ------
    InputError
        The folder is not a run, is one of a newer version, or is damaged; the message names the file and the field.
    """
    path = own_file(folder, CONFIG)
    hint = "give the folder that mia-train fit wrote"
    if not path.is_file():
        raise InputError(f"{folder} is not a run", f"it has no {CONFIG}", hint)
    _check_checksums(folder)
    config = read_json(path, hint=hint)
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise InputError(f"{folder} is not a run", f"{CONFIG} does not state the format {FORMAT!r}", hint)
    if config.get("format_version") != FORMAT_VERSION:
        raise InputError(
            f"{folder} has format_version {config.get('format_version')!r}",
            f"this program reads {FORMAT_VERSION!r}",
            "update muscles-in-action, or train again",
        )
    return _as_model(path, config, RunConfig)


def load_metrics(folder: Path) -> Metrics:
    """Return a run's ``metrics.json``.

    Raises
    ------
    InputError
        The folder is not a run, or the file is missing or damaged; the message names the field.
    """
    path = own_file(folder, METRICS)
    load_config(folder)
    return _as_model(path, read_json(path, hint="train again"), Metrics)


def _as_model(path: Path, value: Any, model: type[ModelT]) -> ModelT:
    try:
        return validated(value, model)
    except ValueError as error:
        raise InputError(f"{path} is damaged", str(error), _HINT) from error


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file atomically; numbers that are not finite become null."""
    write_atomically(path, (json.dumps(clean_json(value), indent=2, allow_nan=False) + "\n").encode())


def write_checksums(folder: Path, names: Sequence[str]) -> None:
    """Write ``checksums.json``: the SHA-256 of a run's files, checked whenever it is read."""
    write_json(folder / CHECKSUMS, {"files": {name: sha256_of(folder / name) for name in names}})


class _Checksums(JsonModel):
    model_config = ConfigDict(extra="forbid")

    files: dict[str, Sha256]


def _check_checksums(folder: Path) -> None:
    """Compare a run's files with their checksums; runs of earlier versions have none."""
    path = own_file(folder, CHECKSUMS)
    if not path.exists():
        return
    for name, sha256 in _as_model(path, read_json(path, hint=_HINT), _Checksums).files.items():
        file = own_file(folder, name)
        if not file.exists():
            raise InputError(f"{file} is missing", f"{CHECKSUMS} lists it", _HINT)
        if sha256_of(file) != sha256:
            raise InputError(f"{file} has changed since it was written", "its SHA-256 differs", _HINT)
