"""The readouts of shape: weights follow the place, noise is not read, what is left is corrected."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from benchmark.baselines import get_model
from benchmark.baselines.functional import (
    COEFFICIENTS,
    INNER_FOLDS,
    PENALTIES,
    CorrectedRegressor,
    FunctionalRegressor,
    Place,
    _ridge,
    shape_features,
)
from benchmark.tasks import get_task
from dataset_card.contract.schema import T


def r2(truth, prediction):
    return 1 - ((truth - prediction) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()


def test_weights_follow_the_place(train, test):
    model = FunctionalRegressor().fit(train.signals, train.target, groups=train.battery_ids)
    plain = Ridge().fit(FunctionalRegressor().rows(train.signals), train.target)
    assert r2(test.target, model.predict(test.signals)) > 0.8
    assert r2(test.target, plain.predict(FunctionalRegressor().rows(test.signals))) < 0.5
    assert model.penalty_ in PENALTIES and model.n_features_ == 7 * 4 * COEFFICIENTS + 6


def test_reads_neither_fast_noise_nor_derived_channels(train, test):
    model = CorrectedRegressor().fit(train.signals, train.target, groups=train.battery_ids)
    other = test.signals.copy()
    half_waves = np.cos(np.pi * np.arange(COEFFICIENTS, T)[:, None] * (np.arange(T) + 0.5) / T)
    other[..., :4] += np.einsum(
        "nkc,kt->ntc", np.random.default_rng(2).normal(0, 50, (len(test), T - COEFFICIENTS, 4)), half_waves
    )
    other[..., 4:] *= 3
    np.testing.assert_allclose(model.predict(other), model.predict(test.signals), atol=1e-8)


def test_the_ridge_is_scikit_learns_at_its_penalty(train):
    inputs = Place().fit(FunctionalRegressor().rows(train.signals)).transform(FunctionalRegressor().rows(train.signals))
    inputs, target = inputs - inputs.mean(axis=0), train.target - train.target.mean()
    (weight, penalty), weights, held_out = _ridge(inputs, target, train.cell_ids)
    assert weight == 1
    expected = Ridge(penalty, fit_intercept=False, solver="cholesky").fit(inputs, target)
    np.testing.assert_allclose(inputs @ weights, expected.predict(inputs), atol=1e-7)
    cell = np.unique(train.cell_ids, return_inverse=True)[1]
    fold = np.random.default_rng(0).permutation(40)[cell] % INNER_FOLDS == 0
    without = Ridge(penalty, fit_intercept=False, solver="cholesky").fit(inputs[~fold], target[~fold])
    np.testing.assert_allclose(held_out[fold], without.predict(inputs[fold]), atol=1e-7)


def test_less_weight_between_cells_is_least_squares_on_rows_less_a_share_of_their_cells_mean(train):
    """As generalised least squares with an intercept a cell: a weight of a quarter takes half of the mean away."""
    inputs = Place().fit(FunctionalRegressor().rows(train.signals)).transform(FunctionalRegressor().rows(train.signals))
    inputs, target = inputs - inputs.mean(axis=0), train.target - train.target.mean()
    (weight, penalty), weights, held_out = _ridge(inputs, target, train.cell_ids, (0.25,))
    index = np.unique(train.cell_ids, return_inverse=True)[1]
    mean = np.eye(40)[index] / np.bincount(index)[index, None] @ np.eye(40)[index].T
    less = np.eye(len(target)) - 0.5 * mean
    expected = Ridge(penalty, fit_intercept=False, solver="cholesky").fit(less @ inputs, less @ target)
    assert weight == 0.25
    np.testing.assert_allclose(inputs @ weights, expected.predict(inputs), atol=1e-7)
    fold = np.random.default_rng(0).permutation(40)[index] % INNER_FOLDS == 0
    without = Ridge(penalty, fit_intercept=False, solver="cholesky")
    without.fit((less @ inputs)[~fold], (less @ target)[~fold])
    np.testing.assert_allclose(held_out[fold], without.predict(inputs[fold]), atol=1e-7)


def test_the_correction_learns_what_a_line_cannot(train, test):
    """SOH that stops at a highest value: a ridge goes on beyond it."""

    def capped(rows):
        return np.minimum(rows.target, 0.75)

    ridge = FunctionalRegressor().fit(train.signals, capped(train), groups=train.battery_ids)
    corrected = CorrectedRegressor().fit(train.signals, capped(train), groups=train.battery_ids)
    assert corrected.n_features_ == ridge.n_features_
    error = [np.abs(m.predict(test.signals) - capped(test)).mean() for m in (ridge, corrected)]
    assert error[1] < 0.9 * error[0]


@pytest.mark.parametrize("rows", [[0, 1], [0, 20], list(range(0, 60, 6))])
def test_a_few_rows_are_enough(train, test, rows):
    few = train.take(np.array(rows))
    prediction = CorrectedRegressor().fit(few.signals, few.target, groups=few.battery_ids).predict(test.signals)
    assert np.isfinite(prediction).all()


@pytest.mark.parametrize(
    "name, kind", [("functional-ridge", FunctionalRegressor), ("functional-corrected", CorrectedRegressor)]
)
def test_second_life_is_the_regression_against_the_threshold(train, test, name, kind):
    t2 = get_model(name).build(0, get_task("t2"))
    t2.fit(train.signals, np.full(len(train), "reuse"), clean=train)
    soh = kind().fit(train.signals, train.target, groups=train.battery_ids).predict(test.signals)
    np.testing.assert_array_equal(t2.predict(test.signals), np.where(soh > 0.85, "reuse", "recondition"))


def test_a_quiet_window_and_a_rough_one_are_seen(test):
    signals = test.signals[:3]
    damaged = signals.copy()
    damaged[0, 20:45, 1] = 0
    damaged[1, 30, 2] += 100
    before, after = shape_features(signals), shape_features(damaged)
    assert before.shape == (3, 174) and np.array_equal(before[2], after[2])
    quiet, loud = 6 * COEFFICIENTS + 24 + np.array([[1], [6 + 2]])
    assert after[0, quiet] < before[0, quiet] - 5 and after[1, loud] > before[1, loud] + 3
