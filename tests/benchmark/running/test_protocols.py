"""Declared baselines run and filed; what cannot run is refused before the release is read."""

import pytest

from benchmark.baselines import models
from benchmark.results import read_results, shipped_files
from benchmark.running import OUTSIDE, run_baselines
from dataset_card.errors import MagBridgeError
from dataset_card.running.parallel import Engine


def test_each_result_is_filed_as_soon_as_it_is_there(release, tmp_path):
    results = run_baselines(release, task="t4", model="constant", protocol="cross_validation", out=tmp_path)
    (filed,) = read_results(tmp_path)
    assert filed.runs == results[0].runs and filed.protocol == "cross_validation"
    assert [r.protocol for r in run_baselines(release, task="t1", model="constant")] == ["rows"]
    assert [r.protocol for r in run_baselines(release, task="t1", model="constant", protocol="few_shot")] == [
        "few_shot"
    ]


def test_processes_run_a_sweep_with_the_results_of_this_process(release):
    sweep = {"task": "t1", "model": "ridge"}
    one, two = (run_baselines(release, **sweep, engine=engine) for engine in (None, Engine(jobs=2)))
    assert one[0].runs == two[0].runs and one[0].table.equals(two[0].table)


def test_what_results_hold_runs_again_to_the_same(release, tmp_path):
    for protocol in (None, "cross_validation"):
        run_baselines(release, task="t4", model="constant", protocol=protocol, out=tmp_path)
    run_baselines(release, task="t1", model="ridge", out=tmp_path)
    before = {(r.task, r.model, r.protocol): r.runs for r in read_results(tmp_path)}
    again = run_baselines(release, like=tmp_path)
    assert {(r.task, r.model, r.protocol): r.runs for r in again} == before and len(before) == 3
    (one,) = run_baselines(release, like=tmp_path, protocol="cross_validation")
    assert one.model == "constant"


@pytest.mark.parametrize(
    "options, message",
    [
        ({"table": 5}, "unknown table 5: expected 3 or 4"),
        ({"protocol": "row"}, "unknown protocol 'row'"),
        ({"protocol": "submitted"}, "unknown protocol 'submitted'"),
        ({"task": "t10"}, "unknown task 't10'"),
        ({"model": "rigde"}, "did you mean ridge"),
        ({"task": "t2", "model": "ridge"}, "no baseline fits --task t2 --model ridge --table None"),
    ],
)
def test_bad_names_are_refused_first(options, message):
    with pytest.raises(MagBridgeError, match=message):
        run_baselines("nowhere", **options)


def test_every_ranked_model_can_be_run():
    shipped = [result for path in shipped_files() for result in read_results(path)]
    ranked = {(r.task, r.model) for r in shipped if r.protocol not in ("ceiling", "null")}
    declared = {(task, model.name) for model in models() for task in model.tasks}
    assert {name for task, name in ranked - declared} <= set(OUTSIDE)


def test_a_model_of_the_bridge_is_not_the_benchmarks_to_run():
    with pytest.raises(MagBridgeError, match="run `magbridge benchmark run --model reservoir-ridge`"):
        run_baselines("nowhere", model="reservoir-ridge")
