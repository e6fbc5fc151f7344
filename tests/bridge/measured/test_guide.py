"""The guide: its tables are the contract's, its examples run as printed."""

import os
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

import magbridge
from dataset_card.contract import measured
from tests.bridge.measured.conftest import write_scans
from tests.bridge.measured.test_own import archive, table

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "guides" / "your-cells.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(bash|python|yaml)\n(.*?)^```$", GUIDE, re.M | re.S)


@pytest.mark.parametrize(
    "fields", [measured.CELL_FIELDS, measured.ARCHIVE_FIELDS, measured.LABEL_FIELDS, measured.MAP_FIELDS]
)
def test_tables_of_columns_are_the_contracts(fields):
    assert measured.table_of(fields) in GUIDE


def test_the_table_of_channels_is_the_contracts():
    assert measured.signal_table() in GUIDE and measured.FORMS in GUIDE


@pytest.mark.gate
def test_examples_run_as_printed(pristine, measurements, v2_release, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    for name in ("labels.csv", "scans.parquet"):
        shutil.copy(pristine / name, tmp_path / name)
    (tmp_path / "magbridge-battery-v2").symlink_to(v2_release)
    table(tmp_path / "cells.csv")
    archive(tmp_path, voltages=(2.54, 3.0, 3.34))
    os.rename(tmp_path / "a.csv", tmp_path / "archive.csv")
    x = measurements[1]
    (channels,) = [code for language, code in BLOCKS if language == "yaml"]
    (tmp_path / "channels.yaml").write_text(channels)
    names = re.findall(r"column: (\w+), axis", channels)
    _rig(tmp_path / "rig.parquet", names, x[:, :, :4] / 1e3 * [1, -1, 1, -1])
    _rig(
        tmp_path / "archive.parquet",
        names,
        np.stack(_columns(tmp_path / "a.parquet"), axis=-1) / 1e3 * [1, -1, 1, -1],
        "a",
    )
    (design,) = re.findall(r"^```\n(cell: .*?)^```$", GUIDE, re.M | re.S)
    (tmp_path / "design.yaml").write_text(design)
    _field_map(tmp_path / "map.csv")
    monkeypatch.chdir(tmp_path)
    for language, code in BLOCKS:
        if language == "python":
            exec(compile(code, "guide", "exec"), {})
        for line in code.splitlines() if language == "bash" else ():
            program, *arguments = shlex.split(line)
            assert program == "magbridge"
            magbridge.command_line()(arguments, standalone_mode=False)
    assert (tmp_path / "report" / "report.html").is_file() and (tmp_path / "own-scans" / "scan_map.npz").is_file()


def _columns(path):
    import pyarrow.parquet as pq

    return [np.stack(pq.read_table(path)[name].to_pylist()) for name in ("B_s1Y", "B_s1Z", "B_s2Y", "B_s2Z")]


def _rig(path, names, x, prefix="s"):
    """Scans under a laboratory's own names, with time in ms."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    write_scans(x, path, names)
    rows = pq.read_table(path)
    rows = rows.set_column(0, "scan_id", pa.array([f"{prefix}{i:03d}" for i in range(len(x))]))
    pq.write_table(rows.append_column("t", pa.array([list(np.arange(x.shape[1]) * 20.0)] * len(x))), path)


def _field_map(path):
    """A map of one axis, without z, of the guide's cell."""
    from bridge.v3 import CellState, PouchCell, Protocol, SensorArray, simulate

    cell = PouchCell.preset("nmc", length_mm=110, tab_n_mm=22)
    sensors, protocol = SensorArray.grid(cell, 8, 6, 8.0), Protocol(rate_C=0.7)
    found = simulate(cell, CellState(soc=0.6, lli=0.05), sensors=sensors, noise=None, protocol=protocol)
    rows = np.column_stack([sensors.position_mm[:, :2], 1e6 * found.load_T[:, 2]])
    np.savetxt(path, rows, delimiter=",", header="x (mm),y (mm),Bz (uT)", comments="")
