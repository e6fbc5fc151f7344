"""The cells and the plan: what is taken, and that folds are even."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset_card.errors import MagBridgeError
from hqvqvae.cells.features import CHARGE_FEATURES
from hqvqvae.discovery.lives.study import LifePlan, balanced_folds, prepare


def test_the_published_cells_are_taken_from_cycle_13_on():
    study = prepare()
    assert len(study.lives) == 124 and study.table["cycle"].max() == 100
    first = study.table.groupby("cell_id")["cycle"].min()
    assert first.median() == 13 and first.max() <= 15  # a cell with odd cycles in the window begins later
    own = study.table[study.table["cell_id"] == "train-01"]
    assert abs(own[list(CHARGE_FEATURES)].iloc[0]).max() < 0.02  # relative: volts would be near 3
    absolute = prepare(LifePlan(reference_window=None))
    assert len(absolute.table) == len(study.table) and absolute.table["v_50"].min() > 3
    assert study.bounds.shape == (124, 7) and np.isfinite(study.bounds).all(axis=None)
    assert (np.diff(study.severity[np.argsort(study.lives)]) <= 0).all()


@given(st.lists(st.integers(1, 20), min_size=1, max_size=4), st.integers(2, 8))
def test_each_cohort_is_spread_evenly(sizes, folds):
    cohorts = np.repeat(np.arange(len(sizes)), sizes)
    fold = balanced_folds(cohorts, folds, np.random.default_rng(0))
    for part in (cohorts == cohort for cohort in range(len(sizes))):
        counts = np.bincount(fold[part], minlength=folds)
        assert counts.max() - counts.min() <= 1
    counts = np.bincount(fold, minlength=folds)
    assert counts.max() - counts.min() <= 1


def test_plans_that_cannot_work_and_too_few_cells_are_refused():
    for wrong in ({"folds": 1}, {"inner_folds": 1}, {"n_permutations": 5}, {"n_codes": ()}):
        with pytest.raises(MagBridgeError, match="expected at least 2 folds"):
            LifePlan(**wrong)
    with pytest.raises(MagBridgeError, match="3 cells in 10 folds"):
        prepare(cells=["train-01", "train-02", "test2-01"])
