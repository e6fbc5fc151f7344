"""Capacity as an outcome: what each loss and each defect costs."""

import numpy as np
import pytest

from bridge.v3.chemistry import GRAPHITE, potential
from bridge.v3.design import PouchCell
from bridge.v3.patches import patches
from bridge.v3.state import CellState, Defect, Mesh, Variation

CELL = PouchCell.preset("nmc")
MESH = Mesh.uniform(CELL, 15, 10)


def numbers(state=None, defect=None, variation=None, cell=CELL):
    return patches(cell, state or CellState(), defect or Defect(), variation or Variation(), MESH)


def test_fresh_cells_and_what_losses_cost():
    fresh = numbers().soh
    assert fresh == pytest.approx(1.0040, abs=1e-4)
    assert numbers(cell=PouchCell.preset("lfp")).soh == pytest.approx(0.9853, abs=1e-4)
    assert numbers(CellState(lli=0.1)).soh < fresh - 0.05
    assert numbers(CellState(r_ohm=2, r_ct=2)).soh == fresh


def test_a_dry_region_costs_its_area_and_a_foil_its_units():
    fresh = numbers().soh
    assert numbers(defect=Defect("dry", share=0.1)).soh == pytest.approx(fresh * (1 - 0.098))
    assert numbers(defect=Defect("layer", share=1.0)).soh == pytest.approx(fresh * 0.9)
    assert numbers(defect=Defect("layer", share=0.5)).soh == fresh
    assert numbers(defect=Defect("plating", share=0.1)).soh < fresh
    for kind in ("weld", "tear"):
        assert numbers(defect=Defect(kind, share=0.3)).soh == fresh


def test_every_patch_stands_at_the_open_circuit_voltage():
    maps = np.random.default_rng(0).standard_normal((5, 9, 7))
    found = numbers(CellState(soc=0.4, lli=0.1, lam_pe=0.05), variation=Variation(maps=maps, edge=1.0))
    y, x = found.lithium
    volts = [potential(CELL.material, a) - potential(GRAPHITE, b) for a, b in zip(y.ravel(), x.ravel(), strict=True)]
    assert np.ptp(x) > 1e-3 and np.allclose(volts, found.ocv_V, atol=1e-9)


def test_tab_shares_sum_to_one_whatever_the_weld():
    for share in (0.05, 0.5, 0.97):
        for positive in (True, False):
            found = numbers(defect=Defect("weld", share=share, positive=positive))
            assert found.tau_p.sum() == pytest.approx(1) and found.tau_n.sum() == pytest.approx(1)
    opposite = numbers(cell=PouchCell.preset("nmc", opposite=True))
    assert opposite.tau_n[-1].sum() == pytest.approx(1) and opposite.tau_p[0].sum() == pytest.approx(1)
