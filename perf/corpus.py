"""Print the acceptance table of corpora: equal bytes from every engine, recovery from kills, constant memory.

    python -m perf.corpus [--shards 80] [--variants 2] [--scratch FOLDER]

One corpus of v2 from the simulated upstream, with one seed per shard, is built three times: in one process (the plain
path), by two loky processes, and by a Dask scheduler with two workers on the loopback interface, all started cold. The
two tests with kills use a small corpus of 16 seeds. CPU seconds cover every process, including interpreter and imports
(5 s, whatever the size of the corpus: with 40 shards Dask has a ratio of 1.16). Wall times mean little on a machine
that others use.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from joblib.externals.loky import get_reusable_executor

from bridge.corpus import run
from bridge.corpus.shards import Recipe, build_shard
from bridge.generate import resolve
from dataset_card.running.parallel import Engine, run_jobs
from tests import corpora, jobs
from tests.cluster import ROOT, Cluster, cluster

SLOTS, SMALL_SEEDS, WARM_SHARDS = 2, 16, 3


def timed(shard: int, recipe: Recipe) -> tuple[float, int, float]:
    """Build a shard; return the wall time in s, the pid, and the process's memory afterwards in MB."""
    start = time.perf_counter()
    build_shard(shard, recipe)
    return time.perf_counter() - start, os.getpid(), psutil.Process().memory_info().rss / 1e6


def seconds_of(*processes: psutil.Process) -> float:
    """Return the CPU seconds of running processes."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)


class Run:
    """One build of the corpus: its costs and its files."""

    def __init__(self, out: Path, upstream, engine: Engine, options: dict, dask: Cluster | None = None):
        recipe = run.plan(out, upstream, **options)
        own, start = psutil.Process(), time.perf_counter()
        before = seconds_of(own)
        made = run_jobs(timed, run.shard_names(recipe.specification), recipe, engine=engine)
        self.wall = time.perf_counter() - start
        others = (
            [psutil.Process(p.pid) for p in (dask.scheduler, *dask.workers)] if dask else own.children(recursive=True)
        )
        self.cpu = seconds_of(own) - before + seconds_of(*others)
        get_reusable_executor().shutdown()
        self.slots = sum(seconds for seconds, _, _ in made.values()) / (self.wall * (1 if engine.jobs == 1 else SLOTS))
        self.memory: dict[int, list[float]] = {}
        for _, pid, rss in made.values():
            self.memory.setdefault(pid, []).append(rss)
        self.rows = recipe.specification.rows
        run.finish(out, Engine(jobs=1))
        self.files = corpora.files_of(out)
        self.row_bytes = sum(p.stat().st_size for p in (out / "data").rglob("*.parquet")) / self.rows
        shutil.rmtree(out)

    @property
    def growth(self) -> float:
        """Largest growth of a process's memory from its first shards to its last, as a fraction."""
        return max(
            max(rss[WARM_SHARDS:], default=float("nan")) / rss[min(WARM_SHARDS, len(rss)) - 1] - 1
            for rss in self.memory.values()
        )


def worker_killed(scratch: Path, expected: dict) -> bool:
    """Kill a worker in the middle of a shard; return whether the bytes are still the same."""
    out = scratch / "worker"
    with cluster(scratch / "workers") as dask:
        recipe = corpora.plan(out, seeds=SMALL_SEEDS)
        dying = Recipe(jobs.DyingFolder(recipe.out.url), recipe.specification, recipe.upstream, recipe.scan_map)
        run.build(dying, Engine(address=dask.address))
        died = [worker.poll() for worker in dask.workers].count(-signal.SIGKILL)
    return died == 1 and corpora.files_of(out) == expected


def driver_killed(scratch: Path, expected: dict) -> tuple[bool, int, int]:
    """Kill the driver and run it again.

    Returns:
        Whether the bytes are the same, the number of shards complete at the kill, and how many of these were rebuilt.
    """
    out = scratch / "driver"
    with cluster(scratch / "drivers") as dask:
        command = [sys.executable, "-m", "tests.corpora", str(out), dask.address, str(SMALL_SEEDS)]
        driver = subprocess.Popen(command, cwd=ROOT)
        while not list(out.glob("_shards/*.json")):
            time.sleep(0.005)
        driver.kill()
        driver.wait()
        time.sleep(3)  # workers may still finish their current shards
        whole = {p.stem for p in out.glob("_shards/*.json")}
        before = {p: p.stat().st_ino for p in out.rglob("*.*") if p.stem in whole}
        subprocess.run(command, cwd=ROOT, check=True)
    again = {p.stem for p, inode in before.items() if p.stat().st_ino != inode}
    return corpora.files_of(out) == expected, len(whole), len(again)


def main() -> None:
    """Print the table; exit with 1 if a criterion is not met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shards", type=int, default=80, help="40 for each of two workers")
    parser.add_argument("--variants", type=int, default=2, help="clean signals per record; 5 in the release")
    parser.add_argument("--scratch", type=Path, help="working folder; a temporary one by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        scratch, upstream = Path(folder), resolve("v2", "simulated")
        per_seed = run.specify(upstream, 1, variants=arguments.variants).rows_per_seed
        options = {"rows": per_seed * arguments.shards, "variants": arguments.variants, "shard_rows": 1}
        plain = Run(scratch / "plain", upstream, Engine(jobs=1), options)
        loky = Run(scratch / "loky", upstream, Engine(jobs=SLOTS), options)
        with cluster(scratch / "cluster") as started:
            dask = Run(scratch / "dask", upstream, Engine(address=started.address), options, started)
        run.build(corpora.plan(scratch / "small", seeds=SMALL_SEEDS), Engine(jobs=1))
        expected = corpora.files_of(scratch / "small")
        survived = worker_killed(scratch, expected)
        same, whole, again = driver_killed(scratch, expected)

    print(f"{plain.rows} rows in {arguments.shards} shards, {plain.row_bytes:.0f} bytes per row")
    for name, made in (("one process", plain), ("loky, 2", loky), ("Dask, 2", dask)):
        peak = max(max(rss) for rss in made.memory.values())
        print(
            f"  {name:12} {made.cpu:7.1f} CPU-s, {made.rows / made.cpu:6.0f} rows/CPU-s, {made.wall:6.1f} s, "
            f"{peak:4.0f} MB"
        )
    lines = [
        ("bytes equal: loky and one process", loky.files == plain.files, True, loky.files == plain.files),
        ("bytes equal: Dask and one process", dask.files == plain.files, True, dask.files == plain.files),
        ("a worker killed in a shard: same bytes", survived, True, survived),
        (f"driver killed with {whole} complete shards: same bytes", same, True, same),
        ("  of those rebuilt", again, 0, again == 0),
    ]
    for name, made in (("loky", loky), ("Dask", dask)):
        ratio = made.cpu / plain.cpu
        lines += [
            (f"slot use, {name}, cold", round(made.slots, 3), ">= .85", made.slots >= 0.85),
            (f"memory growth, {name}", round(made.growth, 3), "<= .10", made.growth <= 0.10),
            (f"CPU over plain, {name}", round(ratio, 3), "<= 1.10", ratio <= 1.10),
        ]
    for name, figure, wanted, holds in lines:
        print(f"{'ok ' if holds else 'OFF'}  {name:48} {figure!s:>7}   wanted {wanted}")
    sys.exit(not all(holds for *_, holds in lines))


if __name__ == "__main__":
    main()
