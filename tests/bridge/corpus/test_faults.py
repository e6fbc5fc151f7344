"""What kills a run in the field: a worker, the driver, the scheduler, a disk; and two drivers at once."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from bridge.corpus import run
from bridge.corpus.shards import Recipe
from dataset_card.errors import MagBridgeError
from dataset_card.running.parallel import Engine, run_jobs
from tests import corpora, jobs
from tests.cluster import ROOT, cluster

pytestmark = pytest.mark.gate
pytest.importorskip("distributed", reason="the extra [cluster] is not installed")

SEEDS = 16


@pytest.fixture(scope="module")
def many(lfp_cells, tmp_path_factory):
    """Files of a corpus of eight shards, made in this process."""
    out = tmp_path_factory.mktemp("many") / "corpus"
    run.build(corpora.plan(out, seeds=SEEDS, inputs=lfp_cells), Engine(jobs=1))
    return corpora.files_of(out)


@pytest.fixture
def workers(tmp_path):
    with cluster(tmp_path / "cluster") as made:
        yield made


def drive(out, address, seeds=SEEDS) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.corpora", str(out), address, str(seeds)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def markers(out) -> list[str]:
    return sorted(p.name for p in (out / "_shards").glob("*.json")) if (out / "_shards").is_dir() else []


def wait_for_markers(out, number, *processes, seconds=120) -> list[str]:
    deadline = time.monotonic() + seconds
    while len(markers(out)) < number:
        assert time.monotonic() < deadline, f"{len(markers(out))} shards after {seconds} s"
        assert all(process.poll() is None for process in processes), processes[0].communicate()[1]
        time.sleep(0.005)
    return markers(out)


def numbers(out, names) -> dict[str, int]:
    """Inodes of the shards' files: another one for every file that is written again."""
    stems = [name.removesuffix(".json") for name in names]
    return {str(p): p.stat().st_ino for p in sorted(out.rglob("*.*")) if p.stem in stems}


def test_a_worker_killed_in_a_shard_leaves_the_same_bytes(workers, lfp_cells, corpus, tmp_path):
    recipe = corpora.plan(tmp_path / "out", inputs=lfp_cells)
    dying = Recipe(jobs.DyingFolder(recipe.out.url), recipe.specification, recipe.upstream, recipe.scan_map)
    run.build(dying, Engine(address=workers.address))
    assert (tmp_path / "died").exists()
    deadline = time.monotonic() + 20
    while all(worker.poll() is None for worker in workers.workers):
        assert time.monotonic() < deadline
    assert sorted(worker.poll() or 0 for worker in workers.workers) == [-signal.SIGKILL, 0]
    assert corpora.files_of(tmp_path / "out") == corpora.files_of(corpus)

    # the sweeps' way through the same switch: results to the last digit, errors by name, once more with one worker
    named = {f"job {i}": i for i in range(4)}
    results = run_jobs(jobs.draw, named, 2.0, engine=Engine(address=workers.address))
    assert [r.tobytes() for r in results.values()] == [jobs.draw(i, 2.0).tobytes() for i in range(4)]
    with pytest.raises(MagBridgeError, match="job 2: voltage 9 V: expected"):
        run_jobs(jobs.refuse, named, engine=Engine(address=workers.address))


@pytest.mark.slow
def test_a_job_that_kills_every_worker_is_named(tmp_path):
    with cluster(tmp_path / "cluster", workers=5) as made, pytest.raises(MagBridgeError, match="job 3: 4 workers died"):
        run_jobs(jobs.die_always, {f"job {i}": i for i in range(6)}, None, engine=Engine(address=made.address))


@pytest.mark.slow
def test_jobs_are_not_blamed_for_deaths_before_their_turn(tmp_path):
    """Five of six workers die, each in another job: a job that had waited at four of them would end the run."""
    named = {f"job {i}": i for i in range(30)}
    with cluster(tmp_path / "cluster", workers=6) as made:
        results = run_jobs(jobs.die_each_once, named, str(tmp_path), engine=Engine(address=made.address))
    assert results == {name: i * i for name, i in named.items()}


@pytest.mark.slow
def test_a_worker_that_joins_takes_work_while_others_are_at_theirs(tmp_path, monkeypatch):
    monkeypatch.setattr("dataset_card.running.parallel.LOOK_S", 0.2)
    with cluster(tmp_path / "cluster", workers=1) as made:
        joining = threading.Timer(1, made.add_worker)
        joining.start()
        ended = run_jobs(jobs.ended_at, {"long": 15, "short": 0}, engine=Engine(address=made.address))
        joining.join()
    assert ended["short"] < ended["long"] - 1


