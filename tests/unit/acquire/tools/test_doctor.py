"""``mia-record doctor`` on machines made of folders."""

from __future__ import annotations

import getpass
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from acquire.tools.doctor import Finding, Machine, State, as_dict, as_text, examine


def _machine(root: Path, *, adapters: tuple[str, ...] = (), blocked: tuple[str, ...] = ()) -> Machine:
    for name in adapters:
        (root / "sys/class/bluetooth" / name).mkdir(parents=True)
    for number, name in enumerate(blocked):
        switch = root / f"sys/class/rfkill/rfkill{number}"
        switch.mkdir(parents=True)
        for key, value in (("type", "bluetooth"), ("name", name), ("soft", "1"), ("hard", "0")):
            (switch / key).write_text(value)
    (root / "dev").mkdir(exist_ok=True)
    return Machine(kernel=root / "sys", devices=root / "dev", disk=root, is_linux=True)


def _named(machine: Machine, name: str) -> Finding:
    return next(f for f in examine(machine) if f.name == name)


def test_a_machine_without_anything_says_what_to_do(tmp_path: Path) -> None:
    machine = _machine(tmp_path)
    assert _named(machine, "bluetooth").state == State.MISSING
    for name in ("bluetooth", "cameras", "serial ports"):
        assert _named(machine, name).hint


def test_connections_are_not_adapters_and_a_blocked_adapter_is_named(tmp_path: Path) -> None:
    finding = _named(_machine(tmp_path, adapters=("hci0", "hci0:64", "hci1"), blocked=("hci1",)), "bluetooth")
    assert finding.found == "hci0, hci1 (switched off)" and finding.state == State.OK


def test_only_blocked_adapters_are_none(tmp_path: Path) -> None:
    finding = _named(_machine(tmp_path, adapters=("hci0",), blocked=("hci0",)), "bluetooth")
    assert finding.state == State.MISSING and "rfkill" in finding.hint


def test_a_camera_is_listed_once_by_its_name(tmp_path: Path) -> None:
    machine = _machine(tmp_path)
    for number in (0, 1):
        node = tmp_path / f"sys/class/video4linux/video{number}"
        node.mkdir(parents=True)
        (node / "name").write_text("Webcam\n")
        (node / "index").write_text(f"{number}\n")
        (tmp_path / f"dev/video{number}").touch()
    assert _named(machine, "cameras").found == "video0 (Webcam)"


def test_another_system_says_what_it_does_not_know(tmp_path: Path) -> None:
    machine = Machine(kernel=tmp_path, devices=tmp_path, disk=tmp_path, is_linux=False)
    assert _named(machine, "bluetooth").state == State.UNKNOWN


def test_the_command_prints_one_object_without_personal_data() -> None:
    command = [sys.executable, "-c", "from acquire.cli import main; main()", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    findings = json.loads(done.stdout)["findings"]
    assert {"bluetooth", "cameras", "microphone", "disk", "clock"} <= {f["name"] for f in findings}
    for personal in (platform.node(), os.path.expanduser("~"), str(Path.cwd())):  # noqa: PTH111
        assert not personal or personal not in done.stdout
    user = getpass.getuser()
    assert user == "root" or user not in done.stdout


def test_the_text_has_a_line_for_each_finding(tmp_path: Path) -> None:
    findings = examine(_machine(tmp_path))
    assert len(as_dict(findings)["findings"]) == len(findings)
    assert all(f.name in as_text(findings) for f in findings)
