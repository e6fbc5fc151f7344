"""The spectra behind the matched features, against the generator's own noise and brute force."""

from itertools import combinations

import numpy as np
import pytest

from benchmark.baselines import spectrum
from benchmark.baselines.spectrum import NoiseModel, cosine_basis, soc_spectrum, warp_spectrum
from bridge.anomalies import periodic_interference, temporal_warp
from dataset_card.schema import T


@pytest.fixture(scope="module")
def white():
    return np.random.default_rng(0).standard_normal((300, T, 6))


def model(x):
    ones = np.ones((len(x), 6))
    return NoiseModel(x, ones, np.ptp(x, axis=1), x.std(axis=1))


def test_cosines_are_orthonormal():
    np.testing.assert_allclose(cosine_basis() @ cosine_basis().T, np.eye(T), atol=1e-12)


def test_warp_spectrum_is_that_of_the_injector(white):
    rng = np.random.default_rng(1)
    warped = np.stack([temporal_warp(x, 1.0, rng) for x in np.concatenate([white] * 3)])
    power = (np.einsum("kt,ntc->nkc", cosine_basis(), warped) ** 2).mean(axis=(0, 2))
    blocks = power.reshape(10, 10).mean(axis=1)
    # 54,000 values a block: a standard error of 0.6 %.
    np.testing.assert_allclose(blocks, warp_spectrum(0.15).reshape(10, 10).mean(axis=1), rtol=0.03)


def test_soc_spectrum_is_that_of_a_boxcar(white):
    frequency = 2 * np.pi * np.arange(T) / T
    assert soc_spectrum(frequency).mean() == pytest.approx(1.0, abs=1e-12)
    boxcar = np.ones(10) / np.sqrt(10)
    power = np.abs(np.fft.fft(boxcar, T)) ** 2
    np.testing.assert_allclose(soc_spectrum(frequency), power, atol=1e-12)


def test_subsets_are_averaged_exactly():
    log_ratio = np.random.default_rng(2).normal(size=(5, 6))
    for size in range(1, 7):
        expected = [np.mean([np.exp(row[list(s)].sum()) for s in combinations(range(6), size)]) for row in log_ratio]
        np.testing.assert_allclose(np.exp(spectrum._any_subset(log_ratio, size)), expected, rtol=1e-12)


def test_ratios_average_to_one_under_white_noise(white):
    """E[p1/p0] under p0 is 1 for a likelihood ratio; here levels are estimated, so about 1, and never far above."""
    assert np.exp(model(white).interference()).mean(axis=0)[0] == pytest.approx(1.0, abs=0.2)
    assert np.median(model(white).interference(), axis=0).max() < 0.5


@pytest.mark.parametrize("fault, ratio", [(temporal_warp, "warp"), (periodic_interference, "interference")])
def test_ratio_rises_under_its_fault(white, fault, ratio):
    rng = np.random.default_rng(3)
    faulty = np.stack([fault(x, 1.0, rng) for x in white])
    clean, hit = getattr(model(white), ratio)()[:, -1], getattr(model(faulty), ratio)()[:, -1]
    assert np.median(hit) > np.quantile(clean, 0.8)


def test_strong_signals_stay_finite(white):
    dropped = white.copy()
    dropped[:, 20:60, :3] *= 1e-9
    ones = np.ones((len(white), 6))
    assert np.isfinite(NoiseModel(white, ones, ones, 100 * ones).interference()).all(), "no interference is that weak"
    for values in (model(dropped).interference(), model(dropped + 1e4 * np.linspace(0, 1, T)[:, None]).warp()):
        assert np.isfinite(values).all()
