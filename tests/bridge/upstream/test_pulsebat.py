"""PulseBat's four tables as one."""

import dataclasses

import numpy as np
import pytest

from bridge.upstream.pulsebat import SHEETS, combine, read_pulse_tables
from bridge.upstream.simulated import pulse_table
from bridge.upstream.simulated_parameters import load_parameters
from dataset_card.errors import MagBridgeError


@pytest.fixture(scope="module")
def tables(upstream_dir):
    """The published tables."""
    return read_pulse_tables({sheet.file.path: upstream_dir / sheet.file.path for sheet in SHEETS})


@pytest.mark.parametrize("name, chemistry, cells, low, high", [
    ("LFP-35Ah", "LFP", 56, 0.744, 0.962),
    ("LMO-10Ah", "LMO", 95, 0.519, 0.948),
    ("NMC-2.1Ah", "NMC", 67, 0.612, 0.923),
    ("NMC-21Ah", "NMC", 52, 0.746, 1.009),
])  # fmt: skip
def test_published_tables(tables, name, chemistry, cells, low, high):
    rows = tables.table == name
    assert set(tables.chemistry[rows]) == {chemistry} and len(set(tables.cell[rows])) == cells
    assert (round(tables.soh[rows].min(), 3), round(tables.soh[rows].max(), 3)) == (low, high)
    assert rows.sum() == 10 * cells and set(tables.soc[rows]) == set(range(5, 51, 5))


def test_cells_are_unique_over_tables(tables):
    assert len(tables) == 2700 and len(set(tables.cell)) == 270 and "LMO-10Ah-017" in tables.cell


def test_every_record_stands_where_the_scanned_cell_would(tables):
    own = tables.table == "LFP-35Ah"
    assert np.array_equal(tables.voltage[own], np.clip(tables.u[own].mean(axis=1), 3.06, 3.34))
    for level in range(5, 51, 5):
        here = tables.soc == level
        assert set(tables.voltage[here & ~own]) == {np.median(tables.voltage[here & own])}


def test_a_choice_of_chemistries(tables):
    assert len(tables.of(["NMC"])) == 1190 and set(tables.of(["LFP", "LMO"]).chemistry) == {"LFP", "LMO"}
    with pytest.raises(MagBridgeError, match="chemistry 'LCO' has no pulse table: expected LFP, LMO, NMC"):
        tables.of(["LFP", "LCO"])


def test_incomplete_tables():
    table = pulse_table(load_parameters(), cells=4, soc_levels=(10, 50))
    with pytest.raises(MagBridgeError, match="no pulse table 'NMC-21Ah'"):
        combine({sheet.name: table for sheet in SHEETS[:-1]})
    other = dataclasses.replace(table, soc=table.soc + 1)
    with pytest.raises(
        MagBridgeError, match="'LMO-10Ah' has records at SOC 11 %: expected only SOC levels of 'LFP-35Ah'"
    ):
        combine({sheet.name: other if sheet.name == "LMO-10Ah" else table for sheet in SHEETS})
