"""Worker processes on this machine: each task's result or what befell it, and nothing for others to connect to."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from dataset.support.cluster import Lost, Task, workers
from dataset.support.errors import MiaError
from tests import worker_tasks
from tests.open_ports import family_of, open_ports

linux = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="/proc/net/tcp is Linux's")


def tasks(*arguments: tuple[object, ...]) -> list[Task]:
    return [Task(name=f"task-{k}", arguments=a) for k, a in enumerate(arguments)]


def results(function: Any, *arguments: tuple[object, ...], jobs: int = 2) -> dict[int, Any]:
    with workers(jobs) as pool:
        return dict(pool.run(function, tasks(*arguments)))


def test_each_task_gives_its_result_once_in_processes_that_are_used_again() -> None:
    with workers(2) as pool:
        assert dict(pool.run(worker_tasks.square, tasks((1,), (2,), (3,)))) == {0: 1, 1: 4, 2: 9}
        ids = set(dict(pool.run(worker_tasks.process_id, tasks((0.3,), (0.3,), (0.3,)))).values())
    assert len(ids) == 2
    assert os.getpid() not in ids


def test_no_task_is_no_work() -> None:
    assert results(worker_tasks.square) == {}


@linux
def test_nothing_listens_while_workers_work() -> None:
    before = open_ports(os.getpid())
    found = results(worker_tasks.ports, (), ())
    assert found == {0: before, 1: before}


@linux
def test_a_port_of_the_loopback_would_be_seen() -> None:
    before = open_ports(os.getpid())
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = f"{server.getsockname()[1]:04X}"
        assert [p for p in open_ports(os.getpid()) if p not in before] == [f"tcp 0100007F:{port}"]


def test_an_exception_befalls_its_task_alone() -> None:
    found = results(worker_tasks.fail, (0,), (1,), (2,))
    assert (found[0], found[2]) == (0, 2)
    assert isinstance(found[1], Lost)
    assert "number one" in found[1].why


def test_a_result_that_cannot_travel_befalls_its_task_alone() -> None:
    found = results(worker_tasks.lock, (), jobs=1)
    assert isinstance(found[0], Lost)
    assert "pickle" in found[0].why


@pytest.mark.skipif(os.name == "nt", reason="kills")
@pytest.mark.parametrize(("times", "lives"), [(1, True), (2, False)])
def test_a_worker_that_is_killed_once_is_borne_and_twice_costs_its_task(
    tmp_path: Path, times: int, lives: bool
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    found = results(worker_tasks.die, (str(tmp_path), times + 1), (str(kept), 0), (str(kept), 0))  # kept is one entry
    assert (found[1], found[2]) == ("alive", "alive")
    if lives:
        assert found[0] == "alive"
    else:
        assert isinstance(found[0], Lost)
        assert "died, 2 times (Killed)" in found[0].why


def test_workers_compute_with_one_thread_and_our_own_environment_is_as_it_was() -> None:
    before = dict(os.environ)
    assert results(worker_tasks.threads_allowed, (), jobs=1) == {0: "1"}
    assert dict(os.environ) == before


def wait_for(condition: Any, seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("to_all", [True, False], ids=["terminal", "program-alone"])
def test_ctrl_c_ends_workers_in_order_and_without_a_word(tmp_path: Path, to_all: bool) -> None:
    parts = [tmp_path / name for name in "ab"]
    code = (
        "import sys\nfrom dataset.support.cluster import Task, workers\nfrom tests import worker_tasks\n"
        "try:\n with workers(2) as pool:\n"
        f"  list(pool.run(worker_tasks.half_write, [Task(name='a', arguments=(p,)) for p in {[*map(str, parts)]}]))\n"
        "except KeyboardInterrupt: sys.exit(130)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], start_new_session=True, stderr=subprocess.PIPE, text=True
    ) as program:
        wait_for(lambda: all(part.exists() for part in parts))
        began = time.monotonic()
        if to_all:
            os.killpg(program.pid, signal.SIGINT)
        else:
            program.send_signal(signal.SIGINT)
        _, said = program.communicate(timeout=20)
    assert time.monotonic() - began < 5
    assert (program.returncode, said) == (130, "")
    assert not list(tmp_path.iterdir())


@linux
def test_workers_end_when_the_program_is_killed(tmp_path: Path) -> None:
    code = (
        "from dataset.support.cluster import Task, workers\nfrom tests import worker_tasks\n"
        "with workers(2) as pool:\n"
        " list(pool.run(worker_tasks.process_id, [Task(name='a', arguments=(s,)) for s in (0, 1.5)]))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as program:
        wait_for(lambda: len(family_of(program.pid)) >= 3)
        family = family_of(program.pid) - {program.pid}
        program.kill()
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family))


def test_a_machine_that_starts_no_process_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("multiprocessing.context.SpawnProcess.start", refuse)
    with pytest.raises(MiaError, match=r"no worker process could be started: .*temporarily unavailable"):
        results(worker_tasks.square, (1,))
