"""Runs tasks in parallel, in local processes or on a Dask cluster; a failed task does not stop the others.

A local process is reached only through the socket pair it was started with: nothing listens,
so no other user of the machine can give it work. A Dask scheduler does listen; one is used only if its
address is given.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from dataset.support.errors import MiaError, MissingDependencyError, UsageError

if TYPE_CHECKING:
    from distributed import Client, Future

R = TypeVar("R")

#: A task is abandoned after this many deaths of its worker process; a machine short of memory loses one now and then.
DEATHS = 2
#: Seconds for a scheduler to respond, and for a worker process to clean up at its end.
_PATIENCE_S = 10
#: Each worker computes with one thread: parallel tasks use the cores better.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_INTERRUPTED = 130
_SHORT_OF_MEMORY = "check that machine's memory, and run again with --resume"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One piece of work.

    Attributes
    ----------
    name : str
        For the scheduler's dashboard.
    arguments : tuple
        Arguments of the function; they and its result are pickled.
    """

    name: str
    arguments: tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Why a task has no result, and what to do."""

    why: str
    hint: str


class Workers(Protocol):
    """Runs tasks; see :func:`workers`."""

    def run(self, function: Callable[..., R], tasks: Sequence[Task]) -> Iterator[tuple[int, R | Lost]]:
        """Yield ``(index, result)`` of each task as it finishes.

        Parameters
        ----------
        function : callable
            A module-level function, which workers import by its name.
        tasks : sequence of Task

        Raises
        ------
        MiaError
            No worker process could be started here.
        """


@contextmanager
def workers(jobs: int, scheduler: str | None = None) -> Iterator[Workers]:
    """Yield ``jobs`` worker processes of this machine, or the workers of a Dask scheduler.

    At the end of the block, tasks that have not started are dropped, and busy workers are interrupted.

    Raises
    ------
    MissingDependencyError
        A scheduler is given, and ``dask[distributed]`` is not installed.
    UsageError
        The scheduler does not respond.
    """
    if scheduler is None:
        with closing(_LocalWorkers(jobs)) as pool:
            yield pool
    else:
        with _client(scheduler) as client, closing(_ClusterWorkers(client)) as pool:
            yield pool


# -- processes of this machine ------------------------------------------------------------------------------------


class _LocalWorkers:
    """Worker processes connected by pipes, started on demand, each with at most one task."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._context = multiprocessing.get_context("spawn")
        self._processes: dict[Connection, SpawnProcess] = {}
        self._idle: list[Connection] = []
        self._task_of: dict[Connection, int] = {}

    def run(self, function: Callable[..., R], tasks: Sequence[Task]) -> Iterator[tuple[int, R | Lost]]:
        waiting = deque(range(len(tasks)))
        deaths: Counter[int] = Counter()
        while waiting or self._task_of:
            while waiting and len(self._task_of) < self._jobs and (line := self._worker()) is not None:
                task = self._task_of[line] = waiting.popleft()
                with suppress(BrokenPipeError, ConnectionResetError):  # it died: detected while waiting for its result
                    line.send((function, tasks[task].arguments))
            lines: list[Any] = wait(list(self._task_of))
            for line in lines:
                task = self._task_of.pop(line)
                try:
                    done, value = line.recv()
                except (EOFError, OSError):
                    how = self._bury(line)
                    deaths[task] += 1
                    if deaths[task] < DEATHS:
                        waiting.appendleft(task)
                        continue
                    yield task, Lost(why=f"its worker died, {DEATHS} times ({how})", hint=_SHORT_OF_MEMORY)
                else:
                    self._idle.append(line)
                    yield task, value if done else _failed_there(value, "run it alone, without --jobs, to see where")

    def _worker(self) -> Connection | None:
        """Return the connection to an idle worker; None if no further one can be started.

        Raises
        ------
        MiaError
            Not even one can be started.
        """
        if self._idle:
            return self._idle.pop()
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs,), daemon=True)
        try:
            with _single_threaded(), _interrupts_held():
                process.start()
        except OSError as error:
            ours.close()
            if self._task_of:
                return None
            raise MiaError(
                "no worker process could be started", str(error), "run with fewer --jobs, or with none"
            ) from error
        finally:
            theirs.close()  # so that the connection ends when the worker dies
        self._processes[ours] = process
        return ours

    def _bury(self, line: Connection) -> str:
        """Remove a worker that died; return its exit code or signal."""
        process = self._processes.pop(line)
        line.close()
        process.join()
        code = process.exitcode or 0
        return signal.strsignal(-code) or f"signal {-code}" if code < 0 else f"exit code {code}"

    def close(self) -> None:
        """End all workers; busy ones are interrupted, so that they remove partial files."""
        for line in self._task_of:
            self._processes[line].terminate()  # a terminal's Ctrl-C has reached them already; a second one does no harm
        for line in self._processes:
            line.close()  # an idle worker ends when its connection closes
        for process in self._processes.values():
            process.join(_PATIENCE_S)
            if process.is_alive():
                process.kill()
                process.join()


