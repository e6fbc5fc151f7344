"""Nested choice on shares of codes that are given: what is planted is found, what is not is not, nothing leaks."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from hqvqvae.discovery.lives.nested import nested_lives, predict, within_cohorts
from hqvqvae.discovery.lives.study import LifePlan, balanced_folds

PLAN = LifePlan(n_codes=(2, 3), folds=5, n_permutations=99)
COHORTS = np.repeat(["a", "b"], 30)


def shares(severity, rng, signal, n_codes=3):
    """Shares of codes in each cell, the last one after the severity; the same from the models of all folds."""
    drawn = 0.3 + 0.3 * rng.random((len(severity), n_codes))
    drawn[:, -1] += signal * (severity - severity.min())
    drawn /= drawn.sum(axis=1, keepdims=True)
    return np.broadcast_to(drawn, (PLAN.folds, *drawn.shape))


def result(signal, seed=0, sign=1):
    rng = np.random.default_rng(seed)
    severity = rng.normal(size=60)
    rates = {2: shares(severity, rng, 0, 2), 3: shares(sign * severity, rng, signal)}
    fold = balanced_folds(COHORTS, PLAN.folds, rng)
    plan = replace(PLAN, seed=seed)

    def answer(part, target, test):
        return predict(target, {size: shares[part] for size, shares in rates.items()}, ~test, test, COHORTS, plan)

    return nested_lives(severity, fold, COHORTS, plan, answer), severity


@pytest.mark.parametrize("sign", [1, -1])
def test_a_planted_code_is_chosen_whichever_way_it_points(sign):
    found, severity = result(3, sign=sign)
    assert found.chosen == [2] * 5 and found.n_codes == [3] * 5
    assert found.within > 0.6 and found.p_within == found.p_free == 0.01
    assert found.rho == pytest.approx(spearmanr(found.predictions, severity)[0])
    assert found.within == pytest.approx(np.mean(list(found.by_cohort.values())))


def test_random_codes_are_found_about_as_often_as_the_level_says():
    p = [result(0, seed)[0].p_within for seed in range(12)]
    assert np.mean(np.array(p) < 0.05) <= 0.2 and 0.2 < np.mean(p) < 0.8


def test_lives_of_held_out_cells_take_no_part_in_their_prediction():
    rng = np.random.default_rng(1)
    severity = rng.normal(size=60)
    rates = {3: shares(severity, rng, 3)[0]}
    test = np.arange(60) % 5 == 0
    first = predict(severity[None, ~test], rates, ~test, test, COHORTS, PLAN)[0]
    orders = np.stack([severity[~test], rng.permutation(severity[~test])])
    both = predict(orders, rates, ~test, test, COHORTS, PLAN)[0]
    np.testing.assert_allclose(both[0], first[0])
    assert not np.allclose(both[1], first[0])


def test_within_cohorts_ignores_what_the_cohort_tells():
    a = np.concatenate([np.arange(30), 100 + np.arange(30)])
    b = np.concatenate([np.arange(30), -100 - np.arange(30)])
    assert within_cohorts(a, b, COHORTS) == pytest.approx(0)
