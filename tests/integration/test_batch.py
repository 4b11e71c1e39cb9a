"""Many captures in worker processes and on a running cluster: all are tried, whatever befalls one."""

from __future__ import annotations

import concurrent.futures
import json
import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from acquire.protocol.protocol import parse_protocol
from acquire.virtual.simulate import simulate
from acquire.virtual.simulate_options import SimulateOptions
from dataset.session.file import check_sessions
from dataset.support.cluster import befallen
from sync.batch import _at_work, _result_of, plan_run, run_many
from sync.cli import main
from sync.options import BatchOptions, SyncOptions
from tests.modes import modes
from tests.open_ports import open_ports
from tests.present import present
from tests.sealed import seal_again

Call = Callable[..., tuple[str | int | None, dict[str, Any]]]

PROTOCOL = """
name = "short"
rest_s = 0.5
lead_in_s = 1.0
[sync]
claps = 4
stomps = 4
[[exercises]]
name = "squat"
seconds = 2.0
"""


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """A good capture, one whose flashes are another's, one cut off, and one that is none."""
    root = tmp_path_factory.mktemp("captures")
    good = simulate(
        root,
        SimulateOptions(subject="A", minutes=None, seed=31, protocol=(parse_protocol(PROTOCOL, "short"), PROTOCOL)),
    )
    refused = root / "sub-B" / good.name
    shutil.copytree(good, refused)
    database = sqlite3.connect(refused / "capture.db")
    with database:
        database.execute("DELETE FROM notification WHERE slot > 1")
    database.close()
    seal_again(refused)
    cut_off = root / "sub-C" / good.name
    shutil.copytree(good, cut_off)
    (cut_off / "manifest.json").unlink()
    return good, refused, cut_off, root / "sub-D" / "none"


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run ``mia-sync`` with these words; returns its exit code and the object it prints."""

    def run(*words: str | Path) -> tuple[str | int | None, dict[str, Any]]:
        monkeypatch.setattr("sys.argv", ["mia-sync", *(str(w) for w in words), "--json"])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code, json.loads(capsys.readouterr().out)

    return run


def codes(rows: list[dict[str, Any]]) -> list[int]:
    return [row["exit_code"] for row in rows]


def test_two_jobs_try_all_captures_in_the_order_given(captures: tuple[Path, ...], tmp_path: Path, call: Call) -> None:
    folders = [captures[0], captures[2], captures[3]]
    code, told = call("run", *folders, "--out", tmp_path, "--no-pose", "--jobs", "2")
    rows = told["sessions"]
    assert [row["capture"] for row in rows] == [str(f) for f in folders]
    assert codes(rows) == [0, 2, 2]
    assert code == 2
    assert rows[0]["session"] and rows[0]["streams"]["video"]["verdict"] in ("PASS", "WARNING")
    assert "manifest" in str(rows[1]["error"]) or "cut off" in str(rows[1]["error"])
    assert len(list(tmp_path.glob("*.h5"))) == 1
    assert not list(tmp_path.glob("*.part"))
    # Resuming passes over what is there, and tries the rest again.
    again_code, told = call("run", *folders, "--out", tmp_path, "--no-pose", "--jobs", "2", "--resume")
    again = told["sessions"]
    assert again[0]["resumed"] is True
    assert again[0]["streams"]["video"] == pytest.approx(rows[0]["streams"]["video"])
    assert codes(again) == [0, 2, 2]
    assert again_code == code
    # Without --resume an existing session is never overwritten.
    third, told = call("run", captures[0], "--out", tmp_path, "--no-pose")
    assert third == 2
    assert told["sessions"][0]["error"]["code"] == "output-exists"


@pytest.fixture
def distributed() -> ModuleType:
    module = pytest.importorskip("distributed", reason="dask[distributed] is not installed")
    assert isinstance(module, ModuleType)
    return module


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="/proc/net/tcp is Linux's")
def test_jobs_open_no_port_and_need_no_dask(
    captures: tuple[Path, ...], tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    before, over = set(open_ports(os.getpid())), threading.Event()
    seen: set[str] = set()

    def look() -> None:
        while not over.wait(0.05):
            seen.update(open_ports(os.getpid()))

    looking = threading.Thread(target=look)
    looking.start()
    code, told = call("run", captures[0], captures[1], "--out", tmp_path, "--no-pose", "--jobs", "2")
    over.set()
    looking.join()
    assert (code, codes(told["sessions"])) == (3, [0, 3])
    assert seen <= before
    assert modes(tmp_path)[1] == {"0600"}, "workers write for their owner alone too"


@pytest.mark.slow
def test_a_running_scheduler_does_the_same(
    captures: tuple[Path, ...], tmp_path: Path, call: Call, distributed: ModuleType
) -> None:
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as cluster:
        address = cluster.scheduler_address
        code, told = call("run", captures[0], captures[1], "--out", tmp_path, "--no-pose", "--scheduler", address)
    rows = told["sessions"]
    assert codes(rows) == [0, 3]
    assert code == 3
    assert rows[1]["session"] is None
    assert rows[1]["reasons"]


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_bad_input(
    captures: tuple[Path, ...], tmp_path: Path, call: Call, distributed: ModuleType
) -> None:
    code, told = call("run", captures[0], "--out", tmp_path, "--scheduler", "tcp://127.0.0.1:9")
    assert code == 2
    assert "no Dask scheduler responds" in told["error"]["what"]
    assert not list(tmp_path.iterdir())


def test_two_captures_of_one_name_are_told_before_the_work(
    captures: tuple[Path, ...], tmp_path: Path, call: Call
) -> None:
    other = tmp_path / "copy" / captures[0].parent.name / captures[0].name
    shutil.copytree(captures[0], other)
    code, told = call("run", captures[0], other, "--out", tmp_path / "out")
    assert code == 2
    assert "would make the same session" in told["error"]["what"]


def test_a_session_made_from_another_capture_is_not_taken_for_done(
    captures: tuple[Path, ...], tmp_path: Path, call: Call
) -> None:
    call("run", captures[0], "--out", tmp_path, "--no-pose")
    assert plan_run([captures[0]], tmp_path, resume=True).left == ()
    other = tmp_path / "copy" / captures[0].parent.name / captures[0].name
    shutil.copytree(captures[0], other)
    database = sqlite3.connect(other / "capture.db")
    with database:
        database.execute("UPDATE meta SET value = 'another' WHERE key = 'capture_uuid'")
    database.close()
    seal_again(other)
    assert plan_run([other], tmp_path, resume=True).left == (other,)


def test_a_missing_extra_says_what_to_install(
    captures: tuple[Path, ...], tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, told = call("run", captures[0], "--out", tmp_path / "out", "--scheduler", "tcp://127.0.0.1:9")
    assert code == 2
    assert told["error"]["code"] == "missing-dependency"
    assert told["error"]["hint"] == "pip install 'muscles-in-action[cluster]'"
    assert not (tmp_path / "out").exists()


def test_jobs_and_a_scheduler_exclude_each_other(captures: tuple[Path, ...], tmp_path: Path, call: Call) -> None:
    code, told = call("run", captures[0], "--out", tmp_path, "--jobs", "2", "--scheduler", "tcp://127.0.0.1:9")
    assert code == 2
    assert "exclude" in told["error"]["what"]


def test_a_worker_that_does_not_see_a_folder_says_which(captures: tuple[Path, ...], tmp_path: Path) -> None:
    told = _at_work(str(captures[0]), str(tmp_path / "elsewhere"), SyncOptions(pose=False), "desk")
    assert told["exit_code"] == 2
    assert str(tmp_path / "elsewhere") in told["error"]["what"]
    assert "desk" in told["error"]["why"]
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (concurrent.futures.CancelledError("lost"), "the scheduler dropped it"),
        (ModuleNotFoundError("No module named 'sync'"), "could not run it"),
    ],
)
def test_what_befell_a_worker_is_told_for_its_capture(error: Exception, said: str, distributed: ModuleType) -> None:
    told = _result_of(befallen(error), "captures/x")
    assert (told["capture"], told["exit_code"], told["verdict"]) == ("captures/x", 2, "FAIL")
    assert said in told["error"]["why"]
    assert told["error"]["hint"]


def copies(capture: Path, root: Path, subjects: Sequence[str]) -> list[Path]:
    """The same recording under other subjects' names."""
    made = [root / f"sub-{subject}" / capture.name for subject in subjects]
    for folder in made:
        shutil.copytree(capture, folder)
    return made


