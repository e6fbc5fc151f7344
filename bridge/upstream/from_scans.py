"""An upstream from any scan archive: statistics, angle scaler, embeddings and latent space fitted to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bridge.config import ANCHOR_VOLTAGES
from bridge.v1 import reservoir
from bridge.v1.inputs import AnchorStatistics, PulseTable, Upstream, scans_by_anchor
from bridge.v1.latent_space import AngleScaler, LatentSpace


def upstream_from_scans(
    name: str,
    scans: np.ndarray,
    pulses: PulseTable,
    bridge_version: str,
    sources: dict[str, str],
    voltages: Sequence[float] = ANCHOR_VOLTAGES,
) -> Upstream:
    """Fit everything a bridge needs to a scan archive.

    Args:
        name: Name of the upstream in manifests.
        scans: (A * P, 100, 6) scans in nT, ordered by anchor, P positions each.
        pulses: Pulse-test records.
        bridge_version: Version written into every row of a release.
        sources: What the scans and records are, with a SHA-256 each.
        voltages: (A,) anchor voltages in V, ascending; the latent space needs five.

    Raises:
        MagBridgeError: The scans have another shape, or are not finite.
    """
    anchors, positions = scans_by_anchor(scans, voltages).shape[:2]
    statistics = AnchorStatistics.from_scans(scans, np.asarray(voltages, float))
    scaler = AngleScaler.from_trajectories(statistics.mean, statistics.std)
    embeddings = reservoir.embed(scans, scaler.mean, scaler.std)
    latent = LatentSpace.fit(embeddings, np.repeat(np.arange(anchors), positions))
    return Upstream(
        name=name,
        statistics=statistics,
        scans=scans,
        embeddings=embeddings,
        angle_scaler=scaler,
        latent=latent,
        pulses=pulses,
        bridge_version=bridge_version,
        sources=sources,
    )
