"""The diffusive ladder against the exact sphere."""

import numpy as np
import pytest

from bridge.v3.impedance import ladder, sphere_impedance, sphere_modes, sphere_step


def test_modes_are_those_of_the_sphere():
    assert np.allclose(sphere_modes()[:2], [4.4934, 7.7253], atol=1e-4)
    assert np.isclose((2 / (3 * sphere_modes() ** 2)).sum(), 1 / 15, rtol=0.01)


@pytest.mark.parametrize("tau", [1040.0, 1500.0, 6800.0])
def test_ladder_is_exact_within_two_percent_in_time_and_frequency(tau):
    weight, time, instant = ladder(tau)
    assert (weight >= 0).all() and instant >= 0
    t = np.geomspace(0.1, 1000, 500)
    exact = sphere_step(t / tau) + t / tau
    found = instant + (weight * (1 - np.exp(-t[:, None] / time))).sum(axis=1) + t / tau
    assert np.abs(found / exact - 1).max() < 0.02
    s = 2j * np.pi / t
    found = instant + (weight / (1 + s[:, None] * time)).sum(axis=1) + 1 / (s * tau)
    assert np.abs(found / sphere_impedance(s * tau) - 1).max() < 0.02


def test_prototypes_ladder_misses_most_of_the_early_overpotential():
    """4, 8, 24 and 63 % of the NMC sphere's at 1, 3, 30 and 600 s: what the fitted ladder repairs."""
    weight, time, instant = ladder(6800.0, two_modes=True)
    t = np.array([1.0, 3.0, 30.0, 600.0])
    share = (weight * (1 - np.exp(-t[:, None] / time))).sum(axis=1) / sphere_step(t / 6800)
    assert instant == 0
    assert np.allclose(share, [0.04, 0.08, 0.24, 0.63], atol=0.02)
