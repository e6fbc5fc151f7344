"""The whole search on small cells: it finds what is there and not what is not."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from dataset_card.errors import MagBridgeError
from hqvqvae.discovery.lives import search as module
from hqvqvae.discovery.lives.search import BOUNDS, fewer_cells, nested_lives, predict, search, transfer, within_cohorts
from hqvqvae.discovery.lives.study import LifePlan, balanced_folds, prepare
from tests.hqvqvae.discovery.lives.conftest import PLAN, cycles_of


def test_codes_find_lives_where_they_follow_and_not_where_they_do_not(related, unrelated):
    found = {method: search(related, method) for method in ("kmeans", "random", *BOUNDS)}
    assert found["kmeans"]["within"] > 0.6 and found["kmeans"]["p_within"] == 0.01
    assert found["random"]["p_within"] > 0.02
    assert all(found[name]["within"] > found["kmeans"]["within"] - 0.1 for name in BOUNDS)
    assert len(found["kmeans"]["n_codes"]) == PLAN.folds and json.dumps(found)
    assert search(unrelated, "kmeans")["p_within"] > 0.02


def test_a_model_of_the_package_goes_the_same_way_twice(related):
    from hqvqvae.training.fit import TrainingConfig

    study = replace(related, plan=replace(PLAN, n_codes=(4,)))
    one, two = (search(study, "precursor", TrainingConfig(epochs=6, warmup_epochs=3)) for _ in "12")
    one.pop("cpu_seconds"), two.pop("cpu_seconds")
    assert one == two and one["rho"] > 0.4


@pytest.mark.parametrize("method", ["kmeans", *BOUNDS])
def test_the_later_batch_takes_no_part_in_what_is_fitted(related, method):
    first = transfer(related, method)
    assert first["rho"] > 0.5 and first["p"] <= 0.02
    later = related.splits == "test2"
    lives = related.lives.copy()
    lives[later] = np.random.default_rng(0).permutation(lives[later])
    other = transfer(replace(related, lives=lives), method)
    assert other.get("chosen") == first.get("chosen") and other["rho"] != first["rho"]


def test_fewer_cells_are_drawn_from_every_cohort(monkeypatch):
    monkeypatch.setattr(module, "prepare", lambda plan, cells=None: prepare(plan, cells, cycles_of()))
    drawn = [fewer_cells(replace(PLAN, seed=seed), 12) for seed in (0, 1, 0)]
    assert [np.unique(study.index.cohorts, return_counts=True)[1].tolist() for study in drawn] == [[4, 4, 4]] * 3
    first, other, again = (study.index.cell_ids.tolist() for study in drawn)
    assert first == again != other
    assert len(fewer_cells(PLAN, 36).lives) == 36
    with pytest.raises(MagBridgeError, match="37 cells of 36"):
        fewer_cells(PLAN, 37)


SMALL = LifePlan(n_codes=(2, 3), folds=5, n_permutations=99)
COHORTS = np.repeat(["a", "b"], 30)


def shares(severity, rng, signal, n_codes=3):
    """Shares of codes in each cell, the last one after the severity; the same from the models of all folds."""
    drawn = 0.3 + 0.3 * rng.random((len(severity), n_codes))
    drawn[:, -1] += signal * (severity - severity.min())
    drawn /= drawn.sum(axis=1, keepdims=True)
    return np.broadcast_to(drawn, (SMALL.folds, *drawn.shape))


def result(signal, seed=0, sign=1):
    rng = np.random.default_rng(seed)
    severity = rng.normal(size=60)
    rates = {2: shares(severity, rng, 0, 2), 3: shares(sign * severity, rng, signal)}
    fold = balanced_folds(COHORTS, SMALL.folds, rng)
    plan = replace(SMALL, seed=seed)

    def answer(part, target, test):
        return predict(target, {size: shares[part] for size, shares in rates.items()}, ~test, test, COHORTS, plan)

    return nested_lives(severity, fold, COHORTS, plan, answer), severity


@pytest.mark.parametrize("sign", [1, -1])
def test_a_planted_code_is_chosen_whichever_way_it_points(sign):
    (predictions, found), severity = result(3, sign=sign)
    assert found["chosen"] == [2] * 5 and found["n_codes"] == [3] * 5
    assert found["within"] > 0.6 and found["p_within"] == found["p_free"] == 0.01
    assert found["rho"] == pytest.approx(spearmanr(predictions, severity)[0])
    assert found["within"] == pytest.approx(np.mean(list(found["by_cohort"].values())))


def test_random_codes_are_found_about_as_often_as_the_level_says():
    p = [result(0, seed)[0][1]["p_within"] for seed in range(12)]
    assert np.mean(np.array(p) < 0.05) <= 0.2 and 0.2 < np.mean(p) < 0.8


def test_lives_of_held_out_cells_take_no_part_in_their_prediction():
    rng = np.random.default_rng(1)
    severity = rng.normal(size=60)
    rates = {3: shares(severity, rng, 3)[0]}
    test = np.arange(60) % 5 == 0
    first = predict(severity[None, ~test], rates, ~test, test, COHORTS, SMALL)[0]
    orders = np.stack([severity[~test], rng.permutation(severity[~test])])
    both = predict(orders, rates, ~test, test, COHORTS, SMALL)[0]
    np.testing.assert_allclose(both[0], first[0])
    assert not np.allclose(both[1], first[0])


def test_within_cohorts_ignores_what_the_cohort_tells():
    a = np.concatenate([np.arange(30), 100 + np.arange(30)])
    b = np.concatenate([np.arange(30), -100 - np.arange(30)])
    assert within_cohorts(a, b, COHORTS) == pytest.approx(0)
