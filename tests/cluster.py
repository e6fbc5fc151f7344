"""A Dask scheduler and its workers as processes on the loopback interface."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent


class Cluster:
    """A scheduler and workers of one thread each; `address` is for `Engine`.

    Args:
        scratch: Folder for the workers' own files.
    """

    def __init__(self, scratch: Path):
        self.scratch = scratch
        self.workers: list[subprocess.Popen] = []
        self.scheduler_file = scratch / "scheduler.json"
        self.scheduler = self._start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-show")
        deadline = time.monotonic() + 60
        while not self.scheduler_file.is_file():
            assert time.monotonic() < deadline and self.scheduler.poll() is None, "no scheduler"
            time.sleep(0.05)

    @property
    def address(self) -> str:
        """HOST:PORT of the scheduler."""
        return json.loads(self.scheduler_file.read_text())["address"]

    def add_worker(self, *, file_kB: int | None = None) -> subprocess.Popen:
        """Starts a worker; with `file_kB` the system refuses it larger files, as a full disk does."""
        limited = ["bash", "-c", f'ulimit -f {file_kB}; exec "$@"', "-"] if file_kB else []
        options = ["--nthreads", "1", "--no-nanny", "--local-directory", str(self.scratch)]
        worker = self._start("dask_worker", *options, prefix=limited)
        self.workers.append(worker)
        return worker

    def wait(self, workers: int) -> None:
        """Waits until that many workers have joined."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)

    def _start(self, module: str, *options: str, prefix: list[str] = ()) -> subprocess.Popen:
        # quiet, and jobs of the tests can be imported
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        command = [*prefix, sys.executable, "-m", f"distributed.cli.{module}", "--scheduler-file", self.scheduler_file,
                   "--no-dashboard", *options]  # fmt: skip
        with open(self.scratch / f"{module}.log", "a") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=self.scratch)

    def close(self) -> None:
        """Ends all of its processes."""
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@contextlib.contextmanager
def cluster(scratch: Path, workers: int = 2):
    """A cluster whose workers have joined."""
    scratch.mkdir(parents=True, exist_ok=True)
    made = Cluster(scratch)
    try:
        for _ in range(workers):
            made.add_worker()
        if workers:
            made.wait(workers)
        yield made
    finally:
        made.close()
