"""Splits dealt anew: of the same sizes, by cell or by row, and a gap that its parts add up to."""

import numpy as np
import pytest

from benchmark import load_task
from benchmark.analysis import splits
from benchmark.analysis.splits import Spread, deals
from benchmark.data import Subset, TaskData
from benchmark.tasks import get_task


def cells(subset):
    return set(subset.cell_ids.tolist())


@pytest.mark.parametrize("by_cell", [True, False])
def test_every_row_is_dealt_once(release, by_cell, monkeypatch):
    monkeypatch.setattr(splits, "DEALS", 2)
    data = load_task("t3", release)
    first, second = deals(data, by_cell)
    ids = sorted(i for subset in data.subsets() for i in subset.sample_ids)
    for dealt in (first, second):
        assert sorted(i for subset in dealt.subsets() for i in subset.sample_ids) == ids
        assert cells(dealt.train).isdisjoint(cells(dealt.test)) == by_cell
        assert dealt.clean()["train"] is dealt.train
    assert set(first.test.sample_ids) != set(second.test.sample_ids)
    if by_cell:
        assert [len(cells(s)) for s in first.subsets()] == [len(cells(s)) for s in data.subsets()]
        for dealt, home in zip(first.subsets(), data.subsets()):
            assert {c for c in cells(dealt) if c.startswith("regimeB_")} == {
                c for c in cells(home) if c.startswith("regimeB_")
            }
    else:
        assert [len(s) for s in first.subsets()] == [len(s) for s in data.subsets()]


def test_deals_are_the_same_every_time(release, monkeypatch):
    monkeypatch.setattr(splits, "DEALS", 1)
    data = load_task("t1", release)
    (one,), (other,) = (list(deals(data, True)) for _ in range(2))
    assert one.test.sample_ids.tolist() == other.test.sample_ids.tolist()


def test_the_gap_is_the_sum_of_its_parts():
    found = Spread("t2", "ridge", 0.91, 0.87, (0.85, 0.88, 0.90), (0.88, 0.90, 0.89))
    assert found.luck + found.leakage + found.rest == pytest.approx(found.gap) == pytest.approx(-0.04)
    assert found.leakage == pytest.approx(0.89 - np.mean([0.85, 0.88, 0.90]))
    assert found.leakage_error == pytest.approx(np.sqrt((0.01**2 + np.var([0.85, 0.88, 0.90], ddof=1)) / 3))


def test_a_deal_has_every_class_in_test(monkeypatch):
    monkeypatch.setattr(splits, "DEALS", 20)
    cells = np.repeat([f"{c}" for c in range(8)], 2)
    target = np.where(cells == "0", "reuse", np.where(cells == "1", "reuse", "recondition"))
    rows = Subset(np.arange(16).astype(str), cells, np.zeros((16, 2, 6)), target)
    data = TaskData(
        get_task("t2"), rows.take(np.isin(cells, ["0", *"34567"])), None, rows.take(np.isin(cells, ["1", "2"]))
    )
    for dealt in deals(data, whole_batteries=True):
        assert set(dealt.test.target) == set(dealt.train.target) == {"reuse", "recondition"}
