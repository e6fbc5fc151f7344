import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dataset_card.errors import MagBridgeError
from dataset_card.running.parallel import Engine, run_jobs
from tests import jobs

NAMED = {f"job {i}": i for i in range(6)}
ROOT = Path(__file__).parents[3]
TWO = Engine(jobs=2)


def test_results_are_named_ordered_and_the_same_in_one_process_and_two():
    one = run_jobs(jobs.draw, NAMED, 2.0, engine=Engine(jobs=1))
    two = run_jobs(jobs.draw, NAMED, 2.0, engine=TWO)
    assert list(one) == list(two) == list(NAMED)
    for name in NAMED:
        assert one[name].tobytes() == two[name].tobytes() == jobs.draw(NAMED[name], 2.0).tobytes()


def test_no_jobs_are_no_results():
    assert run_jobs(jobs.draw, {}, 1.0, engine=TWO) == {}


def test_matrix_products_are_the_same_wherever_they_run():
    one = run_jobs(jobs.product, {"large": 400}, engine=Engine(jobs=1))
    assert run_jobs(jobs.product, {"large": 400, "other": 3}, engine=TWO)["large"] == one["large"]


def test_a_killed_process_costs_its_job_a_repetition(tmp_path):
    assert run_jobs(jobs.die_once, NAMED, str(tmp_path), engine=TWO) == {f"job {i}": i * i for i in range(6)}
    assert (tmp_path / "died").exists()


@pytest.mark.gate
def test_a_job_that_always_kills_its_process_is_named(tmp_path):
    with pytest.raises(MagBridgeError, match="job 3.*killed 4 times.*fewer jobs"):
        run_jobs(jobs.die_always, NAMED, str(tmp_path), engine=TWO)


@pytest.mark.gate
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="the system has no groups of processes")
@pytest.mark.parametrize("send", ["kill", "killpg"])
def test_a_signal_to_one_or_all_processes_is_one_line_and_leaves_nobody(tmp_path, send):
    code = (
        "from dataset_card.running import door, parallel\nfrom tests import jobs\n"
        f"work = lambda: parallel.run_jobs(jobs.show_and_wait, {{'a': 0, 'b': 1}}, {str(tmp_path)!r}, "
        "engine=parallel.Engine(jobs=2))\ndoor.run(work)"
    )
    command = [sys.executable, "-c", code]
    run = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while len(list(tmp_path.iterdir())) < 2 and run.poll() is None:
        time.sleep(0.05)
    getattr(os, send)(run.pid, signal.SIGTERM)
    _, said = run.communicate(timeout=60)  # until nobody holds the other end
    assert run.returncode == 143 and said.startswith("stopped by SIGTERM: ") and said.count("\n") == 1


@pytest.mark.parametrize("processes", [1, 2])
def test_errors_name_their_job(processes):
    with pytest.raises(MagBridgeError, match="job 2: voltage 9 V: expected"):
        run_jobs(jobs.refuse, NAMED, engine=Engine(jobs=processes))


def test_mistakes_and_full_disks_name_their_job(tmp_path):
    with pytest.raises(RuntimeError, match="job 2: ZeroDivisionError"):
        run_jobs(jobs.divide, NAMED, engine=Engine(jobs=1))
    with pytest.raises(MagBridgeError, match="job 2: .*No space left on device"):
        run_jobs(jobs.full_disk, NAMED, str(tmp_path), engine=Engine(jobs=1))


@pytest.mark.parametrize("arguments, words", [
    ({"name": "spark"}, "engine 'spark': expected joblib or dask"),
    ({"jobs": 0}, "jobs 0: expected at least 1"),
    ({"name": "joblib", "address": "127.0.0.1:8786"}, "expected dask"),
    ({"jobs": 2, "address": "127.0.0.1:8786"}, "omit the other"),
])  # fmt: skip
def test_engines_that_cannot_be(arguments, words):
    with pytest.raises(MagBridgeError, match=words):
        Engine(**arguments)


def test_an_address_is_dasks():
    assert Engine(address="127.0.0.1:8786").uses_dask and Engine(name="dask").uses_dask and not Engine().uses_dask


def test_nobody_at_the_address(monkeypatch):
    pytest.importorskip("distributed", reason="the extra [cluster] is not installed")
    monkeypatch.setattr("dataset_card.running.parallel.CONNECT_TIMEOUT_S", 1)
    with pytest.raises(MagBridgeError, match="127.0.0.1:1: no Dask scheduler answers there"):
        run_jobs(jobs.draw, NAMED, 1.0, engine=Engine(address="127.0.0.1:1"))


def test_without_the_extra_the_error_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MagBridgeError, match=r"magbridge-battery\[cluster\]"):
        run_jobs(jobs.draw, NAMED, 1.0, engine=Engine(name="dask"))


def test_arrays_stay_writable():
    shared = np.zeros(200_000)
    assert run_jobs(jobs.add_one, {"a": 0, "b": 1}, shared, engine=TWO) == {"a": 200_000.0, "b": 200_000.0}
    assert not shared.any()
