"""Spectra of known processes, and transported roots against the Bures geodesic's own formula."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from bridge.v2.covariance import SPECTRUM_LENGTH, spectrum, stationary_covariance, transported_roots


def test_spectrum_of_a_moving_average():
    rng = np.random.default_rng(0)
    white = rng.standard_normal((3000, 93, 2))
    mix = np.array([[1.0, 0.5], [0.0, 2.0]])
    x = (white[:, 1:] + 0.5 * white[:, :-1]) @ mix.T
    turn = np.exp(-2j * np.pi * np.arange(SPECTRUM_LENGTH // 2 + 1) / SPECTRUM_LENGTH)
    taper = (1 + np.cos(np.pi / 69)) / 2
    expected = (1.25 + taper * (0.5 * (turn + turn.conj())).real)[:, None, None] * (mix @ mix.T)
    found = spectrum(x, 69)
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()
    assert np.linalg.eigvalsh(found).min() >= -1e-12


def test_the_spectrum_holds_the_observed_variance():
    x = np.random.default_rng(1).standard_normal((12, 92, 4)).cumsum(axis=1)
    covariance = stationary_covariance(spectrum(x, 69))
    assert np.diag(covariance[0]) == pytest.approx((x**2).mean(axis=(0, 1)), rel=1e-12)


def test_silence_has_no_spectrum():
    assert not spectrum(np.zeros((3, 92, 4)), 69).any()


@pytest.mark.parametrize("complex_", [False, True])
def test_roots_follow_the_geodesic(complex_):
    rng = np.random.default_rng(2)
    a = rng.standard_normal((3, 5, 4, 4)) + (1j * rng.standard_normal((3, 5, 4, 4)) if complex_ else 0)
    s = a @ a.conj().swapaxes(-1, -2)
    c = transported_roots(s, 1e-9)
    assert np.abs(c @ c.conj().swapaxes(-1, -2) - s).max() < 1e-7
    t = 0.3
    for k in range(2):
        for f in range(5):
            s0, s1 = s[k, f], s[k + 1, f]
            root = sqrtm(s0)
            transport = np.linalg.inv(root) @ sqrtm(root @ s1 @ root) @ np.linalg.inv(root)
            between = (1 - t) * np.eye(4) + t * transport
            mixed = (1 - t) * c[k, f] + t * c[k + 1, f]
            assert mixed @ mixed.conj().T == pytest.approx(between @ s0 @ between.conj().T, abs=1e-6)


def test_roots_of_what_is_not_there():
    s = np.zeros((3, 2, 4, 4))
    s[1, 0] = np.eye(4)
    c = transported_roots(s, 1e-9)
    assert not c[:, 1].any()
    assert c[1, 0] @ c[1, 0].T == pytest.approx(np.eye(4), abs=1e-8)
    assert np.abs(c[[0, 2], 0]).max() < 1e-3
