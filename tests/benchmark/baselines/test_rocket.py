"""Rockets with ridge, Hydra and QUANT, as aeon and scikit-learn define them."""

import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from benchmark import evaluate_model, get_task, load_task
from benchmark.baselines import get_model
from benchmark.baselines.rocket import PENALTIES, Rocket
from dataset_card.errors import MagBridgeError

pytestmark = pytest.mark.gate
convolution_based = pytest.importorskip("aeon.transformations.collection.convolution_based", reason="needs aeon")


def test_is_ridge_on_aeons_features(release):
    data = load_task("t1", release)
    transform = convolution_based.MiniRocket(random_state=3)
    train = transform.fit_transform(data.train.signals.transpose(0, 2, 1))
    scaler = StandardScaler().fit(train)
    ridge = RidgeCV(PENALTIES).fit(scaler.transform(train), data.train.target)
    expected = ridge.predict(scaler.transform(transform.transform(data.test.signals.transpose(0, 2, 1))))
    model = Rocket("MiniRocket", 3, get_task("t1")).fit(data.train.signals, data.train.target)
    np.testing.assert_allclose(model.predict(data.test.signals), expected, rtol=1e-4)
    assert model.n_features_ == 9996


def test_any_number_of_threads_gives_the_same(release):
    one, two = (evaluate_model("t4", get_model("minirocket"), release, seeds=(0,), n_jobs=n) for n in (1, 2))
    assert one.table.equals(two.table) and one.runs == two.runs


def test_the_global_generator_stays_as_it_was(release):
    data = load_task("t4", release)
    np.random.seed(11)  # noqa: NPY002
    expected = np.random.get_state()  # noqa: NPY002
    Rocket("MultiRocket", 3, data.task).fit(data.train.signals, data.train.target)
    for ours, theirs in zip(np.random.get_state(), expected):  # noqa: NPY002
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs processor affinity")
def test_a_process_with_one_core_asks_for_one_thread(release):
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from benchmark import evaluate_model\nfrom benchmark.baselines import get_model\n"
        f"print(evaluate_model('t4', get_model('minirocket'), {str(release)!r}, seeds=(0, 1), n_jobs=2).n_features)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "9996", done.stderr


def test_scores_rank_the_classes(release):
    assert evaluate_model("t2", get_model("minirocket"), release, seeds=(0,)).mean("roc_auc") > 0.7


def test_missing_aeon_is_named(release, monkeypatch):
    monkeypatch.setitem(sys.modules, "aeon.transformations.collection", None)
    with pytest.raises(MagBridgeError, match=r"this needs aeon: pip install 'magbridge-battery\[model,rocket\]'"):
        evaluate_model("t4", get_model("multirocket"), release, seeds=(0,))
    monkeypatch.setitem(sys.modules, "aeon.classification.convolution_based", None)
    with pytest.raises(MagBridgeError, match=r"this needs aeon: .*\[model,rocket\]"):
        evaluate_model("t4", get_model("hydra"), release, seeds=(0,))


@pytest.mark.parametrize("name, features, task", [("hydra", 4096, "t1"), ("hydra", 4096, "t4"), ("quant", 6252, "t4")])
def test_whole_learners_are_aeons_and_leave_no_trace(release, name, features, task):
    import torch
    from aeon.classification.convolution_based import HydraClassifier
    from aeon.classification.interval_based import QUANTClassifier
    from aeon.regression.convolution_based import HydraRegressor

    data = load_task(task, release)
    np.random.seed(11)  # noqa: NPY002
    expected, threads, state = np.random.get_state(), torch.get_num_threads(), torch.get_rng_state()  # noqa: NPY002
    ours = get_model(name).build(3, data.task).fit(data.train.signals, data.train.target)
    prediction = ours.predict(data.test.signals)
    np.testing.assert_array_equal(np.random.get_state()[1], expected[1])  # noqa: NPY002
    assert torch.get_num_threads() == threads and torch.equal(torch.get_rng_state(), state)
    if data.task.is_regression:
        aeons = HydraRegressor(random_state=3)
    else:
        kind = {"hydra": HydraClassifier, "quant": QUANTClassifier}[name]
        aeons = kind(class_weight="balanced", random_state=3)
    # Contiguous: torch sums a transposed view in another order.
    train, test = (np.ascontiguousarray(rows.signals.transpose(0, 2, 1)) for rows in (data.train, data.test))
    np.testing.assert_array_equal(aeons.fit(train, data.train.target).predict(test), prediction)
    assert ours.n_features_ == features
