"""Linear readouts of SOH, graded on cells that they were not fitted on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark.features import cosine_coefficients
from bridge.generate import AnyBridge
from bridge.plan import Composition, make_plan
from bridge.v2 import BridgeV2

FOLDS = 7
COEFFICIENTS = 30
"""Cosine coefficients of each channel, from the mean up."""

VARIANTS = 5
"""Signals of each pulse record: those of a v2 release, half of a v1 release's."""


@dataclass(frozen=True)
class CleanRows:
    """Requests of a release's clean rows.

    Attributes:
        voltage: (n,) in V.
        soc: (n,) in percent.
        soh: (n,) fractions.
        seed: (n,) seeds.
        cell: (n,) names of batteries, in v1 of cells.
    """

    voltage: np.ndarray
    soc: np.ndarray
    soh: np.ndarray
    seed: np.ndarray
    cell: np.ndarray

    def signals(self, bridge: AnyBridge, soh: np.ndarray | None = None) -> np.ndarray:
        """Signals (n, T, C) of the rows, at their own SOH or at another."""
        request = (self.voltage, self.soc, self.soh if soh is None else soh, self.seed)
        if isinstance(bridge, BridgeV2):
            return bridge.generate_many(*request, cell=self.cell.tolist())
        return bridge.generate_many(*request)


def clean_rows(bridge: AnyBridge, variants: int = VARIANTS) -> CleanRows:
    """The clean rows of a release of a bridge, with the release's own seeds.

    Args:
        bridge: The bridge.
        variants: Signals of each pulse record.
    """
    upstream = bridge.upstream
    rows = make_plan(
        upstream.pulses,
        bridge.config,
        composition=Composition(variants, anomalies=0, regime_b=0),
        bridge_version=upstream.bridge_version,
    ).rows
    names = ("voltage", "soc", "soh", "generation_seed", "battery_id" if "battery_id" in rows else "cell_id")
    return CleanRows(*(rows[name].to_numpy() for name in names))


def cosine_features(signals: np.ndarray) -> np.ndarray:
    """First 30 DCT-II coefficients of every channel: (n, T, C) to (n, 30 C)."""
    return cosine_coefficients(signals, COEFFICIENTS)


def by_cell_folds(cell: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Row numbers of training and held-out rows of seven folds that keep every cell in one."""
    from sklearn.model_selection import GroupKFold

    return list(GroupKFold(FOLDS).split(cell, groups=cell))


def ridge(inputs: np.ndarray, soh: np.ndarray):
    """Ridge regression, alpha 1, on standardised inputs."""
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), Ridge(alpha=1.0)).fit(inputs, soh)


def held_out_readout(inputs: np.ndarray, soh: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """SOH (n,) of each row as a ridge says that was fitted on other cells."""
    out = np.empty(len(soh))
    for train, held_out in by_cell_folds(cell):
        out[held_out] = ridge(inputs[train], soh[train]).predict(inputs[held_out])
    return out


def r2(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Coefficient of determination."""
    from sklearn.metrics import r2_score

    return float(r2_score(truth, prediction))
