"""Spectra of the generator's noise, and likelihood ratios of faults.

The noise around the mean has three parts with known spectra: white noise, the SOC fluctuation (white noise through a
boxcar of ten steps) and, under a temporal warp, white noise smoothed by linear interpolation. Their strengths are
unknown, so likelihoods are averaged over grids of strengths. See the release's specification, "generating one signal".
"""

from functools import cache
from math import comb

import numpy as np

from dataset_card.contract.schema import T

FREQUENCY = np.pi * np.arange(T) / T
"""Angular frequency of each cosine, in radians per step."""

FIRST = 2
"""First cosine that is used; those below carry the level and the remainder of the trajectory."""

WHITE_FROM = 25
"""First cosine of the range in which the SOC fluctuation is negligible, so that it gives the white noise level."""

SOC_STRENGTHS = 0.04 * np.array([0.0, 0.3, 0.6, 0.9])
"""Std of the SOC fluctuation relative to the channel's range, at 50, 35, 20 and 5 % SOC."""

BOXCAR = 10
WARPS = np.array([0.04, 0.08, 0.11, 0.15])
"""Largest shift of a sampling time, in steps (2 to 15 %, depending on severity)."""

SEVERITIES = np.linspace(0.0, 1.0, 6)
"""Severities of an interference, mapped to [0, 1]."""

RESOLUTION = 2
"""Grid points per cycle; tones less than one cycle per scan apart cannot be distinguished."""

CYCLES = np.arange(2.0, 10.01, 1 / RESOLUTION)
"""Possible frequencies of an interference, in cycles per scan."""

TWO_TONES_ABOVE = 0.625
"""Mapped severity from which an interference has two frequencies (severity 0.7)."""

LEVEL_VARIANCE = 0.01
"""Variance of the log noise power over the channels of a clean row: SOH sets nearly the same level for all."""

SAMPLING_VARIANCE = 2 / (T - WHITE_FROM)
"""Variance of the log power estimated from one channel's fast cosines."""

LOG_RATIO_LIMIT = 100.0
"""Limit to which a channel's log likelihood ratio is clipped, so that products over six channels stay representable."""


@cache
def cosine_basis() -> np.ndarray:
    """Compute the orthonormal cosines, (T, T); row k has k half-cycles per scan."""
    steps = np.arange(T)
    basis = np.sqrt(2 / T) * np.cos(FREQUENCY[:, None] * (steps + 0.5))
    basis[0] /= np.sqrt(2)
    return basis


def soc_spectrum(frequency: np.ndarray) -> np.ndarray:
    """Compute the power of a SOC fluctuation of unit variance at angular frequencies."""
    return BOXCAR * np.abs(np.exp(-1j * np.outer(frequency, np.arange(BOXCAR))).mean(axis=1)) ** 2


def warp_spectrum(shift: float) -> np.ndarray:
    """Compute the power, at each cosine, of unit white noise interpolated at times shifted by up to `shift` steps.

    A sample becomes (1 - f) x_t + f x_(t +- 1), with f uniform below `shift`: its variance falls, and neighbours become
    correlated.
    """
    lag_0 = 1 - shift + 2 * shift**2 / 3
    lag_1 = shift / 2 * (1 - shift / 2)
    lag_2 = shift**2 / 16
    return lag_0 + 2 * lag_1 * np.cos(FREQUENCY) + 2 * lag_2 * np.cos(2 * FREQUENCY)


