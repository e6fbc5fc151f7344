"""Simulated LMO and NMC tables: like the published ones in what v2 uses of them."""

import numpy as np
import pytest

from bridge.upstream.pulsebat import SHEETS, read_pulse_tables
from bridge.upstream.simulated import pulse_table
from bridge.upstream.simulated_parameters import load_parameters
from bridge.upstream.simulated_tables import simulated_pulse_tables


@pytest.fixture(scope="module")
def tables():
    return simulated_pulse_tables(load_parameters())


def test_the_lfp_table_is_that_of_v1(tables):
    own = tables.table == "LFP-35Ah"
    assert np.array_equal(tables.u[own], pulse_table(load_parameters()).u)


def test_cells_soh_and_voltages_are_like_the_published(tables, upstream_dir):
    published = read_pulse_tables({sheet.file.path: upstream_dir / sheet.file.path for sheet in SHEETS})
    for sheet in SHEETS[1:]:
        ours, theirs = (t.table == sheet.name for t in (tables, published))
        assert ours.sum() == theirs.sum() and len(set(tables.cell[ours])) == sheet.cells
        soh, real = np.sort(tables.soh[ours]), np.sort(published.soh[theirs])
        assert soh[[0, -1]] == pytest.approx(real[[0, -1]], abs=1e-4) and np.abs(soh - real).mean() < 0.01
        for level in range(5, 51, 5):
            medians = [np.median(t.u[(t.table == sheet.name) & (t.soc == level)], axis=0) for t in (tables, published)]
            assert np.abs(medians[0] - medians[1]).max() < 0.06
