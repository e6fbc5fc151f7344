"""The table of one change at a time: the prototype's figures, met by its preset before they are improved."""

import pytest

from bridge.v3.design import PouchCell
from bridge.v3.effects import effects, table
from bridge.validation.physics import misfits


@pytest.mark.slow
def test_preset_prototype_meets_the_prototype():
    cell = PouchCell.preset("prototype")
    found = effects(cell)
    assert found[0].load_nT == pytest.approx(15_299, rel=0.01)
    assert found[0].scan_nT == pytest.approx(2.28, rel=0.01)
    for change, misfit in misfits(found).items():
        assert misfit < 0.1, change


def test_the_table_has_a_line_for_each_change():
    cell = PouchCell.preset("nmc", units=2)
    found = effects(cell)
    text = table(found)
    assert len(text.splitlines()) == len(found) + 1 == 18
    assert "weld half torn" in text
