"""The whole search on small cells: it finds what is there and not what is not."""

import json
from dataclasses import replace

import numpy as np
import pytest

from dataset_card.errors import MagBridgeError
from hqvqvae.discovery.lives import search as module
from hqvqvae.discovery.lives.search import BOUNDS, fewer_cells, search, transfer
from hqvqvae.discovery.lives.study import prepare
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
