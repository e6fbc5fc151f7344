"""Jobs on processes and on a cluster: the order and the results of one process, deaths survived, errors by name."""

import dataclasses
import functools
import json
import os
import sys

import pytest

from dataset_card.errors import MagBridgeError
from dataset_card.running import parallel
from hqvqvae import load_segments
from hqvqvae.training.evaluation import evaluate
from hqvqvae.training.jobs import ALONE, Engine, run_jobs
from hqvqvae.training.study import Study, Task, read_records
from tests import jobs
from tests.cluster import cluster

SQUARES = [i * i for i in range(6)]


def test_results_come_in_order_from_any_number_of_processes():
    kept = []
    one, two = (
        run_jobs(functools.partial(jobs.scaled, factor=3), range(6), engine, kept.append)
        for engine in (ALONE, Engine(jobs=2))
    )
    assert [value for value, _ in one] == [value for value, _ in two] == [0, 3, 6, 9, 12, 15]
    assert {process for _, process in one} == {os.getpid()}
    assert os.getpid() not in {process for _, process in two}
    assert kept[:6] == one and sorted(kept[6:]) == sorted(two)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_job_has_its_name(workers):
    with pytest.raises(MagBridgeError, match="^2: a rate of 0: expected a positive number$"):
        run_jobs(jobs.refuse_rate, [2], engine=Engine(jobs=workers))
    with pytest.raises(RuntimeError, match="^1: ZeroDivisionError: division by zero$"):
        run_jobs(jobs.refuse_rate, [1], engine=Engine(jobs=workers))


@pytest.mark.gate
def test_a_killed_process_costs_its_job_a_repetition_and_one_that_always_kills_is_named(tmp_path):
    assert run_jobs(functools.partial(jobs.die_once, scratch=tmp_path), range(6), engine=Engine(jobs=2)) == SQUARES
    assert (tmp_path / "died").exists()
    with pytest.raises(MagBridgeError, match="3.*: its process was killed 4 times.*fewer jobs"):
        run_jobs(functools.partial(jobs.die_always, scratch=None), range(6), engine=Engine(jobs=2))


def test_a_cluster_that_cannot_be(monkeypatch):
    with pytest.raises(MagBridgeError, match="jobs 2 with address 127.0.0.1:1: .*omit the other"):
        run_jobs(jobs.refuse_rate, [0], engine=Engine(jobs=2, address="127.0.0.1:1"))
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "distributed", None)
        with pytest.raises(MagBridgeError, match=r"magbridge-battery\[cluster\]"):
            run_jobs(jobs.refuse_rate, [0], Engine(address="127.0.0.1:1"))
    pytest.importorskip("distributed", reason="the extra [cluster] is not installed")
    monkeypatch.setattr(parallel, "CONNECT_TIMEOUT_S", 1)
    with pytest.raises(MagBridgeError, match="127.0.0.1:1: no Dask scheduler answers there"):
        run_jobs(jobs.refuse_rate, [0], Engine(address="127.0.0.1:1"))
    assert run_jobs(jobs.refuse_rate, [], Engine(address="127.0.0.1:1")) == []


@pytest.mark.slow
def test_sweeps_on_a_cluster_are_those_of_one_process_to_the_last_digit(two_workers, tmp_path):
    table = load_segments()
    table = table[table["cell_id"].isin(["B0046", "B0047"])].reset_index(drop=True)
    fits = [Task("tanh-100", "cell", cell, 1, 1e-3) for cell in ("B0046", "B0047")]
    engines = (ALONE, Engine(address=two_workers.address))
    one, two = (evaluate(table, ("recommended-classical",), seeds=(0,), engine=engine) for engine in engines)
    assert json.dumps(one) == json.dumps(two)
    studies = [
        Study(table, tmp_path / str(engine.address), engine=engine, arms=("tanh-100",)).records(fits)
        for engine in engines
    ]
    one, two = ([dataclasses.replace(record, cpu_seconds=0.0) for record in records] for records in studies)
    assert one == two
    kept = read_records(next((tmp_path / "tcp:").rglob("records.jsonl")))
    assert sorted(map(str, studies[1])) == sorted(map(str, kept))


def test_a_killed_worker_of_a_cluster_costs_its_job_a_repetition(two_workers, tmp_path):
    die = functools.partial(jobs.die_once, scratch=tmp_path)
    assert run_jobs(die, range(6), engine=Engine(address=two_workers.address)) == SQUARES
    assert (tmp_path / "died").exists()
    with pytest.raises(MagBridgeError, match="^2: a rate of 0: expected"):
        run_jobs(jobs.refuse_rate, [0, 2, 3], engine=Engine(address=two_workers.address))
    two_workers.add_worker()
    two_workers.wait(2)


@pytest.mark.slow
def test_a_job_that_kills_every_worker_is_named(tmp_path):
    pytest.importorskip("distributed", reason="the extra [cluster] is not installed")
    with cluster(tmp_path / "cluster", workers=5) as made, pytest.raises(MagBridgeError, match="^3: 4 workers died"):
        run_jobs(functools.partial(jobs.die_always, scratch=None), range(6), engine=Engine(address=made.address))
