"""Settings of synchronisation and import, defined once with their command line options."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from dataset.support.command_options import GivenAs
from dataset.support.errors import UsageError
from sync.time_unit import TimeUnit


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOptions:
    """Settings for synchronising captures, the same for every capture of a run.

    Attributes
    ----------
    video : tuple of Path
        Videos to use instead of the capture's own: the parts of one recording, in order. Empty: the capture's own.
    pose : bool
        Detect keypoints; without it the session has none.
    pose_model : Path or None
        A ``.task`` file to use instead of the built-in network.
    allow_unverified : bool
        Write the session even if the verdict is FAIL, marked so.
    workers : int or None
        Threads for decoding and pose detection; one per core by default. A caller that processes several captures at
        once gives one to each. The result does not depend on it.
    """

    video: Annotated[
        tuple[Path, ...],
        typer.Option(
            "--video", help="Use this video instead of the capture's own; repeat it for several parts in order."
        ),
    ] = ()
    pose: Annotated[
        bool, typer.Option("--no-pose", help="Do not detect keypoints."), GivenAs(bool, False, operator.not_)
    ] = True
    pose_model: Annotated[
        Path | None, typer.Option("--pose-model", help="MediaPipe .task file to use instead of the built-in model.")
    ] = None
    allow_unverified: Annotated[
        bool, typer.Option("--allow-unverified", help="Also write sessions that are refused, marked FAIL.")
    ] = False
    workers: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """Settings of a batch: where captures are processed, and which are skipped.

    Attributes
    ----------
    jobs : int or None
        Worker processes on this machine; None: only this process.
    scheduler : str or None
        Address of a running Dask scheduler, used instead of processes on this machine. Its workers must have access to
        the same folders under the same paths.
    resume : bool
        Skip captures whose session exists already.
    """

    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Number of captures to process in parallel.")] = None
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="Address of a running Dask scheduler, e.g. tcp://host:8786.")
    ] = None
    resume: Annotated[bool, typer.Option("--resume", help="Skip captures that already have a session.")] = False

    @property
    def parallel(self) -> bool:
        """Whether captures are processed in other processes, several at a time."""
        return (self.jobs or 1) > 1 or self.scheduler is not None


def channels_named(options: list[str] | None) -> dict[str, str]:
    """Return the channel of each column given with ``--channel``; a column's name may contain equals signs.

    Raises
    ------
    UsageError
        An option is not ``COLUMN=CHANNEL``, or a column is named twice.
    """
    found: dict[str, str] = {}
    for option in options or ():
        column, equals, name = option.rpartition("=")
        if not equals or not column.strip() or not name.strip():
            raise UsageError(
                f"--channel {option!r} is not understood",
                "it is not of the form COLUMN=CHANNEL",
                'write it as: --channel "RECTUS FEM. LT=left_quadriceps"',
            )
        if column.strip() in found:
            raise UsageError(f"--channel names the column {column.strip()!r} twice", "a column can only be one channel")
        found[column.strip()] = name.strip()
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """Files that another app recorded, and how their tables are read.

    Attributes
    ----------
    video : Path
        Attached by its path and checksum, not copied.
    emg : Path
        CSV: first column ``time_s`` on the logger's clock, then columns of any name, blank where there is no value.
        Times may repeat, as within a packet, but not decrease.
    flashes : Path or None
        CSV with a column ``time_s`` on the same clock.
    exercises : Path or None
        CSV with columns ``name,start_s,stop_s`` on the same clock.
    subject : str
    channels : mapping of str to str
        The channel for each column given, such as ``left_quadriceps``; the other columns are chosen and named by
        :func:`dataset.importers.emg_columns.choose_columns`.
    time_unit : TimeUnit or None
        Unit of the times in all tables. None: seconds, refused if implausible.
    epoch : int or None
        If the table's clock was set, so that its times jump: number of the part to import, from 1.
    """

    video: Annotated[Path, typer.Option("--video", help="Video file; it is not copied.")]
    emg: Annotated[Path, typer.Option("--emg", help="CSV file: time_s, then one column per channel.")]
    flashes: Annotated[Path | None, typer.Option("--flashes", help="CSV file: time_s of each flash.")] = None
    exercises: Annotated[Path | None, typer.Option("--exercises", help="CSV file: name,start_s,stop_s.")] = None
    subject: Annotated[str, typer.Option("--subject", help="Subject label: letters and digits.")] = "S01"
    channels: Annotated[
        Mapping[str, str],
        typer.Option(
            "--channel",
            help='Channel of a column, e.g. "RECTUS FEM. LT=left_quadriceps"; may be repeated. Other columns are '
            "recognised by name and values.",
            metavar="COLUMN=CHANNEL",
        ),
        GivenAs(list[str] | None, None, channels_named),
    ] = field(default_factory=dict)
    time_unit: Annotated[
        TimeUnit | None,
        typer.Option("--time-unit", help="Unit of the tables' times; default: seconds, refused if implausible."),
    ] = None
    epoch: Annotated[
        int | None,
        typer.Option("--epoch", min=1, help="Import only this part, where the logger's clock jumps; from 1."),
    ] = None
