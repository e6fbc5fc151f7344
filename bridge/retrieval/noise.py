"""The stochastic stages after the blend, in the order they draw from the sample's generator."""

from __future__ import annotations

import numpy as np

from bridge.config import BridgeConfig

AMPLITUDE_MIN, AMPLITUDE_MAX = 0.7, 1.3
SOC_WINDOW = 10
"""Length of the boxcar that slows the SOC fluctuation, in steps."""


def add_noise(x: np.ndarray, delta: float, soc: float, rng: np.random.Generator, config: BridgeConfig) -> np.ndarray:
    """Adds amplitude, spectral, sensor and SOC variation to a signal.

    Args:
        x: (T, C) signal in nT.
        delta: Lost SOH; amplitude and spectral variation grow with it.
        soc: State of charge in percent; the slow fluctuation grows with the distance from rest.
        rng: The sample's generator.
        config: Bridge configuration.

    Returns:
        (T, C) signal in nT.
    """
    lost = max(0.0, delta)
    gain = 1 + 0.5 * config.amplitude_strength * lost * rng.standard_normal(x.shape[1])
    x = x * np.clip(gain, AMPLITUDE_MIN, AMPLITUDE_MAX)
    spread = x.max(axis=0) - x.min(axis=0) + 1e-9
    x = x + rng.standard_normal(x.shape) * config.spectral_strength * lost * spread
    sensor = rng.standard_normal(x.shape) * config.sensor_noise_fraction * x.std(axis=0)
    return x + sensor + _soc_fluctuation(x.shape, spread, soc, rng, config)


def _soc_fluctuation(shape, spread, soc, rng, config) -> np.ndarray:
    slow = rng.standard_normal(shape)
    boxcar = np.ones(SOC_WINDOW) / SOC_WINDOW
    slow = np.stack([np.convolve(channel, boxcar, mode="same") for channel in slow.T], axis=1)
    slow -= slow.mean(axis=0)
    slow /= slow.std(axis=0) + 1e-12
    strength = config.soc_fluctuation_strength * min(1.0, abs(soc - config.soc_rest) / config.soc_range)
    return slow * strength * spread
