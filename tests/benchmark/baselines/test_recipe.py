"""The recipe: sees nothing but signals, and reaches on the published release what it promises."""

import copy

import numpy as np
import pytest

from benchmark import cross_validate, evaluate_model, load_task
from benchmark.baselines import get_model
from benchmark.baselines.recipe import GatedDetector
from dataset_card.contract.schema import CHANNELS, FIELD_NAMES
from dataset_card.errors import MagBridgeError
from tests.benchmark.conftest import synthetic_rows, write_release

MODEL_OF = {"t1": "noise-level", "t2": "noise-level", "t3": "matched", "t4": "matched"}


@pytest.fixture(scope="module")
def shuffled(tmp_path_factory):
    """The made-up release with every column of the test rows but id and signals dealt anew, within each provenance."""
    rows = copy.deepcopy(synthetic_rows())
    rng = np.random.default_rng(0)
    for origin in {row["anomaly_origin"] for _, _, row in rows}:
        members = [row for split, _, row in rows if split == "test" and row["anomaly_origin"] == origin]
        for name in set(FIELD_NAMES) - {"sample_id", "time_norm", *CHANNELS}:
            values = [row[name] for row in members]
            for row, at in zip(members, rng.permutation(len(members))):
                row[name] = values[at]
    folder = tmp_path_factory.mktemp("shuffled") / "tiny"
    folder.mkdir()
    write_release(folder, rows)
    return folder


@pytest.mark.parametrize("task", MODEL_OF)
def test_predictions_depend_on_signals_alone(release, shuffled, task):
    first, second = (
        evaluate_model(task, get_model(MODEL_OF[task]), folder, seeds=(0,)) for folder in (release, shuffled)
    )
    assert load_task(task, release).test.cell_ids.tolist() != load_task(task, shuffled).test.cell_ids.tolist()
    assert first.table.equals(second.table)
    assert task == "t3" or first.mean() != second.mean(), "the labels did change"


def test_second_life_is_the_regression_against_the_threshold(release):
    soh = evaluate_model("t1", get_model("noise-level"), release, seeds=(0,)).table["prediction"].to_numpy()
    reuse = evaluate_model("t2", get_model("noise-level"), release, seeds=(0,)).table
    assert reuse["prediction"].to_pylist() == np.where(soh > 0.85, "reuse", "recondition").tolist()
    np.testing.assert_allclose(reuse["score"].to_numpy(), soh - 0.85, atol=1e-12)


def test_the_gate_generalises_to_levels_it_never_saw(release):
    data = load_task("t3", release)
    clean = data.train.take(data.train.target == "none")
    detector = GatedDetector(0).fit(data.train.signals, data.train.target, clean=clean)
    elsewhere = data.test.signals + 5000
    assert (detector.predict(elsewhere) == "bridge_extrapolation").all()
    np.testing.assert_allclose(detector.predict_proba(elsewhere).sum(axis=1), 1)


def test_the_gate_needs_both_kinds_of_rows(release):
    data = load_task("t3", release)
    clean = data.train.take(data.train.target == "none")
    with pytest.raises(MagBridgeError, match="Regime-B gate"):
        GatedDetector(0).fit(clean.signals, clean.target, clean=clean)


@pytest.mark.slow
@pytest.mark.parametrize(
    "task, test, folds", [("t1", 0.78, 0.85), ("t2", 0.935, 0.90), ("t3", 0.875, 0.85), ("t4", 0.85, 0.83)]
)
def test_published_release(published_release, task, test, folds):
    model, data = get_model(MODEL_OF[task]), load_task(task, published_release)
    assert evaluate_model(task, model, data).mean() >= test
    assert cross_validate(task, model, data).mean() >= folds
