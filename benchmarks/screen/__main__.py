"""Record the virtual rig with the screen on a pseudo-terminal and print the screen's CPU time and output.

``python -m benchmarks.screen [--seconds 30] [--sizes 80x24 120x40]``
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path
from typing import Any

#: Largest share of one core for the screen.
LIMIT = 0.25
PATIENCE_S = 60.0


def main() -> None:
    """Measure each size and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--sizes", nargs="+", default=["80x24", "120x40"])
    arguments = parser.parse_args()
    print(f"8 virtual sensors at 10 Hz, camera 640x480 at 30 Hz, {arguments.seconds:.0f} s of recording each")
    print(f"{'size':>8} {'screen':>8} {'process':>8} {'to terminal':>12} {'values':>12} {'frames':>7} {'dropped':>8}")
    for size in arguments.sizes:
        columns, rows = map(int, size.split("x"))
        found = measure(columns, rows, arguments.seconds)
        share = found["screen_s"] / found["span_s"]
        print(
            f"{size:>8} {share:>7.1%} {found['process_s'] / found['span_s']:>8.1%} "
            f"{found['bytes_per_s'] / 1e3:>7.0f} kB/s {found['received']:>5} / {found['expected']:<5}"
            f"{found['frames']:>7} {found['dropped']:>8}  {'ok' if share < LIMIT else 'TOO MUCH'}"
        )


def measure(columns: int, rows: int, seconds: float) -> dict[str, Any]:
    """Run the screen on a terminal of a size; returns what the child found and the bytes that came."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        command = [sys.executable, "-m", "benchmarks.screen.child", folder, str(result), str(seconds)]
        child = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"},
        )  # fmt: skip
        os.close(slave)
        shown, pressed, n_bytes, began_s = False, False, 0, time.monotonic()
        seen = b""
        while child.poll() is None:
            if time.monotonic() - began_s > seconds + PATIENCE_S:
                child.kill()
                sys.exit(f"the screen did not come to its end in {seconds + PATIENCE_S:.0f} s")
            if select.select([master], [], [], 0.2)[0]:
                try:
                    data = os.read(master, 1 << 16)
                except OSError:
                    break
                n_bytes += len(data)
                seen = (seen + data)[-4000:]
                shown = shown or b"Setup" in seen  # it is painted once
            if not pressed and shown and time.monotonic() - began_s > 2.0:
                os.write(master, b"\x12")  # Ctrl+R
                pressed, n_bytes, began_s = True, 0, time.monotonic()
        span_s = time.monotonic() - began_s
        child.wait()
        os.close(master)
        if not result.exists():
            sys.exit(f"the screen ended without a result: {seen.decode(errors='replace')}")
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return {**found, "bytes_per_s": n_bytes / span_s}


if __name__ == "__main__":
    main()
