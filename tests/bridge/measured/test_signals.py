"""Readers of scans: what lies outside the file, or is too large, is not read."""

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bridge.measured import signals
from bridge.measured.channels import RELEASE_NAMES
from bridge.measured.signals import read_scans
from dataset_card.contract.schema import CHANNELS
from dataset_card.faults import FaultyInput


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
    fails(tmp_path / "scans.h5", "scan s0: a dataset", "a group a scan")
    with h5py.File(tmp_path / "scans.h5", "w") as file:
        for name in CHANNELS:
            file[f"s0/{name}"] = np.zeros((100, 2))
    fails(tmp_path / "scans.h5", "scan s0, B_s1Y", "no plain 1-D dataset")


def test_channels_of_different_lengths(tmp_path):
    with h5py.File(tmp_path / "scans.h5", "w") as file:
        for i, name in enumerate(CHANNELS):
            file[f"s0/{name}"] = np.zeros(100 + (i == 3))
    fails(tmp_path / "scans.h5", "scan s0: channels of different lengths", "B_s2Z 101")


def test_parquet_of_one_row_a_step(tmp_path):
    pq.write_table(
        pa.table({"scan_id": ["s0"] * 100, **{name: np.zeros(100) for name in CHANNELS}}), tmp_path / "s.parquet"
    )
    fails(tmp_path / "s.parquet", "column 'B_s1Y': type double", "store one row a scan")


def test_too_long_and_too_many(tmp_path, monkeypatch):
    monkeypatch.setattr(signals, "MAX_STEPS", 50)
    columns = {name: [np.zeros(60)] for name in CHANNELS}
    pq.write_table(pa.table({"scan_id": ["s0"], **columns}), tmp_path / "s.parquet")
    fails(tmp_path / "s.parquet", "row 1 (scan s0): 60 steps", "expected 20 to 50")
    monkeypatch.setattr(signals, "MAX_STEPS", 100)
    monkeypatch.setattr(signals, "MAX_SCANS", 0)
    fails(tmp_path / "s.parquet", "over 0 scans or 2000000000 numbers")


@pytest.mark.parametrize("path, words", [("nowhere", "no such file or folder"), ("scans.mat", "suffix '.mat'")])
def test_no_scans(tmp_path, path, words):
    (tmp_path / "scans.mat").write_bytes(b"")
    fails(tmp_path / path, words)


def test_an_empty_folder(tmp_path):
    fails(tmp_path, "no scan; expected one a row, group or CSV file")
