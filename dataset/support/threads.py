"""Work on several stretches of one file at once, in threads: decoders and networks run outside Python's lock."""

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

#: Each holds a decoder and a pose network, 80 MB: more would not fit under a gigabyte, and share one memory bus.
_MOST = 4
#: Items begun for each worker.
_AHEAD = 2


def default_workers() -> int:
    """Return how many threads one capture is worked on with: the cores this process may use, at most four."""
    return min(len(_cores()) or os.cpu_count() or 1, _MOST)


def _cores() -> list[int]:
    """Return the cores this process may use, none where the system does not tell (Windows and macOS)."""
    try:
        return sorted(os.sched_getaffinity(0))
    except AttributeError:
        return []


def _stay(cores: SimpleQueue[int]) -> None:
    """Keep this thread, and those that a library makes in it, on the next of the cores.

    A pose network hands each picture through several threads of its own: on one core that is a seventh faster.
    """
    with suppress(OSError):  # a core that was taken away meanwhile
        os.sched_setaffinity(0, {cores.get()})


def in_order(work: Callable[[T], R], items: Iterable[T], workers: int | None = None) -> list[R]:
    """Return ``work`` of each item, in the items' order.

    Parameters
    ----------
    work : callable
        Releases Python's lock most of the time.
    items : iterable
    workers : int, optional
        Threads; one a core by default. With 1 the work is done in the caller's own thread.

    Raises
    ------
    Exception
        What ``work`` raised first, in the items' order; what has not begun by then is left undone.
    """
    return list(each_in_order(work, items, workers))


def each_in_order(work: Callable[[T], R], items: Iterable[T], workers: int | None = None) -> Generator[R, None, None]:
    """Yield ``work`` of each item in the items' order and keep none; see :func:`in_order`.

    Whoever leaves off early closes it, so that what has not begun is left undone.
    """
    workers = default_workers() if workers is None else workers
    if workers <= 1:
        for item in items:  # not map, which a StopIteration of ``work`` would end silently
            yield _and_trim(work, item)
        return
    free: SimpleQueue[int] = SimpleQueue()
    for core in _cores():
        free.put(core)
    stay = partial(_stay, free) if free.qsize() == workers else None  # elsewhere the system knows better
    with ThreadPoolExecutor(workers, thread_name_prefix="worker", initializer=stay) as pool:
        left = iter(items)
        # No more is begun than a little ahead of what is taken: whoever is slow to take results need not hold them all.
        begun = deque(pool.submit(_and_trim, work, item) for item in islice(left, _AHEAD * workers))
        try:
            while begun:
                begun.extend(pool.submit(_and_trim, work, item) for item in islice(left, 1))
                yield begun.popleft().result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _and_trim(work: Callable[[T], R], item: T) -> R:
    """Return ``work`` of an item, and give what it freed back to the system: glibc keeps it for each thread."""
    result = work(item)
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)
    return result
