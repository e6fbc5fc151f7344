"""Independent jobs on the cores of one machine or on a Dask cluster: the same results, wherever each job runs.

The benchmark has its own switch of this kind: this package stands alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from ..errors import HQVQVAEError

Job = TypeVar("Job")
Result = TypeVar("Result")

ATTEMPTS = 4
"""Processes that a job may take with it before the run ends: Dask's own number."""

CONNECT_TIMEOUT_S = 20
LOOK_S = 5
"""How often a run looks for workers that have joined its cluster, while no job ends."""


def run_jobs(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    *,
    workers: int | None = None,
    address: str | None = None,
    progress: bool = False,
    keep: Callable[[Result], object] = lambda result: None,
) -> list[Result]:
    """Call a function on each job; a process that dies takes no job with it, but has it done again.

    Args:
        function: of a module's top level, or a `functools.partial` of one with what all jobs need, which a cluster's
            workers get once; its result must depend on the job alone.
        jobs: one argument each; as text, the name that errors tell.
        workers: processes of this machine; one, this one, by default.
        address: HOST:PORT of a Dask scheduler that the user runs, in place of `workers`: its workers do the jobs.
        progress: show a bar on stderr if that is a terminal.
        keep: called with each result in this process as soon as it is there.

    Returns:
        Results in the order of the jobs.

    Raises:
        HQVQVAEError: a job failed, with its name and its error; both `workers` and `address` are given; the scheduler
            cannot be reached or was lost.
    """
    from tqdm import tqdm

    if address is not None and workers is not None:
        raise HQVQVAEError(f"{workers} processes and address {address}: a cluster has its own workers; leave one out")
    if not jobs:
        return []
    results = _on_cluster(function, jobs, address) if address else _on_this_machine(function, jobs, workers or 1)
    done: dict[int, Result] = {}
    for number, result in tqdm(results, total=len(jobs), disable=None if progress else True, unit="fit"):
        keep(result)
        done[number] = result
    return [done[number] for number in range(len(jobs))]


def _call(number: int, job: Job, function: Callable[[Job], Result]) -> tuple[int, Result]:
    try:
        return number, function(job)
    except Exception as error:
        kind = "" if isinstance(error, HQVQVAEError) else f"{type(error).__name__}: "
        raise HQVQVAEError(f"{job}: {kind}{error}") from error


def _on_this_machine(function, jobs: Sequence[Any], workers: int) -> Iterator[tuple[int, Any]]:
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    # Fresh processes (loky): a forked copy of one that has run torch can hang. No shared memory: arrays stay writable.
    # One job at a time to each, so that the first ones left are in hand when a process dies before any is done.
    options: dict[str, Any] = {"backend": "loky", "batch_size": 1, "pre_dispatch": "n_jobs", "max_nbytes": None}
    left, deaths = dict(enumerate(jobs)), 0
    while left:
        pool = Parallel(n_jobs=workers, return_as="generator_unordered", **options)
        try:
            for number, result in pool([delayed(_call)(number, job, function) for number, job in left.items()]):
                del left[number]
                deaths = 0
                yield number, result
        except TerminatedWorkerError as error:
            deaths += 1
            if deaths == ATTEMPTS:
                in_hand = " or ".join(map(str, list(left.values())[:workers]))
                raise HQVQVAEError(
                    f"{in_hand}: its process was killed {ATTEMPTS} times, perhaps for want of memory; use fewer jobs"
                ) from error


def _held(function):
    return function


def _on_cluster(function, jobs: Sequence[Any], address: str) -> Iterator[tuple[int, Any]]:
    with _connected(address) as client:
        from distributed import Future, KilledWorker, wait

        # As a task of its own, not scattered: the scheduler can make it again when the worker that held it died.
        held = client.submit(_held, function, pure=False)
        waiting = enumerate(jobs)
        in_hand: dict[Future, Any] = {}

        def hand_out() -> None:
            # As many as there are threads: one that waits at a worker would be blamed for that worker's death.
            room = max(1, sum(client.nthreads().values())) - len(in_hand)
            for number, job in islice(waiting, max(0, room)):
                in_hand[client.submit(_call, number, job, held, pure=False)] = job

        def finished() -> set[Future]:
            try:
                return wait(list(in_hand), timeout=LOOK_S, return_when="FIRST_COMPLETED").done
            except TimeoutError:  # workers may have joined
                return set()

        hand_out()
        while in_hand:
            job = next(iter(in_hand.values()))
            try:
                for future in finished():
                    job = in_hand.pop(future)
                    yield future.result()
                hand_out()
            except KilledWorker as error:
                raise HQVQVAEError(
                    f"{job}: {ATTEMPTS} workers died while they ran it, perhaps for want of memory; see their logs"
                ) from error
            except (CancelledError, OSError) as error:
                raise HQVQVAEError(
                    f"{job}: lost with the scheduler {address}; start one and run the same command again"
                ) from error


@contextmanager
def _connected(address: str):
    """A client of the user's scheduler."""
    try:
        from distributed import Client
    except ImportError as error:
        raise HQVQVAEError(
            f"address {address}: dask and distributed are not installed; expected the extra: "
            '`pip install "magbridge-battery[cluster]"`'
        ) from error
    try:
        client = Client(address, timeout=CONNECT_TIMEOUT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise HQVQVAEError(
            f"address {address}: no Dask scheduler answers there ({error}); expected HOST:PORT of one that runs, as "
            "`dask scheduler` prints it"
        ) from error
    with client, client.as_current():
        yield client
