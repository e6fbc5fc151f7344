"""The bridge's inputs as plain arrays, wherever they come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class AnchorStatistics:
    """Mean and spread of the scans at each anchor.

    Attributes:
        voltages: (A,) anchor voltages in V, ascending.
        mean: (A, T, C) mean trajectories in nT.
        std: (A, T, C) population standard deviations in nT.
    """

    voltages: np.ndarray
    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def from_scans(cls, scans: np.ndarray, voltages: np.ndarray) -> AnchorStatistics:
        """Statistics of scans (A * P, T, C) that are ordered by anchor, P positions each."""
        grouped = scans.reshape(len(voltages), -1, *scans.shape[1:])
        return cls(np.asarray(voltages, float), grouped.mean(axis=1), grouped.std(axis=1))


@dataclass(frozen=True)
class PulseTable:
    """Pulse-test records, in the order of their source.

    Attributes:
        cell: (n,) cell ids as strings.
        soc: (n,) state of charge in percent.
        soh: (n,) state of health as a fraction of nominal capacity.
        u: (n, 21) pulse voltages U1..U21 in V.
    """

    cell: np.ndarray
    soc: np.ndarray
    soh: np.ndarray
    u: np.ndarray

    def __len__(self) -> int:
        return len(self.cell)
