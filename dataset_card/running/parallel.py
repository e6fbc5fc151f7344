"""Independent jobs on the cores of one machine or on many machines: the same results, wherever each job runs.

One machine is joblib's processes (loky); many are a Dask cluster that the user runs. Dask is driven through its
futures, not through joblib: that way a job that kills its workers ends the run with an error, where joblib would wait
for ever.
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
"""How often a run looks for workers that have joined its cluster, while no job ends."""

ATTEMPTS = 4
"""Times that a job may take its process with it, or meet a broken disk, before the run ends: Dask's own number."""


@dataclass(frozen=True)
class Engine:
    """Where jobs run.

    Attributes:
        jobs: Processes on this machine; all cores by default. One joblib job stays in this process.
        name: `joblib` or `dask`; by default `dask` if there is an address.
        address: `HOST:PORT` of a Dask scheduler that the user runs: its workers do the jobs, not this machine.

    Raises:
        MagBridgeError: Unknown name, jobs below 1, or an address beside `jobs` or `joblib`.
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
            raise MagBridgeError(f"address {self.address} with engine joblib: expected dask, which runs on machines")
        if self.address is not None and self.jobs is not None:
            raise MagBridgeError(
                f"jobs {self.jobs} with address {self.address}: the cluster has as many workers as it was given; "
                "leave one of them out"
            )

    @property
    def uses_dask(self) -> bool:
        """Whether jobs run on Dask workers."""
        return self.name == "dask" or self.address is not None

    @property
    def processes(self) -> int:
        """Processes on this machine."""
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

    A process that dies takes no job with it: the job is done again, elsewhere where there is an elsewhere. The same
    holds for a job that meets an error of the operating system on a cluster: another machine's disk may have room.

    Args:
        function: Of a module's top level; its result must depend on its arguments alone.
        jobs: What each job is called with, by the name that errors tell.
        shared: What every job needs: sent once to each worker of a cluster.
        engine: Where jobs run.
        label: Of the progress bar, which is shown on stderr if that is a terminal; None for no bar.
        keep: Called with each result in this process as soon as it is there.

    Returns:
        Results by name, in the order of `jobs`.

    Raises:
        MagBridgeError: A job failed for good: its name and its error. The scheduler cannot be reached or was lost.
    """
    from tqdm import tqdm

    run = _on_dask if engine.uses_dask else _on_this_machine
    results = run(function, jobs, shared, engine)
    hidden = True if label is None else None  # None: where there is no terminal
    done = {}
    for name, result in tqdm(results, desc=label, total=len(jobs), disable=hidden, leave=False, file=sys.stderr):
        keep(result)
        done[name] = result
    return {name: done[name] for name in jobs}


def _call(function, name: str, job, shared) -> tuple[str, Any]:
    from threadpoolctl import threadpool_limits

    try:
        # one thread everywhere: the number of threads can change the last digit of a matrix product
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
        # one at a time to each process: the jobs in hand are known then; large arrays lie once in a file, and what a
        # process writes into them stays with it ("c"): they are writable, as they are here
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
                    f"{' or '.join(in_hand)}: its process was killed {ATTEMPTS} times, perhaps for want of memory; run "
                    "it with fewer jobs"
                ) from error
        except BaseException:  # a signal, say: workers that stay would leave semaphores, and a warning of them
            get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)
            raise


@contextmanager
def _deaf(processes: int) -> Iterator[None]:
    """Processes started meanwhile hear no signal of a terminal or a scheduler: it is this one that ends them."""
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as of_loky

    if processes == 1 or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        for tracker in (resource_tracker, of_loky):
            tracker.ensure_running()  # which blocks signals itself, and then lets them through
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _call_here(function, name: str, job, shared) -> tuple[str, Any]:
    """On one machine every job meets the same disk: an error of the operating system ends the run."""
    from tqdm import tqdm

    tqdm.set_lock(
        threading.RLock()
    )  # a lock between processes is a semaphore: a killed worker leaves it, and a warning
    try:
        return _call(function, name, job, shared)
    except OSError as error:
        raise MagBridgeError(f"{name}: {error}") from error


@dataclass(frozen=True)
class _Unwell:
    """A worker whose disk or network failed a job."""

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

        # as a task of its own, not scattered: the scheduler can make it again when the worker that held it died
        held = client.submit(_held, shared, key=f"shared-{uuid.uuid4()}")
        waiting = iter(jobs)
        in_hand: dict[Future, str] = {}
        unwell: dict[str, list[str]] = {}

        def submit(name: str, **where) -> None:
            key = f"{name}-{uuid.uuid4()}"
            future = client.submit(_call_there, name, jobs[name], function, held, key=key, pure=False, **where)
            in_hand[future] = name

        def hand_out() -> None:
            # as many as there are threads: one that waits at a worker would be blamed for that worker's death
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
                    f"{name}: {ATTEMPTS} workers died while they ran it, perhaps for want of memory; see their logs"
                ) from error
            except (CancelledError, OSError) as error:
                raise MagBridgeError(
                    f"{name}: lost with the scheduler; start a scheduler and run the same command again"
                ) from error


@contextmanager
def _connected(engine: Engine):
    """A client of the user's scheduler, or of a cluster of this machine's own processes."""
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
            f"address {engine.address}: no Dask scheduler answers there ({error}); expected HOST:PORT of one that "
            "runs, as `dask scheduler` prints it"
        ) from error
    with client, client.as_current():
        yield client
