"""The fit on the simulated archive, whose truth is known, on small archives, and on bad ones."""

import dataclasses
import doctest

import numpy as np
import pytest

from bridge.config import ANCHOR_VOLTAGES
from bridge.upstream import AnchorStatistics
from bridge.upstream.simulated import scan_archive
from bridge.upstream.simulated_parameters import load_parameters
from bridge.v2 import BridgeV2, BridgeV2Config, resolve
from bridge.v2 import fit as module
from bridge.v2.fit import fit, impose_statistics, orthonormal_polynomials, places, standard_deviation, trajectories
from bridge.v2.model import evaluate_polynomials
from dataset_card.errors import MagBridgeError

PARAMETERS = load_parameters()


@pytest.fixture(scope="module")
def maps():
    """Maps of ten archives, seeds 1 to 10."""
    return [fit(scan_archive(PARAMETERS, seed=seed), ANCHOR_VOLTAGES) for seed in range(1, 11)]


def test_the_lines_are_the_simulated_ones(maps):
    for m in maps:
        assert m.line_frequency == pytest.approx(PARAMETERS.scan.hum_frequency, abs=1.5e-3)
        assert m.line_spread == pytest.approx(PARAMETERS.scan.hum_spread / np.sqrt(3), rel=0.12)


def test_the_hum_has_its_amplitude_at_every_anchor(maps):
    # s1Z has gain 1: E |A|^2 = 2 hum^2.
    found = np.mean([(m.line_root[:, :, :, 1] ** 2).sum(axis=(2, 3)) for m in maps], axis=0)
    assert np.sqrt(found / 2) == pytest.approx(PARAMETERS.anchors.hum, rel=0.12)


def test_the_transients_are_the_simulated_ones(maps):
    start, end, onset = (np.mean([getattr(m, name) for m in maps], axis=0) for name in ("start", "end", "onset"))
    heights, shape = PARAMETERS.scan.edge, PARAMETERS.scan.edge_shape
    assert start[:3, 1] == pytest.approx(heights[0] * shape, rel=0.12)
    assert end[[1, 3]] == pytest.approx(heights[1], rel=0.12)
    assert np.abs(start[3]).max() < 2 and np.abs(start[:, ::2]).max() < 0.2 and np.abs(end[::2]).max() < 0.2
    # Begun at 96 with a chance of a quarter, then a half and so on.
    assert onset == pytest.approx([0.25, 0.5, 0.75, 1], abs=0.1)
    assert all((np.diff(m.onset) >= 0).all() and m.onset[-1] == 1 for m in maps)


def test_the_spread_is_that_of_the_scans(maps):
    scans = scan_archive(PARAMETERS, positions=1000, seed=50).reshape(5, 1000, 100, 6)[..., :4]
    ratio = scans.var(axis=1) / np.mean([standard_deviation(m, 820) ** 2 for m in maps], axis=0)
    assert np.sqrt(ratio.mean(axis=(1, 2))) == pytest.approx(1, abs=0.03)


def test_the_sheet_is_taken_off_where_it_explains_the_scans(maps):
    assert all(m.sheet == 1 for m in maps)
    rng = np.random.default_rng(0)
    assert fit(100 * rng.standard_normal((205, 100, 6)), ANCHOR_VOLTAGES).sheet == 0


def test_noise_is_that_of_the_sensors(maps):
    """White, 0.7 and 2.0 nT, at every anchor: what lines, offset and mean take of it is given back."""
    circle = np.full(129, 2.0)
    circle[[0, -1]] = 1
    found = np.sqrt(np.mean([(m.noise_root**2 * circle).sum(axis=(1, 3, 4)) / 256 for m in maps], axis=0))
    assert found[:, ::2] == pytest.approx(0.7, rel=0.03) and found[:, 1::2] == pytest.approx(2.0, rel=0.15)


def test_trajectories_keep_what_varies_with_position_and_shed_what_noise_gives_them():
    rng, config = np.random.default_rng(0), BridgeV2Config()
    phi = evaluate_polynomials(orthonormal_polynomials(41, 9), places(41))
    inner = slice(config.edge_steps, -config.edge_steps)
    truth = (
        30 * np.cos(np.pi * np.outer(np.arange(9), np.arange(92) + 0.5) / 92)[None, :, :, None] * np.ones((5, 1, 1, 4))
    )
    signal = np.zeros((5, 41, 100, 4))
    signal[:, :, inner] = np.einsum("pk,aknc->apnc", phi, truth)
    noise = rng.standard_normal(signal.shape)
    assert trajectories(signal, phi, config)[:, :, inner] == pytest.approx(truth, abs=1e-9)
    assert trajectories(signal + noise, phi, config)[:, :, inner] == pytest.approx(truth, abs=0.6)
    # Least squares would give noise 22 / 92 of its variance over 41 positions.
    assert trajectories(noise, phi, config)[:, :, inner].var() < 0.25 * (22 / 92) / 41


def test_the_mean_is_exact_and_nothing_is_unseen(maps):
    scans = scan_archive(PARAMETERS, seed=1).reshape(5, 41, 100, 6)
    assert np.array_equal(maps[0].mean, scans.mean(axis=1))
    assert not maps[0].unseen.any()


