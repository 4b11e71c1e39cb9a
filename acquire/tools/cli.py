"""Commands of the tools; each is a thin wrapper of a function that scripts can call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from acquire.command_options import JsonOption, ListenOptions, SecondsOption, ToolRigOption, TransportOption
from dataset.support.command_options import with_options
from dataset.support.console import EXIT_INPUT, EXIT_REFUSED, STDERR, print_result, progress

if TYPE_CHECKING:
    from acquire.hardware import Hardware, Radio

T = TypeVar("T")

_TICK_S = 0.25

AddressArgument = Annotated[str, typer.Argument(help="The device's address, as listed by scan.")]

rig_app = typer.Typer(help="Write a rig file from the sensors in range, or check one.", no_args_is_help=True)
profile_app = typer.Typer(help="Profiles: how a sensor's notifications are decoded.", no_args_is_help=True)


def add_tools(app: typer.Typer) -> None:
    """Add the tools to ``mia-record``."""
    for name, command in (
        ("scan", _scan),
        ("inspect", _inspect),
        ("listen", _listen),
        ("identify", _identify),
        ("doctor", _doctor),
    ):
        app.command(name)(command)
    app.add_typer(rig_app, name="rig")
    app.add_typer(profile_app, name="profile")


def _with_radio(hardware: Hardware, doing: str, seconds: float, use: Callable[[Radio], Awaitable[T]]) -> T:
    """Open the radio, use it, and show a bar that takes about ``seconds``."""
    from acquire.tools.radio import opened

    async def run(advance: Callable[[float], None]) -> T:
        async def tick() -> None:
            while True:
                await asyncio.sleep(_TICK_S)
                advance(_TICK_S)

        ticking = asyncio.create_task(tick())
        try:
            async with opened(hardware) as radio:
                return await use(radio)
        finally:
            ticking.cancel()

    with progress(doing, seconds) as advance:
        return asyncio.run(run(advance))


def _scan(
    rig: ToolRigOption = "",
    transport: TransportOption = "",
    seconds: SecondsOption = 5.0,
    ask: Annotated[
        bool, typer.Option("--ask", help="Also connect to each sensor and read its serial number and battery.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List Bluetooth devices in range with signal strength and matching profile."""
    from acquire.tools.radio import tool_hardware
    from acquire.tools.scanning import scan, scan_text

    found = _with_radio(tool_hardware(rig, transport), "scanning", seconds, lambda radio: scan(radio, seconds, ask=ask))
    print_result({"devices": [f.as_dict() for f in found]}, as_json=as_json, text=scan_text(found))


def _inspect(
    address: AddressArgument, rig: ToolRigOption = "", transport: TransportOption = "", as_json: JsonOption = False
) -> None:
    """Read all services, characteristics and values of a device; nothing is written to it."""
    from acquire.tools.inspecting import inspect, inspect_text
    from acquire.tools.radio import tool_hardware

    found = _with_radio(tool_hardware(rig, transport), "reading", 5.0, lambda radio: inspect(radio, address))
    print_result(found, as_json=as_json, text=inspect_text(found))


@with_options
def _listen(address: AddressArgument, options: ListenOptions, as_json: JsonOption = False) -> None:
    """Subscribe to a device and show its bytes, their rate, and possible values and counters in them."""
    from acquire.tools.listening import listen, listen_text
    from acquire.tools.radio import tool_hardware
    from dataset.sensors.profile import named_profile

    known = named_profile(options.profile) if options.profile else None
    received = _with_radio(
        tool_hardware(options.rig, options.transport),
        "listening",
        options.seconds,
        lambda radio: listen(radio, address, options.seconds, characteristic=options.characteristic, profile=known),
    )
    result = {"address": address, "characteristics": [h.as_dict() for h in received]}
    print_result(result, as_json=as_json, text=listen_text(address, received, known))


