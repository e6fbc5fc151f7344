"""Every declared model under one contract; the registry."""

import numpy as np
import pytest

from benchmark import evaluate_model, load_task
from benchmark.baselines import FAMILIES, get_model, models
from benchmark.baselines.boosting import SETTINGS
from benchmark.tasks import TASKS
from dataset_card.errors import MagBridgeError

QUICK = {
    "ridge",
    "svr-rbf",
    "random-forest",
    "ridge-classifier",
    "functional-ridge",
    "noise-level",
    "constant",
    "matched",
}
"""Quick models, which run on each of their tasks by default; the others on one, and on all in the slow tests."""


ROCKETS = {"minirocket", "multirocket"}
"""aeon compiles these for half a minute: the gate runs them."""


def _is_quick(task, model):
    return model.name in QUICK or task.id == next(id for id in ("t2", "t4", "t1") if id in model.tasks)


def _marks(task, model):
    if not _is_quick(task, model):
        return [pytest.mark.slow]
    return [pytest.mark.gate] * (model.name in ROCKETS)


PAIRS = [pytest.param(task, model, marks=_marks(task, model)) for task in TASKS for model in models(task.id)]


@pytest.mark.parametrize("task, model", PAIRS, ids=lambda value: getattr(value, "name", None) or value.id)
def test_contract(release, task, model, monkeypatch):
    """Fits, predicts the task's kind of value, scores, repeats itself and leaves the inputs alone."""
    monkeypatch.setattr("benchmark.baselines.deep.SequenceModel.epochs", 2)
    monkeypatch.setattr("benchmark.baselines.convolutional.NormalisedCNN.epochs", 2)
    monkeypatch.setitem(SETTINGS["catboost"], "iterations", 20)
    monkeypatch.setitem(SETTINGS["lightgbm"], "n_estimators", 20)
    data = load_task(task, release)
    before = data.train.signals.copy()
    first = evaluate_model(task, model, data, seeds=(0,))
    again = evaluate_model(task, model, load_task(task, release), seeds=(0,))
    assert first.runs == again.runs
    assert first.model == model.name and first.description == model.description
    assert {metric.name for metric in task.metrics} >= first.runs[0].scores.keys() >= {task.headline.name}
    assert np.array_equal(before, data.train.signals)


def test_registry_is_complete_and_unique():
    names = [model.name for model in models()]
    assert len(names) == len(set(names))
    assert {m.name for m in models("t1", "classical")} == {"ridge", "svr-rbf", "random-forest"}
    for task in ("t2", "t3", "t4"):
        assert {m.name for m in models(task, "classical")} == {
            "logistic-regression",
            "ridge-classifier",
            "linear-svc",
            "random-forest",
        }
    assert all({m.name for m in models(task, "deep")} == {"mlp", "cnn", "lstm"} for task in ("t1", "t2", "t3", "t4"))
    assert set(FAMILIES) >= {"constant", "classical", "deep"}
    with pytest.raises(MagBridgeError, match="unknown model 'rigde'.*did you mean ridge"):
        get_model("rigde")