class NoiseModel:
    """Likelihood of whitened rows under white noise and SOC fluctuation, with free levels of the channels.

    Args:
        residual: Residuals in units of the clean noise std, shape (n, T, C).
        scale: Clean noise std of each channel in nT, shape (n, C).
        spread: Max - min of each channel in nT, which scales the SOC fluctuation, shape (n, C).
        std: Std of each channel in nT, which scales an interference, shape (n, C).
    """

    def __init__(self, residual: np.ndarray, scale: np.ndarray, spread: np.ndarray, std: np.ndarray):
        self.residual = residual - residual.mean(axis=1, keepdims=True)
        self.power = np.einsum("kt,ntc->nkc", cosine_basis(), residual, optimize=True) ** 2
        self.white = _white_level(self.power[:, WHITE_FROM:])
        self.spread = (spread / scale) ** 2 / self.white
        self.std = std / scale
        self.null = np.stack([self._gaussian(self._soc(s, FREQUENCY)) for s in SOC_STRENGTHS])
        self.evidence = _log_sum(self.null)

    def soc_strength(self) -> np.ndarray:
        """Compute the posterior mean of the SOC fluctuation relative to the channel's range, (n,)."""
        return np.exp(self.null - self.evidence).T @ SOC_STRENGTHS

    def warp(self) -> np.ndarray:
        """Compute the log likelihood ratio of a temporal warp against none for each of `WARPS`, (n, 4)."""
        soc = [self._soc(strength, FREQUENCY) for strength in SOC_STRENGTHS]
        ratios = []
        for shift in WARPS:
            spectrum = warp_spectrum(shift)[None, :, None]
            ratios.append(_log_sum(np.stack([self._gaussian(spectrum * s) for s in soc])) - self.evidence)
        return np.stack(ratios, axis=1)

    def interference(self) -> np.ndarray:
        """Compute the log likelihood ratio of a periodic interference against none for each of `SEVERITIES`, (n, 6).

        Amplitude, number of channels and number of tones follow from severity. Phase is integrated out exactly,
        frequency over `CYCLES`, and the choice of channels over all subsets.
        """
        from scipy.special import i0e

        height = np.sqrt(T * self.white[:, None] * self.periodogram())
        by_soc = []
        for strength, null in zip(SOC_STRENGTHS, self.null):
            noise = self.white[:, None] * self._soc(strength, 2 * np.pi * CYCLES / T)

            def tone(amplitude, noise=noise):
                x = amplitude[:, None] * height / noise
                return np.log(i0e(x)) + x - T * amplitude[:, None] ** 2 / (4 * noise)

            ratios = []
            for severity in SEVERITIES:
                relative = 0.10 + 0.30 * severity
                tones = 2 if severity > TWO_TONES_ABOVE else 1
                # The channel's observed std includes the interference.
                amplitude = relative * self.std / np.sqrt(1 + tones * relative**2 / 2)
                if tones == 1:
                    channel = _log_sum(np.moveaxis(tone(amplitude), 1, 0)) - np.log(len(CYCLES))
                else:
                    channel = _two_tones(tone(amplitude), tone(np.sqrt(2) * amplitude))
                ratios.append(_any_subset(channel, round(1 + 5 * severity)) + null)
            by_soc.append(np.stack(ratios, axis=1))
        return _log_sum(np.stack(by_soc)) - self.evidence[:, None]

    def periodogram(self) -> np.ndarray:
        """Compute the power at each of `CYCLES` relative to that of white noise, (n, 17, C)."""
        waves = np.exp(-2j * np.pi * CYCLES[:, None] * np.linspace(0, 1, T))
        height = np.abs(np.einsum("ft,ntc->nfc", waves, self.residual, optimize=True))
        return height**2 / (T * self.white[:, None])

    def _soc(self, strength: float, frequency: np.ndarray) -> np.ndarray:
        """Compute the power of white noise and SOC fluctuation relative to white noise, (n, len(frequency), C)."""
        return 1 + strength**2 * self.spread[:, None] * soc_spectrum(frequency)[None, :, None]

    def _gaussian(self, spectrum: np.ndarray) -> np.ndarray:
        """Compute the log likelihood (n,) of cosine powers under a spectrum (n, T, C), at each channel's best level."""
        spectrum = spectrum[:, FIRST:]
        level = (self.power[:, FIRST:] / spectrum).mean(axis=1)
        return -0.5 * ((T - FIRST) * np.log(level) + np.log(spectrum).sum(axis=1)).sum(axis=1)


def _white_level(power: np.ndarray) -> np.ndarray:
    """Estimate white noise levels (n, C) from powers (n, K, C): each channel's own level, shrunk towards the row's."""
    level = np.log(np.maximum(power.mean(axis=1), 1e-9))
    row = level.mean(axis=1, keepdims=True)
    return np.exp(row + LEVEL_VARIANCE / (LEVEL_VARIANCE + SAMPLING_VARIANCE) * (level - row))


def _two_tones(apart: np.ndarray, together: np.ndarray) -> np.ndarray:
    """Compute the log mean ratio of two tones over all pairs of frequencies, (n, F, C) to (n, C).

    One peak must not count as two tones: pairs that the scan cannot resolve count as one tone with the power of both.

    Args:
        apart: Log ratio of one tone at each frequency; the ratios of tones far apart multiply.
        together: Log ratio of one tone with twice the power.
    """
    top = np.maximum(apart.max(axis=1), together.max(axis=1) / 2)[:, None]
    one, both = np.exp(apart - top), np.exp(together - 2 * top).mean(axis=1)
    count = one.shape[1]
    # Sum only positive terms: next to a tall peak, a difference would be lost to rounding.
    resolved = 2 * (one[:, RESOLUTION:] * np.cumsum(one, axis=1)[:, :-RESOLUTION]).sum(axis=1)
    close = count + 2 * sum(count - lag for lag in range(1, RESOLUTION))
    mean = (resolved + close * both) / count**2
    return np.log(np.maximum(mean, np.finfo(float).tiny)) + 2 * top[:, 0]


def _any_subset(log_ratio: np.ndarray, size: int) -> np.ndarray:
    """Compute the log mean over all subsets of `size` channels of the product of their ratios, (n, C) to (n,)."""
    ratio = np.exp(np.clip(log_ratio, -LOG_RATIO_LIMIT, LOG_RATIO_LIMIT))
    sums = np.zeros((size + 1, len(ratio)))
    sums[0] = 1
    for channel in ratio.T:  # elementary symmetric polynomials, one channel at a time
        sums[1:] = sums[1:] + channel * sums[:-1]
    return np.log(sums[size]) - np.log(comb(ratio.shape[1], size))


def _log_sum(values: np.ndarray) -> np.ndarray:
    """Compute the log of the sum of exponentials over the first axis."""
    top = values.max(axis=0)
    return top + np.log(np.exp(values - top).sum(axis=0))
