"""Each figure sees what it is for, on numbers whose answer is known; v2 meets the bounds, v1 does not."""

import numpy as np
import pytest

from bridge.generate import make_bridge, resolve
from bridge.validation.likeness import autocorrelation, check_likeness, coverage, nearest_ratio, std_ratio


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
