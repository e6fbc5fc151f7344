"""TabICL from a checkpoint at hand: a tiny one, made by the package's own network."""

import numpy as np
import pytest

from benchmark.baselines import models
from benchmark.baselines.tabicl import CHECKPOINTS, FOLDER, MODEL, PretrainedTable
from benchmark.running import run_baselines
from benchmark.tasks import get_task
from dataset_card.errors import MagBridgeError

TINY = {
    "embed_dim": 16,
    "col_num_blocks": 1,
    "col_nhead": 2,
    "col_num_inds": 4,
    "row_num_blocks": 1,
    "row_nhead": 2,
    "row_num_cls": 2,
    "icl_num_blocks": 1,
    "icl_nhead": 2,
    "num_quantiles": 9,
}


@pytest.fixture
def checkpoints(tmp_path, monkeypatch):
    """Networks with drawn weights under the published files' names."""
    torch, network = pytest.importorskip("torch"), pytest.importorskip("tabicl._model.tabicl")
    for kind, name in CHECKPOINTS.items():
        config = TINY | {"max_classes": 0 if kind == "Regressor" else 10}
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = network.TabICL(**config)
        torch.save({"config": config, "state_dict": model.state_dict()}, tmp_path / name)
    monkeypatch.setenv(FOLDER, str(tmp_path))


@pytest.mark.parametrize("task, n_labels", [("t1", None), ("t2", 2), ("t4", 4)])
def test_predicts_from_the_rows_it_is_given_and_repeats_itself(checkpoints, task, n_labels):
    rng, task = np.random.default_rng(0), get_task(task)
    features = rng.normal(size=(40, 5))
    target = rng.uniform(0.6, 1, 40) if n_labels is None else np.array(task.labels)[np.arange(40) % n_labels]
    first, again = (MODEL.build(3, task).fit(features, target) for _ in range(2))
    prediction = first.predict(features[:7])
    np.testing.assert_array_equal(prediction, again.predict(features[:7]))
    if n_labels is None:
        assert prediction.shape == (7,) and np.isfinite(prediction).all()
        return
    assert set(prediction) <= set(task.labels)
    probabilities = first.predict_proba(features[:7])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert probabilities.shape == (7, n_labels) and set(first.classes_) == set(task.labels)


@pytest.mark.parametrize("folder", [None, "empty"])
def test_without_the_checkpoint_one_line_says_what_to_do(tmp_path, monkeypatch, folder):
    if folder is None:
        monkeypatch.delenv(FOLDER, raising=False)
    else:
        monkeypatch.setenv(FOLDER, str(tmp_path))
    with pytest.raises(MagBridgeError, match=f"no .*{CHECKPOINTS['Classifier']}: .* set {FOLDER} to its folder"):
        PretrainedTable(0, get_task("t2")).fit(np.zeros((4, 2)), np.array(["reuse"] * 4))


def test_it_runs_by_name_and_on_no_other_board(release, checkpoints):
    (result,) = run_baselines(release, task="t4", model="tabicl")
    assert result.model == "tabicl" and [run.seed for run in result.runs] == [0, 1, 2]
    assert result.n_features == 174
    assert "tabicl" not in {model.name for model in models()}
