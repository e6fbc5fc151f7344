"""The table of one change at a time: the prototype's figures, met by its preset before they are improved."""

import pytest

from bridge.v3.design import PouchCell
from bridge.v3.effects import effects, table, whole

PROTOTYPE = {
    "LLI +10 %, uniform": (None, None, 0.114, 61.6),
    "LAM_PE +10 %": (None, None, 0.092, -69.3),
    "ohmic resistance x 1.5": (None, None, None, -9.0),
    "resistance +20 % from tab to end": (None, 1.5, None, None),
    "dry, 6 % of the area": (None, None, 0.182, -3.0),
    "plated, 6 % of the area": (None, None, 0.109, 10.4),
    "weld half torn": (1895, None, None, None),
    "all Al foils torn to half width": (3447, 26762, None, -0.11),
    "the same, a tenth of the foils": (22, 121, None, None),
    "one Al foil off its tab, outer": (88, None, None, -5.3),
    "one Al foil off its tab, middle": (8.3, None, None, -5.3),
    "resistance +-5 % front to back": (5.3, 4092, None, None),
    "the same, symmetric": (0.09, 66, None, None),
    "LLI +-2 % front to back": (1.8, 1717, None, None),
    "lift-off +.1 mm": (84, None, 0.015, None),
    "shift .2 mm along y": (157, None, 0.008, None),
}
"""Load in nT, rest in pT, scan in nT, voltage in mV, as printed; None where noise drowns it."""


@pytest.mark.slow
def test_preset_prototype_meets_the_prototype():
    cell = PouchCell.preset("prototype")
    assert whole(cell).load_nT == pytest.approx(15_299, rel=0.01)
    assert whole(cell).scan_nT == pytest.approx(2.28, rel=0.01)
    for effect in effects(cell):
        found = effect.load_nT, effect.rest_pT, effect.scan_nT, effect.voltage_mV
        for value, expected in zip(found, PROTOTYPE[effect.change], strict=True):
            if expected is not None:
                assert value == pytest.approx(expected, rel=0.1), (effect.change, found)


def test_the_table_has_a_line_for_each_change_and_both_designs():
    cell = PouchCell.preset("nmc", units=2)
    found = effects(cell)
    text = table(found, found)
    assert len(text.splitlines()) == len(found) + 1 == 17
    assert "weld half torn" in text and "(" in text
