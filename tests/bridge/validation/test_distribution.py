"""Distribution tests see what they should, and nothing else."""

import numpy as np
import pytest

from bridge import Bridge
from bridge.upstream import resolve
from bridge.validation.distribution import check_distribution, correlation_check, ks_check, std_check


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
    checks = {check.name: check for check in check_distribution(Bridge(resolve("simulated")))}
    assert len(checks) == 6 and not any(check.blocking for check in checks.values())
    assert checks["KS at 3.10 V"].figure == 6 and checks["KS at 3.34 V"].figure == 6
    # Physically correlated channels: near the published 0.46 and 0.35, which were measured on raw scans.
    assert checks["channel correlations at 3.10 V"].figure == pytest.approx(0.46, abs=0.1)
    assert checks["channel correlations at 3.34 V"].figure == pytest.approx(0.35, abs=0.1)
