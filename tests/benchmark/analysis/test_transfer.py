"""The transfer track on made-up rows: what carries SOH the same way transfers, its control does not."""

import numpy as np
import pytest

from benchmark.analysis.transfer import PAIRS, Side, _dealt, page, transfers
from benchmark.data import Subset
from dataset_card.contract.schema import T
from dataset_card.errors import MagBridgeError


def rows(seed, sign=1, table="LFP-35Ah"):
    """Rows whose level falls (or rises) with SOH."""
    rng = np.random.default_rng(seed)
    soh = np.repeat(rng.uniform(0.7, 1, 30), 8)
    level = 500 - sign * 300 * soh[:, None, None] + rng.normal(0, 5, (len(soh), T, 6))
    cells = np.repeat([f"{table}-{c:03d}" for c in range(30)], 8)
    return Subset(np.array([f"{table}{seed}-{i}" for i in range(len(soh))]), cells, level, soh)


@pytest.fixture(scope="module")
def releases():
    v2 = Subset.concatenate([rows(1), rows(2, -1, "LMO-10Ah"), rows(3, -1, "NMC-21Ah")])
    return {"v1": rows(0), "v2": v2, "simulated": v2}


def test_what_transfers_and_what_is_reversed(releases):
    pairs = ((Side("v1"), Side("v2", ("LFP",))), (Side("v1"), Side("v2", ("LMO", "NMC"))))
    found = list(transfers(releases, ("ridge",), pairs, deals=3))
    assert [t.deal for t in found] == 2 * [None, 0, 1, 2]
    same, control, reversed_ = found[0], found[1:4], found[4]
    assert same.scores["t1"] > 0.9 and same.scores["t2"] > 0.9 and same.slope == pytest.approx(1, abs=0.1)
    assert same.intervals["t1"][0] <= same.scores["t1"] <= same.intervals["t1"][1]
    assert max(t.scores["t1"] for t in control) < 0.3 and len({t.scores["t1"] for t in control}) == 3
    assert reversed_.scores["t1"] < 0 and reversed_.slope < -0.5 and reversed_.correlation < -0.9
    text = page(found, {"v1": "one"})
    assert text.count("\n| v1 | v2 ") == 2 and f"{same.scores['t1']:.3f}" in text
    low, *_, high = sorted(t.scores["t1"] for t in control)
    assert f"| {low:.3f} to {high:.3f} |" in text


def test_dealing_moves_soh_among_cells(releases):
    before = releases["v1"]
    for deal in range(2):
        after = _dealt(before, deal)
        assert sorted(set(after.target)) == sorted(set(before.target)) and (after.target != before.target).any()
        assert all(len(set(after.target[after.cell_ids == cell])) == 1 for cell in set(after.cell_ids))


def test_a_table_or_a_chemistry_is_a_side(releases):
    assert set(Side("v2", ("NMC",)).of(releases).cell_ids) == set(Side("v2", ("NMC-21Ah",)).of(releases).cell_ids)
    assert len(Side("v2", ("LFP", "LMO")).of(releases)) == 480


def test_a_side_without_cells_says_so(releases):
    with pytest.raises(MagBridgeError, match="no cell of LMO"):
        Side("v1", ("LMO",)).of(releases)
    assert all(side.release in releases for pair in PAIRS for side in pair)
