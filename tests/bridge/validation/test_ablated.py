"""What an ablation changes, and what it leaves."""

import numpy as np
import pytest

from bridge.generate import make_bridge, resolve
from bridge.validation.ablated import ablated, permuted
from dataset_card.errors import MagBridgeError


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_directions_turn_and_healthy_signals_stay(version):
    bridge = make_bridge(resolve(version, "simulated"))
    for ablation in ("A0", "A1", "A2", "A3"):
        changed = ablated(bridge, ablation, np.random.default_rng(0))
        healthy = [b.generate(3.2, 50, 1.0, 0) for b in (bridge, changed)]
        np.testing.assert_array_equal(*healthy)
        aged = [b.generate(3.2, 50, 0.8, 0) for b in (bridge, changed)]
        assert np.array_equal(*aged) == (ablation in ("A0", "A2"))
    with pytest.raises(MagBridgeError, match="'A9'"):
        ablated(bridge, "A9", np.random.default_rng(0))


def test_negated_v2_moves_the_other_way():
    bridge = make_bridge(resolve("v2", "simulated"))
    turned = ablated(bridge, "A3", np.random.default_rng(0))
    fresh = bridge.generate(3.2, 50, 1.0, 0)[:, :4]
    ours, theirs = (b.generate(3.2, 50, 0.8, 0)[:, :4] - fresh for b in (bridge, turned))
    np.testing.assert_allclose(ours, -theirs, atol=1e-9)


def test_cells_exchange_their_soh():
    cell = np.array(["b", "b", "a", "c", "c"], dtype=object)
    soh = np.array([0.9, 0.9, 0.8, 0.7, 0.7])
    found = permuted(soh, cell, np.random.default_rng(0))
    assert sorted({c: found[cell == c][0] for c in "abc"}.values()) == [0.7, 0.8, 0.9]
    assert all(len(set(found[cell == c])) == 1 for c in "abc")
    expected = np.random.default_rng(0).permutation([0.9, 0.8, 0.7])  # drawn for the cells as they first appear
    assert [found[0], found[2], found[3]] == expected.tolist()
