"""Two releases compared: every difference is found, and where."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bridge.audit.comparison import compare_releases
from bridge.release import folder as release
from bridge.release.bundle import write_bundle
from dataset_card.errors import MagBridgeError


@pytest.fixture
def copy(tiny_release, tmp_path):
    return shutil.copytree(tiny_release, tmp_path / "copy")


def first_file(folder):
    return sorted((folder / "data" / "clean" / "by-cell-train").iterdir())[0]


def edit(path, name, change):
    table = pq.ParquetFile(path).read()
    column = table[name].combine_chunks()
    if pa.types.is_fixed_size_list(column.type):
        values = column.flatten().to_numpy(zero_copy_only=False).copy()
        change(values)
        column = pa.FixedSizeListArray.from_arrays(pa.array(values), column.type.list_size)
    else:
        values = column.to_pylist()
        change(values)
        column = pa.array(values, column.type)
    release.write_parquet(table.set_column(table.column_names.index(name), name, column), path)
    return table["sample_id"].to_pylist()


def test_a_release_is_the_same_as_its_bundle(tiny_release, tmp_path):
    comparison = compare_releases(tiny_release, write_bundle(tiny_release, tmp_path / "bundle.zip"))
    assert comparison.same() and comparison.shared == 2280 and comparison.largest_at is None
    assert "signals are bitwise equal" in comparison.text()


def test_the_largest_difference_of_signals(tiny_release, copy):
    def nudge(values):
        values[2 * 100 + 17] += 1e-6
        values[3 * 100] += 1e-7

    ids = edit(first_file(copy), "B_s2Z", nudge)
    comparison = compare_releases(tiny_release, copy)
    assert comparison.signals_differ == 2
    assert comparison.largest_nT == pytest.approx(1e-6, rel=1e-3)
    assert comparison.largest_at == (ids[2], "B_s2Z", 17)
    assert comparison.same(1e-5) and not comparison.same(1e-8) and not comparison.same()


def test_nan_differs(tiny_release, copy):
    edit(first_file(copy), "B_s1Y", lambda values: values.__setitem__(5, np.nan))
    comparison = compare_releases(tiny_release, copy)
    assert comparison.largest_nT == np.inf and not comparison.same(1e9)


def test_labels_and_pulses(tiny_release, copy):
    ids = edit(first_file(copy), "soc", lambda values: values.__setitem__(1, 99.0))
    edit(first_file(copy), "u_features", lambda values: values.__setitem__(3, 3.0))
    labels = compare_releases(tiny_release, copy).labels
    assert {(sample_id, name) for sample_id, name, *_ in labels} == {(ids[1], "soc"), (ids[0], "u_features[3]")}
    assert all(there in (99.0, 3.0) for *_, there in labels)


def test_splits_and_missing_rows(tiny_release, copy):
    path = copy / "splits" / "by_cell_primary.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    moved = document["sample_ids"]["train"].pop(0)
    document["sample_ids"]["test"].append(moved)
    path.write_text(json.dumps(document), encoding="utf-8")
    table = pq.ParquetFile(first_file(copy)).read()
    release.write_parquet(table.slice(1), first_file(copy))
    comparison = compare_releases(tiny_release, copy)
    gone = table["sample_id"][0].as_py()
    assert comparison.only_here == [gone] and comparison.only_there == []
    if moved != gone:
        assert comparison.splits == [("by_cell_primary", moved, "train", "test")]
    assert f"{gone}: only in the first" in comparison.text() and not comparison.same()


def test_what_cannot_be_compared(tiny_release, copy):
    (copy / "metadata.parquet").write_bytes(b"x")
    with pytest.raises(MagBridgeError, match="verify"):
        compare_releases(tiny_release, copy)
