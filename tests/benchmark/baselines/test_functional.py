"""The readouts of shape: weights follow the place, noise is not read, derived channels are checked."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from benchmark.baselines import get_model
from benchmark.baselines.functional import (
    COEFFICIENTS,
    PENALTIES,
    BoostedShapes,
    Consistency,
    FunctionalRegressor,
    Place,
    _ridge,
    coefficients,
    shape_features,
)
from benchmark.data import Subset
from benchmark.tasks import get_task
from dataset_card.schema import T

TIME = np.linspace(0, 1, T)


def scans(rng, cells=40, rows=15):
    """Clean rows: SOH bends the signal in two shapes, whose signs depend on the place across the cell."""
    soh = np.repeat(rng.uniform(0.6, 1, cells), rows)
    place, voltage = rng.uniform(-1, 1, len(soh)), rng.uniform(3.1, 3.3, len(soh))
    gains = np.array([1, -0.7, 0.5, 0.9])
    signals = np.zeros((len(soh), T, 6))
    shape = 800 + 300 * np.outer(place, TIME) + 100 * np.outer(voltage, np.sin(np.pi * TIME))
    bend = np.outer((1 - soh) * 1.4 * place, np.sin(2 * np.pi * TIME))
    bend = 120 * (bend + np.outer((1 - soh) * (1 - 3 * place**2), np.sin(3 * np.pi * TIME)))
    signals[..., :4] = (shape + bend)[..., None] * gains + rng.normal(0, 0.5, (len(soh), T, 4))
    unseen = 1e4 * (voltage[:, None] - 3 + TIME)
    for sensor, (y, z) in enumerate(((0, 1), (2, 3))):
        signals[..., 4 + sensor] = np.sqrt(signals[..., y] ** 2 + signals[..., z] ** 2 + unseen)
    ids = np.array([f"s{i}" for i in range(len(soh))])
    return Subset(ids, np.repeat([f"LFP-35Ah-{c:03d}" for c in range(cells)], rows), signals, soh)


@pytest.fixture(scope="module")
def train():
    return scans(np.random.default_rng(0))


@pytest.fixture(scope="module")
def test():
    return scans(np.random.default_rng(1), cells=20)


def r2(truth, prediction):
    return 1 - ((truth - prediction) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()


def test_weights_follow_the_place(train, test):
    model = FunctionalRegressor().fit(train.signals, train.target, clean=train)
    plain = Ridge().fit(coefficients(train.signals), train.target)
    assert r2(test.target, model.predict(test.signals)) > 0.8
    assert r2(test.target, plain.predict(coefficients(test.signals))) < 0.5
    assert model.penalty_ in PENALTIES and model.n_features_ == 7 * 4 * COEFFICIENTS + 6


def test_reads_neither_fast_noise_nor_derived_channels(train, test):
    model = FunctionalRegressor().fit(train.signals, train.target, clean=train)
    other = test.signals.copy()
    half_waves = np.cos(np.pi * np.arange(COEFFICIENTS, T)[:, None] * (np.arange(T) + 0.5) / T)
    other[..., :4] += np.einsum(
        "nkc,kt->ntc", np.random.default_rng(2).normal(0, 50, (len(test), T - COEFFICIENTS, 4)), half_waves
    )
    other[..., 4:] *= 3
    np.testing.assert_allclose(model.predict(other), model.predict(test.signals), atol=1e-8)


def test_the_ridge_is_scikit_learns_at_its_penalty(train):
    inputs = Place().fit(coefficients(train.signals)).transform(coefficients(train.signals))
    inputs, target = inputs - inputs.mean(axis=0), train.target - train.target.mean()
    penalty, weights = _ridge(inputs, target, train.cell_ids)
    expected = Ridge(penalty, fit_intercept=False, solver="cholesky").fit(inputs, target)
    np.testing.assert_allclose(inputs @ weights, expected.predict(inputs), atol=1e-7)


@pytest.mark.parametrize("rows", [[0, 1], [0, 20], list(range(0, 60, 6))])
def test_a_few_rows_are_enough(train, test, rows):
    few = train.take(np.array(rows))
    prediction = FunctionalRegressor().fit(few.signals, few.target, clean=few).predict(test.signals)
    assert np.isfinite(prediction).all()


def test_second_life_is_the_regression_against_the_threshold(train, test):
    t2 = get_model("functional-ridge").build(0, get_task("t2"))
    t2.fit(train.signals, np.full(len(train), "reuse"), clean=train)
    soh = FunctionalRegressor().fit(train.signals, train.target, clean=train).predict(test.signals)
    np.testing.assert_array_equal(t2.predict(test.signals), np.where(soh > 0.85, "reuse", "recondition"))


def test_derived_channels_of_clean_rows_follow_from_the_measured(train, test):
    check = Consistency().fit(train.signals)
    clean = check.transform(test.signals)
    for damaged in (
        test.signals * (1 + 0.05 * TIME)[:, None],  # drift
        test.signals + 5 * np.eye(6)[0] * np.sin(9 * TIME)[:, None],  # interference on one channel
        np.where(np.arange(T)[:, None] < 20, 0, test.signals),  # dropout
    ):
        assert np.median(check.transform(damaged).max(axis=1)) > np.median(clean.max(axis=1)) + 5


def test_boosting_finds_faults_that_only_the_derived_channels_give_away(train, test, monkeypatch):
    monkeypatch.setattr("benchmark.baselines.functional.TREES", 8)

    def faulty(rows):
        half = np.arange(len(rows)) % 2 == 0
        signals = rows.signals * np.where(half[:, None, None], 1 + 0.01 * TIME[:, None], 1)
        return signals, np.where(half, "calibration_drift", "none")

    few = train.take(np.arange(0, len(train), 4))
    signals, labels = faulty(few)
    tested, truth = faulty(test.take(np.arange(0, len(test), 3)))
    share = {}
    for consistent in (False, True):
        model = BoostedShapes(0, consistent).fit(signals, labels, clean=train)
        share[consistent] = (model.predict(tested) == truth).mean()
    assert share[True] > 0.95 > share[False]
    assert shape_features(test.signals).shape == (len(test), 174)
