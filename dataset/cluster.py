"""Worker processes on this machine, or those of a Dask cluster, and in words what may befall a task there."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from dataset.errors import MiaError, MissingDependencyError, UsageError

if TYPE_CHECKING:
    from distributed import Client

#: A task whose worker died this often is given up; a cluster loses a worker now and then.
DEATHS = 2
#: Seconds for a scheduler to answer.
_PATIENCE_S = 10


@contextmanager
def client(jobs: int, scheduler: str | None) -> Iterator[Client]:
    """Yield a client of the scheduler named, or of ``jobs`` workers of one thread started here.

    Raises
    ------
    MissingDependencyError
        ``dask[distributed]`` is not installed.
    UsageError
        The scheduler does not answer.
    MiaError
        No worker could be started here.
    """
    try:
        import dask
        from distributed import Client, LocalCluster, WorkerPlugin
    except ImportError as error:
        raise MissingDependencyError(
            "dask is not installed", str(error), "pip install 'muscles-in-action[cluster]'"
        ) from error

    class Quiet(WorkerPlugin):
        """Lets a worker of ours go without a word at Ctrl-C, which a terminal sends to all."""

        def setup(self, worker: object) -> None:
            signal.signal(signal.SIGINT, lambda *_: sys.exit(130))

    # Workers that start and are told to go say so in many lines; what befalls a task is told from its result.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    settings = {
        "distributed.scheduler.allowed-failures": DEATHS - 1,
        "distributed.worker.memory.target": False, "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False, "distributed.worker.memory.terminate": False,
        "distributed.comm.timeouts.connect": f"{_PATIENCE_S}s",
        # Not MALLOC_TRIM_THRESHOLD_, which Dask sets: every large array is then new memory, and a training step takes
        # half as long again.
        "distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1, "MKL_NUM_THREADS": 1},
    }  # fmt: skip
    with dask.config.set(settings):
        if scheduler is not None:
            try:
                found = Client(scheduler, timeout=f"{_PATIENCE_S}s")  # type: ignore[no-untyped-call]
            except (OSError, ValueError, TimeoutError) as error:
                raise UsageError(
                    f"no Dask scheduler answers at {scheduler}", str(error), "start one with: dask scheduler"
                ) from error
            with found:
                yield found
            return
        with ExitStack() as stack:
            try:
                # Any free port: None means 8787 all the same, with a warning where another cluster has it.
                cluster = stack.enter_context(
                    LocalCluster(  # type: ignore[no-untyped-call]
                        n_workers=jobs, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
                    )
                )
                found = stack.enter_context(Client(cluster))  # type: ignore[no-untyped-call]
                found.register_plugin(Quiet())
            except (OSError, RuntimeError, TimeoutError) as error:
                raise MiaError(
                    f"{jobs} worker processes could not be started", str(error), "run with fewer --jobs, or with none"
                ) from error
            yield found


def befallen(error: Exception) -> tuple[str, str]:
    """Return why a task has no result, and what to do; ``error`` is what asking for the result raised."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        why = f"its worker died, {DEATHS} times or more ({error.last_worker.address})"
        return why, "look at that machine's memory, and run again with --resume"
    if isinstance(error, CancelledError):
        return f"the scheduler dropped it ({error})", "see that the scheduler runs, and run again with --resume"
    return (
        f"its worker could not run it ({error!r})",
        "install the same version of this package on all workers",
    )
