"""What the signal looks like at a voltage: regimes, anchors, and the base signal between two anchors."""

from __future__ import annotations

import numpy as np

from bridge.config import ANCHOR_VOLTAGES, GROUNDED_MAX_V, GROUNDED_MIN_V
from bridge.upstream.tables import AnchorStatistics
from dataset_card.errors import MagBridgeError


def regime_of(voltage: float) -> str:
    """`grounded` for [3.06, 3.34] V, `extrapolation` for [2.54, 3.06) V.

    Raises:
        MagBridgeError: The voltage is outside [2.54, 3.34] V or not a number.
    """
    if not ANCHOR_VOLTAGES[0] <= voltage <= GROUNDED_MAX_V:
        raise MagBridgeError(
            f"voltage {voltage} V: expected {ANCHOR_VOLTAGES[0]} to {GROUNDED_MAX_V} V, "
            "the range of the magnetometry anchors"
        )
    return "grounded" if voltage >= GROUNDED_MIN_V else "extrapolation"


def nearest_anchor(voltage: float) -> float:
    """The anchor voltage nearest to `voltage`, in V."""
    return min(ANCHOR_VOLTAGES, key=lambda anchor: abs(anchor - voltage))


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
