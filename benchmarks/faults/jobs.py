"""The commands that write, each with its input, and what must hold after it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from acquire.maintenance.recover import verify
from benchmarks.hostile.samples import Samples
from dataset.capture import schema
from dataset.capture.reader import Capture
from dataset.session.file import check_session
from model.run_files import load_config, load_metrics


@dataclass(frozen=True, slots=True)
class Job:
    """A command line, how its input is laid out, and a check of what it leaves.

    Attributes
    ----------
    prepare : callable
        Lays out the input in a folder and returns the command's words.
    whole : callable
        Return what is wrong in the folder after a fault: nothing half-written, nothing lost; empty if nothing is.
    done : callable
        Return what is wrong after the command has run again; empty if nothing is.
    """

    prepare: Callable[[Samples, Path], list[str]]
    whole: Callable[[Path], str]
    done: Callable[[Path], str]


def _copied_capture(samples: Samples, work: Path) -> Path:
    return Path(shutil.copytree(samples.capture, work / "sub-S01" / samples.capture.name))


def _recover(samples: Samples, work: Path) -> list[str]:
    folder = _copied_capture(samples, work)
    (folder / schema.MANIFEST).unlink()
    with closing(sqlite3.connect(folder / schema.DATABASE)) as db:
        db.execute("PRAGMA journal_mode=WAL")
    return ["mia-record", "recover", str(folder)]


def _attach(samples: Samples, work: Path) -> list[str]:
    folder = _copied_capture(samples, work)
    film = shutil.copy(samples.film, work / "phone.mkv")
    return ["mia-record", "attach", str(folder), str(film)]


def _sync(samples: Samples, work: Path) -> list[str]:
    words = ["--out", str(work / "out"), "--no-pose", "--allow-unverified"]
    return ["mia-sync", "run", str(samples.capture), *words]


def _fit(samples: Samples, work: Path) -> list[str]:
    return [
        "mia-train",
        "fit",
        str(samples.session),
        "--out",
        str(work / "out" / "run"),
        "--epochs",
        "1",
        "--stride",
        "20",
    ]


def _evaluate(samples: Samples, work: Path) -> list[str]:
    run = shutil.copytree(samples.run, work / "run")
    return ["mia-train", "evaluate", str(run), str(samples.session)]


def _import(samples: Samples, work: Path) -> list[str]:
    words = ["--out", str(work / "out" / "c"), "--video", str(samples.film), "--emg", str(samples.texts["emg.csv"])]
    return ["mia-sync", "import", "files", *words]


def _capture_of(work: Path) -> Path:
    # An import that was killed leaves a hidden folder beside its output.
    return next(path.parent for path in work.rglob(schema.DATABASE) if not path.parent.name.startswith("."))


def _rows(folder: Path) -> int:
    with Capture.open(folder, allow_unclosed=True) as capture:
        return sum(len(capture.notifications(sensor.slot).payload) for sensor in capture.sensors)


def _capture_whole(work: Path) -> str:
    folder = _capture_of(work)
    if (folder / schema.MANIFEST).is_file():
        return "; ".join(f"{m.file} {m.problem}" for m in verify(folder))
    return ""


def _capture_done(work: Path) -> str:
    folder = _capture_of(work)
    return _capture_whole(work) or ("" if _rows(folder) > 0 else "rows were lost")


def _attached(work: Path) -> str:
    with Capture.open(_capture_of(work)) as capture:
        n = len(capture.attachments())
    return _capture_done(work) or ("" if n == 1 else f"{n} attachments")


def _sessions_whole(work: Path) -> str:
    return "; ".join(fault for path in work.rglob("*.h5") for fault in check_session(path))


def _session_done(work: Path) -> str:
    return _sessions_whole(work) or ("" if list(work.rglob("*.h5")) and list(work.rglob("*.html")) else "no session")


def _run_whole(work: Path) -> str:
    for run in (work / "out" / "run", work / "run"):
        if run.is_dir():
            load_config(run)
            load_metrics(run)
    return ""


def _run_done(work: Path) -> str:
    return _run_whole(work) or ("" if (work / "out" / "run").is_dir() else "no run")


def _evaluated(work: Path) -> str:
    return _run_whole(work) or ("" if list((work / "run").glob("evaluate-*.json")) else "no evaluation")


def _imported_whole(work: Path) -> str:
    return _capture_whole(work) if (work / "out" / "c").exists() else ""


JOBS = {
    "recover": Job(_recover, _capture_whole, _capture_done),
    "attach": Job(_attach, _capture_whole, _attached),
    "import": Job(_import, _imported_whole, _capture_done),
    "sync": Job(_sync, _sessions_whole, _session_done),
    "fit": Job(_fit, _run_whole, _run_done),
    "evaluate": Job(_evaluate, _run_whole, _evaluated),
}
