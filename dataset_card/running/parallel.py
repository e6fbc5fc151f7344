"""Independent jobs on the cores of one machine or on many machines: the same results, wherever each job runs.

One machine uses joblib's processes (loky); many machines are a Dask cluster that the user runs. Dask is driven through
its futures, not through joblib, so that a job that kills its workers ends the run with an error; joblib would wait
forever.
"""

import signal
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from dataset_card.errors import MagBridgeError, optional
from dataset_card.running.door import SIGNALS

ENGINES = ("joblib", "dask")
CONNECT_TIMEOUT_S = 20
LOOK_S = 5
"""Interval at which a run looks for workers that have joined its cluster, while no job ends."""

ATTEMPTS = 4
"""Number of times that a job may crash its process, or meet a broken disk, before the run ends: Dask's own limit."""


@dataclass(frozen=True)
class Engine:
    """Where jobs run.

    Attributes:
        jobs: Number of processes on this machine; all cores by default. With joblib, 1 stays in this process.
        name: `joblib` or `dask`; by default `dask` if there is an address, otherwise `joblib`.
        address: `HOST:PORT` of a Dask scheduler that the user runs: its workers run the jobs, not this machine.

    Raises:
        MagBridgeError: If `name` is unknown, `jobs` is below 1, or `address` is combined with `jobs` or `joblib`.
    """

    jobs: int | None = None
    name: str | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        if self.name not in (None, *ENGINES):
            raise MagBridgeError(f"engine {self.name!r}: expected {' or '.join(ENGINES)}")
        if self.jobs is not None and self.jobs < 1:
            raise MagBridgeError(f"jobs {self.jobs}: expected at least 1")
        if self.address is not None and self.name == "joblib":
            raise MagBridgeError(
                f"address {self.address} with engine joblib: expected dask, which runs on other machines"
            )
        if self.address is not None and self.jobs is not None:
            raise MagBridgeError(
                f"jobs {self.jobs} with address {self.address}: expected only one of them, since the cluster "
                "determines the number of workers; omit the other"
            )

    @property
    def uses_dask(self) -> bool:
        """Whether jobs run on Dask workers."""
        return self.name == "dask" or self.address is not None

    @property
    def processes(self) -> int:
        """Number of processes on this machine."""
        import joblib

        return self.jobs or joblib.cpu_count()


def run_jobs(
    function: Callable[[Any, Any], Any],
    jobs: Mapping[str, Any],
    shared: Any = None,
    *,
    engine: Engine = Engine(),
    label: str | None = "jobs",
    keep: Callable[[Any], object] = lambda result: None,
) -> dict[str, Any]:
    """Call `function(job, shared)` for every job, each on one thread.

    If a process dies, its job is repeated, on another worker if there is one. The same applies on a cluster to a job
    that meets an error of the operating system: another machine's disk may have room.

    Args:
        function: A function at a module's top level; its result must depend only on its arguments.
        jobs: Argument of each job, by the name that errors report.
        shared: Data that every job needs, sent once to each worker of a cluster.
        engine: Where the jobs run.
        label: Label of the progress bar, which is shown if stderr is a terminal; None for no bar.
        keep: Called in this process with each result as soon as it arrives.

    Returns:
        Results by name, in the order of `jobs`.

    Raises:
        MagBridgeError: If a job fails for good (the message has its name and its error), or the scheduler cannot be
            reached or is lost.
    """
    from tqdm import tqdm

    run = _on_dask if engine.uses_dask else _on_this_machine
    results = run(function, jobs, shared, engine)
    hidden = True if label is None else None  # None: hidden unless stderr is a terminal
    done = {}
    for name, result in tqdm(results, desc=label, total=len(jobs), disable=hidden, leave=False, file=sys.stderr):
        keep(result)
        done[name] = result
    return {name: done[name] for name in jobs}


def _call(function, name: str, job, shared) -> tuple[str, Any]:
    from threadpoolctl import threadpool_limits

    try:
        # always one thread: the number of threads can change the last digit of a matrix product
        with threadpool_limits(1):
            return name, function(job, shared)
    except MagBridgeError as error:
        raise MagBridgeError(f"{name}: {error}") from error
    except OSError:
        raise
    except Exception as error:
        raise RuntimeError(f"{name}: {type(error).__name__}: {error}") from error


