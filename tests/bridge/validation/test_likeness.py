"""Each figure sees what it is for, on numbers whose answer is known; v2 meets the bounds, v1 does not."""

import dataclasses

import numpy as np
import pytest

from bridge import Bridge
from bridge.generate import make_bridge, resolve
from bridge.upstream.simulated import SCAN_SEED
from bridge.validation.critics import DIRECTION_ARCHIVES, FLOOR_ARCHIVE
from bridge.validation.likeness import (
    ARCHIVES,
    FLOOR_ARCHIVES,
    autocorrelation,
    check_distribution,
    check_likeness,
    correlation_check,
    coverage,
    fitted_scans,
    held_out_scans,
    ks_check,
    nearest_ratio,
    std_check,
    std_ratio,
)


def noise(seed, n=200):
    return np.random.default_rng(seed).standard_normal((n, 100, 6))


def test_std_ratio_is_that_of_the_scale():
    assert std_ratio(1.1 * noise(0), noise(1)) == pytest.approx(1.1, abs=0.01)


def test_autocorrelation_of_white_and_of_smoothed_noise():
    white, smooth = noise(0), noise(0)
    smooth[:, 1:] += smooth[:, :-1].copy()  # lag 1: 1/2, beyond: 0; biased and own mean removed
    assert autocorrelation(white).shape == (20, 6)
    assert np.abs(autocorrelation(white) + 0.01).max() < 0.02
    assert (
        autocorrelation(smooth)[0] == pytest.approx(0.5, abs=0.03) and np.abs(autocorrelation(smooth)[2:]).max() < 0.05
    )


def test_copies_are_near_and_strangers_far():
    trained, scans = noise(0, 41), noise(1)
    assert nearest_ratio(trained, scans, trained) == 0
    assert nearest_ratio(noise(2), scans, trained) == pytest.approx(1, abs=0.01)
    assert nearest_ratio(3 * noise(2), scans, trained) > 1.5


def test_coverage_counts_the_modes_that_are_met():
    scans = noise(0) + 10 * (np.arange(200) < 100)[:, None, None]
    assert coverage(noise(1) + 10 * (np.arange(200) < 100)[:, None, None], scans) > 0.9
    assert coverage(noise(1), scans) == pytest.approx(0.5, abs=0.05)


def test_v2_is_like_scans_and_v1_is_not():
    v2 = check_likeness(make_bridge(resolve("v2", "simulated")), blocking=True)
    assert len(v2) == 10 and all(check.passed and check.blocking for check in v2)
    v1 = {check.name: check for check in check_likeness(make_bridge(resolve("v1", "simulated")), blocking=False)}
    for name in ("channel correlations", "autocorrelation"):
        assert v1[f"{name} at 3.10 V"].figure > 0.2 and not v1[f"{name} at 3.10 V"].passed


@pytest.fixture(scope="module")
def upstream():
    return resolve("v2", "simulated")


def test_archives_do_not_meet():
    seeds = [SCAN_SEED, *ARCHIVES, *FLOOR_ARCHIVES, *DIRECTION_ARCHIVES, FLOOR_ARCHIVE]
    assert len(set(seeds)) == len(seeds)


def test_the_fitted_archive_is_what_its_own_seed_gives(upstream):
    np.testing.assert_array_equal(held_out_scans(upstream, 3.10, [SCAN_SEED]), fitted_scans(upstream, 3.10))
    other = held_out_scans(upstream, 3.10, [100, 101])
    assert other.shape == (82, 100, 6) and not np.isin(other[:, 50, 0], fitted_scans(upstream, 3.10)[:, 50, 0]).any()


def test_other_upstreams_give_their_moments(upstream):
    own = upstream.statistics
    published = dataclasses.replace(own, mean=own.mean + 5, std=2 * own.std)
    hybrid = dataclasses.replace(upstream, name="hybrid", statistics=published)
    for scans in (fitted_scans(hybrid, 3.34), held_out_scans(hybrid, 3.34)):
        np.testing.assert_allclose(scans.mean(axis=0), published.mean[4], atol=1e-9)
        np.testing.assert_allclose(scans.std(axis=0), published.std[4], rtol=1e-9)


@pytest.fixture
def scans() -> np.ndarray:
    g = np.random.default_rng(0).standard_normal((41, 100, 6))
    return 50 * (g - g.mean(axis=0)) / g.std(axis=0)  # the bridge reproduces the scans' own moments


@pytest.fixture
def synthetic() -> np.ndarray:
    return 50 * np.random.default_rng(1).standard_normal((41, 100, 6))


def test_same_distribution_passes(synthetic, scans):
    assert ks_check(3.10, synthetic, scans).passed
    assert std_check(3.10, synthetic, scans).figure == pytest.approx(1.0, abs=0.02)
    assert correlation_check(3.10, synthetic, scans, surrogate=False).figure < 0.05


def test_ks_counts_the_channels_that_differ(synthetic, scans):
    synthetic[:, 40, 2] += 150  # one step of one channel
    check = ks_check(3.10, synthetic, scans)
    assert check.figure == 5 and not check.passed and not check.blocking
    assert "B_s2Y" in check.note


def test_std_ratio_sees_a_tenth_more_spread(synthetic, scans):
    check = std_check(3.10, 1.1 * synthetic, scans)
    assert check.figure == pytest.approx(1.1, abs=0.02) and not check.passed


def test_correlation_difference_is_the_mean_over_pairs(synthetic, scans):
    scans[:, :, 1] = scans[:, :, 0]  # one of 15 pairs goes from 0 to 1
    check = correlation_check(3.10, synthetic, scans, surrogate=False)
    assert check.figure == pytest.approx(1 / 15, abs=0.02)


def test_simulated_bridge():
    checks = {check.name: check for check in check_distribution(Bridge(resolve("v1", "simulated")))}
    assert len(checks) == 6 and not any(check.blocking for check in checks.values())
    assert checks["KS at 3.10 V"].figure == 6 and checks["KS at 3.34 V"].figure == 6
    # Physically correlated channels: near the published 0.46 and 0.35, which were measured on raw scans.
    assert checks["channel correlations at 3.10 V"].figure == pytest.approx(0.46, abs=0.1)
    assert checks["channel correlations at 3.34 V"].figure == pytest.approx(0.35, abs=0.1)
