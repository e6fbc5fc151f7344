"""Spectra of the generator's noise, and how much likelier a fault makes what is seen.

The noise around the mean has three parts whose spectra are known: white noise, the SOC fluctuation (white
noise through a boxcar of ten steps) and, under a temporal warp, white noise smoothed by linear interpolation. Their
strengths are unknown: likelihoods average over grids of them. See the release's specification, generating one signal.
"""

from functools import cache
from math import comb

import numpy as np

from dataset_card.contract.schema import T

FREQUENCY = np.pi * np.arange(T) / T
"""Angular frequency of each cosine, in radians a step."""

FIRST = 2
"""Cosines below this carry the level and what is left of the trajectory."""

WHITE_FROM = 25
"""From this cosine on the SOC fluctuation is negligible: the white noise level is read here."""

SOC_STRENGTHS = 0.04 * np.array([0.0, 0.3, 0.6, 0.9])
"""Std of the SOC fluctuation over the channel's range, at 50, 35, 20 and 5 % SOC."""

BOXCAR = 10
WARPS = np.array([0.04, 0.08, 0.11, 0.15])
"""Largest shift of a sampling time, in steps (2 to 15 % by severity)."""

SEVERITIES = np.linspace(0.0, 1.0, 6)
"""Severity of an interference, mapped to [0, 1]."""

RESOLUTION = 2
"""Grid points a cycle: tones closer than one cycle a scan cannot be told apart."""

CYCLES = np.arange(2.0, 10.01, 1 / RESOLUTION)
"""Cycles a scan an interference may have."""

TWO_TONES_ABOVE = 0.625
"""Mapped severity from which an interference has two frequencies (severity 0.7)."""

LEVEL_VARIANCE = 0.01
"""Variance, over the channels of a clean row, of the log noise power: SOH sets one level for all, nearly."""

SAMPLING_VARIANCE = 2 / (T - WHITE_FROM)
"""Variance of the log power that one channel's fast cosines tell."""

LOG_RATIO_LIMIT = 100.0
"""A channel's log likelihood ratio is cut here, either way: products over six channels neither overflow nor vanish."""


@cache
def cosine_basis() -> np.ndarray:
    """Orthonormal cosines, (T, T): row k has k half-cycles a scan."""
    steps = np.arange(T)
    basis = np.sqrt(2 / T) * np.cos(FREQUENCY[:, None] * (steps + 0.5))
    basis[0] /= np.sqrt(2)
    return basis


def soc_spectrum(frequency: np.ndarray) -> np.ndarray:
    """Power of the SOC fluctuation at angular frequencies, with unit variance."""
    return BOXCAR * np.abs(np.exp(-1j * np.outer(frequency, np.arange(BOXCAR))).mean(axis=1)) ** 2


def warp_spectrum(shift: float) -> np.ndarray:
    """Power, at each cosine, of unit white noise interpolated at times moved by up to `shift` steps either way.

    A sample becomes (1 - f) x_t + f x_(t +- 1) with f uniform below `shift`: its variance falls, neighbours correlate.
    """
    lag_0 = 1 - shift + 2 * shift**2 / 3
    lag_1 = shift / 2 * (1 - shift / 2)
    lag_2 = shift**2 / 16
    return lag_0 + 2 * lag_1 * np.cos(FREQUENCY) + 2 * lag_2 * np.cos(2 * FREQUENCY)


