"""Run jobs in this process, in worker processes, or on a Dask cluster; each stores its result in a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from dataset.session.file import read_session
from dataset.support import cluster
from dataset.support.errors import InputError, MiaError
from dataset.windows import Windows, windows_from_sessions
from model.experiments.jobs import Job, result_path, run_job
from model.training.loop import SAVE_EVERY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Sessions and stride of an experiment's windows, from which a worker can make them again.

    Attributes
    ----------
    sessions : tuple of str
        Paths, in order.
    stride : int or None
    """

    sessions: tuple[str, ...]
    stride: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """Where jobs run; results do not depend on it.

    Attributes
    ----------
    workers : int
        Worker processes on this machine; 1 uses this process.
    scheduler : str or None
        Address of a running Dask scheduler; its workers must access sessions and results under the same paths.
    save_every_s : float
        Seconds between two copies of an unfinished training, of runs in this process.
    """

    workers: int = 1
    scheduler: str | None = None
    save_every_s: float = SAVE_EVERY_S


@lru_cache(maxsize=1)
def load_windows(source: Source) -> Windows:
    """Return the windows of a source; the last result is cached, so that a worker makes them only once."""
    return windows_from_sessions([read_session(Path(path)) for path in source.sessions], stride=source.stride)


def run_jobs(
    jobs: Sequence[Job],
    source: Source,
    folder: Path,
    execution: Execution,
    *,
    each: Callable[[Job], None] = lambda job: None,
) -> None:
    """Run the jobs without a stored result; those that start from another job's weights run after it.

    Parameters
    ----------
    jobs : sequence of Job
    source : Source
    folder : Path
        Folder of the results.
    execution : Execution
    each : callable
        Called with each job that is done, now or earlier.

    Raises
    ------
    MiaError
        Some jobs failed. The others ran, and their results are stored.
    """
    unique = {job.key: job for job in jobs}
    stages = [[job for job in unique.values() if bool(job.start_from) == later] for later in (False, True)]
    left = []
    for stage in stages:
        done = [job for job in stage if result_path(folder, job.key).is_file()]
        for job in done:
            each(job)
        # Longest first, so that at the end no worker waits for a long one.
        left.append(sorted((job for job in stage if job not in done), key=_cost, reverse=True))
    if not any(left):
        return
    if execution.workers == 1 and execution.scheduler is None:
        windows = load_windows(source)
        for job in [*left[0], *left[1]]:
            run_job(job, windows, folder, save_every_s=execution.save_every_s)
            each(job)
        return
    with cluster.workers(execution.workers, execution.scheduler) as pool:
        for stage in left:
            failures: list[str] = []
            tasks = [cluster.Task(name=job.key, arguments=(job, source, str(folder))) for job in stage]
            for k, found in pool.run(_at_work, tasks):
                failure = f"{found.why}, {found.hint}" if isinstance(found, cluster.Lost) else found
                if failure:
                    failures.append(f"{stage[k].key}: {failure}")
                else:
                    each(stage[k])
            if failures:
                raise MiaError(
                    f"{len(failures)} of {len(stage)} runs failed",
                    "; ".join(failures[:3]),
                    "the results of the others are stored: run again with --resume",
                )


def _at_work(job: Job, source: Source, folder: str) -> str:
    """Run a job in a worker; return the error's text, or an empty string."""
    try:
        if not Path(folder).is_dir():
            raise InputError(f"this worker cannot access {folder}", "--out must be in a folder that all machines share")
        run_job(job, load_windows(source), Path(folder))
    except MiaError as error:
        return str(error)
    return ""


def _cost(job: Job) -> float:
    return job.steps * job.batch * (10.0 if job.system == "transformer-paper" else 1.0)
