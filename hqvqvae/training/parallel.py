"""Independent jobs on any number of processes: same results in the same order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def run_jobs(
    function: Callable[[Job], Result], jobs: Sequence[Job], *, workers: int = 1, progress: bool = False
) -> list[Result]:
    """Call a function on each job.

    Args:
        function: of a module's top level, or a `functools.partial` of one; its result must depend on the job alone.
        jobs: one argument each.
        workers: processes; one stays in this process.
        progress: show a bar on stderr if that is a terminal.

    Returns:
        Results in the order of the jobs.
    """
    from joblib import Parallel, delayed
    from tqdm import tqdm

    # Fresh processes (loky): a forked copy of one that has run torch can hang. No shared memory: arrays stay writable.
    pool = Parallel(n_jobs=workers, backend="loky", return_as="generator", max_nbytes=None)
    results = pool(delayed(function)(job) for job in jobs)
    return list(tqdm(results, total=len(jobs), disable=None if progress else True, unit="fit"))
