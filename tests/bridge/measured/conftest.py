"""A laboratory's files: seven cells, ten scans each, in a folder that a test may spoil."""

import shutil

import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataset_card.contract.schema import CHANNELS
from tests.bridge.measured.laboratory import labels_of, scans_of


@pytest.fixture(scope="session")
def measurements():
    """Labels and scans (70, 100, 6) in nT of seven cells."""
    labels = labels_of(5, cells=7, scans=20)
    rows = np.arange(0, len(labels), 2)  # one of the two positions at each voltage
    return labels.take(rows), scans_of(labels, 1.0, 5)[rows]


def write_labels(labels, path, **changes):
    """Labels as a CSV file, with columns changed."""
    frame = pandas.DataFrame(
        {
            "scan_id": [f"s{i:03d}" for i in range(len(labels))],
            "cell_id": labels.cell,
            "chemistry": labels.chemistry,
            "voltage": labels.voltage,
            "soc": labels.soc,
            "soh": labels.soh,
        }
    )
    frame.assign(**changes).to_csv(path, index=False)
    return frame


def write_scans(x, path, names=CHANNELS):
    """Scans as a Parquet file."""
    ids = [f"s{i:03d}" for i in range(len(x))]
    pq.write_table(pa.table({"scan_id": ids, **{name: list(x[:, :, c]) for c, name in enumerate(names)}}), path)


def write_folder(x, path, names=CHANNELS):
    """Scans as a folder of CSV files."""
    path.mkdir()
    for i, scan in enumerate(x):
        pandas.DataFrame(scan[:, : len(names)], columns=list(names)).to_csv(path / f"s{i:03d}.csv", index=False)


@pytest.fixture(scope="session")
def pristine(measurements, tmp_path_factory):
    """The files as they should be."""
    folder = tmp_path_factory.mktemp("laboratory")
    labels, x = measurements
    write_labels(labels, folder / "labels.csv")
    write_scans(x, folder / "scans.parquet")
    write_folder(x, folder / "scans")
    return folder


@pytest.fixture
def laboratory(pristine, tmp_path):
    """A copy of them that a test may spoil."""
    return shutil.copytree(pristine, tmp_path / "laboratory")


@pytest.fixture(scope="session")
def adopted(pristine, tmp_path_factory):
    """The release made of them; tests leave it as it is."""
    from bridge.measured.adopt import adopt

    out = tmp_path_factory.mktemp("adopted") / "my-cells"
    adopt(pristine / "scans.parquet", pristine / "labels.csv", out, licence="CC-BY-4.0", citation="A. Author, 2026")
    return out
