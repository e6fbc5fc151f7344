"""The stages of the v1 bridge: base signal at a voltage, degradation with lost SOH, and noise."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bridge.config import BridgeConfig
from bridge.v1.inputs import AnchorStatistics


def admissible(
    z: np.ndarray, scan_z: np.ndarray, direction: np.ndarray, delta: float, config: BridgeConfig
) -> np.ndarray:
    """Return the scans that the decoder may use: those displaced from `z` within the cone around the state direction.

    Args:
        z: (4,) latent position of the base signal.
        scan_z: (S, 4) latent positions of the scans.
        direction: (4,) unit state direction.
        delta: Lost SOH; if it is very small, or if the cone contains too few scans, every scan is admissible.
        config: Bridge configuration.

    Returns:
        Scan numbers, ascending.
    """
    everything = np.arange(len(scan_z))
    if abs(delta) < config.cone_disable_below_delta:
        return everything
    displacement = scan_z - z
    distance = np.sqrt((displacement**2).sum(axis=1))
    along = (displacement * direction).sum(axis=1)
    inside = along >= math.cos(math.radians(config.cone_half_angle_deg)) * (distance + 1e-12)
    return np.flatnonzero(inside) if inside.sum() >= config.cone_min_candidates else everything


def decode(target: np.ndarray, scan_z: np.ndarray, scans: np.ndarray, candidates: np.ndarray, config: BridgeConfig):
    """Compute the softmin-weighted mean of the candidate scans nearest to a latent target.

    Args:
        target: (4,) latent position.
        scan_z: (S, 4) latent positions of the scans.
        scans: (S, T, C) scans in nT.
        candidates: Scan numbers to choose from.
        config: Bridge configuration.

    Returns:
        (T, C) signal in nT.
    """
    distance = np.sqrt(((scan_z[candidates] - target) ** 2).sum(axis=1))
    nearest = np.argsort(distance, kind="stable")[: config.decode_k]
    # Shifting all distances alike leaves the normalised weights unchanged and avoids underflow far from every scan.
    weights = np.exp(-(distance[nearest] - distance[nearest[0]]) / config.decode_kernel_sigma)
    weights /= weights.sum()
    return (weights[:, None, None] * scans[candidates[nearest]]).sum(axis=0)


def degrade(
    base: np.ndarray,
    z: np.ndarray,
    delta: float,
    scan_z: np.ndarray,
    scans: np.ndarray,
    direction: np.ndarray,
    config: BridgeConfig,
) -> np.ndarray:
    """Blend a base signal towards the decoded signal of its drifted latent position.

    Args:
        base: (T, C) base signal in nT.
        z: (4,) latent position of the base signal.
        delta: Lost SOH, above 0.
        scan_z: (S, 4) latent positions of the scans.
        scans: (S, T, C) scans in nT.
        direction: (4,) unit state direction; ageing moves against it.
        config: Bridge configuration.

    Returns:
        (T, C) signal in nT.
    """
    candidates = admissible(z, scan_z, direction, delta, config)
    target = z - config.qrec_drift_strength * delta * direction
    share = blend_share(delta)
    return (1 - share) * base + share * decode(target, scan_z, scans, candidates, config)


BLEND_RATE = 1.5


def blend_share(delta: float) -> float:
    """Return the share of the decoded signal in the blend: 1.5 per unit of lost SOH, at most 1."""
    return min(1.0, BLEND_RATE * max(0.0, delta))


def interpolate(statistics: AnchorStatistics, voltage: float) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate the mean and std trajectories between the two anchors that bracket a voltage.

    The mean is linear in voltage; the variance is the convex combination of the two variances.

    Args:
        statistics: Mean and std trajectories at the anchors.
        voltage: In V, within the anchors' range.

    Returns:
        Mean and std, each of shape (T, C), in nT.
    """
    # The first interval that contains the voltage: an inner anchor closes the interval below it.
    high = max(1, int(np.searchsorted(statistics.voltages, voltage, side="left")))
    low = high - 1
    a = (voltage - statistics.voltages[low]) / (statistics.voltages[high] - statistics.voltages[low])
    mean = (1 - a) * statistics.mean[low] + a * statistics.mean[high]
    std = np.sqrt((1 - a) * statistics.std[low] ** 2 + a * statistics.std[high] ** 2)
    return mean, std


def draw_base(statistics: AnchorStatistics, voltage: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a base signal (T, C) in nT: white noise with the interpolated std around the interpolated mean."""
    mean, std = interpolate(statistics, voltage)
    return mean + std * rng.standard_normal(mean.shape)


AMPLITUDE_MIN, AMPLITUDE_MAX = 0.7, 1.3
SOC_WINDOW = 10
"""Length of the boxcar that slows the SOC fluctuation, in steps."""


def add_noise(
    x: np.ndarray, delta: np.ndarray, soc: np.ndarray, rngs: Sequence[np.random.Generator], config: BridgeConfig
) -> np.ndarray:
    """Add amplitude, spectral, sensor and SOC variation to signals, independently for each signal.

    Args:
        x: (n, T, C) signals in nT.
        delta: (n,) lost SOH; amplitude and spectral variation grow with it.
        soc: (n,) state of charge in percent; the slow fluctuation grows with the distance from rest.
        rngs: n generators, one per sample.
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
    """Smooth noise (n, T, C) over time with a boxcar, and standardise it."""
    boxcar = np.ones(SOC_WINDOW) / SOC_WINDOW
    slow = np.empty(noise.shape)
    for i, channel in np.ndindex(len(noise), noise.shape[2]):
        slow[i, :, channel] = np.convolve(noise[i, :, channel], boxcar, mode="same")
    slow -= slow.mean(axis=1, keepdims=True)
    return slow / (slow.std(axis=1, keepdims=True) + 1e-12)
