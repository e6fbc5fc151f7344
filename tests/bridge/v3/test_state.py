"""States, defects and meshes: places stay inside the cell, areas are exact, impossible values get one line."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.v3.design import PouchCell
from bridge.v3.state import MAP_MODES, CellState, Defect, Mesh, map_amplitudes
from dataset_card.errors import MagBridgeError

CELL = PouchCell.preset("nmc")


@settings(max_examples=50, deadline=None)
@given(st.floats(0.001, 1), st.floats(0.2, 5), st.floats(0, 120), st.floats(0, 80))
def test_a_region_has_its_share_of_the_area_wherever_it_is(share, aspect, x, y):
    x0, x1, y0, y1 = Defect("dry", share=share, aspect=aspect, x_mm=x, y_mm=y).region(CELL)
    assert -1e-12 <= x0 < x1 <= 0.12 + 1e-12 and -1e-12 <= y0 < y1 <= 0.08 + 1e-12
    assert np.isclose((x1 - x0) * (y1 - y0), share * CELL.area_m2)
    mesh = Mesh.uniform(CELL, 11, 7)
    assert np.isclose((mesh.overlap(x0, x1, y0, y1) * mesh.areas).sum(), share * CELL.area_m2)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.01, 0.11), st.floats(0.005, 0.075))
def test_a_mesh_goes_through_any_place(x, y):
    mesh = Mesh.uniform(CELL, 29, 19).through(x, y)
    assert np.abs(mesh.x - x).min() < 1e-12 and np.abs(mesh.y - y).min() < 1e-12
    assert (np.diff(mesh.x) > 0).all() and (np.diff(mesh.y) > 0).all()
    assert np.isclose(mesh.areas.sum(), CELL.area_m2)


def test_maps_have_unit_variance():
    x, y = (np.cos(np.pi * np.arange(m)[:, None] * (np.arange(200) + 0.5) / 200) for m in MAP_MODES)
    coefficients = np.random.default_rng(0).standard_normal((400, *MAP_MODES)) * map_amplitudes(CELL)
    maps = np.einsum("nab,ax,by->nxy", coefficients, x, y)
    assert np.isclose(maps.var(), 1, rtol=0.05) and abs(maps.mean(axis=(1, 2))).max() < 1e-9


def test_places():
    assert Defect("weld", share=0.5, positive=False).place_mm(CELL) == pytest.approx((0, 15))
    assert Defect("weld", share=0.5, positive=True, low=False).place_mm(CELL) == pytest.approx((0, 65))
    opposite = PouchCell.preset("nmc", opposite=True)
    assert Defect("weld", share=0.5, positive=False).place_mm(opposite)[0] == 120
    assert Defect("tear", share=0.2, length=0.5, x_mm=40, low=False).place_mm(CELL) == pytest.approx((40, 60))
    assert Defect("layer").place_mm(CELL) is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: CellState(soc=120),
        lambda: CellState(lli=0.9),
        lambda: CellState(r_ohm=0),
        lambda: CellState(soc=float("inf")),
        lambda: Defect("crack"),
        lambda: Defect("dry", share=0),
        lambda: Defect("dry", share=1.5),
        lambda: Defect("tear", share=0.6, length=0.4),
        lambda: Defect("dry", share=0.1, x_mm=500).region(CELL),
        lambda: Defect("tear", share=0.1, x_mm=130).cut(CELL),
        lambda: Defect("weld", share=1.0).tab(CELL, True),
    ],
)
def test_impossible_values_get_one_line(make):
    with pytest.raises(MagBridgeError) as error:
        make()
    assert "\n" not in str(error.value) and "expected" in str(error.value)
