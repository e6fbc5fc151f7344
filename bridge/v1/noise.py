"""The stochastic stages after the blend, in the order they draw from the sample's generator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bridge.config import BridgeConfig

AMPLITUDE_MIN, AMPLITUDE_MAX = 0.7, 1.3
SOC_WINDOW = 10
"""Length of the boxcar that slows the SOC fluctuation, in steps."""


def add_noise(
    x: np.ndarray, delta: np.ndarray, soc: np.ndarray, rngs: Sequence[np.random.Generator], config: BridgeConfig
) -> np.ndarray:
    """Add amplitude, spectral, sensor and SOC variation to signals, to each as if it were alone.

    Args:
        x: (n, T, C) signals in nT.
        delta: (n,) lost SOH; amplitude and spectral variation grow with it.
        soc: (n,) state of charge in percent; the slow fluctuation grows with the distance from rest.
        rngs: n generators, one a sample.
        config: Bridge configuration.

    Returns:
        (n, T, C) signals in nT.
    """
    n, steps, channels = x.shape
    drawn = np.empty((n, 1 + 3 * steps, channels))
    for normals, rng in zip(drawn, rngs):
        rng.standard_normal(out=normals)
    spectral, sensor, slow = (drawn[:, 1 + i * steps : 1 + (i + 1) * steps] for i in range(3))
    lost = np.maximum(0.0, delta)[:, None, None]
    gain = 1 + 0.5 * config.amplitude_strength * lost * drawn[:, :1]
    x = x * np.clip(gain, AMPLITUDE_MIN, AMPLITUDE_MAX)
    spread = x.max(axis=1, keepdims=True) - x.min(axis=1, keepdims=True) + 1e-9
    x = x + spectral * config.spectral_strength * lost * spread
    sensor = sensor * config.sensor_noise_fraction * x.std(axis=1, keepdims=True)
    strength = config.soc_fluctuation_strength * np.minimum(1.0, np.abs(soc - config.soc_rest) / config.soc_range)
    return x + sensor + _slowed(slow) * strength[:, None, None] * spread


def _slowed(noise: np.ndarray) -> np.ndarray:
    """Boxcar mean over time of noise (n, T, C), standardised."""
    boxcar = np.ones(SOC_WINDOW) / SOC_WINDOW
    slow = np.empty(noise.shape)
    for i, channel in np.ndindex(len(noise), noise.shape[2]):
        slow[i, :, channel] = np.convolve(noise[i, :, channel], boxcar, mode="same")
    slow -= slow.mean(axis=1, keepdims=True)
    return slow / (slow.std(axis=1, keepdims=True) + 1e-12)
