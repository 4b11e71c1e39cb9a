"""Many captures in worker processes and on a running cluster: all are tried, whatever befalls one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import threading
import time

import pytest

from acquire.protocol import parse_protocol
from acquire.virtual.simulate import simulate
from sync.batch import Options, plan_run, run_many
from sync.cli import main

distributed = pytest.importorskip("distributed", reason="dask[distributed] is not installed")

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
def captures(tmp_path_factory):
    """A good capture, one whose flashes are another's, one cut off, and one that is none."""
    root = tmp_path_factory.mktemp("captures")
    good = simulate(
        root, subject="A", minutes=None, seed=31, protocol=parse_protocol(PROTOCOL, "short"), protocol_text=PROTOCOL
    )
    refused = root / "sub-B" / good.name
    shutil.copytree(good, refused)
    database = sqlite3.connect(refused / "capture.db")
    with database:
        database.execute("DELETE FROM notification WHERE slot > 1")
    database.close()
    cut_off = root / "sub-C" / good.name
    shutil.copytree(good, cut_off)
    (cut_off / "manifest.json").unlink()
    return good, refused, cut_off, root / "sub-D" / "none"


@pytest.fixture
def call(monkeypatch, capsys):
    """Run ``mia-sync`` with these words; returns its exit code and the object it prints."""

    def run(*words):
        monkeypatch.setattr("sys.argv", ["mia-sync", *(str(w) for w in words), "--json"])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code, json.loads(capsys.readouterr().out)

    return run


def codes(rows):
    return [row["exit_code"] for row in rows]


def test_two_jobs_try_all_captures_in_the_order_given(captures, tmp_path, call):
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


def test_a_running_scheduler_does_the_same(captures, tmp_path, call):
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


def test_a_scheduler_that_does_not_answer_is_bad_input(captures, tmp_path, call):
    code, told = call("run", captures[0], "--out", tmp_path, "--scheduler", "tcp://127.0.0.1:9")
    assert code == 2
    assert "no Dask scheduler answers" in told["error"]["what"]
    assert not list(tmp_path.iterdir())


def test_two_captures_of_one_name_are_told_before_the_work(captures, tmp_path, call):
    other = tmp_path / "copy" / captures[0].parent.name / captures[0].name
    shutil.copytree(captures[0], other)
    code, told = call("run", captures[0], other, "--out", tmp_path / "out")
    assert code == 2
    assert "would make the same session" in told["error"]["what"]


def test_a_session_made_from_another_capture_is_not_taken_for_done(captures, tmp_path, call):
    call("run", captures[0], "--out", tmp_path, "--no-pose")
    assert plan_run([captures[0]], tmp_path, resume=True).left == ()
    other = tmp_path / "copy" / captures[0].parent.name / captures[0].name
    shutil.copytree(captures[0], other)
    database = sqlite3.connect(other / "capture.db")
    with database:
        database.execute("UPDATE meta SET value = 'another' WHERE key = 'capture_uuid'")
    database.close()
    assert plan_run([other], tmp_path, resume=True).left == (other,)


@pytest.mark.slow
def test_a_worker_that_dies_costs_its_capture_only(captures, tmp_path):
    """Both workers are killed again and again while one capture is at work; the run ends and says so."""
    stop = threading.Event()

    def kill():
        from multiprocessing import active_children

        while not stop.is_set():
            for child in active_children():
                if "Nanny" in child.name or "Worker" in child.name or "Dask" in child.name:
                    with_pid = child.pid
                    if with_pid is not None:
                        os.kill(with_pid, signal.SIGKILL)
            time.sleep(0.5)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    time.sleep(0.1)
    timer = threading.Timer(15.0, stop.set)
    timer.start()
    rows = run_many([captures[0]], tmp_path, Options(pose=False, workers=1), jobs=1)
    stop.set()
    assert rows[0]["exit_code"] in (0, 2)
    if rows[0]["exit_code"] == 2:
        assert "given up" in rows[0]["error"]["what"]