class Killer(threading.Thread):
    """Kills the worker that has a file of a folder open, at most so many times."""

    def __init__(self, folder: Path, times: int) -> None:
        super().__init__(daemon=True)
        self.folder, self.times = folder, times
        self.killed: list[int] = []
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.02) and len(self.killed) < self.times:
            for worker in multiprocessing.active_children():
                try:
                    held = [file.readlink() for file in Path(f"/proc/{worker.pid}/fd").iterdir()]
                except OSError:
                    continue  # it has just closed one
                if worker.pid not in self.killed and any(self.folder in path.parents for path in held):
                    os.kill(present(worker.pid), signal.SIGKILL)
                    self.killed.append(present(worker.pid))


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 5])
def test_a_worker_that_dies_at_work_costs_at_most_its_capture(
    captures: tuple[Path, ...], tmp_path: Path, times: int
) -> None:
    """One lost worker is replaced; a capture that kills its worker repeatedly is abandoned, and the other continues."""
    good, fatal = copies(captures[0], tmp_path / "captures", ["OK", "FATAL"])
    killer = Killer(fatal.resolve(), times)
    killer.start()
    rows = run_many([fatal, good], tmp_path / "out", SyncOptions(pose=False, workers=1), BatchOptions(jobs=2))
    killer.over.set()
    killer.join()
    assert rows[1]["exit_code"] == 0
    assert Path(rows[1]["session"]).exists()
    if times == 1:
        assert len(killer.killed) == 1
        assert rows[0]["exit_code"] == 0
    else:
        assert len(killer.killed) == 2
        assert rows[0]["exit_code"] == 2
        assert "abandoned" in rows[0]["error"]["what"]
        assert "its worker died" in rows[0]["error"]["why"]
        assert [p.name for p in (tmp_path / "out").glob("*.h5")] == [f"sub-OK_{good.name}.h5"]


@pytest.mark.slow
def test_an_interrupted_run_ends_cleanly_and_is_resumed(captures: tuple[Path, ...], tmp_path: Path, call: Call) -> None:
    folders, out = copies(captures[0], tmp_path / "captures", [f"I{k}" for k in range(8)]), tmp_path / "out"
    words = ["run", *map(str, folders), "--out", str(out), "--no-pose", "--jobs", "2"]
    # A group of its own, as a terminal gives one: Ctrl-C reaches the command and its workers.
    with subprocess.Popen(
        [sys.executable, "-c", "from sync.cli import main; main()", *words],
        start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        until = time.monotonic() + 120
        while not list(out.glob("*.h5")) and time.monotonic() < until and process.poll() is None:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err, err
    finished = sorted(out.glob("*.h5"))
    assert 0 < len(finished) < len(folders)
    assert not list(out.glob("*.part"))
    assert not any(check_sessions(finished).values())
    before = {path: path.stat().st_mtime_ns for path in finished}
    code, told = call(*words, "--resume")
    assert code == 0
    assert sum(bool(row.get("resumed")) for row in told["sessions"]) == len(finished)
    assert len(list(out.glob("*.h5"))) == len(folders)
    assert {path: path.stat().st_mtime_ns for path in finished} == before
