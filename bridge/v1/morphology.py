"""The base signal at a voltage, between two anchors."""

from __future__ import annotations

import numpy as np

from bridge.v1.inputs import AnchorStatistics


def interpolate(statistics: AnchorStatistics, voltage: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and std trajectory at a voltage between its two bracketing anchors.

    The mean is linear in voltage; the variance is the convex mix of the two variances.

    Returns:
        Two arrays of shape (T, C), in nT.
    """
    # The first interval that contains the voltage: an inner anchor closes the interval below it.
    high = max(1, int(np.searchsorted(statistics.voltages, voltage, side="left")))
    low = high - 1
    a = (voltage - statistics.voltages[low]) / (statistics.voltages[high] - statistics.voltages[low])
    mean = (1 - a) * statistics.mean[low] + a * statistics.mean[high]
    std = np.sqrt((1 - a) * statistics.std[low] ** 2 + a * statistics.std[high] ** 2)
    return mean, std


def draw_base(statistics: AnchorStatistics, voltage: float, rng: np.random.Generator) -> np.ndarray:
    """A base signal: white noise with the interpolated std around the interpolated mean; (T, C) in nT."""
    mean, std = interpolate(statistics, voltage)
    return mean + std * rng.standard_normal(mean.shape)
