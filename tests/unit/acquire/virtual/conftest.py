"""One simulated capture, and worlds that have heard a protocol, shared by the tests of the virtual rig."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from acquire.protocol.protocol import Protocol, parse_protocol
from acquire.virtual.simulate import simulate
from acquire.virtual.simulate_options import SimulateOptions
from dataset.capture.reader import Capture

PROTOCOL = """
name = "short"
rest_s = 0.8
lead_in_s = 1.0
[sync]
claps = 2
stomps = 2
shortest_gap_s = 0.9
longest_gap_s = 1.3
[[exercises]]
name = "squat"
seconds = 4.0
"""


@dataclass(frozen=True, slots=True)
class Simulated:
    """A closed capture and what really happened."""

    folder: Path
    capture: Capture
    truth: dict[str, Any]


@pytest.fixture(scope="session")
def short_protocol() -> Protocol:
    """About 18 s with two claps and two stomps at both ends."""
    return parse_protocol(PROTOCOL, "short")


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory, short_protocol: Protocol) -> Iterator[Simulated]:
    """The short protocol, simulated."""
    folder = simulate(
        tmp_path_factory.mktemp("captures"),
        SimulateOptions(
            subject="S07", minutes=None, seed=41, protocol=(short_protocol, PROTOCOL), stamp="20260102T030405"
        ),
    )
    with Capture.open(folder) as capture:
        yield Simulated(folder, capture, json.loads((folder / "truth.json").read_text()))
