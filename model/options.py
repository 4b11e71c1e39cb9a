"""Settings of a training and of the experiments, from the command line down to the functions that use them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

AllowUnverified = Annotated[bool, typer.Option("--allow-unverified", help="Also take sessions whose verdict is FAIL.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """What is trained, on which part of the sessions, and for how long.

    Attributes
    ----------
    model : str
        ``mia``, ``transformer-paper`` or ``cnn-paper``.
    split : str
        What is held out: ``time``, ``recording``, ``exercise``, ``subject`` or ``pass``.
    held_out : tuple of str
        The recordings, exercises or subjects that are held out.
    seed : int
        Of the weights, the order of the windows and the split.
    epochs : int or None
        None: the model's own recipe.
    stride : int or None
        Frames between windows. None: 1 where the sessions are shorter than 10 minutes, else 5.
    allow_unverified : bool
        Also take sessions whose verdict is FAIL.
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
    """How many trainings the experiments make, how long each is, and where they run.

    Attributes
    ----------
    tier : str
        ``quick``, a stated subset, or ``full``.
    seeds, steps : int or None
        Trainings of each kind, and steps of 32 windows in each; None: the tier's.
    stride : int or None
        Frames between windows, as in :class:`FitOptions`.
    jobs : int or None
        Runs at a time, each in a process of its own; None: one.
    scheduler : str or None
        Address of a running Dask scheduler, in place of processes here.
    resume : bool
        Continue where an earlier run was stopped.
    allow_unverified : bool
        Also take sessions whose verdict is FAIL.
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