def test_a_third_component_is_unseen_by_the_other_two():
    scans = scan_archive(PARAMETERS, seed=1)
    scans[..., 4] = np.sqrt(scans[..., 4] ** 2 + 30.0**2)
    found = fit(scans, ANCHOR_VOLTAGES)
    assert found.unseen[:, 0] == pytest.approx(900, rel=1e-9) and not found.unseen[:, 1].any()
    assert found.unseen_shape == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("positions, degree", [(41, 9), (9, 2), (5, 1)])
def test_polynomials_are_orthonormal(positions, degree):
    u = places(positions)
    phi = evaluate_polynomials(orthonormal_polynomials(positions, degree), np.append(u, 1.0))
    assert phi[:-1].T @ phi[:-1] / positions == pytest.approx(np.eye(degree), abs=1e-9)
    assert phi[:-1].mean(axis=0) == pytest.approx(0, abs=1e-10) and (phi[-1] > 0).all()


@pytest.mark.parametrize("positions, polynomials", [(2, 0), (4, 0), (5, 1), (9, 2), (60, 9)])
def test_few_positions_have_few_polynomials(positions, polynomials):
    voltages = (2.81, 3.10)
    m = fit(scan_archive(PARAMETERS, voltages, positions), voltages)
    assert m.beta.shape == (2, polynomials, 100, 4) and m.positions == positions


def test_an_archive_without_scatter_is_its_means():
    voltages = (2.81, 3.10)
    mean = scan_archive(PARAMETERS, voltages, 5).reshape(2, 5, 100, 6).mean(axis=1)
    m = fit(np.repeat(mean, 5, axis=0), voltages)
    assert m.mean == pytest.approx(mean, abs=1e-12) and standard_deviation(m, 820).max() < 1e-9


@pytest.mark.parametrize("change, voltages, words", [
    (lambda x: x[::41], ANCHOR_VOLTAGES, "at least two positions"),
    (lambda x: x[:41], (3.10,), "expected at least two voltages, ascending"),
    (lambda x: x[:82], (3.10, 2.81), "expected at least two voltages, ascending"),
    (lambda x: x[:-1], ANCHOR_VOLTAGES, r"shape \(204, 100, 6\)"),
    (lambda x: x[:, :99], ANCHOR_VOLTAGES, r"shape \(205, 99, 6\)"),
    (lambda x: x[..., :5], ANCHOR_VOLTAGES, r"shape \(205, 100, 5\)"),
    (lambda x: np.where(x == x[3, 3, 3], np.nan, x), ANCHOR_VOLTAGES, "NaN or infinity"),
])  # fmt: skip
def test_bad_archives(change, voltages, words):
    with pytest.raises(MagBridgeError, match=words):
        fit(change(scan_archive(PARAMETERS)), voltages)


def test_the_example_runs():
    assert doctest.testmod(module).failed == 0 < doctest.testmod(module).attempted


@pytest.fixture(scope="module")
def hybrid(upstream_dir):
    return BridgeV2(resolve("published", upstream_dir))


def test_own_spread_is_that_of_the_signals(bridge_v2):
    signals = bridge_v2.generate_many([3.10] * 4000, [50] * 4000, [1.0] * 4000, range(4000))
    own = standard_deviation(bridge_v2.scan_map, 820)[3]
    assert np.sqrt((signals[..., :4].var(axis=0) / own**2).mean(axis=0)) == pytest.approx(1, abs=0.015)


def test_signals_have_the_published_mean_and_spread(hybrid):
    statistics = hybrid.upstream.statistics
    for a, voltage in enumerate(statistics.voltages):
        signals = hybrid.generate_many([voltage] * 2000, [50] * 2000, [1.0] * 2000, range(2000))[..., :4]
        std = statistics.std[a, :, :4]
        assert np.sqrt((signals.var(axis=0) / std**2).mean(axis=0)) == pytest.approx(1, abs=0.03)
        assert (np.abs(signals.mean(axis=0) - statistics.mean[a, :, :4]) / std).max() < 0.12
        assert np.array_equal(hybrid.anchor_replica(voltage), statistics.mean[a])


def test_the_fluctuation_is_borrowed(hybrid, bridge_v2):
    assert hybrid.upstream.bridge_version == "v2.1-hybrid" and len(hybrid.upstream.pulses) == 2700
    for name in ("beta", "noise_root", "line_root", "offset_root", "start", "end", "onset"):
        assert np.array_equal(getattr(hybrid.scan_map, name), getattr(bridge_v2.scan_map, name))


def test_imposing_its_own_spread_changes_nothing(bridge_v2):
    m = bridge_v2.scan_map
    std = np.zeros_like(m.mean)
    std[..., :4] = standard_deviation(m, 820)
    assert impose_statistics(m, AnchorStatistics(m.voltages, m.mean, std)).scale == pytest.approx(1, abs=1e-12)


def test_other_anchors_are_refused(bridge_v2):
    statistics = bridge_v2.upstream.statistics
    with pytest.raises(MagBridgeError, match="expected the anchors of the map"):
        impose_statistics(bridge_v2.scan_map, dataclasses.replace(statistics, voltages=statistics.voltages + 0.01))
