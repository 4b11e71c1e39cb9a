"""Ending signals, and a terminal that goes away."""

from __future__ import annotations

import os
import pty
import signal
import sys
import time
from pathlib import Path

from acquire.recording.termination import ending_signals

SCRIPT = """
import sys, threading
from pathlib import Path
from acquire.recording.termination import ending_signals
gone = threading.Event()
said = []
with ending_signals(lambda hung_up: (said.append(hung_up), gone.set())):
    print("begun", flush=True)
    gone.wait(20)
    print("still writing", flush=True)
    print("here too", file=sys.stderr, flush=True)
Path(sys.argv[1]).write_text(str(said))
"""


def test_a_signal_is_told_and_the_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    told: list[bool] = []
    with ending_signals(told.append):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
    assert told == [False, False]
    assert signal.getsignal(signal.SIGTERM) is before


def test_writing_goes_on_when_the_terminal_is_gone(tmp_path: Path) -> None:
    result = tmp_path / "result"
    pid, master = pty.fork()
    if pid == 0:  # pragma: no cover - the child
        os.execv(sys.executable, [sys.executable, "-c", SCRIPT, str(result)])
    heard = b""
    while b"begun" not in heard:
        heard += os.read(master, 1000)
    os.close(master)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert result.read_text() == "[True]"
