"""``doctor``: lists what this machine has for recording and what it lacks, without personal data.

Adapters and cameras are read from the kernel's tables in ``/sys`` (Linux), sound from PortAudio, versions from the
installed distributions. Nothing is opened, so no camera light goes on. The result holds no names of people or
computers, no paths of the user's, no addresses and no serial numbers.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Any

from dataset.support import clock
from dataset.support.system_libraries import missing_packages
from dataset.support.version import software

_PACKAGES = ("av", "bleak", "bumble", "h5py", "mediapipe", "numpy", "opencv-contrib-python", "scipy", "torch")
_LOW_DISK_GB = 10.0


class State(StrEnum):
    """Whether a thing is there."""

    OK = "ok"
    WARNING = "warning"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line: a thing, its state, what was found, and what to do if it is not right."""

    name: str
    state: State
    found: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where to look; tests give folders of their own.

    Attributes
    ----------
    kernel : Path
        The kernel's tables.
    devices : Path
        The device files.
    disk : Path
        A folder on the disk that captures go to.
    is_linux : bool
    """

    kernel: Path = Path("/sys")
    devices: Path = Path("/dev")
    disk: Path = Path()
    is_linux: bool = sys.platform.startswith("linux")


def examine(machine: Machine | None = None) -> tuple[Finding, ...]:
    """Return what was found, one finding for each thing a recording needs."""
    machine = machine or Machine()
    return (
        Finding(name="software", state=State.OK, found=software()),
        _system(),
        Finding(name="python", state=State.OK, found=platform.python_version()),
        _packages(),
        _system_libraries(),
        _adapters(machine),
        _cameras(machine),
        _sound(),
        _serial_ports(machine),
        _disk(machine.disk),
        _clock(),
    )


def as_dict(findings: tuple[Finding, ...]) -> dict[str, Any]:
    """Return the object that ``--json`` prints."""
    return {"findings": [asdict(f) for f in findings]}


def as_text(findings: tuple[Finding, ...]) -> str:
    """Return one line for each finding, and one for what to do."""
    lines = []
    for f in findings:
        lines.append(f"{f.name:<17} {f.state:<8} {f.found}")
        if f.hint:
            lines.append(f"{'':<26} -> {f.hint}")
    return "\n".join(lines)


def _system() -> Finding:
    found = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
    return Finding(name="system", state=State.OK, found=found)


def _packages() -> Finding:
    versions, missing = [], []
    for name in _PACKAGES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    hint = ""
    if missing == ["torch"]:
        hint = "only mia-train needs torch: pip install 'muscles-in-action[train]'"
    elif missing:
        hint = f"install again; missing: {', '.join(missing)}"
    state = State.OK if not missing else State.WARNING if missing == ["torch"] else State.MISSING
    return Finding(name="packages", state=state, found=", ".join(versions), hint=hint)


def _system_libraries() -> Finding:
    missing = missing_packages()
    return Finding(
        name="system libraries",
        state=State.MISSING if missing else State.OK,
        found="all there" if not missing else f"missing: {' '.join(missing)}",
        hint=f"sudo apt install {' '.join(missing)}" if missing else "",
    )


def _names(folder: Path, pattern: str) -> list[str]:
    try:
        return sorted(p.name for p in folder.glob(pattern))
    except OSError:
        return []


def _adapters(machine: Machine) -> Finding:
    if not machine.is_linux:
        return Finding(
            name="bluetooth", state=State.UNKNOWN, found="not listed on this system", hint="test it: mia-record scan"
        )
    # A connection appears beside its adapter, as hci0:12.
    names = [n for n in _names(machine.kernel / "class/bluetooth", "hci*") if ":" not in n]
    blocked = _blocked(machine.kernel / "class/rfkill")
    found = ", ".join(f"{n} (switched off)" if n in blocked else n for n in names) or "no adapter"
    if not names:
        return Finding(name="bluetooth", state=State.MISSING, found=found, hint="plug in a Bluetooth adapter")
    if all(n in blocked for n in names):
        return Finding(name="bluetooth", state=State.MISSING, found=found, hint="rfkill unblock bluetooth")
    return Finding(name="bluetooth", state=State.OK, found=found)


def _blocked(folder: Path) -> set[str]:
    """Return the Bluetooth adapters that a hardware or software switch blocks."""
    blocked = set()
    for name in _names(folder, "rfkill*"):
        if _read(folder / name / "type") == "bluetooth" and "1" in (
            _read(folder / name / "soft"),
            _read(folder / name / "hard"),
        ):
            blocked.add(_read(folder / name / "name"))
    return blocked


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _cameras(machine: Machine) -> Finding:
    if not machine.is_linux:
        return Finding(name="cameras", state=State.UNKNOWN, found="not listed on this system")
    folder = machine.kernel / "class/video4linux"
    # A camera also has nodes for its metadata; the picture is at index 0.
    nodes = [n for n in _names(folder, "video*") if _read(folder / n / "index") in ("", "0")]
    found = ", ".join(f"{n} ({_read(folder / n / 'name') or 'no name'})" for n in nodes) or "no camera"
    if not nodes:
        return Finding(name="cameras", state=State.WARNING, found=found, hint="a phone's film does: mia-record attach")
    return _with_permission(Finding(name="cameras", state=State.OK, found=found), machine, nodes, "video")


def _with_permission(finding: Finding, machine: Machine, nodes: list[str], group: str) -> Finding:
    """Return a finding as a warning if this user may not read and write some of its device files."""
    denied = [n for n in nodes if not os.access(machine.devices / n, os.R_OK | os.W_OK)]
    if not denied:
        return finding
    return replace(
        finding,
        state=State.WARNING,
        found=f"{finding.found}; no permission: {', '.join(denied)}",
        hint=f"sudo usermod -aG {group} $USER, then log in again",
    )


def _sound(query: Callable[[], Any] | None = None) -> Finding:
    try:
        if query is None:
            import sounddevice

            query = sounddevice.query_devices
        inputs = sum(device["max_input_channels"] > 0 for device in query())
    except (OSError, ImportError) as error:
        return Finding(name="microphone", state=State.MISSING, found=str(error), hint="sudo apt install libportaudio2")
    except Exception as error:  # noqa: BLE001 - PortAudio has no root error that is importable without it
        return Finding(name="microphone", state=State.UNKNOWN, found=type(error).__name__)
    if not inputs:
        return Finding(
            name="microphone",
            state=State.WARNING,
            found="no input",
            hint="a phone's film has sound; without any, no sensor's delay is measured",
        )
    return Finding(name="microphone", state=State.OK, found=f"{inputs} inputs")


def _serial_ports(machine: Machine) -> Finding:
    if not machine.is_linux:
        return Finding(name="serial ports", state=State.UNKNOWN, found="not listed on this system")
    ports = _names(machine.devices, "ttyUSB*") + _names(machine.devices, "ttyACM*")
    if not ports:
        return Finding(name="serial ports", state=State.WARNING, found="none: no LED box", hint="docs/phone-only.md")
    found = Finding(name="serial ports", state=State.OK, found=", ".join(ports))
    return _with_permission(found, machine, ports, "dialout")


def _disk(folder: Path) -> Finding:
    free_gb = shutil.disk_usage(folder).free / 1e9
    low = free_gb < _LOW_DISK_GB
    return Finding(
        name="disk",
        state=State.WARNING if low else State.OK,
        found=f"{free_gb:.1f} GB free here",
        hint="choose another disk with --out" if low else "",
    )


def _clock() -> Finding:
    return Finding(name="clock", state=State.OK, found=f"resolution {clock.resolution_ns()} ns")
