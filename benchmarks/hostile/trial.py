"""One trial: a mutated file is given to the commands that read it, in a forked process with limits."""

from __future__ import annotations

import contextlib
import io
import os
import random
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from acquire.cli import app as record
from benchmarks.hostile.mutations import MIX, reseal
from benchmarks.hostile.samples import Samples, copy_to
from dataset.support.console import run_app
from model.cli import app as train
from sync.cli import app as sync

LONGEST_S = 10.0
MOST_BYTES = 2**30
#: Hard limit of the address space beyond what the process has already, so that the machine survives.
_BEYOND = 6 * 2**30
_APPS = {"mia-record": record, "mia-sync": sync, "mia-train": train}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one mutated file.

    Attributes
    ----------
    verdict : str
        ``refused``, ``accepted``, ``traceback``, ``hang``, ``memory``, ``outside``, ``crash``, or ``later`` for a
        session that ``check`` accepts and another command finds invalid.
    detail : str
        The last command, and its error.
    """

    seed: int
    format: str
    mutation: str
    verdict: str
    detail: str


def run_trial(samples: Samples, work: Path, seed: int, *, deep: bool = True) -> Outcome:
    """Mutate the file that a seed draws, and run its commands in a forked process.

    Parameters
    ----------
    samples : Samples
    work : Path
        A folder that this trial may fill.
    seed : int
    deep : bool
        Also run the slow commands: training, and synchronising captures.
    """
    rng = random.Random(seed)
    formats = list(MIX)
    name = rng.choices(formats, [MIX[f][0] for f in formats])[0]
    mutation = rng.choice(MIX[name][1])
    inside = work / "inside"
    inside.mkdir(parents=True)
    path = copy_to(samples, name, inside)
    mutation(path, rng)
    if rng.random() < 0.7:
        reseal(path)
    before = _outside(work)
    started = time.monotonic()
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(readable)
        _limit()
        said = _commands(name, path, samples, inside, deep=deep)
        with os.fdopen(writable, "w", encoding="utf-8", errors="replace") as pipe:
            pipe.write(said)
        os._exit(0)
    os.close(writable)
    with os.fdopen(readable, "r", encoding="utf-8", errors="replace") as pipe:
        said = pipe.read()
    _, status, usage = os.wait4(pid, 0)
    kind, _, detail = said.partition("\n")
    if os.WIFSIGNALED(status):
        kind = "hang" if os.WTERMSIG(status) == signal.SIGALRM else "crash"
        detail = f"signal {os.WTERMSIG(status)} after {time.monotonic() - started:.1f} s"
    elif usage.ru_maxrss * 1024 - _resident() > MOST_BYTES:
        kind, detail = "memory", f"{usage.ru_maxrss / 1024:.0f} MB"
    elif _outside(work) != before:
        kind, detail = "outside", "a file outside the trial's folder changed"
    return Outcome(seed=seed, format=name, mutation=mutation.__name__, verdict=kind, detail=detail)


def refused_samples(samples: Samples, work: Path) -> dict[str, str]:
    """Return the formats whose valid files are refused, with the reason: there should be none."""
    found = {}
    for name in MIX:
        inside = work / name
        inside.mkdir(parents=True)
        said = _commands(name, copy_to(samples, name, inside), samples, inside, deep=False)
        if not said.startswith("accepted"):
            found[name] = f"{said.strip()}: {_said[-1]}"
    return found


def _outside(work: Path) -> list[tuple[str, int]]:
    return sorted((p.name, p.lstat().st_mtime_ns) for p in work.iterdir() if p.name != "inside")


def _resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _limit() -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(round(LONGEST_S * 3))  # several commands, each of which may take ten seconds
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * os.sysconf("SC_PAGE_SIZE") + _BEYOND
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


class _TrialEnd(Exception):  # noqa: N818 - it is a result
    """Ends a trial with its verdict."""


def _commands(name: str, path: Path, samples: Samples, work: Path, *, deep: bool) -> str:
    """Run the commands of a format; return the verdict, and a line on it."""
    out = work / "out"
    code = 2
    try:
        if name == "session":
            code = _session(path, out, deep=deep)
        elif name == "run":
            code = _run("mia-train", "show", path)
            code = max(code, _run("mia-train", "evaluate", path, samples.session, "--allow-unverified"))
        elif name == "capture":
            code = _run("mia-record", "verify", path)
            _run("mia-record", "recover", path)
            if deep:
                _run("mia-sync", "run", path, "--out", out, "--no-pose", "--allow-unverified")
        elif name.endswith(".toml"):
            code = _run_function(lambda: _READERS[name](path))
        elif name == "opensignals":
            code = _run("mia-sync", "align-channels", path, path)
        elif name == "film":
            capture = shutil.copytree(samples.capture, work / "sub-S01" / "ses-20260101T000000")
            code = _run("mia-record", "attach", capture, path)
        else:
            files = {"emg.csv": samples.texts["emg.csv"], name: path}
            extra = [] if name == "emg.csv" else [f"--{name.removesuffix('.csv')}", path]
            words = ["--out", out, "--video", samples.film, "--emg", files["emg.csv"], *extra]
            code = _run("mia-sync", "import", "files", *words)
    except _TrialEnd as found:
        return str(found)
    return "accepted\n" if code == 0 else "refused\n"


def _session(path: Path, out: Path, *, deep: bool) -> int:
    code = _run("mia-sync", "check", path)
    for words in (["mia-sync", "show", path], ["mia-sync", "lag", path]):
        later = _run(*words)
        if code == 0 and later != 0:
            raise _TrialEnd(f"later\n{words[1]} ends with {later}: {_said[-1]}")
    if code == 0 and deep:
        fit = ["mia-train", "fit", path, "--out", out, "--epochs", 1, "--stride", 40, "--allow-unverified"]
        if _run(*fit) == 2 and any(word in _said[-1] for word in ("damaged", "not a valid session")):
            raise _TrialEnd(f"later\nfit: {_said[-1]}")
    return code


def _protocol(path: Path) -> None:
    from acquire.protocol.protocol import load_protocol
    from acquire.protocol.schedule import build_schedule

    build_schedule(load_protocol(path)[0], 1)


def _rig(path: Path) -> None:
    from acquire.rig.config import load_rig

    load_rig(path)[0].sensors()


def _faults(path: Path) -> None:
    from acquire.virtual.faults import load_faults

    load_faults(path)


def _profile(path: Path) -> None:
    from dataset.sensors.profile import load_profile

    load_profile(path)


_READERS: dict[str, Callable[[Path], None]] = {
    "protocol.toml": _protocol, "rig.toml": _rig, "faults.toml": _faults, "profile.toml": _profile,
}  # fmt: skip

#: Standard error of the commands so far.
_said = [""]


def _run_function(function: Callable[[], None]) -> int:
    from dataset.support.errors import MiaError

    try:
        with _timed("reading"):
            function()
    except MiaError as error:
        _said.append(str(error))
        return error.exit_code
    except Exception:  # noqa: BLE001 - what is counted
        raise _TrialEnd(f"traceback\n{_last_lines(traceback.format_exc())}") from None
    return 0


def run_command(words: Sequence[object]) -> tuple[int, str]:
    """Run a command in this process; return its exit code and what it said, a traceback included."""
    program, *arguments = map(str, words)
    sys.argv = [program, *arguments]
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            run_app(_APPS[program], program)
    except SystemExit as left:
        code = left.code
    except BaseException:  # noqa: BLE001 - what is counted
        return 1, traceback.format_exc()
    said = err.getvalue() + (out.getvalue() if "Traceback" in out.getvalue() else "")
    return (code if isinstance(code, int) else 0), said.strip()


def _run(*given: object) -> int:
    program, *words = given
    with _timed(str(words[0])):
        code, said = run_command(given)
    _said.append(said[-400:])
    if code == 1 or "Traceback" in said:
        raise _TrialEnd(f"traceback\n{program} {words[0]}: {_last_lines(said)}")
    return code


@contextlib.contextmanager
def _timed(what: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    if time.monotonic() - started > LONGEST_S:
        raise _TrialEnd(f"hang\n{what} took {time.monotonic() - started:.1f} s")


def _last_lines(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines()]
    places = [line for line in lines if line.startswith("File ") and "site-packages" not in line]
    return f"{lines[-1][:200] if lines else ''} [{' < '.join(p.split('/')[-1] for p in places[-3:][::-1])}]"
