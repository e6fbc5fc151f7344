"""Drawn defects: sizes from small to large, places continuous and inside the cell."""

import numpy as np
import pytest

from bridge.v3.defects import SHARES, draw_defect
from bridge.v3.design import PouchCell
from bridge.v3.state import DEFECTS

CELL = PouchCell.preset("nmc", units=19)


@pytest.mark.parametrize("kind", DEFECTS[1:])
def test_shares_spread_and_places_are_continuous(kind):
    drawn = [draw_defect(kind, CELL, np.random.default_rng(seed)).defect for seed in range(200)]
    shares = np.array([defect.share for defect in drawn])
    assert shares.min() < 1.3 * SHARES[kind][0] and shares.max() <= min(SHARES[kind][1], 1)
    places = [defect.place_mm(CELL) for defect in drawn]
    if kind == "layer":
        assert set(places) == {None} and {defect.depth for defect in drawn} == set(range(10))
        assert 0.05 < (shares == 1).mean() < 0.4
    else:
        x, y = np.array(places).T
        assert len(np.unique(y)) == 200 and (x >= 0).all() and (x <= 120).all() and (y >= 0).all() and (y <= 80).all()


def test_every_class_consumes_the_same_numbers():
    for kind in DEFECTS:
        rng = np.random.default_rng(4)
        line = draw_defect(kind, CELL, rng).line
        assert line == draw_defect("none", CELL, np.random.default_rng(4)).line
        after = rng.random()
        reference = np.random.default_rng(4)
        reference.random(12)
        assert after == reference.random()
