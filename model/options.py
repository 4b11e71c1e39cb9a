"""Settings of training and experiments, defined once with their command line options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

AllowUnverified = Annotated[bool, typer.Option("--allow-unverified", help="Also use sessions whose verdict is FAIL.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """Settings of a training: model, split and duration.

    Attributes
    ----------
    model : str
        ``mia``, ``transformer-paper`` or ``cnn-paper``.
    split : str
        What is held out for testing: ``time``, ``recording``, ``exercise``, ``subject`` or ``pass``.
    held_out : tuple of str
        The recordings, exercises or subjects that are held out.
    seed : int
        Seed of the weights, the order of the windows and the split.
    epochs : int or None
        None: the model's default.
    stride : int or None
        Frames between windows. None: 1 where the sessions are shorter than 10 minutes, else 5.
    allow_unverified : bool
        Also use sessions whose verdict is FAIL.
    """

    model: Annotated[str, typer.Option("--model", help="Model: mia, transformer-paper or cnn-paper.")] = "mia"
    split: Annotated[
        str, typer.Option("--split", help="What is held out for testing: time, recording, exercise, subject or pass.")
    ] = "time"
    held_out: Annotated[
        tuple[str, ...],
        typer.Option("--hold-out", help="Recording, exercise or subject to hold out (may be repeated)."),
    ] = ()
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of weights, window order and split.")] = 0
    epochs: Annotated[
        int | None, typer.Option("--epochs", min=1, help="Number of epochs; default: set by the model.")
    ] = None
    stride: Annotated[
        int | None,
        typer.Option("--stride", min=1, help="Frames between windows; default: 1 below 10 minutes of data, else 5."),
    ] = None
    allow_unverified: AllowUnverified = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentOptions:
    """Settings of the experiments: number and length of the trainings, and where they run.

    Attributes
    ----------
    tier : str
        ``quick``, a stated subset, or ``full``.
    seeds, steps : int or None
        Number of trainings of each kind, and of steps (32 windows each); None: set by the tier.
    stride : int or None
        Frames between windows, as in :class:`FitOptions`.
    jobs : int or None
        Runs in parallel, each in its own process; None: one.
    scheduler : str or None
        Address of a running Dask scheduler, used instead of processes on this machine.
    resume : bool
        Continue an earlier run that was stopped.
    allow_unverified : bool
        Also use sessions whose verdict is FAIL.
    """

    tier: Annotated[str, typer.Option("--tier", help="Size of the experiments: quick (a stated subset) or full.")] = (
        "quick"
    )
    seeds: Annotated[
        int | None, typer.Option("--seeds", min=1, help="Trainings of each kind; default set by --tier.")
    ] = None
    steps: Annotated[
        int | None,
        typer.Option("--steps", min=1, help="Training steps (32 windows each) for every run; default set by --tier."),
    ] = None
    stride: Annotated[int | None, typer.Option("--stride", min=1, help="Frames between windows, as in fit.")] = None
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Number of runs in parallel.")] = None
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="Address of a running Dask scheduler, e.g. tcp://host:8786.")
    ] = None
    resume: Annotated[bool, typer.Option("--resume", help="Continue an earlier run that was stopped.")] = False
    allow_unverified: AllowUnverified = False
