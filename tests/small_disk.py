"""Runs a shell script beside a small disk of its own that it may fill."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def run_on_small_disk(script: str, work: Path, megabytes: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``script`` with a tmpfs of that size at ``$DISK``, in a mount namespace that ends with it.

    The test is skipped where this user may not make one.
    """
    disk = work / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size={megabytes}m none '{disk}'"
    unshare = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if shutil.which("unshare") is None or subprocess.run([*unshare, mount], capture_output=True).returncode != 0:
        pytest.skip("a small disk needs unshare(1) and unprivileged user namespaces")
    return subprocess.run(
        [*unshare, f"{mount} || exit 77\n{script}", "sh", *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "DISK": str(disk), "WORK": str(work)},
    )
