"""A child process of the virtual rig: commands as JSON lines on its standard input, answers on its output."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any

from dataset.support.errors import HardwareError
from dataset.support.parsing import parse_json

# Generous, for a busy machine; a child that died is noticed at once.
START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 30.0

#: Small arrays gain nothing from threads that wait for one another on a busy machine.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class VirtualRigError(HardwareError):
    """A part of the virtual rig did not start or died."""

    code = "virtual_rig"


class Child:
    """One Python module run as a process that reports ``{"ready": true}`` and, at the end, its results.

    It is started in its own session, so that Ctrl-C in the terminal reaches only the recorder, and it
    ends when its standard input is closed: a killed recorder leaves no process behind.

    Parameters
    ----------
    module : str
        What ``python -m`` runs.
    arguments : sequence of str
    pass_fds : sequence of int
        File descriptors it inherits.
    """

    def __init__(self, module: str, arguments: Sequence[str], pass_fds: Sequence[int] = ()) -> None:
        self.module = module
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._order_lock = threading.Lock()
        self._ready = False
        self._answers = b""
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                pass_fds=pass_fds,
                start_new_session=True,
                env={**os.environ, **ONE_THREAD},
            )
        except OSError as error:
            self._errors.close()
            raise VirtualRigError(f"{module} cannot be started", str(error)) from error

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def order(self, order: dict[str, Any]) -> None:
        """Send one command; ignored if the child is dead."""
        pipe = self._process.stdin
        if pipe is None:
            return
        with self._order_lock, suppress(OSError, ValueError):
            pipe.write(json.dumps(order).encode() + b"\n")
            pipe.flush()

    def wait_ready(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait until the child is ready.

        Raises
        ------
        VirtualRigError
            It died, or did not get ready in time.
        """
        if not self._ready:
            self._answer(timeout_s)
            self._ready = True

    def report(self, timeout_s: float = STOP_TIMEOUT_S) -> dict[str, Any]:
        """Ask the child to end and return its report; :meth:`close` must still be called."""
        self.wait_ready(timeout_s)
        self.order({"quit": True})
        return self._answer(timeout_s)

    def _answer(self, timeout_s: float) -> dict[str, Any]:
        pipe = self._process.stdout
        while pipe is not None and b"\n" not in self._answers:
            readable, _, _ = select.select([pipe], [], [], timeout_s)
            chunk = pipe.read1(65536) if readable else b""  # type: ignore[attr-defined]
            if not chunk:
                raise self._failure("it died" if readable else f"no answer within {timeout_s:g} s")
            self._answers += chunk
        line, _, self._answers = self._answers.partition(b"\n")
        answer: dict[str, Any] = parse_json(line, nan_as_none=True)  # a sensor that sent nothing has no latency
        return answer

    def _failure(self, why: str) -> VirtualRigError:
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        return VirtualRigError(f"{self.module} failed", f"{why}: {said[-1]}" if said else why)

    def close(self) -> None:
        """End the process and release its pipes."""
        self._process.terminate()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()
