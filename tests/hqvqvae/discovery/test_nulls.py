"""Permutations, the max-statistic, nested prediction and circular shifts, against slow oracles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from hqvqvae.discovery.nulls import (
    distinct_permutations,
    enough_orders,
    lead_times,
    max_statistic,
    nested_predictions,
    nested_test,
    p_value,
    permutations,
    spearman,
)

COHORTS = np.array(list("AABBBCCCC"))


@given(st.booleans(), st.integers(0, 1000), st.lists(st.sampled_from("ABC"), min_size=1, max_size=12))
@settings(max_examples=50, deadline=None)
def test_every_draw_is_a_permutation_and_keeps_cohorts_if_asked(within, seed, cohorts):
    cohorts = np.array(cohorts)
    drawn = permutations(cohorts, 20, np.random.default_rng(seed), within=within)
    assert (np.sort(drawn, axis=1) == np.arange(len(cohorts))).all()
    if within:
        assert (cohorts[drawn] == cohorts).all()


def test_permutations_within_cohorts_are_uniform():
    drawn = permutations(np.array(list("AAAB")), 6000, np.random.default_rng(0), within=True)
    _, counts = np.unique(drawn, axis=0, return_counts=True)
    assert len(counts) == 6
    assert np.all(np.abs(counts - 1000) < 150)  # five standard deviations


def test_distinct_permutations():
    assert distinct_permutations(COHORTS, within=True) == 2 * 6 * 24
    assert distinct_permutations(COHORTS, within=False) == 362880
    assert not enough_orders(np.array(list("ABCD")), within=True)
    assert enough_orders(np.array(list("AAAA")), within=True)


def test_p_counts_the_observed_order_and_ties():
    assert p_value(1.0, np.array([0.0, 1.0, 2.0])) == 3 / 4
    assert p_value(9.0, np.zeros(99)) == 0.01


def test_spearman_agrees_with_scipy_with_ties():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 4, size=(2, 30, 12))
    ours = spearman(a, b)
    assert ours == pytest.approx([spearmanr(x, y).statistic for x, y in zip(a, b, strict=True)], abs=1e-12)
    assert spearman(np.ones(5), np.arange(5)) == 0


def test_max_statistic_agrees_with_a_loop():
    rng = np.random.default_rng(1)
    proxy, predictors = rng.random(9), rng.random((9, 5))
    eligible = np.array([True, True, False, True, True])
    found = max_statistic(proxy, predictors, eligible, COHORTS, 99, np.random.default_rng(2))
    rng = np.random.default_rng(2)
    rho = np.array([spearmanr(proxy, column).statistic for column in predictors.T])
    for within, p in ((False, found.p_free), (True, found.p_within)):
        orders = permutations(COHORTS, 99, rng, within=within)
        largest = [max(spearmanr(proxy[o], predictors[:, k]).statistic for k in (0, 1, 3, 4)) for o in orders]
        for k in (0, 1, 3, 4):
            assert found.rho[k] == pytest.approx(rho[k], abs=1e-12)
            assert p[k] == pytest.approx(p_value(rho[k], np.array(largest)), abs=1e-12)
    assert np.isnan(found.rho[2]) and np.isnan(found.p_free[2])
    assert np.nanargmax(found.rho) == max((0, 1, 3, 4), key=lambda k: rho[k])


def test_nothing_eligible_is_none_and_not_zero():
    found = max_statistic(np.arange(9.0), np.ones((9, 3)), np.ones(3, bool), COHORTS, 99, np.random.default_rng(0))
    assert np.isnan(found.rho).all()
    rng, constant = np.random.default_rng(0), np.ones((1, 9, 9, 3))
    nested = nested_test(np.arange(9.0), constant, np.ones((1, 9, 3), bool), COHORTS, 99, rng)
    assert nested is None


def test_nested_predictions_agree_with_a_loop():
    rng = np.random.default_rng(3)
    proxy, predictors = rng.random((4, 9)), rng.integers(0, 5, size=(9, 9, 6)).astype(float)
    eligible = rng.random((9, 6)) < 0.7
    eligible[5] = False
    predictions, chosen = nested_predictions(proxy, predictors, eligible)
    for b in range(4):
        for c in range(9):
            others = np.arange(9) != c
            seen, target = predictors[c][others], proxy[b][others]
            rho = np.array([spearmanr(seen[:, k], target).statistic if eligible[c, k] else -np.inf for k in range(6)])
            if c == 5:
                assert chosen[b, c] == -1
                assert predictions[b, c] == pytest.approx(target.mean(), abs=1e-12)
                continue
            pick = int(np.argmax(rho))
            assert chosen[b, c] == pick
            line = np.polyfit(seen[:, pick], target, 1)
            assert predictions[b, c] == pytest.approx(np.polyval(line, predictors[c][c, pick]), abs=1e-9)


def test_the_held_out_cell_has_no_say_in_what_is_chosen_for_it():
    rng = np.random.default_rng(4)
    proxy, predictors, eligible = rng.random((1, 9)), rng.random((9, 9, 6)), np.ones((9, 6), bool)
    before = nested_predictions(proxy, predictors, eligible)
    proxy[0, 2] = 100.0
    after = nested_predictions(proxy, predictors, eligible)
    assert before[1][0, 2] == after[1][0, 2]
    assert before[0][0, 2] == after[0][0, 2]


def test_a_perfect_predictor_is_found_and_seeds_are_averaged():
    rng = np.random.default_rng(5)
    proxy = rng.random(18)
    cohorts = np.repeat(list("ABCDE"), [4, 4, 4, 2, 4])
    predictors = rng.random((2, 18, 18, 8))
    predictors[0, :, :, 3] = 2 * proxy + 1
    found = nested_test(proxy, predictors, np.ones((2, 18, 8), bool), cohorts, 199, rng)
    assert found.rho_seeds[0] == pytest.approx(1.0, abs=1e-12)
    assert found.rho == pytest.approx(found.rho_seeds.mean(), abs=1e-12)
    assert (found.chosen[0] == 3).all()
    assert found.p_within_seeds[0] == 1 / 200


def test_cohorts_alone_are_significant_freely_but_not_within():
    rng = np.random.default_rng(6)
    cohorts = np.repeat(list("ABCDE"), 4)
    proxy = np.repeat(np.arange(5.0), 4) + 0.1 * rng.random(20)
    predictors = np.broadcast_to(np.repeat(np.arange(5.0), 4)[:, None] + 0.1 * rng.random((20, 3)), (1, 20, 20, 3))
    found = nested_test(proxy, predictors, np.ones((1, 20, 3), bool), cohorts, 499, rng)
    assert found.p_free < 0.05
    assert found.p_within > 0.05


def test_too_few_cells_to_exchange_give_no_p():
    rng = np.random.default_rng(7)
    found = nested_test(rng.random(6), rng.random((1, 6, 6, 3)), np.ones((1, 6, 3), bool), np.arange(6), 99, rng)
    assert np.isnan(found.p_within) and np.isfinite(found.p_free)


def test_lead_times_and_their_null():
    active = [np.array([0, 0, 1, 0, 1, 0, 0, 0], bool), np.zeros(8, bool), np.array([1, 0, 0, 0, 0, 0, 0, 0], bool)]
    onsets = np.array([6.0, 3.0, np.nan])
    found = lead_times(active, onsets, 4000, np.random.default_rng(0))
    assert found.leads[0] == 4 and np.isnan(found.leads[1:]).all()
    assert (found.median, found.positive) == (4.0, 1.0)
    # Two activations in a ring of eight: every shift is as likely, and the first one falls where it falls.
    first = [min((2 + s) % 8, (4 + s) % 8) for s in range(8)]
    expected = np.mean(np.array(first) <= 2)
    assert found.p == pytest.approx(expected, abs=0.04)  # five standard errors


def test_no_cell_with_onset_and_activation_is_none():
    assert lead_times([np.ones(5, bool)], np.array([np.nan]), 99, np.random.default_rng(0)) is None
