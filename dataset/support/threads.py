"""Parallel work on sections of one file in threads: decoders and networks release Python's GIL."""

from __future__ import annotations

import ctypes
import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import islice
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

#: Each has a decoder and a pose network, 80 MB: more would exceed a gigabyte, and share one memory bus.
_MOST = 4
#: Items started per worker.
_AHEAD = 2


def default_workers() -> int:
    """Return the default number of threads for one capture: the cores this process may use, at most four."""
    return min(len(_cores()) or os.cpu_count() or 1, _MOST)


def _cores() -> list[int]:
    """Return the cores this process may use; empty if the system does not report them (Windows and macOS)."""
    try:
        return sorted(os.sched_getaffinity(0))
    except AttributeError:
        return []


def _stay(cores: SimpleQueue[int]) -> None:
    """Pin this thread, and those that a library starts in it, to the next core.

    A pose network passes each picture through several threads of its own: on one core that is a seventh faster.
    """
    with suppress(OSError):  # the core was removed meanwhile
        os.sched_setaffinity(0, {cores.get()})


def in_order(work: Callable[[T], R], items: Iterable[T], workers: int | None = None) -> list[R]:
    """Apply ``work`` to each item in threads; return the results in the items' order.

    Parameters
    ----------
    work : callable
        Releases Python's GIL most of the time.
    items : iterable
    workers : int, optional
        Threads; one per core by default. With 1 the work is done in the caller's thread.

    Raises
    ------
    Exception
        The first exception of ``work``, in the items' order; items not started by then are dropped.
    """
    return list(each_in_order(work, items, workers))


def each_in_order(work: Callable[[T], R], items: Iterable[T], workers: int | None = None) -> Generator[R, None, None]:
    """Apply ``work`` to each item in threads; yield the results in order without keeping them; see :func:`in_order`.

    A caller that stops early must close it, so that items not started are dropped.
    """
    workers = default_workers() if workers is None else workers
    if workers <= 1:
        for item in items:  # not map: a StopIteration in ``work`` would end it silently
            yield _and_trim(work, item)
        return
    free: SimpleQueue[int] = SimpleQueue()
    for core in _cores():
        free.put(core)
    stay = partial(_stay, free) if free.qsize() == workers else None  # only on Linux
    with ThreadPoolExecutor(workers, thread_name_prefix="worker", initializer=stay) as pool:
        left = iter(items)
        # Work runs only a little ahead of the consumer: a slow consumer need not hold all results.
        begun = deque(pool.submit(_and_trim, work, item) for item in islice(left, _AHEAD * workers))
        try:
            while begun:
                begun.extend(pool.submit(_and_trim, work, item) for item in islice(left, 1))
                yield begun.popleft().result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _and_trim(work: Callable[[T], R], item: T) -> R:
    """Return ``work`` of an item, and release freed memory to the system: glibc keeps it for each thread."""
    result = work(item)
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)
    return result
