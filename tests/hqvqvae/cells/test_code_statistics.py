"""Usage, persistence, purity, stability and alignment of codes."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from hqvqvae.cells.code_statistics import align, code_rates, frequency_table, purity, runs, stability, usage
from hqvqvae.cells.proxies import index_cells

CELLS = index_cells(pd.DataFrame({"cell_id": list("aaaabbb"), "cohort": "A", "cycle": [0, 1, 2, 3, 0, 1, 2]}))
CODES = np.array([0, 0, 2, 2, 2, 2, 0])


def test_rates_are_shares_of_the_window():
    assert code_rates(CELLS, CODES, 3).tolist() == [[0.5, 0, 0.5], [1 / 3, 0, 2 / 3]]
    assert code_rates(CELLS, CODES, 3, CELLS.position < 2).tolist() == [[1, 0, 0], [0, 0, 1]]


def test_usage_of_uniform_codes_is_the_whole_codebook():
    assert usage(np.arange(8), 8) == pytest.approx({"codes_used": 8, "utilisation": 1.0, "perplexity": 8.0}, abs=1e-12)
    assert usage(np.zeros(5, int), 4) == pytest.approx({"codes_used": 1, "utilisation": 0.25, "perplexity": 1.0})


def test_purity_is_one_where_the_code_names_the_label():
    assert purity(np.array([0, 0, 1, 2]), np.array(list("AABB"))) == 1.0
    assert purity(np.array([0, 0, 0, 0]), np.array(list("AAAB"))) == 0.75


def test_runs_end_with_their_cell():
    found = runs(CELLS, CODES)
    assert found.to_numpy().tolist() == [[0, 0, 0, 2], [0, 2, 2, 2], [1, 0, 2, 2], [1, 2, 0, 1]]


def test_persistence_leaves_out_the_last_segment_of_a_cell():
    table = frequency_table(CELLS, CODES, 3).set_index("code")
    assert table.loc[0, "persistence"] == 0.5  # followed at positions 0 and 1 of the first cell only
    assert table.loc[2, "persistence"] == pytest.approx(2 / 3, abs=1e-12)
    assert table.loc[2, "mean_run"] == 2.0
    assert table["cells_present"].tolist() == [2, 2]
    assert 1 not in table.index


def test_alignment_undoes_a_renaming():
    rng = np.random.default_rng(0)
    reference = rng.integers(16, size=500)
    renaming = rng.permutation(16)
    codes = renaming[reference]
    mapping = align(reference, codes, 16, np.ones(500, bool))
    assert (mapping[codes] == reference).all()
    assert sorted(mapping) == list(range(16))


def test_alignment_reads_shared_segments_only():
    reference = np.array([0, 0, 1, 1, 1, 1, 1])
    codes = np.array([1, 1, 0, 0, 1, 1, 1])
    shared = np.array([True] * 4 + [False] * 3)
    assert align(reference, codes, 2, shared).tolist() == [1, 0]


def test_stability_is_the_mean_over_pairs():
    rng = np.random.default_rng(1)
    a, b, c = rng.integers(5, size=(3, 80))
    found = stability([(a, b), (a, c)])
    assert found["ari"] == pytest.approx((adjusted_rand_score(a, b) + adjusted_rand_score(a, c)) / 2, abs=1e-12)
    ami = (adjusted_mutual_info_score(a, b) + adjusted_mutual_info_score(a, c)) / 2
    assert found["ami"] == pytest.approx(ami, abs=1e-12)
    assert np.isnan(stability([])["ari"])
