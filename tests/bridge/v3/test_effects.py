"""The table of one change at a time: the prototype's figures, met by its preset before they are improved."""

import pytest

from bridge.v3.design import PouchCell
from bridge.v3.effects import effects, table, whole
from bridge.validation.physics import misfits


@pytest.mark.slow
def test_preset_prototype_meets_the_prototype():
    cell = PouchCell.preset("prototype")
    assert whole(cell).load_nT == pytest.approx(15_299, rel=0.01)
    assert whole(cell).scan_nT == pytest.approx(2.28, rel=0.01)
    for change, misfit in misfits(effects(cell)).items():
        assert misfit < 0.1, change


def test_the_table_has_a_line_for_each_change_and_both_designs():
    cell = PouchCell.preset("nmc", units=2)
    found = effects(cell)
    text = table(found, found)
    assert len(text.splitlines()) == len(found) + 1 == 17
    assert "weld half torn" in text and "(" in text
