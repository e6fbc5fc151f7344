"""CatBoost and LightGBM: the libraries' own trees on the declared features."""

import sys

import numpy as np
import pytest

from benchmark import evaluate_model, get_task, load_task
from benchmark.baselines import get_model
from benchmark.baselines.boosting import SETTINGS, Boosting
from benchmark.baselines.functional import shape_features
from dataset_card.errors import MagBridgeError


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    for name, key in (("catboost", "iterations"), ("lightgbm", "n_estimators")):
        monkeypatch.setitem(SETTINGS[name], key, 20)


@pytest.mark.parametrize("name", SETTINGS)
def test_classes_and_values(release, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pytest.importorskip(name)
    for task in ("t2", "t4"):
        data = load_task(task, release)
        inputs = shape_features(data.train.signals)
        model = Boosting(name, 0, data.task).fit(inputs, data.train.target)
        share = model.predict_proba(inputs)
        assert share.shape == (len(data.train), len(data.task.labels))
        np.testing.assert_array_equal(model.predict(inputs), model.classes_[share.argmax(axis=1)])
        assert (model.predict(inputs) == data.train.target).mean() > 0.9
    result = evaluate_model("t1", get_model(name), release, seeds=(0,))
    assert result.n_features == 174 and result.mean() > 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", SETTINGS)
def test_a_missing_library_is_named(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MagBridgeError, match=rf"this needs {name}: pip install 'magbridge-battery\[boosting\]'"):
        Boosting(name, 0, get_task("t1")).fit(np.zeros((4, 2)), np.zeros(4))
