"""Patches, modes and corners: sums that must be exact, and what age and make may do."""

import numpy as np
import pytest

from bridge.upstream.simulated import sheet_field
from bridge.upstream.simulated_parameters import load_parameters
from bridge.v2 import kernel
from bridge.v2.config import BridgeV2Config
from bridge.v2.sheet import FIELD_SCALE_NT, MODES, NOMINAL, corner_charges, patch_moments, sheet_rows
from tests.bridge.v2 import oracle

CONFIG, FRESH, HALF = BridgeV2Config(), NOMINAL[None], np.array([50.0])


def test_modes_are_orthonormal():
    flat = MODES.reshape(4, 9)
    assert flat @ flat.T / 9 == pytest.approx(np.eye(4), abs=1e-12)


def test_corners_are_the_sum_of_patches_and_a_uniform_sheet_is_whole():
    rng = np.random.default_rng(0)
    z, y, h, length, width = np.arange(100.0) - 42.7, 1.3, 4.94, 7.6, 11.3
    uniform, uneven = np.ones((3, 3)) / 9, rng.uniform(0.5, 1.5, (3, 3))
    for patches in (uniform, uneven):
        expected = sum(
            patches[i, j]
            * np.stack(sheet_field(z - (i - 1) * length / 3, y - (j - 1) * width / 3, h, length / 3, width / 3))
            for i in range(3)
            for j in range(3)
        )
        by, bz = np.empty(100), np.empty(100)
        corners = corner_charges(patches[None])[0] * 9 / (length * width)
        kernel._sheet(z, y, h, length, width, corners, by, bz)
        assert np.stack([by, bz]) == pytest.approx(expected, abs=1e-16)
    whole = np.stack(sheet_field(z, y, h, length, width))
    corners = corner_charges(uniform[None])[0] * 9 / (length * width)
    kernel._sheet(z, y, h, length, width, corners, by, bz)
    assert np.stack([by, bz]) == pytest.approx(whole, abs=1e-16)


def test_local_loss():
    """A tenth of the capacity gone takes a tenth of the state-dependent moment, least in the centre."""
    voltage, soh = np.array([3.10]), np.array([0.9])
    moment = np.array([6.32])
    lost = moment / 9 - patch_moments(moment, voltage, HALF, soh, FRESH, CONFIG)[0]
    state = CONFIG.moment_slope * (3.10 - 2.54) / 9 * 0.1
    assert lost.sum() == pytest.approx(9 * state)
    assert (lost / state).min() == pytest.approx(0.293, abs=1e-3) and np.argmin(lost) == 4
    assert (lost / state).max() == pytest.approx(1.517, abs=1e-3)
    assert np.array_equal(
        patch_moments(moment, voltage, HALF, np.array([1.05]), FRESH, CONFIG)[0], np.full((3, 3), 6.32 / 9)
    )


def test_the_slope_is_that_of_the_simulated_moments():
    anchors = load_parameters().anchors
    assert CONFIG.moment_slope == pytest.approx(np.polyfit(anchors.voltage, anchors.moment[:, 0], 1)[0], abs=1e-3)
    assert FIELD_SCALE_NT == 1e4


def make(q, soh):
    """Sheets at 3.00 V of cells with these numbers."""
    n, zero = len(q), np.zeros(len(q))
    return sheet_rows(
        load_parameters(),
        CONFIG,
        voltage=np.full(n, 3.0),
        soc=np.full(n, 50.0),
        soh=np.full(n, soh),
        u=zero,
        cell=list(q),
        mounting=np.zeros((n, 2)),
        soc_draw=zero,
    )


def patches_of(rows):
    """Patch moments in nT step^3 from the charges of their corners."""
    charges = rows.corners * (rows.length * rows.width / 9)[:, None, None]
    return charges[:, ::-1, ::-1].cumsum(axis=1).cumsum(axis=2)[:, -2::-1, -2::-1]


def test_make_scatters_the_moment_by_the_stated_share():
    q = np.column_stack([np.random.default_rng(1).standard_normal((4000, 9)), np.ones(4000)])
    rows = make(q, soh=1.0)
    total = patches_of(rows).sum(axis=(1, 2))
    nominal = rows.moment[0]
    assert total.mean() == pytest.approx(nominal, rel=1e-3) and total.std() / nominal == pytest.approx(0.015, rel=0.05)
    # Make and pattern do not scale the loss.
    aged = patches_of(make(q, soh=0.8)).sum(axis=(1, 2))
    assert total - aged == pytest.approx(1e4 * 0.2 * 6.175 * 0.46, rel=1e-9)


def test_moments_agree_with_the_oracle():
    moment = load_parameters().anchors.at(3.2)["moment"][:1]
    for law in (0.0, 1.0):
        q = np.append(np.random.default_rng(2).standard_normal(9), law)
        found = patch_moments(moment, np.array([3.2]), np.array([20.0]), np.array([0.7]), q[None], CONFIG)[0]
        assert found == pytest.approx(oracle.aged_patches(CONFIG, 3.2, 20.0, 0.7, q, 1.0), rel=1e-12)


@pytest.mark.parametrize("soc", [5.0, 20.0, 50.0])
def test_lost_lithium_raises_the_moment_where_lost_material_lowers_it(soc):
    """The share without lithium is 1 - (1 - s) SOH in place of s: it rises by (1 - s) (1 - SOH)."""
    both = np.stack([np.append(np.zeros(9), law) for law in (0.0, 1.0)])
    request = [np.full(2, x) for x in (7.0, 3.3, soc, 0.8)]
    inventory, material = patch_moments(*request, both, CONFIG).sum(axis=(1, 2)) - 7.0
    assert material == pytest.approx(-0.2 * 6.175 * (3.3 - 2.54))
    assert inventory == pytest.approx(0.2 * (1 - soc / 100) * 6.175 * 0.8)
