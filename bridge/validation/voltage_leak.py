"""Whether the derived magnitudes tell the voltage, and with it the record, better than the measured channels do.

A magnitude holds what Y and Z do not see. Were that a function of the voltage, C^2 - Y^2 - Z^2 would give the voltage
to the last digit, and a table of records the cell.
"""

from __future__ import annotations

import numpy as np

from bridge.config import GROUNDED_MAX_V, GROUNDED_MIN_V
from bridge.v2 import BridgeV2
from bridge.validation.checks import Check
from bridge.validation.readout import cosine_features, ridge
from dataset_card.contract.schema import MEASURED_CHANNELS

SIGNALS, TRAIN, CELLS = 3000, 2000, 200
FLOOR_NT2 = 1e-3
"""Below this the unseen field is rounding."""

LEAST_RATIO = 0.95


def check_voltage_leak(bridge: BridgeV2, blocking: bool) -> Check:
    """Errors of the voltage read from Y and Z, from all channels, and from C^2 - Y^2 - Z^2 alone.

    Args:
        bridge: The bridge to check.
        blocking: Whether a release hangs on it.
    """
    rng = np.random.default_rng(0)
    low = max(GROUNDED_MIN_V, float(bridge.scan_map.voltages[0]))
    voltage = rng.uniform(low, min(GROUNDED_MAX_V, float(bridge.scan_map.voltages[-1])), SIGNALS)
    soh, cells = rng.uniform(0.6, 1.0, SIGNALS), [f"cell-{i % CELLS}" for i in range(SIGNALS)]
    x = bridge.generate_many(voltage, [bridge.config.soc_rest] * SIGNALS, soh, range(SIGNALS), cells)
    unseen = np.log(np.maximum(unseen_squares(x), FLOOR_NT2))
    measured, derived = x[..., :MEASURED_CHANNELS], cosine_features(x[..., MEASURED_CHANNELS:])
    # with what anybody can derive from Y and Z, so that the magnitudes' own part is what tells
    measured = cosine_features(np.concatenate([measured, np.hypot(measured[..., ::2], measured[..., 1::2])], axis=2))
    inputs = {
        "measured": measured,
        "all": np.hstack([measured, derived, cosine_features(unseen)]),
        "unseen": cosine_features(unseen),
    }
    error = {name: _error_mV(features, voltage) for name, features in inputs.items()}
    ratio = min(error["all"], error["unseen"]) / error["measured"]
    return Check(
        "voltage from the magnitudes",
        ratio,
        "of the error without",
        f">= {LEAST_RATIO:g}",
        ratio >= LEAST_RATIO,
        blocking,
        f"ridge on 30 cosine coefficients, {SIGNALS - TRAIN} signals of {low:.2f} V and above: {error['measured']:.1f} "
        f"mV from the four measured channels, {error['all']:.1f} mV with the magnitudes and what they alone see, "
        f"{error['unseen']:.1f} mV from that alone, {1e3 * voltage.std():.1f} mV from nothing",
    )


def unseen_squares(signals: np.ndarray) -> np.ndarray:
    """C^2 - Y^2 - Z^2 of each sensor: (n, T, 6) to (n, T, 2), in nT^2."""
    squares = signals**2
    return squares[..., MEASURED_CHANNELS:] - squares[..., 0:4:2] - squares[..., 1:4:2]


def _error_mV(features: np.ndarray, voltage: np.ndarray) -> float:
    read = ridge(features[:TRAIN], voltage[:TRAIN]).predict(features[TRAIN:])
    return float(1e3 * np.sqrt(((read - voltage[TRAIN:]) ** 2).mean()))
