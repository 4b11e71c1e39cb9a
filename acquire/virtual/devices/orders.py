"""The messages between the rig and its processes as JSON lines: commands one way, answers the other."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, TextIO

from acquire.protocol.schedule import Prompt
from acquire.virtual.faults import Faults
from acquire.virtual.person.world import World
from dataset.support.parsing import parse_json

Order = dict[str, Any]


def make_world(seed: int, subject: str, faults: Faults) -> World:
    """Return the ground truth; every process of one rig computes the same."""
    return World(
        seed,
        subject,
        missed_contacts=faults.missed_contact_share,
        dead_channels=faults.dead_channels,
        rest_counts=faults.rest_counts,
    )


def prompt_order(prompt: Prompt, host_ns: int) -> Order:
    """Return the command that gives the virtual person a prompt."""
    return {"prompt": asdict(prompt), "host_ns": host_ns}


def read_prompt(order: Order) -> tuple[Prompt, int]:
    """Return the prompt in a command, and its host time."""
    return Prompt(**order["prompt"]), int(order["host_ns"])


def read_orders(stream: TextIO) -> Iterator[Order]:
    """Yield commands until ``quit`` or the end of the stream."""
    for line in stream:
        order: Order = parse_json(line)
        if order.get("quit"):
            return
        yield order


def answer(message: dict[str, Any]) -> None:
    """Write one answer to standard output; ignored if the rig has ended."""
    line = json.dumps(message).encode() + b"\n"
    fd = sys.stdout.fileno()
    while line:
        line = line[os.write(fd, line) :]
