"""Measured process: ``python -m benchmarks.acquisition.lsl pull|push SECONDS RUN``: the same load through pylsl."""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

import numpy as np

from acquire.virtual.devices.child import Child
from benchmarks.acquisition.load import N_SENSORS, PERIOD_NS, RATE_HZ, SAMPLES_A_PACKET, PacketClock
from benchmarks.acquisition.measured import Meter, percentiles_ms
from dataset.support.clock import now_ns

RESOLVE_S = 20.0


def name(run: str, sensor: int) -> str:
    """Return a stream's name."""
    return f"mia-load-{run}-{sensor}"


def push(seconds: float, run: str) -> None:
    """Push the load for the given time: packets of 20 samples, each stamped when it is pushed."""
    import pylsl

    outlets = [
        pylsl.StreamOutlet(
            pylsl.StreamInfo(name(run, k), "EMG", 1, RATE_HZ, pylsl.cf_int32, name(run, k)), SAMPLES_A_PACKET
        )
        for k in range(N_SENSORS)
    ]
    sys.stdout.write('{"ready": true}\n')
    sys.stdout.flush()
    while not all(outlet.have_consumers() for outlet in outlets):
        time.sleep(0.05)
    clocks = [PacketClock(k) for k in range(N_SENSORS)]
    first = [clock.next_index(now_ns()) for clock in clocks]
    due = sorted(
        (clock.send_ns(first[k] + i), k, i)
        for i in range(round(seconds * 1e9 / PERIOD_NS))
        for k, clock in enumerate(clocks)
    )
    for due_ns, k, i in due:
        wait_s = (due_ns - now_ns()) * 1e-9
        if wait_s > 0:
            time.sleep(wait_s)
        begin = i * SAMPLES_A_PACKET
        outlets[k].push_chunk([[x] for x in range(begin, begin + SAMPLES_A_PACKET)], pylsl.local_clock())
    time.sleep(2.0)  # let samples in transit arrive


def pull(seconds: float, run: str) -> dict[str, Any]:
    """Pull every stream in its own thread, as in pylsl's examples, and return the measurements."""
    import pylsl

    child = Child("benchmarks.acquisition.lsl", ["push", str(seconds), run])
    try:
        child.wait_ready()
        inlets = []
        for k in range(N_SENSORS):
            found = pylsl.resolve_byprop("name", name(run, k), timeout=RESOLVE_S)
            if not found:
                return {"error": "no streams found: liblsl needs an interface with multicast"}
            inlets.append(pylsl.StreamInlet(found[0], max_chunklen=SAMPLES_A_PACKET))
        taken: list[list[tuple[int, float, float]]] = [[] for _ in inlets]

        def take(inlet: Any, into: list[tuple[int, float, float]]) -> None:
            while True:
                samples, stamps = inlet.pull_chunk(timeout=1.5, max_samples=SAMPLES_A_PACKET)
                came_s = pylsl.local_clock()
                if not samples:
                    if into:
                        return
                    continue
                into.append((samples[0][0], stamps[-1], came_s))
                if len(samples) < SAMPLES_A_PACKET:
                    return

        meter = Meter()
        meter.start()
        threads = [threading.Thread(target=take, args=pair) for pair in zip(inlets, taken, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        used = meter.stop()
    finally:
        child.close()
    transit = [np.array([came - sent for _, sent, came in into]) for into in taken]
    n = sum(len(into) for into in taken)
    wanted = N_SENSORS * round(seconds * 1e9 / PERIOD_NS)
    return {
        "packets": n,
        "per_s": n / seconds,
        "missing": wanted - n,
        "repeated": sum(int(np.sum(np.diff([first for first, _, _ in into]) < 1)) for into in taken),
        "transit_ms": percentiles_ms(np.concatenate(transit).tolist()),
        "jitter_ms": percentiles_ms(np.concatenate([t - t.min() for t in transit]).tolist()),
        **used,
    }


if __name__ == "__main__":
    task, length, which = sys.argv[1], float(sys.argv[2]), sys.argv[3]
    if task == "push":
        push(length, which)
    else:
        sys.stdout.write(json.dumps(pull(length, which)) + "\n")
