"""Designs: presets with sources, derived geometry, and one line for each impossible value."""

import pytest

from bridge.v3.design import PouchCell, preset_entries
from dataset_card.errors import MagBridgeError

PRESETS = ("nmc", "lfp", "measured-6Ah", "prototype")


@pytest.mark.parametrize("name", PRESETS)
def test_every_value_of_a_preset_has_a_source(name):
    PouchCell.preset(name)
    for field, (value, source) in preset_entries(name).items():
        assert value is not None and len(source) >= 3, field


def test_geometry_follows_from_capacity():
    cell, old = PouchCell.preset("nmc"), PouchCell.preset("prototype")
    assert cell.solid_m[0] * 1e6 == pytest.approx(39.3, abs=0.1)
    assert PouchCell.preset("lfp").solid_m[0] * 1e6 == pytest.approx(51.5, abs=0.1)
    assert cell.pitch_m > sum(cell.solid_m) and old.pitch_m == pytest.approx(120e-6)
    assert old.sheet_S == pytest.approx((5325, 6380))
    assert cell.sheet_S == pytest.approx((5325, 5800)), "end foils carry half a foil's current"
    assert PouchCell.preset("nmc", units=19).sheet_S == pytest.approx((9.5 * 532.5, 9.5 * 580))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"length_mm": -1}, "length_mm"),
        ({"length_mm": float("nan")}, "length_mm"),
        ({"width_mm": "wide"}, "width_mm"),
        ({"units": 2.5}, "units"),
        ({"units": 10**6}, "units"),
        ({"chemistry": "NCA"}, "NCA"),
        ({"tab_p_mm": 79}, "tab_p_mm"),
        ({"tab_p_mm": 25}, "overlap"),
        ({"v_max": 2.0}, "v_max"),
        ({"active_p": 1.2}, "active_p"),
        ({"opposite": "yes"}, "opposite"),
        ({"foil_um": 3}, "foil_um"),
        ({"n_li_Ahm2": 400}, "n_li_Ahm2"),
    ],
)
def test_impossible_designs_get_one_line(changes, word):
    with pytest.raises(MagBridgeError, match=word) as error:
        PouchCell.preset("nmc", **changes)
    assert "\n" not in str(error.value)


def test_unknown_preset():
    with pytest.raises(MagBridgeError, match="preset 'nmc9'"):
        PouchCell.preset("nmc9")