@pytest.mark.slow
def test_dask_on_this_machine_makes_the_same_bytes(lfp_cells, corpus, tmp_path):
    run.build(corpora.plan(tmp_path / "out", inputs=lfp_cells), Engine(jobs=2, name="dask"))
    assert corpora.files_of(tmp_path / "out") == corpora.files_of(corpus)


@pytest.mark.slow
def test_a_driver_killed_after_the_first_marker_goes_on_where_it_was(workers, many, tmp_path):
    driver = drive(tmp_path / "out", workers.address)
    wait_for_markers(tmp_path / "out", 1, driver)
    driver.kill()
    driver.wait()
    time.sleep(3)  # shards in hand may still be finished by their workers
    done = markers(tmp_path / "out")
    before = numbers(tmp_path / "out", done)
    assert 1 <= len(done) < SEEDS // 2
    assert not (tmp_path / "out/manifest.json").exists()
    again = drive(tmp_path / "out", workers.address)
    assert again.wait() == 0, again.communicate()[1]
    assert numbers(tmp_path / "out", done) == before
    assert corpora.files_of(tmp_path / "out") == many


@pytest.mark.slow
def test_a_killed_scheduler_is_one_error_and_the_next_one_goes_on(many, tmp_path):
    with cluster(tmp_path / "first") as first:
        driver = drive(tmp_path / "out", first.address)
        wait_for_markers(tmp_path / "out", 1, driver)
        first.scheduler.kill()
        _, errors = driver.communicate(timeout=120)
    assert driver.returncode == 1
    assert "lost with the scheduler" in errors.splitlines()[-1] and "Traceback" not in errors.splitlines()[-1]
    done = markers(tmp_path / "out")
    before = numbers(tmp_path / "out", done)
    with cluster(tmp_path / "second") as second:
        again = drive(tmp_path / "out", second.address)
        assert again.wait() == 0, again.communicate()[1]
    assert numbers(tmp_path / "out", done) == before
    assert corpora.files_of(tmp_path / "out") == many


@pytest.mark.slow
def test_a_full_disk_on_one_worker_is_the_others_work(many, lfp_cells, tmp_path):
    with cluster(tmp_path / "cluster", workers=1) as made:
        full = made.add_worker(file_kB=300)  # less than a shard's smallest file
        made.wait(2)
        run.build(corpora.plan(tmp_path / "out", seeds=SEEDS, inputs=lfp_cells), Engine(address=made.address))
        assert full.poll() is None
    assert corpora.files_of(tmp_path / "out") == many


@pytest.mark.slow
def test_full_disks_everywhere_end_the_run_with_the_shards_name(lfp_cells, tmp_path):
    with cluster(tmp_path / "cluster", workers=0) as made:
        made.add_worker(file_kB=300)
        made.wait(1)
        recipe = corpora.plan(tmp_path / "out", inputs=lfp_cells)
        with pytest.raises(MagBridgeError, match=r"shard 00000\d: .*File too large.*\(on tcp"):
            run.build(recipe, Engine(address=made.address))
    assert markers(tmp_path / "out") == []


@pytest.mark.slow
def test_two_drivers_on_one_folder_do_no_harm(workers, many, tmp_path):
    one, other = (drive(tmp_path / "out", workers.address) for _ in range(2))
    assert [one.wait(), other.wait()] == [0, 0], one.communicate()[1] + other.communicate()[1]
    assert corpora.files_of(tmp_path / "out") == many


@pytest.mark.slow
def test_two_drivers_with_other_wishes_are_one_corpus_and_one_error(workers, many, tmp_path):
    drivers = {16: drive(tmp_path / "out", workers.address, 16), 15: drive(tmp_path / "out", workers.address, 15)}
    codes = {seeds: driver.wait() for seeds, driver in drivers.items()}
    assert sorted(codes.values()) == [0, 1]
    won = next(seeds for seeds, code in codes.items() if code == 0)
    lost = next(driver for seeds, driver in drivers.items() if seeds != won)
    assert "is another corpus: its seeds is" in lost.communicate()[1]
    assert json.loads((tmp_path / "out/corpus.json").read_text())["seeds"] == won
    assert run.verify(tmp_path / "out", Engine(jobs=1)) == []
    if won == SEEDS:
        assert corpora.files_of(tmp_path / "out") == many


@pytest.mark.slow
def test_no_process_of_the_cluster_outlives_its_tests(tmp_path):
    with cluster(tmp_path / "cluster") as made:
        ids = [process.pid for process in (*made.workers, made.scheduler)]
    for pid in ids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
