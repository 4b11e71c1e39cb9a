"""Options of ``mia-record``: those shared by several commands, and the settings of recording and listening."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

#: Other programs read a seed as an integer of 64 bits.
LARGEST_SEED = 2**63 - 1
#: Of a recording: a day.
LONGEST_S = 86_400.0

SubjectOption = Annotated[str, typer.Option("--subject", help="Subject label: letters and digits.")]
OutOption = Annotated[Path, typer.Option("--out", help="Folder for captures.")]
PROTOCOL = typer.Option(
    "--protocol", help="Protocol file, or a built-in one: demo, starter, paper or later; default: demo."
)
ProtocolOption = Annotated[Path | None, PROTOCOL]
CalibrateOption = Annotated[
    bool, typer.Option("--calibrate", help="Record rest and a contraction of every muscle first, for normalisation.")
]
TransportOption = Annotated[
    str,
    typer.Option(
        "--transport", help="Use this Bluetooth adapter directly instead of the operating system's, e.g. usb:0."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
ToolRigOption = Annotated[
    str, typer.Option("--rig", help="A rig.toml, 'virtual' or 'virtual-mixed'; default: this computer's Bluetooth.")
]
SecondsOption = Annotated[float, typer.Option("--seconds", min=0.5, max=3600, help="How long to listen.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOptions:
    """What ``mia-record run`` is to record, with which hardware.

    Attributes
    ----------
    rig : str
        A rig file, or ``virtual``, or ``virtual-mixed``.
    out : Path
        Captures go to ``out/sub-<subject>/ses-<STAMP>``.
    subject : str
    headless : bool
        Without a screen; ``run`` has no other mode.
    protocol : Path or None
        A file, or the name of a built-in protocol; None: the demo.
    duration : float or None
        Seconds; shortens or stretches the exercises.
    seed : int or None
        Of the irregular sync sequences; None: random.
    assign : bool
        Bind each sensor to its muscle first, by asking for a contraction of each muscle.
    calibrate : bool
        Rest, contraction and rest of every muscle come first.
    setup_id : str
        Names the placement of the sensors, the same for its recordings.
    transport : str
        A Bluetooth controller to drive in place of the operating system's, such as ``usb:0``.
    """

    rig: Annotated[str, typer.Option("--rig", help="A rig.toml, 'virtual' or 'virtual-mixed'.")]
    out: OutOption
    subject: SubjectOption
    headless: Annotated[bool, typer.Option("--headless", help="Record without a screen (required).")] = False
    protocol: ProtocolOption = None
    duration: Annotated[
        float | None,
        typer.Option(
            "--duration", min=1, max=LONGEST_S, help="Length in seconds; exercise durations are scaled to fit."
        ),
    ] = None
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, max=LARGEST_SEED, help="Seed of the sync sequences; default: random."),
    ] = None
    assign: Annotated[
        bool, typer.Option("--assign", help="Ask to flex each muscle first, and assign the sensor that responds.")
    ] = False
    calibrate: CalibrateOption = False
    setup_id: Annotated[
        str, typer.Option("--setup-id", help="Name of this sensor placement, shared by all recordings made with it.")
    ] = ""
    transport: TransportOption = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenOptions:
    """What ``mia-record listen`` subscribes to, with which hardware, and for how long.

    Attributes
    ----------
    rig, transport : str
        The hardware; empty: this computer's Bluetooth.
    seconds : float
    characteristic : str
        Only this one; empty: all.
    profile : str
        A profile, by name or file, whose start and stop commands are sent; empty: none.
    """

    rig: ToolRigOption = ""
    transport: TransportOption = ""
    seconds: SecondsOption = 10.0
    characteristic: Annotated[str, typer.Option("--characteristic", help="Only this characteristic; default: all.")] = (
        ""
    )
    profile: Annotated[
        str, typer.Option("--profile", help="Profile (name or file) whose start and stop commands are sent.")
    ] = ""
