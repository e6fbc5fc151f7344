"""The leakage report on splits whose leaks are known."""

import json

import numpy as np
import pandas
import pytest

from bridge.audit.contents import read_contents
from bridge.audit.leakage import NEAR, leakage_report, read_split
from bridge.release import splits
from bridge.release.splits import PRIMARY, RECORD
from dataset_card.errors import MagBridgeError
from dataset_card.storage.arrays import signals


@pytest.fixture
def data():
    """Six rows of three cells; d is an anomaly of a."""
    rows = pandas.DataFrame(
        {
            "sample_id": list("abcdef"),
            "parent_sample_id": [None, None, None, "a", None, None],
            "cell_id": ["1", "1", "2", "1", "3", "3"],
        }
    )
    return rows, 10 * np.random.default_rng(0).standard_normal((6, 100, 6))


def test_a_clean_split(data):
    report = leakage_report(*data, {"train": ["a", "b", "d"], "test": ["c", "e", "f"]})
    assert report.clean and report.rows == {"train": 3, "test": 3} and report.unassigned == 0
    assert "nothing leaks" in report.text(5)


def test_shared_cells_and_separated_pairs(data):
    report = leakage_report(*data, {"train": ["a", "b", "c"], "test": ["d", "e"]})
    assert report.shared_cells == [("1", ["test", "train"])]
    assert report.separated_pairs == [("a", "d")]
    assert report.unassigned == 1 and not report.clean


def test_duplicates_and_near_duplicates(data):
    rows, x = data
    x[4] = x[0]
    x[5] = x[1] + 10 * 0.4 * np.sqrt(2) * np.random.default_rng(1).standard_normal((100, 6))
    report = leakage_report(rows, x, {"train": ["a", "b"], "test": ["e", "f"]})
    assert report.duplicates == [("a", "e")]
    (near, far) = report.near_duplicates
    assert near == ("a", "e", 0.0)
    assert far[:2] == ("b", "f") and far[2] == pytest.approx(0.4, rel=0.15) and far[2] < NEAR


def test_independent_draws_of_one_signal_are_not_near(data):
    rows, x = data
    common = 500 * np.sin(np.linspace(0, 6, 100))[:, None]
    assert leakage_report(rows, x + common, {"train": ["a", "b"], "test": ["e", "f"]}).near_duplicates == []


def test_smooth_signals_near_by_chance_are_not_near_duplicates(v2_release):
    """Independent draws of v2 come near in shape; a copy with a little noise, or aged a little, is found."""
    with read_contents(v2_release) as contents:
        rows, x = contents.rows, signals(contents.table)
        split = contents.splits[PRIMARY]["sample_ids"]
        subset = np.array(contents.subset(PRIMARY))
    assert leakage_report(rows, x, split).clean
    rng = np.random.default_rng(0)
    clean = (rows["anomaly_origin"] == "none").to_numpy()
    sources = rng.choice(np.flatnonzero((subset == "train") & clean), 30, replace=False)
    planted = rng.choice(np.flatnonzero((subset == "test") & clean), 30, replace=False)
    change = np.zeros((30, 100, 6))
    change[10:20] = rng.normal(0, 0.2, (10, 100, 6))  # nT
    change[20:] = 3 * np.linspace(-1, 1, 100)[:, None]
    x[planted] = x[sources] + change
    report = leakage_report(rows, x, split)
    ids = rows["sample_id"].to_numpy()
    # Weak faults of the sources are near the copies as well.
    near = {pair[:2] for pair in report.near_duplicates if set(pair[:2]) <= set(ids[clean])}
    assert near == set(zip(ids[sources], ids[planted]))
    assert set(report.duplicates) == set(zip(ids[sources[:10]], ids[planted[:10]]))


def test_release_splits(tiny_release):
    with read_contents(tiny_release) as contents:
        rows, x = contents.rows, signals(contents.table)
        members = {name: contents.splits[name]["sample_ids"] for name in (PRIMARY, RECORD)}
        subset = contents.subset(RECORD)
    assert leakage_report(rows, x, members[PRIMARY]).clean
    report = leakage_report(rows, x, members[RECORD])
    assert len(report.shared_cells) == splits.leakage(rows, subset)["cells_in_more_than_one_subset"]
    assert len(report.separated_pairs) == splits.leakage(rows, subset)["parent_child_pairs_across_subsets"]
    pairs = {frozenset(pair) for pair in report.separated_pairs}
    # What is near is family: a fault of low severity hardly changes its parent's signal.
    assert report.near_duplicates and {frozenset(pair[:2]) for pair in report.near_duplicates} <= pairs


def test_published_figures(published_release):
    with read_contents(published_release) as contents:
        rows, x = contents.rows, signals(contents.table)
        report = leakage_report(rows, x, contents.splits[RECORD]["sample_ids"])
    assert (len(report.shared_cells), len(report.separated_pairs)) == (59, 292)


@pytest.mark.parametrize(
    "split, named",
    [
        ({"train": ["a"]}, "at least two"),
        ({"train": ["a"], "test": ["x"]}, "'x' of subset 'test' is not in the release"),
        ({"train": ["a"], "test": ["a"]}, "'a' is in subset 'train' and again in 'test'"),
    ],
)
def test_a_wrong_split_is_refused(data, split, named):
    with pytest.raises(MagBridgeError, match=named):
        leakage_report(*data, split)


def test_split_files(tmp_path):
    path = tmp_path / "mine.json"
    for document in ({"train": ["a"], "test": ["b"]}, {"name": "mine", "sample_ids": {"train": ["a"], "test": ["b"]}}):
        path.write_text(json.dumps(document), encoding="utf-8")
        assert read_split(path) == {"train": ["a"], "test": ["b"]}
    for text in ("{", "[]", '{"train": "a"}', '{"train": [1]}'):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(MagBridgeError, match="mine.json"):
            read_split(path)
