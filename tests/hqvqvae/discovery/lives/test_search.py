"""The whole search on small cells: it finds what is there, with any number of workers, and not what is not."""

import json
from dataclasses import replace

import numpy as np
import pytest

from hqvqvae.discovery.lives import search as module
from hqvqvae.discovery.lives.search import BOUNDS, by_number, search, transfer
from hqvqvae.discovery.lives.study import prepare
from tests.hqvqvae.discovery.lives.conftest import PLAN, cycles_of


def test_codes_find_lives_where_they_follow_and_not_where_they_do_not(related, unrelated):
    found = search(related, ("kmeans", "random"))
    assert found["kmeans"]["within"] > 0.6 and found["kmeans"]["p_within"] == 0.01
    assert found["random"]["p_within"] > 0.02
    assert all(found[name]["within"] > found["kmeans"]["within"] - 0.1 for name in BOUNDS)
    assert len(found["kmeans"]["n_codes"]) == PLAN.folds and json.dumps(found)
    assert search(unrelated, ("kmeans",))["kmeans"]["p_within"] > 0.02


def test_a_model_of_the_package_goes_the_same_way_twice(related):
    from hqvqvae.training.fit import TrainingConfig

    study = replace(related, plan=replace(PLAN, n_codes=(4,)))
    one, two = (search(study, ("precursor",), TrainingConfig(epochs=6, warmup_epochs=3))["precursor"] for _ in "12")
    one.pop("cpu_seconds"), two.pop("cpu_seconds")
    assert one == two and one["rho"] > 0.4


def test_the_later_batch_takes_no_part_in_what_is_fitted(related, monkeypatch):
    first = transfer(related, ("kmeans",))
    assert first["kmeans"]["rho"] > 0.5 and first["kmeans"]["p"] <= 0.02
    later = related.splits == "test2"
    lives = related.lives.copy()
    lives[later] = np.random.default_rng(0).permutation(lives[later])
    other = module.transfer(type(related)(**{**vars(related), "lives": lives}), ("kmeans",))
    assert other["kmeans"]["chosen"] == first["kmeans"]["chosen"] and other["kmeans"]["rho"] != first["kmeans"]["rho"]


def test_fewer_cells_are_drawn_from_every_cohort(monkeypatch):
    seen = []

    def prepared(plan, cells=None):
        study = prepare(plan, cells, cycles_of())
        seen.append(study.index.cohorts)
        return study

    monkeypatch.setattr(module, "prepare", prepared)
    rows = by_number(PLAN, "kmeans", (12, 36), 2)
    assert [row["cells"] for row in rows] == [12, 36] and [len(row["rho"]) for row in rows] == [2, 1]
    assert [np.unique(cohorts, return_counts=True)[1].tolist() for cohorts in seen[1:3]] == [[4, 4, 4]] * 2
    assert rows[1]["within"][0] > 0.6
    with pytest.raises(Exception, match="37 cells of 36"):
        by_number(PLAN, "kmeans", (37,), 1)
