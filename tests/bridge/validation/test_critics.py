"""Critics find what differs, and read a bridge without fault as their floor."""

import numpy as np
import pytest

from bridge.generate import resolve
from bridge.validation.critics import CRITICS, SCANS, continuous_scans, spread_by_direction
from bridge.validation.two_sample import separability


@pytest.fixture(scope="module")
def scans():
    return [continuous_scans(resolve("v2", "simulated"), 3.22, seed) for seed in (400, 401)]


@pytest.mark.parametrize("critic", CRITICS, ids=lambda critic: critic.name)
def test_fresh_scans_are_not_told_from_fresh_scans_and_loud_ones_are(critic, scans):
    here, there = scans
    loud = there + 5 * np.random.default_rng(0).standard_normal(there.shape)
    x, same, other = (critic.features(rows) for rows in (here, there, loud))
    fit = critic.fits[0]
    assert separability(x, same, fit, 5) == pytest.approx(0.5, abs=0.08)
    assert separability(x, other, fit, 5) > 0.9


def test_spread_by_direction(scans):
    here, there = scans
    assert len(here) == SCANS and spread_by_direction(here, there) == pytest.approx(1, abs=0.15)
    centre = there.mean(axis=0)
    assert spread_by_direction(centre + 2 * (there - centre), there) == pytest.approx(2)
