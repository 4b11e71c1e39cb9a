"""Settings of a simulated recording, light enough for the command line to import."""

# Annotations are not postponed here: what is too slow to import for `mia-record --help` is quoted within Annotated.
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from acquire.command_options import LARGEST_SEED, LONGEST_S, PROTOCOL, CalibrateOption, SubjectOption
from acquire.virtual.film import Film
from dataset.support.command_options import GivenAs

if TYPE_CHECKING:
    from acquire.protocol.protocol import Protocol
    from acquire.virtual.faults import Faults


def _load_protocol(path: Path | None) -> "tuple[Protocol, str]":
    from acquire.protocol.protocol import load_protocol

    return load_protocol(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateOptions:
    """Length, subject, faults and picture of a simulated recording.

    Attributes
    ----------
    subject : str
        Also draws the person.
    minutes : float or None
        Length; the protocol's passes are repeated or shortened to fill it. None: the protocol as it is.
    seed : int
        Draws the schedule, the devices and what differs between recordings.
    protocol : (Protocol, str)
        The protocol, and its file's text for the capture.
    faults : Faults or Path or None
        Faults in place of the mild ones.
    calibrate : bool
        Begin with rest, contraction and rest of every muscle.
    mixed : bool
        Some channels sit on devices of other makes than the M40.
    film : Film or None
        Size and noise of the picture; None: no picture and no sound, for very long recordings.
    stamp : str or None
        Name of the recording, ``YYYYMMDDTHHMMSS``; None: now.
    """

    subject: SubjectOption
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", min=0.01, max=LONGEST_S / 60, help="Length of the recording in minutes."),
        GivenAs(float),
    ] = None
    seed: Annotated[int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="Random seed.")]
    protocol: Annotated[
        "tuple[Protocol, str]",
        PROTOCOL,
        GivenAs(Path | None, None, _load_protocol),
    ]
    faults: Annotated[
        "Faults | Path | None",
        typer.Option("--faults", help="TOML file of faults to simulate."),
        GivenAs(Path | None, None),
    ] = None
    calibrate: CalibrateOption = False
    mixed: Annotated[bool, typer.Option("--mixed", help="Use sensors of other makes on some channels.")] = False
    film: Annotated[
        Film | None,
        typer.Option("--video/--no-video", help="Render video and sound (off: much faster)."),
        GivenAs(bool, True, lambda wanted: Film() if wanted else None),
    ] = Film()
    stamp: Annotated[
        str | None, typer.Option("--stamp", help="Name of the recording, YYYYMMDDTHHMMSS; default: now.")
    ] = None
