import numpy as np
import pandas
import pytest

from bridge.generate import resolve
from bridge.plan import make_plan
from bridge.release.splits import by_cell_primary, by_record_optimistic_baseline, leakage
from bridge.v2 import BridgeV2Config


@pytest.fixture(scope="module")
def plan(published):
    return make_plan(published.pulses)


@pytest.fixture(scope="module")
def v2_plan():
    upstream = resolve("v2", "simulated")
    return make_plan(upstream.pulses, BridgeV2Config(), bridge_version=upstream.bridge_version)


def test_published_split_figures(plan):
    primary, record = by_cell_primary(plan.rows), by_record_optimistic_baseline(plan.rows)
    assert [(primary == s).sum() for s in ("train", "validation", "test")] == [4507, 1074, 1179]
    assert leakage(plan.rows, primary) == {"cells_in_more_than_one_subset": 0, "parent_child_pairs_across_subsets": 0}
    assert [(record == s).sum() for s in ("train", "validation", "test")] == [4732, 1014, 1014]
    # 292 pins the ids themselves: the split is drawn from their sorted list.
    assert leakage(plan.rows, record) == {"cells_in_more_than_one_subset": 59, "parent_child_pairs_across_subsets": 292}


def test_the_primary_split_is_stratified_by_table_and_keeps_cells_and_families_apart(v2_plan):
    rows = v2_plan.rows
    subset = by_cell_primary(rows)
    assert leakage(rows, subset) == {"cells_in_more_than_one_subset": 0, "parent_child_pairs_across_subsets": 0}
    clean = (rows["anomaly_origin"] == "none").to_numpy()
    cells = pandas.DataFrame({"cell": rows["battery_id"], "subset": subset})[clean].drop_duplicates()
    assert len(cells) == rows.loc[clean, "battery_id"].nunique() == 215
    table = cells["cell"].str.rpartition("-")[0]
    counts = pandas.crosstab(table, cells["subset"])
    assert counts.loc["NMC-2.1Ah"].to_dict() == {"train": 7, "validation": 2, "test": 3}
    assert counts.loc["LFP-35Ah"].to_dict() == {"train": 34, "validation": 11, "test": 11}
    share = counts.div(counts.sum(axis=1), axis=0)
    assert share["train"].between(0.58, 0.62).all() and share["test"].between(0.18, 0.26).all()


def test_every_subset_has_every_regime_b_voltage_range(v2_plan):
    rows = v2_plan.rows
    low = (rows["regime"] == "extrapolation").to_numpy()
    voltage, subset = rows["voltage"].to_numpy()[low], by_cell_primary(rows)[low]
    assert voltage.min() >= 2.54 and voltage.max() < 3.06
    for name in ("train", "validation", "test"):
        assert (np.histogram(voltage[subset == name], [2.54, 2.81, 3.00, 3.06])[0] >= 10).all()
