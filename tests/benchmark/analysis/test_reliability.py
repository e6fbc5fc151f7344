"""Calibration, and risk against coverage, of classifiers whose trustworthiness is known."""

import numpy as np
import pytest

from benchmark.analysis.reliability import AGAIN, _another, mapped, reliability


@pytest.fixture
def calibrated():
    """Probabilities of two classes, and classes drawn by them; four rows per cell."""
    rng = np.random.default_rng(0)
    one = rng.beta(0.7, 0.7, 4000)
    truth = (rng.random(4000) < one).astype(int)
    return np.stack([1 - one, one], axis=1), truth, np.arange(4000) // 4


def test_a_calibrated_classifier_is_and_an_overconfident_one_is_not(calibrated):
    probability, truth, cells = calibrated
    found = reliability(probability, truth, cells, cells)
    sharp = probability**4 / (probability**4).sum(axis=1, keepdims=True)
    bold = reliability(sharp, truth, cells, cells)
    assert found["ece"] < 0.03 < 0.08 < bold["ece"]
    assert all(low <= right <= high for _, right, low, high, _ in found["bins"])
    assert sum(b[-1] for b in found["bins"]) == 4000
    assert bold["error"] == found["error"] and bold["aurc"] == pytest.approx(found["aurc"]), "the order is the same"


def test_risk_falls_where_confidence_tells_and_stays_where_it_does_not(calibrated):
    probability, truth, cells = calibrated
    found = reliability(probability, truth, cells, cells)
    assert found["aurc_best"] < found["aurc"][1] < found["aurc"][0] < found["aurc"][2] < found["error"]
    assert found["curve"][-1] == [1.0, pytest.approx(found["error"])]
    blind = reliability(np.full((4000, 2), [0.4, 0.6]), truth, cells, cells)
    assert blind["aurc"][0] == pytest.approx(blind["error"]) == pytest.approx((truth == 0).mean())
    right = (truth[:, None] == [0, 1]) * 0.8 + 0.1
    assert reliability(right, truth, cells, cells)["aurc"] == [0, 0, 0]


def test_measuring_again_helps_by_what_the_other_rows_tell():
    rng = np.random.default_rng(1)
    truth = np.repeat(rng.integers(0, 2, 1000), 2)
    score = truth + rng.normal(0, 0.8, 2000)
    one = 1 / (1 + np.exp(-3 * (score - 0.5)))
    found = reliability(np.stack([1 - one, one], axis=1), truth, np.arange(2000) // 2, np.arange(2000) // 2)
    sure, again = found["again"]
    assert sure < again < found["error"] - 0.02
    alone = reliability(np.stack([1 - one, one], axis=1), truth, np.arange(2000), np.arange(2000))
    assert alone["again"] == [sure, found["error"]], "a row without another keeps its class"
    assert 0 < AGAIN < 1


def test_the_next_row_of_the_same_object():
    assert _another(np.array(["b", "a", "b", "a", "b", "c"])).tolist() == [2, 3, 4, 1, 0, 5]


def test_a_score_becomes_a_probability_by_the_other_folds():
    rng = np.random.default_rng(2)
    x = rng.normal(0, 30, 3000)
    truth = (rng.random(3000) < 1 / (1 + np.exp(-x / 10))).astype(int)
    folds = np.arange(3000) % 3
    found = mapped(x, truth, folds)
    assert np.abs(found[:, 1] - 1 / (1 + np.exp(-x / 10))).max() < 0.05
    changed = np.where(folds == 0, 1 - truth, truth)
    assert (mapped(x, changed, folds)[folds == 0] == found[folds == 0]).all(), "a fold's own labels do not count"


def test_overconfident_probabilities_of_many_classes_are_mapped():
    rng = np.random.default_rng(3)
    probability = rng.dirichlet([0.5, 0.5, 1], 4000)
    truth = (rng.random((4000, 1)) > probability.cumsum(axis=1)).sum(axis=1)
    cells = np.arange(4000)
    sharp = 3 * np.log(probability)
    before = reliability(np.exp(sharp) / np.exp(sharp).sum(axis=1, keepdims=True), truth, cells, cells)["ece"]
    assert reliability(mapped(sharp, truth, cells % 3), truth, cells, cells)["ece"] < 0.03 < 0.08 < before
