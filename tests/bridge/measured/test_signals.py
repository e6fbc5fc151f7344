"""Readers of scans: what lies outside the file, or is too large, is not read."""

import h5py
import numpy as np
import pandas
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.measured import signals
from bridge.measured.channels import RELEASE_NAMES
from bridge.measured.signals import read_scans
from dataset_card.contract.schema import CHANNELS
from dataset_card.storage.faults import FaultyInput


def fails(path, *words):
    with pytest.raises(FaultyInput) as error:
        read_scans(path, RELEASE_NAMES)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_links_of_hdf5_are_not_followed(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        for name in CHANNELS:
            file[f"secret/{name}"] = np.zeros(100)
    with h5py.File(tmp_path / "scans.h5", "w") as file:
        file["s0"] = h5py.ExternalLink("other.h5", "secret")
    fails(tmp_path / "scans.h5", "scan s0: a link", "copy the data into the file")


def test_hdf5_of_another_layout(tmp_path):
    with h5py.File(tmp_path / "scans.h5", "w") as file:
        file["s0"] = np.zeros((100, 6))
    fails(tmp_path / "scans.h5", "scan s0: a dataset", "one group per scan")
    with h5py.File(tmp_path / "scans.h5", "w") as file:
        for name in CHANNELS:
            file[f"s0/{name}"] = np.zeros((100, 2))
    fails(tmp_path / "scans.h5", "scan s0, B_s1Y", "not a plain 1-D dataset")


def test_channels_of_different_lengths(tmp_path):
    with h5py.File(tmp_path / "scans.h5", "w") as file:
        for i, name in enumerate(CHANNELS):
            file[f"s0/{name}"] = np.zeros(100 + (i == 3))
    fails(tmp_path / "scans.h5", "scan s0: channels of different lengths", "B_s2Z 101")


def test_columns_of_parquet_that_are_there_twice_or_of_another_kind(tmp_path):
    columns = [pa.array(["s0"]), *(pa.array([np.zeros(100)]) for _ in CHANNELS)]
    twice = pa.Table.from_arrays([*columns, columns[1]], ["scan_id", *CHANNELS, "B_s1Y"])
    pq.write_table(twice, tmp_path / "s.parquet")
    fails(tmp_path / "s.parquet", "s.parquet: column 'B_s1Y' twice")
    pq.write_table(pa.table(dict(zip(("scan_id", *CHANNELS), columns)) | {"B_s1Y": [0.0]}), tmp_path / "s.parquet")
    with pytest.raises(FaultyInput, match=r"column 'B_s1Z': \[0\.0, .*; expected a number; correct it") as error:
        read_scans(tmp_path / "s.parquet", RELEASE_NAMES)
    assert len(error.value.faults[0].found) == 80


def test_one_table_of_all_steps_is_the_same_scans(tmp_path):
    rng = np.random.default_rng(0)
    ids = np.repeat(["s0", "s1", "s2"], [40, 50, 45])
    table = pa.table({"scan_id": ids, "step": np.r_[0:40, 0:50, 0:45], **{n: rng.normal(size=135) for n in CHANNELS}})
    pq.write_table(table, tmp_path / "s.parquet")
    pa.csv.write_csv(table, tmp_path / "s.csv")
    text = (tmp_path / "s.csv").read_text().replace('"', "")
    (tmp_path / "s.txt").write_text("# a rig\u2028of two\n# " + text.replace(",", "\t"))
    for name in ("s.parquet", "s.csv", "s.txt"):
        scans, sources = read_scans(tmp_path / name, RELEASE_NAMES)
        assert [scan.scan_id for scan in scans] == ["s0", "s1", "s2"] and list(sources) == [name]
        for scan, rows in zip(scans, (slice(0, 40), slice(40, 90), slice(90, 135)), strict=True):
            np.testing.assert_array_equal(scan.columns["B_s2Z"], table["B_s2Z"].to_numpy()[rows])
    lines = text.splitlines()
    (tmp_path / "s.csv").write_text("".join(f"{line},,\n" for line in lines))  # a spreadsheet's empty columns
    assert [scan.steps for scan in read_scans(tmp_path / "s.csv", RELEASE_NAMES)[0]] == [40, 50, 45]
    pq.write_table(pa.concat_tables([table, table.slice(0, 5)]), tmp_path / "s.parquet")
    fails(tmp_path / "s.parquet", "row 136", "'s0' again, after other scans", "sort the rows")


@settings(max_examples=25, deadline=None, derandomize=True)
@given(lengths=st.lists(st.integers(20, 60), min_size=1, max_size=4), seed=st.integers(0, 99),
       layout=st.sampled_from([(",", "."), (";", ","), ("\t", "."), (";", ".")]),
       encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]), notes=st.integers(0, 2),
       order=st.permutations(["scan_id", "step", "note", *CHANNELS]))  # fmt: skip
def test_scans_in_long_form_are_the_scans_they_were_written_from(
    tmp_path_factory, lengths, seed, layout, encoding, notes, order
):
    rng = np.random.default_rng(seed)
    truth = {f"m{i}": 100 * rng.normal(size=(n, len(CHANNELS))) for i, n in enumerate(lengths)}
    names = list(rng.permutation(list(truth)))
    parts = [pandas.DataFrame(truth[n], columns=list(CHANNELS)).assign(scan_id=n, note="x") for n in names]
    table = pandas.concat([part.assign(step=range(len(part))) for part in parts])[order]
    text = "# a rig\n" * notes + table.to_csv(index=False, sep=layout[0], decimal=layout[1])
    path = tmp_path_factory.mktemp("long") / "s.csv"
    path.write_bytes(text.encode(encoding))
    scans, _ = read_scans(path, RELEASE_NAMES)
    assert [scan.scan_id for scan in scans] == names
    for scan in scans:
        found = np.stack([scan.columns[name] for name in CHANNELS], axis=1)
        np.testing.assert_allclose(found, truth[scan.scan_id], rtol=1e-12)


def test_too_long_and_too_many(tmp_path, monkeypatch):
    monkeypatch.setattr(signals, "MAX_STEPS", 50)
    columns = {name: [np.zeros(60)] for name in CHANNELS}
    pq.write_table(pa.table({"scan_id": ["s0"], **columns}), tmp_path / "s.parquet")
    fails(tmp_path / "s.parquet", "row 1 (scan s0): 60 steps", "expected 20 to 50")
    monkeypatch.setattr(signals, "MAX_STEPS", 100)
    monkeypatch.setattr(signals, "MAX_SCANS", 0)
    fails(tmp_path / "s.parquet", "more than 0 scans or 2000000000 numbers")


@pytest.mark.parametrize("path, words", [("nowhere", "no such file or folder"), ("scans.mat", "suffix '.mat'")])
def test_no_scans(tmp_path, path, words):
    (tmp_path / "scans.mat").write_bytes(b"")
    fails(tmp_path / path, words)


def test_an_empty_folder(tmp_path):
    fails(tmp_path, "no scan; expected one per row, group or CSV file")
