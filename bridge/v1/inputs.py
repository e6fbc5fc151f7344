"""The bridge's inputs as plain arrays, independent of their source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bridge.v1.latent_space import AngleScaler, LatentSpace
from dataset_card.contract.schema import CHANNELS, T
from dataset_card.errors import MagBridgeError


def scans_by_anchor(scans: np.ndarray, voltages: Sequence[float]) -> np.ndarray:
    """Group the scans of an archive by anchor.

    Args:
        scans: (A * P, T, 6) in nT, ordered by anchor, at least two positions each.
        voltages: (A,) anchor voltages in V, ascending.

    Returns:
        (A, P, T, 6) scans in nT.

    Raises:
        MagBridgeError: If there are fewer than two anchors, the anchors are not ascending, or the scans have another
            shape or are not finite.
    """
    at, scans = np.asarray(voltages, float), np.asarray(scans, float)
    if at.ndim != 1 or len(at) < 2 or not (np.diff(at) > 0).all():
        raise MagBridgeError(f"anchors {at.tolist()} V: expected at least two voltages, ascending")
    anchors = len(at)
    if scans.ndim != 3 or scans.shape[1:] != (T, len(CHANNELS)) or len(scans) % anchors or len(scans) < 2 * anchors:
        raise MagBridgeError(
            f"scans of shape {scans.shape}: expected ({anchors} * positions, {T}, {len(CHANNELS)}), "
            "at least two positions, ordered by anchor"
        )
    if not np.isfinite(scans).all():
        raise MagBridgeError("scans contain NaN or infinity: expected finite numbers in nT")
    return scans.reshape(anchors, -1, *scans.shape[1:])


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
        """Compute the statistics of scans (A * P, T, C) ordered by anchor, with P positions each."""
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


@dataclass(frozen=True)
class Upstream:
    """Everything a bridge is built from.

    Attributes:
        name: `published`, `osf` or `simulated`.
        statistics: Mean and std trajectories at the anchors.
        scans: (S, T, C) scans in nT, ordered by anchor; surrogates if the raw scans are not available.
        embeddings: (S, 171) reservoir embeddings of the scans.
        angle_scaler: Standardisation ahead of the reservoir.
        latent: LDA space and state direction.
        pulses: Pulse-test records.
        bridge_version: Version written into every row.
        sources: SHA-256 of each file read, or of the simulation's parameters and arrays, by name.
    """

    name: str
    statistics: AnchorStatistics
    scans: np.ndarray
    embeddings: np.ndarray
    angle_scaler: AngleScaler
    latent: LatentSpace
    pulses: PulseTable
    bridge_version: str
    sources: dict[str, str]

    @property
    def scan_anchor(self) -> np.ndarray:
        """(S,) ordinal number of each scan's anchor."""
        anchors = len(self.statistics.voltages)
        return np.repeat(np.arange(anchors), len(self.scans) // anchors)
