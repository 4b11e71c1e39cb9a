"""``python -m benchmarks.kills.victim OUT SENT SEED``: one recording of the virtual rig, to be killed."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from acquire.protocol.protocol import parse_protocol
from acquire.recording.recorder import record
from acquire.recording.take import Take
from acquire.recording.termination import ending_signals
from acquire.virtual.rig import VirtualHardware, VirtualRigOptions

SUBJECT = "K1"
# Frequent prompts, so that lost events are noticed.
PROTOCOL = """
name = "kills"
lead_in_s = 0.5
rest_s = 0.5
passes = 20
[sync]
claps = 3
stomps = 2
[[exercises]]
name = "squat"
seconds = 1.0
[[exercises]]
name = "lunge"
seconds = 1.0
"""


def main(out: Path, sent: Path, seed: int) -> None:
    """Record until killed, or until a signal ends it."""
    stop = threading.Event()
    protocol = parse_protocol(PROTOCOL, "kills")
    with ending_signals(lambda _: stop.set()):
        hardware = VirtualHardware(seed, SUBJECT, VirtualRigOptions(sent=sent))
        record(hardware, Take(protocol=protocol, out=out, subject=SUBJECT, seed=seed), stop=stop)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
