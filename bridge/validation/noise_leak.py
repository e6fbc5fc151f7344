"""Whether SOH can be read where it should not be: from noise, or from voltage and state of charge alone."""

from __future__ import annotations

import numpy as np
from scipy.fft import dct

from bridge.validation.checks import Check
from bridge.validation.readout import CleanRows, held_out_readout, r2

LEAK_BOUND = 0.05
INNER = slice(5, 95)
FAST = slice(36, 90)
"""DCT-II coefficients of the inner steps that hold noise and no shape. First differences also see the dip of the mean
shrink, where SOH falls as far as .52."""


def noise_levels(signals: np.ndarray) -> np.ndarray:
    """Log power of the fast cosines of the inner steps, (n, T, C) to (n, C)."""
    return np.log((dct(signals[:, INNER], axis=1, norm="ortho")[:, FAST] ** 2).sum(axis=1))


def check_noise_leak(rows: CleanRows, signals: np.ndarray, blocking: bool) -> list[Check]:
    """Read SOH by ridge from noise levels, and from voltage and SOC.

    Args:
        rows: Clean rows.
        signals: (n, T, C) their signals in nT.
        blocking: Whether a release hangs on it.
    """
    cells = len(np.unique(rows.cell))
    how = f"R2 of a ridge over {len(signals)} clean rows of {cells} cells, each predicted from other cells"
    inputs = {
        "SOH from noise": (noise_levels(signals), "log power of the fast cosines of each channel"),
        "SOH from voltage and SOC": (np.column_stack([rows.voltage, rows.soc]), "no signal at all"),
    }
    checks = []
    for name, (x, what) in inputs.items():
        figure = r2(rows.soh, held_out_readout(x, rows.soh, rows.cell))
        checks.append(Check(name, figure, "R2", f"<= {LEAK_BOUND:g}", figure <= LEAK_BOUND, blocking, f"{what}; {how}"))
    return checks
