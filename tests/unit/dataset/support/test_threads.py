"""Work in threads comes back in order, and its first failure ends it."""

from __future__ import annotations

import os
import threading
import time
import weakref
from contextlib import closing

import pytest

from dataset.support.threads import default_workers, each_in_order, in_order


@pytest.mark.parametrize("workers", [None, 1, 2, 5])
def test_results_come_in_the_items_order(workers: int | None) -> None:
    def slow_first(k: int) -> int:
        time.sleep(0.02 if k == 0 else 0.0)
        return k * k

    assert in_order(slow_first, range(10), workers) == [k * k for k in range(10)]
    assert in_order(slow_first, [], workers) == []


def test_one_worker_is_the_callers_own_thread() -> None:
    assert set(in_order(lambda _: threading.get_ident(), range(5), 1)) == {threading.get_ident()}


def test_two_workers_work_at_once() -> None:
    both = threading.Barrier(2, timeout=10)
    assert sorted(in_order(lambda _: both.wait(), range(2), 2)) == [0, 1]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system does not tell cores")
def test_as_many_workers_as_cores_stay_each_on_a_core_of_its_own() -> None:
    cores = os.sched_getaffinity(0)
    if len(cores) < 2:
        pytest.skip("one core")

    def where(n: int) -> list[set[int]]:
        together = threading.Barrier(n, timeout=10)

        def look(_: int) -> set[int]:
            together.wait()
            return os.sched_getaffinity(0)

        return in_order(look, range(n), n)

    assert sorted(where(len(cores)), key=min) == [{core} for core in sorted(cores)]
    assert where(len(cores) + 1) == [cores] * (len(cores) + 1)
    assert os.sched_getaffinity(0) == cores


def test_where_the_system_tells_no_cores_workers_work_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sched_getaffinity", "sched_setaffinity"):
        monkeypatch.delattr(os, name, raising=False)
    for workers in (1, 2, os.cpu_count() or 1):
        assert in_order(lambda k: k + 1, range(4), workers) == [1, 2, 3, 4]
    assert default_workers() >= 1


def test_a_failure_is_raised_and_the_rest_left_undone() -> None:
    done = []

    def fail(k: int) -> None:
        if k == 1:
            raise OSError("broken")
        time.sleep(0.01)
        done.append(k)

    with pytest.raises(OSError, match="broken"):
        in_order(fail, range(200), 2)
    assert len(done) < 100


def test_there_is_at_least_one_worker() -> None:
    assert 1 <= default_workers() <= 4


class _Result:
    """Something that can be watched."""


@pytest.mark.parametrize("workers", [1, 2])
def test_what_was_yielded_is_not_kept(workers: int) -> None:
    watched = []
    for result in each_in_order(lambda _: _Result(), range(20), workers):
        watched.append(weakref.ref(result))
        del result
        assert watched[-1]() is None


@pytest.mark.parametrize("workers", [1, 2])
def test_who_leaves_off_early_leaves_the_rest_undone(workers: int) -> None:
    done = []

    def work(k: int) -> int:
        time.sleep(0.005)
        done.append(k)
        return k

    with closing(each_in_order(work, range(200), workers)) as results:
        assert next(results) == 0
    n = len(done)
    assert n < 100
    time.sleep(0.05)
    assert len(done) == n


def test_no_more_is_begun_than_a_little_ahead_of_what_is_taken() -> None:
    begun: list[int] = []
    results = each_in_order(begun.append, range(1000), 2)
    for n in range(1, 50):
        next(results)
        assert len(begun) <= n + 4
    results.close()
    assert len(begun) < 60