def _serve(line: Connection) -> None:
    """Run tasks from the connection until it closes; the main function of a worker process."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    _allow_interrupts()
    while True:
        try:
            function, arguments = line.recv()
        except (EOFError, OSError):
            return
        except Exception as error:  # noqa: BLE001 - its module cannot be imported here
            answer: tuple[bool, object] = (False, repr(error))
        else:
            try:
                answer = (True, function(*arguments))
            except Exception as error:  # noqa: BLE001 - only this task failed
                answer = (False, repr(error))
        try:
            line.send(answer)
        except OSError:  # the result is not needed any more
            return
        except Exception as error:  # noqa: BLE001 - a result that cannot be pickled
            line.send((False, repr(error)))


def _leave(number: int, frame: object) -> None:
    """End a worker process cleanly (partial files are removed) and silently."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, _go_on)  # not SIG_IGN: Python warns of one that arrives at the same moment
    sys.exit(_INTERRUPTED)


def _go_on(number: int, frame: object) -> None:
    """Ignore further signals in a worker that is ending."""


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Block Ctrl-C, which a terminal also sends to children, while a child cannot yet end cleanly."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # starting it would unblock signals
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _allow_interrupts() -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Make a child started in the block compute with one thread."""
    before: Mapping[str, str | None] = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update(_ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


# -- a Dask cluster -----------------------------------------------------------------------------------------------


class _ClusterWorkers:
    """The workers of a Dask scheduler."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._futures: list[Future[Any]] = []

    def run(self, function: Callable[..., R], tasks: Sequence[Task]) -> Iterator[tuple[int, R | Lost]]:
        from distributed import as_completed

        batch = uuid.uuid4().hex  # unique keys: a scheduler has other clients
        self._futures = [
            self._client.submit(function, *task.arguments, pure=False, key=f"{task.name}-{k}-{batch}")
            for k, task in enumerate(tasks)
        ]
        index = {future: k for k, future in enumerate(self._futures)}
        for future in as_completed(self._futures):  # type: ignore[no-untyped-call]
            try:
                found: R | Lost = future.result()
            except Exception as error:  # noqa: BLE001 - a failed worker affects only one task
                found = befallen(error)
            yield index[future], found

    def close(self) -> None:
        """Cancel unfinished tasks."""
        self._client.cancel([future for future in self._futures if not future.done()])  # type: ignore[no-untyped-call]


@contextmanager
def _client(scheduler: str) -> Iterator[Client]:
    try:
        import dask
        from distributed import Client
    except ImportError as error:
        raise MissingDependencyError(
            "dask is not installed", str(error), "pip install 'muscles-in-action[cluster]'"
        ) from error
    # Silences its many lines on workers; the fate of a task is known from its result.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with dask.config.set({"distributed.comm.timeouts.connect": f"{_PATIENCE_S}s"}):
        try:
            client = Client(scheduler, timeout=f"{_PATIENCE_S}s")  # type: ignore[no-untyped-call]
        except (OSError, ValueError, TimeoutError) as error:
            raise UsageError(
                f"no Dask scheduler responds at {scheduler}", str(error), "start one with: dask scheduler"
            ) from error
        with client:
            yield client


def befallen(error: Exception) -> Lost:
    """Return why a cluster task has no result; ``error`` was raised when its result was requested."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return Lost(
            why=f"its worker died repeatedly ({error.last_worker.address})",
            hint=_SHORT_OF_MEMORY,
        )
    if isinstance(error, CancelledError):
        return Lost(
            why=f"the scheduler dropped it ({error})", hint="check that the scheduler runs, and run again with --resume"
        )
    return _failed_there(repr(error), "install the same version of this package on all workers")


def _failed_there(error: object, hint: str) -> Lost:
    return Lost(why=f"its worker could not run it ({error})", hint=hint)
