"""The mean of three readouts: every choice is made in the fit, and for the better."""

import numpy as np
import pytest

from benchmark.baselines import averaged, get_model
from benchmark.baselines.averaged import BETWEEN, AveragedRegressor
from benchmark.baselines.functional import PENALTIES, FunctionalRegressor
from benchmark.tasks import get_task


@pytest.fixture(scope="module", autouse=True)
def counts():
    """Fewer coefficients: a fit takes a fraction of a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(averaged, "COUNTS", (6, 8, 10))
        yield averaged.COUNTS


@pytest.fixture(scope="module")
def fitted(train):
    return AveragedRegressor().fit(train.signals, train.target, groups=train.battery_ids)


def test_three_ridges_choose_among_the_candidates_and_their_mean_is_corrected_or_not(fitted, test, counts):
    assert [member.count for member in fitted.members] == list(counts)
    assert all(member.between_ in BETWEEN and member.penalty_ in PENALTIES for member in fitted.members)
    assert fitted.n_features_ == sum(7 * 4 * count + 6 for count in counts)
    mean = np.mean([member.predict(test.signals) for member in fitted.members], axis=0)
    error = np.sqrt(((fitted.predict(test.signals) - test.target) ** 2).mean())
    assert error < 1.1 * np.sqrt(((mean - test.target) ** 2).mean()) < 0.03


def test_nothing_is_corrected_where_cells_held_out_gain_nothing(train, test):
    """SOH drawn at random for each cell: what boosting finds is gone on other cells."""
    dealt = np.repeat(np.random.default_rng(3).uniform(0.6, 1, 40), 15)
    model = AveragedRegressor().fit(train.signals, dealt, groups=train.battery_ids)
    assert model.correction is None
    mean = np.mean([member.predict(test.signals) for member in model.members], axis=0)
    np.testing.assert_array_equal(model.predict(test.signals), mean)


def test_a_capped_soh_is_corrected(train, test):
    capped = np.minimum(train.target, 0.75)
    model = AveragedRegressor().fit(train.signals, capped, groups=train.battery_ids)
    assert model.correction is not None
    ridge = FunctionalRegressor().fit(train.signals, capped, groups=train.battery_ids)
    truth = np.minimum(test.target, 0.75)
    error = [np.abs(m.predict(test.signals) - truth).mean() for m in (ridge, model)]
    assert error[1] < 0.9 * error[0]


def test_a_few_rows_are_enough(train, test):
    few = train.take(np.array([0, 20]))
    model = AveragedRegressor().fit(few.signals, few.target, groups=few.battery_ids)
    assert np.isfinite(model.predict(test.signals)).all()


def test_second_life_is_the_regression_against_the_threshold(train, test, fitted):
    t2 = get_model("functional-average").build(0, get_task("t2"))
    t2.fit(train.signals, np.full(len(train), "reuse"), clean=train)
    expected = np.where(fitted.predict(test.signals) > 0.85, "reuse", "recondition")
    np.testing.assert_array_equal(t2.predict(test.signals), expected)
