"""Transfer scores on the bridge's own rows, and the verdicts that hang on them."""

import numpy as np
import pytest

from bridge.generate import make_bridge, resolve
from bridge.v2 import BridgeV2, BridgeV2Config, kernel
from bridge.validation.ablation import pilot_rows
from bridge.validation.soh import (
    SCENARIOS,
    Transfer,
    ablated,
    check_noise_leak,
    check_transfer,
    check_voltage_leak,
    clean_rows,
    noise_levels,
    permuted,
    transfer_scores,
    transfer_table,
    unseen_squares,
)
from dataset_card.errors import MagBridgeError


def test_direction_decides_in_v2():
    bridge = make_bridge(resolve("v2", "simulated"), BridgeV2Config(inventory_share=0))  # one law has one direction
    rows = clean_rows(bridge, variants=1)
    scores = transfer_scores(bridge, rows)
    assert [(s.ablation, s.seed) for s in scores] == list(SCENARIOS)
    checks = check_transfer(scores, rows, blocking=True)
    assert all(check.passed for check in checks)
    assert checks[0].figure > 0.85 and checks[-1].figure < -0.8


def test_an_immaterial_direction_fails():
    scores = [
        Transfer("A0", 0, "shape", 0.8, 0.8, 0.8),
        *(Transfer("A1", draw, "shape", 0.8, 0.7, 0.8) for draw in range(3)),
        Transfer("A2", 0, "shape", 0.0, -1.0, 0.0),
        Transfer("A3", 0, "shape", 0.8, 0.7, 0.8),
    ]
    rows = clean_rows(make_bridge(resolve("v1", "simulated")), variants=1)
    verdict = {check.name: check.passed for check in check_transfer(scores, rows, blocking=True)}
    assert verdict == {
        "SOH from shape": True,
        "SOH permuted across cells (A2)": True,
        "readout of A0 on a random direction (A1)": False,
        "readout of A0 on the negated direction (A3)": False,
    }
    assert len(transfer_table(scores).splitlines()) == 10


def test_v1_is_read_from_noise_whatever_the_direction():
    bridge = make_bridge(resolve("v1", "simulated"))
    scenarios = (("A0", 0), ("A1", 0), ("A1", 1), ("A3", 0))
    scores = transfer_scores(bridge, pilot_rows(bridge, 0), scenarios, ("shape", "static"))
    shape, static = ([s for s in scores if s.readout == name] for name in ("shape", "static"))
    assert [(s.ablation, s.seed) for s in shape] == [(s.ablation, s.seed) for s in static] == list(scenarios)
    assert min(s.slope for s in static) > 0.5 and min(s.transfer for s in static) > 0.5
    assert max(s.within for s in shape) < 0.3
    assert "static: 57 static features" in transfer_table(scores)


@pytest.mark.parametrize("version, leaks", [("v1", True), ("v2", False)])
def test_noise_tells_soh_in_v1_only(version, leaks):
    bridge = make_bridge(resolve(version, "simulated"))
    rows = clean_rows(bridge, variants=1)
    noise, state = check_noise_leak(rows, rows.signals(bridge), blocking=not leaks)
    assert (noise.figure > 0.5 and not noise.passed) if leaks else (noise.figure < 0.05 and noise.passed)
    assert noise.blocking != leaks
    assert state.figure < 0.05


def test_a_leak_is_found():
    bridge = make_bridge(resolve("v2", "simulated"))
    rows = clean_rows(bridge, variants=1)
    white = np.random.default_rng(0).standard_normal((len(rows.soh), 100, 6))
    noise, _ = check_noise_leak(rows, white * (2 - rows.soh)[:, None, None], blocking=True)
    assert noise.figure > 0.7 and not noise.passed


def test_slow_shapes_are_not_noise():
    steps = np.arange(100)
    slow = np.cos(2 * np.pi * steps / 50)[None, :, None] * np.ones((1, 1, 6))
    fast = np.cos(0.45 * 2 * np.pi * steps)[None, :, None] * np.ones((1, 1, 6))
    # A whole cosine leaks a little through the ends of the inner steps.
    assert (noise_levels(fast) - noise_levels(slow) > 5).all()


@pytest.mark.parametrize("choice", ["simulated", "published"])
def test_it_holds_on_both_upstreams(choice, upstream_dir):
    check = check_voltage_leak(BridgeV2(resolve("v2", choice, upstream_dir if choice == "published" else None)), True)
    assert check.passed and "mV from the four measured channels" in check.note


def test_an_unseen_field_of_the_voltage_alone_is_caught(upstream_dir, monkeypatch):
    bridge = BridgeV2(resolve("v2", "published", upstream_dir))
    magnitudes = kernel.magnitudes

    def bare(t, unseen, wave, normal, row_of, out):
        magnitudes(t, unseen, np.ones_like(wave) / 4, np.ones_like(normal), row_of, out)

    monkeypatch.setattr(kernel, "magnitudes", bare)
    assert not check_voltage_leak(bridge, True).passed


def test_squares():
    assert unseen_squares(np.full((1, 2, 6), 3.0)) == pytest.approx(-9)


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