class NoiseModel:
    """Likelihood of whitened rows under white noise and SOC fluctuation, channel levels free.

    Args:
        residual: Shape (n, T, C), in units of the clean noise std.
        scale: Shape (n, C), that std in nT, one a channel.
        spread: Shape (n, C), max - min of each channel in nT, which scales the SOC fluctuation.
        std: Shape (n, C), std of each channel in nT, which scales an interference.
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
        """Posterior mean of the SOC fluctuation over the channel's range, (n,)."""
        return np.exp(self.null - self.evidence).T @ SOC_STRENGTHS

    def warp(self) -> np.ndarray:
        """Log likelihood ratio of a temporal warp against none for each of `WARPS`, (n, 4)."""
        soc = [self._soc(strength, FREQUENCY) for strength in SOC_STRENGTHS]
        ratios = []
        for shift in WARPS:
            spectrum = warp_spectrum(shift)[None, :, None]
            ratios.append(_log_sum(np.stack([self._gaussian(spectrum * s) for s in soc])) - self.evidence)
        return np.stack(ratios, axis=1)

    def interference(self) -> np.ndarray:
        """Log likelihood ratio of a periodic interference against none for each of `SEVERITIES`, (n, 6).

        Amplitude, number of channels and number of tones follow from severity; phase is integrated out exactly,
        frequency over `CYCLES`, the choice of channels over all subsets.
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
                # The channel's std is seen with the interference in it.
                amplitude = relative * self.std / np.sqrt(1 + tones * relative**2 / 2)
                if tones == 1:
                    channel = _log_sum(np.moveaxis(tone(amplitude), 1, 0)) - np.log(len(CYCLES))
                else:
                    channel = _two_tones(tone(amplitude), tone(np.sqrt(2) * amplitude))
                ratios.append(_any_subset(channel, round(1 + 5 * severity)) + null)
            by_soc.append(np.stack(ratios, axis=1))
        return _log_sum(np.stack(by_soc)) - self.evidence[:, None]

    def periodogram(self) -> np.ndarray:
        """Power at each of `CYCLES` over that of white noise, (n, 17, C)."""
        waves = np.exp(-2j * np.pi * CYCLES[:, None] * np.linspace(0, 1, T))
        height = np.abs(np.einsum("ft,ntc->nfc", waves, self.residual, optimize=True))
        return height**2 / (T * self.white[:, None])

    def _soc(self, strength: float, frequency: np.ndarray) -> np.ndarray:
        """Power of white noise and SOC fluctuation over that of white noise, (n, len(frequency), C)."""
        return 1 + strength**2 * self.spread[:, None] * soc_spectrum(frequency)[None, :, None]

    def _gaussian(self, spectrum: np.ndarray) -> np.ndarray:
        """Log likelihood of the cosine powers under a spectrum (n, T, C), each channel's level at its maximum, (n,)."""
        spectrum = spectrum[:, FIRST:]
        level = (self.power[:, FIRST:] / spectrum).mean(axis=1)
        return -0.5 * ((T - FIRST) * np.log(level) + np.log(spectrum).sum(axis=1)).sum(axis=1)


def _white_level(power: np.ndarray) -> np.ndarray:
    """Level of the white noise from powers (n, K, C): each channel's own, drawn to the row's, (n, C)."""
    level = np.log(np.maximum(power.mean(axis=1), 1e-9))
    row = level.mean(axis=1, keepdims=True)
    return np.exp(row + LEVEL_VARIANCE / (LEVEL_VARIANCE + SAMPLING_VARIANCE) * (level - row))


def _two_tones(apart: np.ndarray, together: np.ndarray) -> np.ndarray:
    """Log mean ratio of two tones over all pairs of frequencies, (n, F, C) to (n, C).

    One peak must not count as two tones: pairs the scan cannot resolve are taken for one tone with the power of both.

    Args:
        apart: Log ratio of one tone at each frequency; tones far apart multiply.
        together: Log ratio of one tone with twice the power.
    """
    top = np.maximum(apart.max(axis=1), together.max(axis=1) / 2)[:, None]
    one, both = np.exp(apart - top), np.exp(together - 2 * top).mean(axis=1)
    count = one.shape[1]
    # Sums of positive terms only: beside a tall peak a difference would be lost to rounding.
    resolved = 2 * (one[:, RESOLUTION:] * np.cumsum(one, axis=1)[:, :-RESOLUTION]).sum(axis=1)
    close = count + 2 * sum(count - lag for lag in range(1, RESOLUTION))
    mean = (resolved + close * both) / count**2
    return np.log(np.maximum(mean, np.finfo(float).tiny)) + 2 * top[:, 0]


def _any_subset(log_ratio: np.ndarray, size: int) -> np.ndarray:
    """Log mean, over all subsets of `size` channels, of the product of ratios in it; (n, C) to (n,)."""
    ratio = np.exp(np.clip(log_ratio, -LOG_RATIO_LIMIT, LOG_RATIO_LIMIT))
    sums = np.zeros((size + 1, len(ratio)))
    sums[0] = 1
    for channel in ratio.T:  # elementary symmetric polynomials, one channel at a time
        sums[1:] = sums[1:] + channel * sums[:-1]
    return np.log(sums[size]) - np.log(comb(ratio.shape[1], size))


def _log_sum(values: np.ndarray) -> np.ndarray:
    """log of the sum of exponentials over the first axis."""
    top = values.max(axis=0)
    return top + np.log(np.exp(values - top).sum(axis=0))