def _identify(
    slot: Annotated[int, typer.Argument(min=1, help="Number of the slot in the rig file, from 1.")],
    rig: Annotated[str, typer.Option("--rig", help="A rig.toml, 'virtual' or 'virtual-mixed'.")] = "rig.toml",
    transport: TransportOption = "",
    as_json: JsonOption = False,
) -> None:
    """Blink the sensor in a slot. No other command writes more than start and stop commands to a sensor."""
    from dataclasses import asdict

    from acquire.tools.identifying import identify
    from acquire.tools.radio import tool_hardware

    hardware = tool_hardware(rig, transport)
    shown = _with_radio(hardware, "showing", 8.0, lambda radio: identify(radio, hardware.sensors, slot))
    text = f"slot {shown.slot}, {shown.channel}: {shown.serial or shown.address}; {shown.shows}"
    print_result(asdict(shown), as_json=as_json, text=text)


@rig_app.command("init")
def rig_init(
    file: Annotated[Path, typer.Argument(help="The rig file to write; never overwritten.")] = Path("rig.toml"),
    rig: ToolRigOption = "",
    transport: TransportOption = "",
    seconds: SecondsOption = 8.0,
    as_json: JsonOption = False,
) -> None:
    """Write a commented rig file from the sensors in range."""
    from acquire.tools.radio import tool_hardware
    from acquire.tools.rig_init import check_new, write_rig
    from acquire.tools.scanning import scan

    check_new(file)
    found = _with_radio(
        tool_hardware(rig, transport),
        "scanning, then reading each sensor's serial number",
        seconds,
        lambda radio: scan(radio, seconds, ask=True),
    )
    n = write_rig(file, found)
    text = f"{file}: {n} slots; check it: mia-record rig check --rig {file}"
    print_result({"rig": str(file), "slots": n}, as_json=as_json, text=text)


@rig_app.command("check")
def rig_check(
    rig: Annotated[str, typer.Option("--rig", help="A rig.toml, 'virtual' or 'virtual-mixed'.")] = "rig.toml",
    transport: TransportOption = "",
    out: Annotated[Path, typer.Option("--out", help="Folder that captures would go to.")] = Path("captures"),
    seconds: SecondsOption = 5.0,
    patience: Annotated[
        float, typer.Option("--patience", min=0, max=3600, help="Seconds to wait for all sensors.")
    ] = 20.0,
    as_json: JsonOption = False,
) -> None:
    """Check that all sensors stream at their rate: one line each, with what to do. Exit code 3 if not all do."""
    from acquire.open_rig import declared_media
    from acquire.tools.radio import tool_hardware
    from acquire.tools.rig_check import CheckSettings, check_rig, check_text

    picture, sound_rate_hz = declared_media(rig)
    settings = CheckSettings(seconds=seconds, patience_s=patience, picture=picture, sound_rate_hz=sound_rate_hz)
    with _fraction_bar("checking") as advance:
        found = check_rig(tool_hardware(rig, transport), out, settings, advance)
    print_result(found.as_dict(), as_json=as_json, text=check_text(found))
    if not found.all_at_rate:
        raise typer.Exit(EXIT_REFUSED)


@profile_app.command("check")
def profile_check(
    file: Annotated[Path, typer.Argument(help="A profile file.")],
    replay: Annotated[Path | None, typer.Option("--replay", help="Capture to decode with it.")] = None,
    slot: Annotated[int | None, typer.Option("--slot", min=1, help="Only this slot of the capture.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a profile file and, with --replay, decode a recorded capture with it. Exit code 2 if it does not fit."""
    from acquire.tools.profile_check import check_profile, profile_text

    found = check_profile(file, replay, slot)
    print_result(found.as_dict(), as_json=as_json, text=profile_text(found))
    if found.problems:
        raise typer.Exit(EXIT_INPUT)


@contextmanager
def _fraction_bar(description: str) -> Iterator[Callable[[float], None]]:
    """Show a progress bar on stderr; yields a function that sets the fraction done."""
    from rich.progress import BarColumn, Progress, TextColumn

    with Progress(TextColumn("{task.description}"), BarColumn(), console=STDERR, transient=True) as bar:
        task = bar.add_task(description, total=1.0)
        yield lambda fraction: bar.update(task, completed=fraction)


def _doctor(as_json: JsonOption = False) -> None:
    """List what this machine has for recording and what it lacks; without personal data, for a bug report."""
    from acquire.tools import doctor

    findings = doctor.examine()
    print_result(doctor.as_dict(findings), as_json=as_json, text=doctor.as_text(findings))
