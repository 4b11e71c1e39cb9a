"""The measured process: the real screen on the virtual rig, and a thread that reads the clocks of its threads."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

from acquire.preflight.body_in_view import BodyFinder
from acquire.screen.app import CaptureApp
from acquire.screen.flow import Plan
from acquire.screen.run import make_recorder_for

#: Threads that are the screen's: all that draws, writes to the terminal and reads keys.
SCREEN_THREADS = ("MainThread", "textual-output", "textual-input")
#: Excluded at the beginning: the first drawing and the filling of caches.
SETTLE_S = 3.0


def thread_seconds() -> dict[str, float]:
    """Return the CPU seconds of every thread that Python knows, by name; those of one name are added."""
    seconds: dict[str, float] = {}
    for thread in threading.enumerate():
        if thread.ident is not None and thread.is_alive():
            used = time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
            seconds[thread.name] = seconds.get(thread.name, 0.0) + used
    return seconds


def main() -> None:
    """Show the screen; once it has recorded for so many seconds, write what that took and leave."""
    out, result, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    app = CaptureApp(make_recorder_for, Plan(out=out), scanner=BodyFinder())

    def measure() -> None:
        while app.recorder.snapshot().phase != "recording":
            time.sleep(0.05)
        time.sleep(SETTLE_S)
        before, whole, began = thread_seconds(), time.process_time(), time.monotonic()
        time.sleep(seconds)
        after, span_s = thread_seconds(), time.monotonic() - began
        used = {name: after[name] - before.get(name, 0.0) for name in after}
        snapshot = app.recorder.snapshot()
        found = {
            "span_s": span_s,
            "screen_s": sum(used.get(name, 0.0) for name in SCREEN_THREADS),
            "process_s": time.process_time() - whole,
            "frames": snapshot.camera.written if snapshot.camera else 0,
            "dropped": snapshot.camera.dropped if snapshot.camera else 0,
            "sensors": len(snapshot.sensors),
            "received": sum(s.health.received for s in snapshot.sensors),
            "expected": sum(s.health.expected for s in snapshot.sensors),
        }
        app.call_from_thread(app.run_worker, app.leave())
        result.write_text(json.dumps(found), encoding="utf-8")

    threading.Thread(target=measure, name="measure", daemon=True).start()
    app.run()


if __name__ == "__main__":
    main()
