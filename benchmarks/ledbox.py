"""``python -m benchmarks.ledbox``: how often the LED box's 95 % interval holds the truth, over a pseudo-terminal."""

from __future__ import annotations

import argparse
import os
import sys
import time

import numpy as np

from acquire.event_log import EventLog
from acquire.ledbox.driver import LedBox
from acquire.virtual.devices.box import FLASH_RECORD
from acquire.virtual.devices.child import Child

#: Shortest and longest way of a line, in seconds: a native USB port, a bridge, a slow hub.
WAYS_S = ((0.0001, 0.0006), (0.0005, 0.0025), (0.001, 0.008))


def pulses(n: int, way_s: tuple[float, float], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return error and half-width in milliseconds of ``n`` pulses of a virtual box in a process of its own."""
    rng = np.random.default_rng(seed)
    master, slave = os.openpty()
    flashes, flashes_end = os.pipe()
    arguments = ["--terminal-fd", str(master), "--flashes-fd", str(flashes_end), "--seed", str(seed)]
    arguments += ["--first-us", str(rng.integers(1 << 32)), "--rate-ppm", str(rng.uniform(-100, 100))]
    arguments += ["--latency-s", *map(str, way_s)]
    child = Child("acquire.virtual.devices.box", arguments, (master, flashes_end))
    try:
        child.wait_ready()
        box = LedBox(os.ttyname(slave), EventLog())
        found, true_ns = [], []
        for _ in range(n):
            found.append(box.flash(20))
            true_ns.append(FLASH_RECORD.unpack(os.read(flashes, FLASH_RECORD.size))[0])
            time.sleep(float(rng.uniform(0.0, 0.05)))
        box.close()
    finally:
        child.close()
        for fd in (master, slave, flashes, flashes_end):
            os.close(fd)
    error_ms = (np.array([f.t_ns for f in found]) - np.array(true_ns)) * 1e-6
    return error_ms, np.array([f.uncertainty_ns for f in found]) * 1e-6


def main() -> None:
    """Fire and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pulses", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    for number, way_s in enumerate(WAYS_S):
        ways = f"ways of {way_s[0] * 1e3:g} to {way_s[1] * 1e3:g} ms"
        sys.stderr.write(f"{ways} ...\n")
        error_ms, half_ms = pulses(given.pulses, way_s, given.seed + number)
        inside, worst_ms = np.mean(np.abs(error_ms) <= half_ms), np.abs(error_ms).max()
        print(
            f"{ways}: {100 * inside:.1f} % of {given.pulses} pulses inside; "
            f"half-width {np.median(half_ms):.3f} ms; error sd {error_ms.std():.3f}, "
            f"median {np.median(error_ms):+.3f}, worst {worst_ms:.3f} ms; seed {given.seed + number}"
        )


if __name__ == "__main__":
    main()
