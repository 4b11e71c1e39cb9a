"""``python -m benchmarks.faults [--job NAME]... [--every K]``: a fault at each call that changes a file."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import errno
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.faults.jobs import JOBS, Job
from benchmarks.hostile.samples import Samples, make_samples
from benchmarks.hostile.trial import run_command
from dataset.support.console import STDERR

#: Kinds of fault: killed, the disk is full from then on, one call fails.
KINDS = {"kill": 0, "full disk": errno.ENOSPC, "I/O error": errno.EIO}
_BUILT = "MIA_FAULT_SHIM"


def run_with_shim(arguments: list[str]) -> int:
    """Build the shim and run this program again with it loaded."""
    with tempfile.TemporaryDirectory(prefix="mia-faults-") as folder:
        library = Path(folder) / "shim.so"
        source = Path(__file__).with_name("shim.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
        environment = {**os.environ, "LD_PRELOAD": str(library), _BUILT: str(library)}
        return subprocess.run([sys.executable, "-m", "benchmarks.faults", *arguments], env=environment).returncode


def forked(work: Path, action: Callable[[], str]) -> tuple[int, str]:
    """Run ``action`` in a fork; return the signal that ended it, or 0, and its text."""
    said = work.with_suffix(".said")
    said.unlink(missing_ok=True)
    pid = os.fork()
    if pid == 0:
        try:
            text = action()
        except BaseException as error:  # noqa: BLE001 - what is counted
            text = f"raised {error!r}"
        with contextlib.suppress(OSError):
            said.write_text(text, encoding="utf-8", errors="replace")
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    text = said.read_text(encoding="utf-8") if said.exists() else ""
    return (os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0), text


def try_fault(samples: Samples, job: Job, work: Path, nth: int, code: int) -> tuple[str, int]:
    """Run a job with a fault at its Nth call, then again without; return what is wrong, and the calls made."""
    shim = ctypes.CDLL(os.environ[_BUILT])
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    words = job.prepare(samples, work)

    def with_fault() -> str:
        shim.fault_arm(f"{work}/".encode(), ctypes.c_long(nth), code)
        exit_code, err = run_command(words)
        return f"{shim.fault_count()}\n{exit_code}\n{err}"

    signal_number, text = forked(work, with_fault)
    count, _, rest = text.partition("\n")
    exit_code, _, err = rest.partition("\n")
    wrong = ""
    if signal_number not in ((9,) if code == 0 else (0,)) and (nth and signal_number):
        wrong = f"ended by signal {signal_number}"
    elif not signal_number and (exit_code not in ("0", "2") or "Traceback" in err):
        wrong = f"exit {exit_code}: {err[-300:]}"
    elif exit_code == "2" and sum(line.startswith("error:") for line in err.splitlines()) != 1:
        wrong = f"not one line: {err[-300:]}"
    wrong = wrong or forked(work, lambda: job.whole(work))[1]
    if not wrong:
        again = forked(work, lambda: _again(words, succeeded=exit_code == "0"))[1]
        wrong = again or forked(work, lambda: job.done(work))[1]
    return wrong, int(count) if count.isdigit() else 0


def _again(words: list[str], *, succeeded: bool) -> str:
    """Run a command again: it works, or says that its work is done."""
    code, err = run_command(words)
    if code == 0 or (succeeded and code == 2):
        return ""
    if code == 2 and ("exists" in err or "attached already" in err):
        return ""  # the fault came after the work was done
    return f"again: exit {code}: {err[-300:]}"


def main() -> int:
    """Run the faults; return 1 if any went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--job", action="append", choices=sorted(JOBS), help="only this command (may be repeated)")
    parser.add_argument("--every", type=int, default=1, help="only each Kth call (default 1: all)")
    given = parser.parse_args()
    if _BUILT not in os.environ:
        return run_with_shim(sys.argv[1:])
    failed = 0
    with tempfile.TemporaryDirectory(prefix="mia-faults-") as name:
        with contextlib.redirect_stdout(io.StringIO()):
            samples = make_samples(Path(name) / "samples")
        for job_name in given.job or JOBS:
            job, work = JOBS[job_name], Path(name) / "work"
            wrong, calls = try_fault(samples, job, work, 0, 0)
            if wrong or not calls:
                sys.stdout.write(f"{job_name}: fails without a fault: {wrong}\n")
                failed += 1
                continue
            for kind, code in KINDS.items():
                tried = bad = 0
                for nth in range(1, calls + 1, given.every):
                    wrong, _ = try_fault(samples, job, work, nth, code)
                    tried += 1
                    if wrong:
                        bad += 1
                        STDERR.print(f"{job_name}, {kind} at call {nth}: {wrong}", markup=False, soft_wrap=True)
                failed += bad
                sys.stdout.write(f"{job_name:10}{kind:12}{calls:6} calls{tried:6} tried{bad:6} went wrong\n")
                sys.stdout.flush()
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
