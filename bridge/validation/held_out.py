"""Scans that no fit has seen: archives of other seeds of the simulation."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from bridge.generate import AnyUpstream
from bridge.upstream.simulated import POSITIONS, scan_archive
from bridge.upstream.simulated_parameters import load_parameters

ARCHIVES = range(100, 120)
"""Seeds of the archives that are held out: 820 scans an anchor."""

FLOOR_ARCHIVES = range(200, 220)
"""Seeds of the scans that stand in for a bridge without fault."""

PER_ANCHOR = len(ARCHIVES) * POSITIONS


def held_out_scans(upstream: AnyUpstream, voltage: float, archives: Iterable[int] = ARCHIVES) -> np.ndarray:
    """Scans at an anchor from other archives than the one that was fitted.

    The simulation is the only source of further archives. Where the upstream is not simulated its mean and standard
    deviation are imposed on them, step by step: level and spread then agree by construction, correlations do not.

    Args:
        upstream: What the bridge was built from.
        voltage: One of its anchors in V.
        archives: Seeds, one an archive of 41 scans.

    Returns:
        (len(archives) * 41, T, C) scans in nT, ordered by archive.
    """
    parameters = load_parameters()
    scans = np.concatenate([scan_archive(parameters, (voltage,), seed=seed) for seed in archives])
    return impose_moments(upstream, voltage, scans)


def fitted_scans(upstream: AnyUpstream, voltage: float) -> np.ndarray:
    """The scans at an anchor that the bridge was fitted to; a hybrid's have the published moments imposed."""
    scans = upstream.scans[upstream.scan_anchor == _anchor(upstream, voltage)]
    return impose_moments(upstream, voltage, scans) if upstream.name == "hybrid" else scans


def impose_moments(upstream: AnyUpstream, voltage: float, scans: np.ndarray) -> np.ndarray:
    """Scans (n, T, C) brought to the upstream's mean and std of every step and channel, unless it is the simulation."""
    if upstream.name == "simulated":
        return scans
    anchor = _anchor(upstream, voltage)
    mean, std = upstream.statistics.mean[anchor], upstream.statistics.std[anchor]
    return mean + std * (scans - scans.mean(axis=0)) / scans.std(axis=0)


def _anchor(upstream: AnyUpstream, voltage: float) -> int:
    return int(np.flatnonzero(upstream.statistics.voltages == voltage)[0])
