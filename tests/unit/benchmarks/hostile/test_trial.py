"""Mutated files of every format: no traceback, no hang, no gigabyte, nothing outside, no late refusal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.hostile.mutations import MIX

ROOT = Path(__file__).resolve().parents[4]

#: Whole commands, each in a process of its own: minutes.
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="trials are forked")]


def run_benchmark(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the benchmark in a process of its own: trials are forked, which a process with threads should not."""
    command = [sys.executable, "-m", "benchmarks.hostile", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=1800, check=False)


def test_200_mutated_files_are_refused_or_read() -> None:
    done = run_benchmark("--trials", "200", "--seed", "100000", "--quick")
    assert done.returncode == 0, done.stderr + done.stdout
    assert set(MIX) <= set(done.stdout.split())
    heading, *_, total = (line.split()[1:] for line in done.stdout.splitlines())
    counts = dict(zip(heading, map(int, total), strict=True))
    assert counts["refused"] > 80 and counts["accepted"] > 10 and sum(counts.values()) == 200


def test_1000_mutated_files_are_refused_or_read() -> None:
    done = run_benchmark("--trials", "1000", "--seed", "200000")
    assert done.returncode == 0, done.stderr + done.stdout


def test_the_files_are_valid_before_they_are_mutated() -> None:
    done = run_benchmark("--trials", "0")
    assert done.returncode == 0, done.stderr + done.stdout
