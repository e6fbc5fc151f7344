"""Controls: codes of trained methods on common folds, age, cohort and raw features."""

import numpy as np
import pandas as pd
import pytest
import torch

from dataset_card.running.parallel import Engine
from hqvqvae.discovery import controls
from hqvqvae.discovery.analysis import DiscoveryPlan, analyse, prepare
from tests.hqvqvae.synthetic_cells import make_segments

PLAN = DiscoveryPlan(n_permutations=199)


def cells_with_an_early_change(seed, n_cells=20):
    """Cells that start in a state of their own, for the longer the worse they will fade; and their features.

    Out of that state the features tell the cohort, the age and noise; capacity is not among them.
    """
    rng = np.random.default_rng(seed)
    severity = rng.random(n_cells)
    segments = make_segments(severity, n_segments=50)
    life = segments["cycle"].to_numpy() / 50
    cohort = segments["cohort"].map(ord).to_numpy() - ord("A")
    changed = life < 0.3 * severity[segments["cell_id"].str[4:].astype(int)]
    features = rng.normal(size=(len(segments), 4)) + np.column_stack([cohort, life, cohort, life])
    features[changed] = 8.0 + 0.01 * features[changed]
    table = segments[["cell_id", "cohort", "cycle"]].assign(**{f"f{i}": column for i, column in enumerate(features.T)})
    return segments, table


def test_a_known_early_change_is_found_by_clustering_that_never_saw_the_cell():
    segments, table = cells_with_an_early_change(0)
    study = prepare(segments, PLAN)
    codings = controls.trained_codings(study, table, ["pca-kmeans"], [0])
    result = analyse(study, "pca-kmeans", "PCA + k-means", codings["pca-kmeans"])
    assert result.nested.p_within < 0.05 and result.nested.rho > 0
    assert 0 < result.quality["agreement"] <= 1


@pytest.mark.slow
def test_codes_do_not_depend_on_the_number_of_processes():
    segments, table = cells_with_an_early_change(1, n_cells=4)
    study = prepare(segments, PLAN)
    serial, parallel = (
        controls.trained_codings(study, table, ["pca-kmeans", "random"], [0, 1], engine=Engine(jobs=w)) for w in (1, 2)
    )
    for method, codings in serial.items():
        for one, other in zip(codings, parallel[method], strict=True):
            assert (one.reference == other.reference).all()
            assert one.folds.keys() == other.folds.keys() == set(study.index.cell_ids)
            assert all((one.folds[cell] == other.folds[cell]).all() for cell in one.folds)


def test_the_kept_model_gives_the_reference_codes():
    segments, table = cells_with_an_early_change(1, n_cells=2)
    study = prepare(segments, PLAN)
    coding = controls.trained_codings(study, table, ["recommended-classical"], [3])["recommended-classical"][0]
    model = controls.reference_model(table, "recommended-classical", 3)
    features = torch.tensor(table[model.config.feature_names].to_numpy(), dtype=torch.float32)
    assert (model.encode(features).codes.numpy() == coding.reference).all()
    assert controls.reference_model(table, "pca-kmeans", 3) is None


def test_a_fold_does_not_see_its_cell():
    segments, table = cells_with_an_early_change(2, n_cells=4)
    study = prepare(segments, PLAN)
    changed = table.copy()
    changed.loc[changed["cell_id"] == "cell02", "f0"] += 50.0
    before, after = (controls.trained_codings(study, t, ["pca-kmeans"], [0])["pca-kmeans"][0] for t in (table, changed))
    others = (study.segments["cell_id"] != "cell02").to_numpy()
    assert (before.folds["cell02"][others] == after.folds["cell02"][others]).all()
    assert not (before.folds["cell01"] == after.folds["cell01"]).all()


def test_one_cell_alone_has_no_folds():
    segments, table = cells_with_an_early_change(3, n_cells=1)
    coding = controls.trained_codings(prepare(segments, PLAN), table, ["pca-kmeans"], [0])["pca-kmeans"][0]
    assert coding.folds == {}


def test_rows_of_the_feature_table_are_matched_by_cell_and_cycle():
    segments, table = cells_with_an_early_change(4, n_cells=4)
    study = prepare(segments, PLAN)
    extra = table.iloc[::-1].reset_index(drop=True)
    codes = controls.trained_codings(study, extra, ["pca-kmeans"], [0])["pca-kmeans"][0].reference
    # The state of their own has codes of its own: a row matched wrongly would mix them.
    assert pd.Series(table["f0"] > 7.5).groupby(codes).mean().isin([0.0, 1.0]).all()


def test_age_bins_are_equal_and_reach_from_end_to_end():
    study = prepare(make_segments(np.linspace(0, 1, 5), n_segments=64), PLAN)
    coding = controls.age_codes(study)
    assert (np.bincount(coding.reference) == 10).all() and coding.n_codes == 32


def test_cohort_control_predicts_by_the_other_cells_of_the_cohort():
    study = prepare(make_segments(np.linspace(0, 1, 10)), PLAN)
    nested = controls.cohort_control(study).nested
    mate = (np.arange(10) + 5) % 10
    assert nested.predictions[0] == pytest.approx(study.proxy[mate], abs=1e-12)
    assert np.isnan(nested.p_within) and 0 < nested.p_free <= 1


def test_cohort_control_falls_back_on_all_others_for_a_lone_cell():
    study = prepare(make_segments(np.linspace(0, 1, 6)), PLAN)
    lone = study.index.cohorts == "B"
    predictions = controls.cohort_control(study).nested.predictions[0]
    assert predictions[lone] == pytest.approx(study.proxy[~lone].mean(), abs=1e-12)


def test_raw_feature_control_finds_a_feature_of_either_sign():
    severity = np.random.default_rng(5).random(20)
    segments = make_segments(severity)
    of_cell = severity[segments["cell_id"].str[4:].astype(int)]
    table = segments.assign(falling=-of_cell, noise=np.random.default_rng(6).random(len(segments)))
    nested = controls.raw_feature_control(prepare(segments, PLAN), table).nested
    assert nested.rho > 0.8 and nested.p_within < 0.05


def test_features_are_the_papers_ten_or_every_numeric_column():
    from hqvqvae.cells.nasa import FEATURES, load_segments

    assert controls.feature_columns(load_segments("C")) == list(FEATURES)
    table = make_segments(np.array([0.1])).assign(valid=True, note="a", swing=1.0)
    assert controls.feature_columns(table) == ["capacity", "swing"]
