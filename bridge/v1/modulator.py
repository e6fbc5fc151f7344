"""How lost health changes a signal: drift in latent space, decoding from real scans, blending."""

from __future__ import annotations

import math

import numpy as np

from bridge.config import BridgeConfig


def admissible(
    z: np.ndarray, scan_z: np.ndarray, direction: np.ndarray, delta: float, config: BridgeConfig
) -> np.ndarray:
    """Scans the decoder may use: those whose displacement from `z` lies in the cone around the state direction.

    Args:
        z: (4,) latent position of the base signal.
        scan_z: (S, 4) latent positions of the scans.
        direction: (4,) unit state direction.
        delta: Lost SOH; with very little, or with too few scans in the cone, every scan is admissible.
        config: Bridge configuration.

    Returns:
        Ascending scan numbers.
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
    """Softmin-weighted mean of the candidate scans nearest to a latent target.

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
    """Blends a base signal towards the decoded signal of its drifted latent position.

    Args:
        base: (T, C) base signal in nT.
        z: (4,) its latent position.
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
    """Share of the decoded signal in the blend: 1.5 per unit of lost SOH, at most 1."""
    return min(1.0, BLEND_RATE * max(0.0, delta))
