"""The spectra behind the matched features, against the generator's own noise and brute force."""

from itertools import combinations

import numpy as np
import pytest
from scipy.special import logsumexp

from benchmark.baselines import spectrum
from benchmark.baselines.spectrum import NoiseModel, cosine_basis, soc_spectrum, warp_spectrum
from bridge.generate import periodic_interference, temporal_warp
from dataset_card.contract.schema import T


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


@pytest.mark.parametrize("strength", [0.0, 0.02, 0.036])
def test_soc_fluctuation_does_not_pass_for_interference(white, strength):
    """A likelihood ratio above t under the null has probability below 1 / t, however slow the null's own noise is."""
    boxcar = np.ones(10) / 10
    slow = np.apply_along_axis(np.convolve, 1, np.random.default_rng(4).standard_normal(white.shape), boxcar, "same")
    slow = (slow - slow.mean(axis=1, keepdims=True)) / slow.std(axis=1, keepdims=True)
    noisy = white + strength * np.ptp(white, axis=1, keepdims=True) * 2 * slow
    ones = np.ones((len(white), 6))
    # The noise sits on a trajectory, which doubles a channel's range.
    model = NoiseModel(noisy, ones, 2 * np.ptp(white, axis=1), 1.5 * white.std(axis=1))
    log_ratio = np.logaddexp.reduce(model.interference(), axis=1) - np.log(len(spectrum.SEVERITIES))
    assert (log_ratio > np.log(20)).mean() < 1 / 20


def test_one_peak_is_not_two_tones():
    apart = np.full((1, len(spectrum.CYCLES), 1), -5.0)
    weak = apart.copy()
    apart[0, 3] = 20.0
    assert spectrum._two_tones(apart, weak)[0, 0] < 20, "not 40, the square of the one peak's ratio"
    apart[0, 9] = 20.0
    assert spectrum._two_tones(apart, apart)[0, 0] == pytest.approx(40 + np.log(2 / 17**2), abs=1e-6)


@pytest.mark.parametrize("peak", [0, 20, 100])
def test_pairs_of_tones_are_counted_right(peak):
    rng = np.random.default_rng(5)
    apart, together = rng.normal(size=(2, 4, len(spectrum.CYCLES), 6))
    apart[:, 3] += peak
    together[:2, 3] += peak
    count = len(spectrum.CYCLES)
    pairs = [
        logsumexp(together, axis=1) - np.log(count) if abs(i - j) < spectrum.RESOLUTION else apart[:, i] + apart[:, j]
        for i in range(count)
        for j in range(count)
    ]
    expected = logsumexp(pairs, axis=0) - np.log(count**2)
    np.testing.assert_allclose(spectrum._two_tones(apart, together), expected, atol=1e-10)


def test_noise_level_leans_on_the_other_channels(white):
    power = np.einsum("kt,ntc->nkc", cosine_basis(), white)[:, spectrum.WHITE_FROM :] ** 2
    alone, leaning = np.log(power.mean(axis=1)), np.log(spectrum._white_level(power))
    assert leaning.std() < 0.6 * alone.std(), "all channels have level 1: their mean tells it best"
    np.testing.assert_allclose(leaning.mean(axis=1), alone.mean(axis=1), atol=1e-12)


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