def _on_this_machine(function, jobs: Mapping[str, Any], shared, engine: Engine) -> Iterator[tuple[str, Any]]:
    from joblib import Parallel, delayed
    from joblib.externals.loky import get_reusable_executor
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    left, deaths, processes = dict(jobs), dict.fromkeys(jobs, 0), engine.processes
    while left:
        # One job at a time per process, so that the running jobs are known. Large arrays are stored once in a file and
        # mapped copy-on-write ("c"): they are writable, as in this process, and writes stay in the process.
        pool = Parallel(
            processes,
            backend="loky",
            return_as="generator_unordered",
            batch_size=1,
            pre_dispatch="n_jobs",
            mmap_mode="c",
        )
        order, finished = list(left), 0
        try:
            with _deaf(processes):
                results = pool([delayed(_call_here)(function, name, left[name], shared) for name in order])
            for name, result in results:
                del left[name]
                finished += 1
                yield name, result
        except TerminatedWorkerError as error:
            in_hand = [name for name in order[: finished + processes] if name in left]
            for name in in_hand:
                deaths[name] += 1
            worst = max(in_hand, key=lambda name: deaths[name], default=None)
            if worst is None or deaths[worst] >= ATTEMPTS:
                raise MagBridgeError(
                    f"{' or '.join(in_hand)}: its process was killed {ATTEMPTS} times, perhaps for lack of memory; run "
                    "it with fewer jobs"
                ) from error
        except BaseException:  # such as a signal: remaining workers would leak semaphores and cause a warning
            get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)
            raise


@contextmanager
def _deaf(processes: int) -> Iterator[None]:
    """Block signals in processes started within this block, so that only this process ends them."""
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as of_loky

    if processes == 1 or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        for tracker in (resource_tracker, of_loky):
            tracker.ensure_running()  # blocks signals itself, and then unblocks them
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _call_here(function, name: str, job, shared) -> tuple[str, Any]:
    """Run a job on this machine, where every job uses the same disk: an operating-system error ends the run."""
    from tqdm import tqdm

    tqdm.set_lock(
        threading.RLock()
    )  # a lock between processes is a semaphore: a killed worker would leak it and cause a warning
    try:
        return _call(function, name, job, shared)
    except OSError as error:
        raise MagBridgeError(f"{name}: {error}") from error


@dataclass(frozen=True)
class _Unwell:
    """A worker on which a job failed because of its disk or network."""

    worker: str
    reason: str


def _call_there(name: str, job, function, shared) -> tuple[str, Any]:
    from distributed import get_worker

    try:
        return _call(function, name, job, shared)
    except OSError as error:
        return name, _Unwell(get_worker().address, str(error))


def _held(shared):
    return shared


def _on_dask(function, jobs: Mapping[str, Any], shared, engine: Engine) -> Iterator[tuple[str, Any]]:
    with _connected(engine) as client:
        from distributed import Future, KilledWorker, wait

        # submitted as a task, not scattered, so that the scheduler can recreate it if its worker dies
        held = client.submit(_held, shared, key=f"shared-{uuid.uuid4()}")
        waiting = iter(jobs)
        in_hand: dict[Future, str] = {}
        unwell: dict[str, list[str]] = {}

        def submit(name: str, **where) -> None:
            key = f"{name}-{uuid.uuid4()}"
            future = client.submit(_call_there, name, jobs[name], function, held, key=key, pure=False, **where)
            in_hand[future] = name

        def hand_out() -> None:
            # no more jobs than threads: a job that waits at a worker would be blamed for that worker's death
            room = max(1, sum(client.nthreads().values())) - len(in_hand)
            for name in islice(waiting, max(0, room)):
                submit(name)

        def finished() -> set[Future]:
            try:
                return wait(list(in_hand), timeout=LOOK_S, return_when="FIRST_COMPLETED").done
            except TimeoutError:  # workers may have joined
                return set()

        hand_out()
        while in_hand:
            name = next(iter(in_hand.values()))
            try:
                for future in finished():
                    name = in_hand.pop(future)
                    _, result = future.result()
                    if not isinstance(result, _Unwell):
                        yield name, result
                        continue
                    met = unwell.setdefault(name, [])
                    met.append(result.worker)
                    others = sorted(set(client.scheduler_info(n_workers=-1)["workers"]) - set(met))
                    if len(met) >= ATTEMPTS or not others:
                        raise MagBridgeError(f"{name}: {result.reason} (on {', '.join(met)})")
                    submit(name, workers=others)
                hand_out()
            except KilledWorker as error:
                raise MagBridgeError(
                    f"{name}: {ATTEMPTS} workers died while running it, perhaps for lack of memory; see their logs"
                ) from error
            except (CancelledError, OSError) as error:
                raise MagBridgeError(
                    f"{name}: lost with the scheduler; start a scheduler and run the same command again"
                ) from error


@contextmanager
def _connected(engine: Engine):
    """Yield a client of the user's scheduler, or of a local cluster of this machine's processes."""
    with optional("distributed"):
        from distributed import Client, LocalCluster
    if engine.address is None:
        with (
            LocalCluster(n_workers=engine.processes, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster, set_as_default=False) as client,
            client.as_current(),
        ):
            yield client
        return
    try:
        client = Client(engine.address, timeout=CONNECT_TIMEOUT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise MagBridgeError(
            f"address {engine.address}: no Dask scheduler answers there ({error}); expected HOST:PORT of a running "
            "one, as `dask scheduler` prints it"
        ) from error
    with client, client.as_current():
        yield client
