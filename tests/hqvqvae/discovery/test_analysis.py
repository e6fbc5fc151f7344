"""A planted precursor is found, random codes are not, and the tables follow their definitions."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest, pearsonr, spearmanr

from dataset_card.errors import MagBridgeError
from hqvqvae.discovery.analysis import (
    Coding,
    DiscoveryPlan,
    analyse,
    chosen_names,
    code_table,
    held_out_codes,
    nested_analysis,
    prepare,
)
from tests.hqvqvae.synthetic_cells import N_CODES, PLANTED, planted_study, random_study

PLAN = DiscoveryPlan(n_permutations=199)


def nested(study_of, seed, n_permutations=199):
    segments, coding = study_of(seed)
    return nested_analysis(prepare(segments, DiscoveryPlan(n_permutations=n_permutations)), [coding])


def test_planted_precursor_is_found_in_nine_of_ten_seeds():
    found = [nested(planted_study, seed) for seed in range(10)]
    assert sum(f.p_within < 0.05 for f in found) >= 9
    assert sum(f.p_free < 0.05 for f in found) >= 9
    # Found means found by name: the planted code is what most folds choose.
    assert np.mean([f.chosen == PLANTED for f in found]) > 0.9


def test_random_codes_are_rarely_taken_for_a_precursor():
    p = np.array([(f.p_free, f.p_within) for f in (nested(random_study, seed) for seed in range(100))])
    assert ((p < 0.05).mean(axis=0) <= 0.10).all()


@pytest.mark.slow
def test_false_positives_are_five_percent_over_a_thousand_runs():
    p = np.array([(f.p_free, f.p_within) for f in (nested(random_study, 1000 + seed) for seed in range(1000))])
    for column in p.T:
        assert binomtest(int((column < 0.05).sum()), len(column), 0.05).pvalue > 0.001
        assert binomtest(int((column < 0.5).sum()), len(column), 0.5).pvalue > 0.001


@pytest.mark.slow
def test_planted_precursor_is_found_in_ninety_of_a_hundred_seeds():
    found = [nested(planted_study, 100 + seed, 999) for seed in range(100)]
    assert sum(f.p_within < 0.05 for f in found) >= 90


def test_code_table_follows_the_definitions():
    segments, coding = planted_study(3)
    study = prepare(segments, PLAN)
    table, chance = code_table(study, coding.reference, N_CODES)
    table = table.set_index("code")
    early = coding.reference[segments["cycle"] < 18].reshape(20, 18)
    rates = (early == 7).mean(axis=1)
    assert table.loc[7, "spearman"] == pytest.approx(spearmanr(rates, study.proxy).statistic, abs=1e-12)
    assert table.loc[7, "pearson"] == pytest.approx(pearsonr(rates, study.proxy).statistic, abs=1e-12)
    assert table.loc[7, "early_rate_mean"] == pytest.approx(np.mean(rates), abs=1e-12)
    assert table.loc[7, "cells_early"] == np.count_nonzero(rates)
    assert table.index[0] == 7 and table.loc[7, "p_within"] < 0.05
    assert 0.3 < chance < 0.8
    few = table[table["cells_present"] < PLAN.min_cells_present]
    assert len(few) and few["spearman"].isna().all() and few["p_free"].isna().all()


def test_table_10_describes_the_best_code():
    segments, coding = planted_study(3)
    study = prepare(segments, PLAN)
    result = analyse(study, "given", "given", [coding])
    assert result.summary["precursor_code"] == PLANTED
    assert result.summary["cells_total"] == 20
    assert result.summary["early_ratio"] == 0.3
    assert result.leads.p < 0.05 and result.leads.positive == 1.0
    assert result.nested_leads.median > 0


def renamed_folds(coding, cell_ids, rng):
    """Folds that agree with the reference but for the names of their codes."""
    folds = {cell: rng.permutation(coding.n_codes)[coding.reference] for cell in cell_ids}
    return Coding(coding.n_codes, coding.reference, folds)


def test_nesting_needs_no_alignment_and_alignment_undoes_the_renaming():
    segments, coding = planted_study(4)
    study = prepare(segments, PLAN)
    folds = renamed_folds(coding, study.index.cell_ids, np.random.default_rng(0))
    codes, agreement = held_out_codes(study, folds)
    assert agreement == 1.0 and (codes == coding.reference).all()
    same, renamed = nested_analysis(study, [coding]), nested_analysis(study, [folds])
    assert renamed.rho == pytest.approx(same.rho, abs=1e-12)
    assert renamed.p_within == same.p_within
    # Named by the reference model, the folds agree on the planted code, whatever they call it themselves.
    assert (chosen_names(study, folds, renamed.chosen[0]) == same.chosen[0]).all()
    assert np.mean(same.chosen[0] == PLANTED) > 0.9 > np.mean(renamed.chosen[0] == PLANTED)


def test_the_analysis_is_reproducible():
    segments, coding = planted_study(5)
    first, second = (nested_analysis(prepare(segments, PLAN), [coding, coding]) for _ in range(2))
    assert (first.p_free, first.p_within, first.rho) == (second.p_free, second.p_within, second.rho)


def test_one_code_for_everything_is_none():
    segments, _ = planted_study(0)
    study = prepare(segments, PLAN)
    result = analyse(study, "given", "given", [Coding(4, np.zeros(len(segments), int))])
    assert result.nested is None and result.summary is None and result.leads is None
    assert result.quality["codes_used"] == 1


def test_codes_of_few_cells_are_none():
    segments, _ = planted_study(0)
    study = prepare(segments, PLAN)
    names = segments["cell_id"].astype("category").cat.codes.to_numpy().astype(int)
    result = analyse(study, "given", "given", [Coding(20, names)])
    assert result.nested is None and result.summary is None
    assert result.quality["cell_purity"] == 1.0


@pytest.mark.parametrize("n_cells", [1, 2])
def test_too_few_cells_are_none(n_cells):
    segments, coding = random_study(0, n_cells)
    result = analyse(prepare(segments, PLAN), "given", "given", [coding])
    assert result.nested is None


def test_a_short_cell_is_left_out_but_keeps_its_codes():
    segments, coding = planted_study(6)
    kept = (segments["cell_id"] != "cell03") | (segments["cycle"] < 7)
    study = prepare(segments[kept], PLAN)
    assert "cell03" not in study.index.cell_ids
    assert len(study.index.cell_ids) == 19
    result = analyse(study, "given", "given", [Coding(N_CODES, coding.reference[kept])])
    assert len(result.codes) == kept.sum()
    assert result.summary["cells_total"] == 19


def test_plans_that_mean_nothing_are_refused():
    for name, value in {"early_fraction": 1.0, "min_segments": 5, "min_cells_present": 0, "n_permutations": 10}.items():
        with pytest.raises(MagBridgeError, match=f"{name} is {value}"):
            DiscoveryPlan(**{name: value})
    with pytest.raises(MagBridgeError, match="the reference ends with segment 20"):
        DiscoveryPlan(reference_window=(1, 20))


def test_a_reference_leaves_out_the_beginning_and_changes_no_proxy():
    segments, _ = planted_study(0)
    short = segments[(segments["cell_id"] != "cell03") | (segments["cycle"] < 4)]
    whole, after = prepare(short, PLAN), prepare(short, replace(PLAN, reference_window=(2, 5)))
    assert after.segments.groupby("cell_id")["cycle"].min().eq(5).all() and "cell03" not in set(after.cells["cell_id"])
    np.testing.assert_array_equal(after.proxy, whole.proxy)
    np.testing.assert_array_equal(after.onsets, whole.onsets - 5)
    assert (after.index.n_segments == 55).all() and np.isfinite(after.onsets).any()


def test_codes_outside_the_codebook_are_refused():
    with pytest.raises(MagBridgeError, match="expected 3 codes from 0 to 1"):
        Coding(2, np.array([0, 1, 2]))


def test_best_of_32_random_codes_on_the_nasa_cells_reaches_the_papers_spearman_by_chance():
    from hqvqvae.cells.nasa import load_segments

    study = prepare(load_segments("C"), DiscoveryPlan(n_permutations=999))
    assert len(study.index.cell_ids) == 18
    rng = np.random.default_rng(0)
    chance = [code_table(study, rng.integers(32, size=len(study.segments)), 32)[1] for _ in range(5)]
    assert np.mean(chance) == pytest.approx(0.65, abs=0.05)


def test_age_alone_is_early_in_all_nasa_cells_and_always_leads():
    from hqvqvae.cells.nasa import load_segments
    from hqvqvae.discovery.controls import age_codes

    study = prepare(load_segments("C"), PLAN)
    coding = age_codes(study)
    table, _ = code_table(study, coding.reference, coding.n_codes)
    assert table.set_index("code").loc[0, "cells_early"] == 18
    assert study.leads([codes == 0 for codes in study.by_cell(coding.reference)]).positive == 1.0
