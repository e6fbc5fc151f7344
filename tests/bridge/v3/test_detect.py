"""Detectability: honest thresholds, monotone in noise, blind where physics says so."""

import numpy as np
import pytest

from bridge.v3.detect import FALSE_ALARMS, _power, _smallest, detect, table
from bridge.v3.experiment import experiment


@pytest.fixture(scope="module")
def found():
    with pytest.MonkeyPatch.context() as patch:  # a third of the work, and of the precision
        patch.setattr("bridge.v3.detect.HEALTHY", 240)
        patch.setattr("bridge.v3.detect.PLACES", 5)
        return detect(experiment({}), [10.0], [0.05, 1.0])


def share(found, defect, channel, noise=0.05, sensors=24):
    one = next(d for d in found if (d.defect, d.channel, d.noise_nT, d.sensors) == (defect, channel, noise, sensors))
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


def test_fewer_sensors_find_less(found):
    for defect in ("weld", "tear", "dry", "plating"):
        shares = [share(found, defect, "magnetics", sensors=count) for count in (24, 6, 2)]
        assert shares == sorted(shares) and shares[2] > 2 * shares[0]


@pytest.mark.slow
def test_other_draws_of_cells_and_places_move_shares_by_less_than_a_factor_of_two(monkeypatch):
    draws = []
    for seed in range(3):
        monkeypatch.setattr("bridge.v3.detect.SEED", seed)
        draws.append(detect(experiment({}), [10.0], [0.05]))
    for defect in ("weld", "tear", "dry", "plating"):
        shares = [share(found, defect, "magnetics") for found in draws]
        assert max(shares) < 2 * min(shares)


def test_nothing_is_found_at_the_rate_of_false_alarms():
    rng = np.random.default_rng(0)
    healthy, noise = 30 * rng.standard_normal((400, 3)) @ rng.standard_normal((3, 20)), rng.standard_normal((400, 20))
    change = 1e-6 * rng.standard_normal((1, 50, 20))
    assert _power(healthy, noise, change, (np.arange(20),))[0] == pytest.approx(FALSE_ALARMS, abs=0.03)
    assert _power(healthy, noise, 1e8 * change, (np.arange(20),))[0] > 0.95


def test_smallest_share_is_where_the_power_stays_up():
    shares = np.array([0.1, 0.2, 0.4])
    assert _smallest(shares, np.array([0.96, 0.97, 1.0])) == 0.1
    assert _smallest(shares, np.array([1.0, 0.90, 0.94])) is None
    assert _smallest(shares, np.array([0.5, 0.90, 1.0])) == pytest.approx(0.2 * 2**0.5)
