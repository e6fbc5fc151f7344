"""Cells of a round: new ones, spread as the public tables are."""

import numpy as np
import pytest

from bridge.rounds.cells import bandwidth, smoothed_cells


def test_the_bandwidth_is_silvermans():
    values = np.array([0.0, 1.0, 2.0, 3.0, 10.0])  # quartiles 1 and 3
    assert bandwidth(values) == pytest.approx(0.9 * (2 / 1.34) * 5**-0.2, rel=1e-12)
    assert bandwidth(np.array([0.0, 1.0])) == pytest.approx(0.9 * (0.5 / 1.34) * 2**-0.2, rel=1e-12)


def test_new_cells_are_spread_as_the_tables_are(simulated_v2):
    pulses = simulated_v2.pulses
    tables = dict.fromkeys(pulses.table.tolist(), 400)
    drawn = smoothed_cells(pulses, tables, np.random.default_rng(0))
    assert len(drawn) == 4 * 400 * 9 and not set(drawn.cell) & set(pulses.cell)
    for table in tables:
        old, new = (p.soh[p.table == table] for p in (pulses, drawn))
        assert old.min() <= new.min() and new.max() <= old.max()
        assert abs(new.mean() - old.mean()) < 0.15 * old.std()
        assert new.std() == pytest.approx(old.std(), rel=0.2)
        records = drawn.cell == f"{table}-r001"
        assert len(set(drawn.soh[records])) == 1 and (np.diff(drawn.soc[records]) > 0).all()
        assert len({int(soc) for soc in drawn.soc[records]}) == 9  # seeds are drawn by whole percents
