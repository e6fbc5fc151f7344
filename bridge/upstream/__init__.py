"""Where the bridge's inputs come from: published files, a user's scan archive, or the simulation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bridge.embedding import AngleScaler, LatentSpace
from bridge.upstream.tables import AnchorStatistics, PulseTable


@dataclass(frozen=True)
class Upstream:
    """Everything a bridge is built from.

    Attributes:
        name: `published`, `osf` or `simulated`.
        statistics: Mean and std trajectories at the anchors.
        scans: (S, T, C) scans in nT, ordered by anchor; surrogates where the raw ones are not at hand.
        embeddings: (S, 171) their reservoir embeddings.
        angle_scaler: Standardisation ahead of the reservoir.
        latent: LDA space and state direction.
        pulses: Pulse-test records.
        bridge_version: Version written into every row.
        sources: What was read: file name to SHA-256, or the simulation's parameters to theirs.
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
