"""Detectability: honest thresholds, monotone in noise, blind where physics says so."""

import numpy as np
import pytest

from bridge.v3.detect import FALSE_ALARMS, _power, _smallest, detect, table
from bridge.v3.experiment import experiment


@pytest.fixture(scope="module")
def found():
    return detect(experiment({}), [10.0], [0.05, 1.0])


def share(found, defect, channel, noise=0.05):
    one = next(d for d in found if (d.defect, d.channel, d.noise_nT) == (defect, channel, noise))
    return np.inf if one.share is None else one.share


def test_load_finds_welds_and_the_scan_finds_dry_regions(found):
    assert share(found, "weld", "load") < 0.05 and share(found, "weld", "scan") == np.inf
    assert share(found, "dry", "scan") < 0.05 and share(found, "dry", "load") == np.inf
    for defect in ("weld", "tear", "dry", "plating"):
        assert share(found, defect, "magnetics") < share(found, defect, "terminals")


def test_noise_hides(found):
    for defect in ("dry", "plating"):
        assert share(found, defect, "scan", 1.0) > 3 * share(found, defect, "scan")
    assert "weld" in table(found, 10.0, 0.05)


def test_nothing_is_found_at_the_rate_of_false_alarms():
    rng = np.random.default_rng(0)
    healthy, noise = 30 * rng.standard_normal((400, 3)) @ rng.standard_normal((3, 20)), rng.standard_normal((400, 20))
    change = 1e-6 * rng.standard_normal((1, 50, 20))
    assert _power(healthy, noise, change, (slice(0, 20),))[0] == pytest.approx(FALSE_ALARMS, abs=0.03)
    assert _power(healthy, noise, 1e8 * change, (slice(0, 20),))[0] > 0.95


def test_smallest_share_is_where_the_power_stays_up():
    shares = np.array([0.1, 0.2, 0.4])
    assert _smallest(shares, np.array([0.96, 0.97, 1.0])) == 0.1
    assert _smallest(shares, np.array([1.0, 0.90, 0.94])) is None
    assert _smallest(shares, np.array([0.5, 0.90, 1.0])) == pytest.approx(0.2 * 2**0.5)
