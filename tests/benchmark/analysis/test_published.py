"""The published tables: shipped results agree with them, and a release built here gives the shipped results."""

import dataclasses

import numpy as np
import pytest

from benchmark import evaluate_model, load_task
from benchmark.analysis.published import PUBLISHED, comparison, figures, verdict
from benchmark.baselines import get_model, models
from benchmark.results import SHIPPED, read_results
from benchmark.tasks import PRIMARY_SPLIT, TASKS
from dataset_card.contract.schema import MASTER_SEED


@pytest.fixture(scope="module")
def shipped():
    ours = [r for r in read_results(SHIPPED) if r.dataset.seed == MASTER_SEED and r.split == PRIMARY_SPLIT]
    return [r for r in ours if r.protocol in ("rows", "full")]


def test_every_figure_of_both_tables_has_a_model_and_a_shipped_result(shipped):
    ours = {(r.task, r.model) for r in shipped}
    for table, family in ((3, "classical"), (4, "deep")):
        declared = {(task.id, model.name) for task in TASKS for model in models(task.id, family)}
        assert {(figure.task, figure.model) for figure in figures(table)} == declared <= ours
        assert len(comparison(table, shipped)) == len(figures(table))


def test_shipped_table_3_agrees_in_every_figure(shipped):
    assert {row["verdict"] for row in comparison(3, shipped)} == {"agrees"}


def test_verdict_weighs_difference_against_tolerance(shipped):
    figure = next(f for f in PUBLISHED if f.model == "ridge")
    result = next(r for r in shipped if (r.task, r.model) == ("t1", "ridge"))
    assert verdict(figure, result) == "agrees"
    assert (
        verdict(dataclasses.replace(figure, mean=result.mean() + 0.02), result) == "differs by -0.020 (allowed 0.010)"
    )
    loose = dataclasses.replace(figure, mean=result.mean() + 0.02, tolerance=None, std=0.02)
    assert verdict(loose, result) == "agrees"


@pytest.mark.parametrize(
    "origin",
    [
        {"upstream": "simulated", "bridge_version": "v1.3-simulated"},
        {"upstream": "hybrid", "bridge_version": "v2.0-hybrid"},
        {"upstream": "published", "bridge_version": "v2.0-osf"},
        {"upstream": "published", "bridge_version": "v1.3+cells"},
        {"upstream": None, "bridge_version": None},
    ],
)
def test_other_rows_than_those_of_the_paper_are_not_compared(shipped, origin):
    result = next(r for r in shipped if (r.task, r.model) == ("t1", "ridge"))
    assert len(comparison(3, [result])) == 1
    assert comparison(3, [dataclasses.replace(result, dataset=dataclasses.replace(result.dataset, **origin))]) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "task, name", [("t1", "ridge"), ("t2", "ridge-classifier"), ("t3", "random-forest"), ("t4", "random-forest")]
)
def test_headline_models_give_the_shipped_scores(published_release, shipped, task, name):
    result = evaluate_model(task, get_model(name), published_release)
    expected = next(r for r in shipped if (r.task, r.model) == (task, name))
    # Another processor may round the last digits of a signal otherwise, and a forest may then split otherwise.
    tolerance = 1e-6 if name != "random-forest" else 0.02
    np.testing.assert_allclose(result.values(), expected.values(), atol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_shuffled_labels_score_at_chance_on_the_release(published_release, task):
    data = load_task(task, published_release)
    scores = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        shuffled = dataclasses.replace(data.train, target=rng.permutation(data.train.target))
        control = dataclasses.replace(data, train=shuffled, _inputs={})
        result = evaluate_model(task, get_model("random-forest"), control, seeds=(seed,))
        if task.id == "t3":
            # Regime-B's test rows are of one anchor that training lacks: a forest puts them all into one class, as by
            # the toss of a coin. Where labels mean nothing, recalls of the grounded classes add up to 1 at most.
            scores.append((result.mean("recall_none") + result.mean("recall_synthetic_sensor_perturbation")) / 2)
        else:
            scores.append(result.mean())
    if task.is_regression:
        assert max(scores) < 0.05
    elif task.id == "t3":
        assert np.mean(scores) < 0.5 + 0.025
    else:
        # Below chance is no leak: a few cells hold most of T2's reuse rows, and luck moves them together.
        assert task.chance - 0.1 < np.mean(scores) < task.chance + 0.05
