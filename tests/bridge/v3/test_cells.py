"""Draws of virtual cells: every class has the same prior of what is not its defect."""

import numpy as np
import pandas
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

from bridge.v3.cells import SHARES, Request, class_and_stack, draw, draw_defect, requests
from bridge.v3.config import PhysicsConfig
from bridge.v3.design import PouchCell
from bridge.v3.state import DEFECTS

CONFIG = PhysicsConfig(visits=2)
SEED = 11


@pytest.fixture(scope="module")
def cells():
    return draw([row for row in requests(250, 2) if row.visit == 1], CONFIG, SEED)


def test_shares_of_classes_and_stacks_are_exact_in_every_fifty():
    for block in range(3):
        rows = [class_and_stack(Request("LFP", "known_soc", 50 * block + k, 0), SEED) for k in range(50)]
        counts = pandas.Series(rows).value_counts()
        assert all(counts[(kind, stack)] == (10 if kind == "none" else 3) for kind, stack in counts.index)


def test_visits_share_the_cell_and_nothing_of_the_mounting():
    first, second = draw([Request("NMC", "as_received", 3, visit) for visit in (0, 1)], CONFIG, SEED)
    assert first.name == second.name and first.defect == second.defect
    assert np.array_equal(first.variation.maps, second.variation.maps)
    assert first.seed != second.seed and first.state.soc != second.state.soc
    assert second.state.lli > first.state.lli and second.state.gradient_r == first.state.gradient_r


def test_known_charge_is_known_to_half_a_percent(cells):
    soc = np.array([drawn.state.soc for drawn in cells]).reshape(2, 2, -1)
    assert soc[:, 1].std() == pytest.approx(0.005, rel=0.1) and soc[:, 0].std() > 0.15


def test_no_nuisance_tells_a_class(cells):
    def place(drawn):
        return CONFIG.noise.place(np.random.default_rng([drawn.seed, 0]), CONFIG.array(drawn.cell))

    columns = {name: np.array([getattr(drawn.state, name) for drawn in cells]) for name in vars(cells[0].state)} | {
        "loading": np.array([drawn.variation.loading for drawn in cells]),
        "resistance": np.array([drawn.variation.resistance for drawn in cells]),
        "edge": np.array([drawn.variation.edge for drawn in cells]),
        "maps": np.array([np.square(drawn.variation.maps).sum() for drawn in cells]),
        "mesh": np.array([drawn.mesh.x[10] for drawn in cells]),
        "name": np.array([int(drawn.name[5:], 16) / 2**63 for drawn in cells]),
        "units": np.array([drawn.cell.units for drawn in cells]),
        "lift": np.array([place(drawn).shift_mm[2] for drawn in cells]),
        "turn": np.array([place(drawn).turn_rad[0] for drawn in cells]),
    }
    kind = np.array([drawn.defect.defect.kind for drawn in cells])
    for name, values in columns.items():
        feature = np.column_stack([values, values**2])
        feature = (feature - feature.mean(axis=0)) / feature.std(axis=0)
        for defect in DEFECTS[1:]:
            rows = np.isin(kind, ["none", defect])
            guess = cross_val_predict(
                LogisticRegression(), feature[rows], kind[rows] == defect, cv=5, method="predict_proba"
            )
            assert abs(roc_auc_score(kind[rows] == defect, guess[:, 1]) - 0.5) < 0.14, (name, defect)


def test_names_are_opaque_and_unique(cells):
    names = [drawn.name for drawn in cells]
    assert len(set(names)) == len(names) and all(len(name) == 21 for name in names)


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
