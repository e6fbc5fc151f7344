"""Held-out scans are other scans of the same simulation, brought to the moments of whatever upstream asks."""

import dataclasses

import numpy as np
import pytest

from bridge.generate import resolve
from bridge.upstream.simulated import SCAN_SEED
from bridge.validation.critics import DIRECTION_ARCHIVES, FLOOR_ARCHIVE
from bridge.validation.held_out import ARCHIVES, FLOOR_ARCHIVES, fitted_scans, held_out_scans


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
