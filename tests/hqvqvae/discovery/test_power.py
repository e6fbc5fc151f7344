"""Planted precursors: the correlation asked for, false positives, a curve that rises with effect and cells."""

import numpy as np
import pytest

from dataset_card.errors import MagBridgeError
from hqvqvae import load_segments
from hqvqvae.discovery.analysis import DiscoveryPlan, prepare
from hqvqvae.discovery.power import (
    Background,
    background,
    draw_cells,
    draw_power,
    measure_power,
    plant,
    smallest_effect,
)
from hqvqvae.hub.model_card import POWER, read_record
from hqvqvae.modeling_hqvqvae import PACKAGED
from hqvqvae.training.evaluation import table_sha256
from hqvqvae.training.plotting import save_figure_of
from tests.hqvqvae.synthetic_cells import N_CODES, PLAN, planted_study, random_study


@pytest.fixture(scope="module")
def study():
    segments, coding = random_study(0)
    return prepare(segments, PLAN), coding.reference


def plain(n_cohorts=5, cells=4, window=1000):
    n = n_cohorts * cells
    cohorts = np.repeat(np.arange(n_cohorts), cells)
    return Background(
        cohorts, np.full(n, 3 * window), np.full(n, window), np.zeros((n, 1)), np.zeros((n, 1), bool),
        mean=0.1 * cohorts, spread=0.05,
    )  # fmt: skip


def test_the_background_is_the_study_s_own(study):
    prepared, codes = study
    ground = background(prepared, codes, N_CODES)
    assert ground.rates.shape == ground.present.shape == (20, N_CODES)
    np.testing.assert_allclose(ground.rates.sum(1), 1)
    assert (ground.windows == 18).all() and (ground.segments == 60).all()
    for cohort in np.unique(ground.cohorts):
        mine = prepared.index.cohorts == cohort
        np.testing.assert_allclose(ground.mean[ground.cohorts == cohort], prepared.proxy[mine].mean())


@pytest.mark.parametrize("effect", [0.3, 0.8, 1.0])
def test_what_is_planted_has_the_correlation_that_was_asked_for_inside_cohorts(effect):
    ground = plain(n_cohorts=2, cells=4)
    cells = np.arange(8).repeat(500)
    proxy, rates, present = plant(ground, cells, effect, np.random.default_rng(0))
    for cohort in range(2):
        mine = ground.cohorts[cells] == cohort
        assert np.corrcoef(rates[mine, -1], proxy[mine])[0, 1] == pytest.approx(effect, abs=0.03)
    assert rates[:, -1].min() == 0 and rates[:, -1].max() == 1
    assert (present[:, -1] == (rates[:, -1] > 0)).all()


def test_no_effect_is_no_correlation_and_codes_make_room():
    ground = plain()
    ground.rates[:] = 1
    proxy, rates, _ = plant(ground, np.arange(20).repeat(200), 0.0, np.random.default_rng(0))
    assert abs(np.corrcoef(rates[:, -1], proxy)[0, 1]) < 0.05
    np.testing.assert_allclose(rates.sum(1), 1)


def test_cells_are_drawn_from_every_cohort_in_turn():
    ground = plain()
    twenty = draw_cells(ground, 20, np.random.default_rng(0))
    assert sorted(twenty) == list(range(20))
    ten, forty = (draw_cells(ground, n, np.random.default_rng(1)) for n in (10, 40))
    assert np.bincount(ground.cohorts[ten]).tolist() == [2] * 5 and len(set(ten)) == 10
    assert np.bincount(forty).tolist() == [2] * 20


def test_power_rises_with_effect_and_cells(study):
    record = measure_power(*study, N_CODES, numbers_of_cells=(10,), effects=(0.0, 0.5, 1.0), trials=12)
    assert set(record["curves"]) == {"10", "20"} and record["cells"] == 20
    for curve in record["curves"].values():
        assert curve["found"][0] <= 0.2 and curve["found"] == sorted(curve["found"])
    few, all_cells = record["curves"]["10"]["found"], record["curves"]["20"]["found"]
    assert all_cells[1] > few[1] and all_cells[-1] == 1
    again = measure_power(*study, N_CODES, numbers_of_cells=(), effects=(0.5,), trials=12)
    assert again["curves"]["20"]["found"] == all_cells[1:2]  # what one point draws is its own


def test_many_cells_have_a_third_of_the_trials(study):
    record = measure_power(*study, N_CODES, numbers_of_cells=(41,), effects=(1.0,), trials=4)
    assert {n: curve["trials"] for n, curve in record["curves"].items()} == {"20": 4, "41": 2}


def test_a_precursor_that_is_found_in_a_run_is_found_here(study):
    segments, coding = planted_study(0)
    record = measure_power(
        prepare(segments, PLAN), coding.reference, N_CODES, numbers_of_cells=(), effects=(1.0,), trials=5
    )
    assert record["curves"]["20"] == {
        "found": [1.0],
        "spearman": record["curves"]["20"]["spearman"],
        "smallest_effect": 1,
        "trials": 5,
    }


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([0.0, 0.4, 1.0], 0.5 + 0.5 * 2 / 3),
        ([0.0, 0.9, 0.5], None),
        ([0.9, 0.9, 1.0], 0.0),
        ([0.0, 0.9, 0.8], 0.4705882),
    ],
)
def test_the_smallest_effect_lies_where_the_share_passes_the_power_for_good(found, expected):
    assert smallest_effect([0.0, 0.5, 1.0], found) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trials": 0}, "at least 1 trial"),
        ({"numbers_of_cells": (2,)}, "3 cells"),
        ({"effects": (0.5, 0.2)}, "increasing correlations from 0 to 1"),
        ({"effects": (0.5, 1.2)}, "increasing correlations from 0 to 1"),
    ],
)
def test_requests_that_mean_nothing_are_named(study, changes, message):
    with pytest.raises(MagBridgeError, match=message):
        measure_power(*study, N_CODES, **changes)


def test_cells_without_sisters_have_no_spread_to_plant_in():
    segments, coding = random_study(0, n_cells=5)
    with pytest.raises(MagBridgeError, match="needs cohorts with cells that take part"):
        measure_power(prepare(segments, PLAN), coding.reference, N_CODES, trials=1)


def test_the_packaged_record_is_of_the_nasa_cells_and_draws(tmp_path):
    record = read_record(PACKAGED / POWER)
    segments = load_segments()
    assert record["data_sha256"] == table_sha256(segments)
    assert record["cells"] == segments["cell_id"].nunique() == 20
    own = record["curves"]["20"]
    assert own["smallest_effect"] == smallest_effect(record["effects"], own["found"])
    assert own["found"][0] < DiscoveryPlan().alpha + 0.03  # planted without effect
    save_figure_of(tmp_path / "power.png", draw_power, record)
    assert (tmp_path / "power.png").read_bytes().startswith(b"\x89PNG")
