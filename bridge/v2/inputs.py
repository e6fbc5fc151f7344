"""The inputs of a v2 bridge: scans, statistics to impose on them, and the pulse tables."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bridge.config import ANCHOR_VOLTAGES
from bridge.upstream import files, published
from bridge.upstream.pulsebat import SHEETS, PulseTables, read_pulse_tables
from bridge.upstream.resolution import files_of_choice, osf_path
from bridge.upstream.simulated import SCAN_SEED, TABLE_SEED, scan_archive
from bridge.upstream.simulated_parameters import PARAMETER_FILE, load_parameters
from bridge.upstream.simulated_tables import TABLE_FILE, simulated_pulse_tables
from bridge.v1.inputs import AnchorStatistics
from bridge.v2.config import BridgeV2Config
from bridge.v2.fit import fit, impose_statistics
from bridge.v2.model import ScanMap
from dataset_card.contract.editions import OWN_CELLS
from dataset_card.storage.digests import sha256_of

BRIDGE_VERSIONS = {"osf": "v2.1-osf", "simulated": "v2.1-simulated", "hybrid": "v2.1-hybrid", "scans": "v2.1-scans"}
"""Version written into every row, by the kind of upstream."""

PUBLISHED = (files.ANCHOR_STATISTICS, *(sheet.file for sheet in SHEETS))
"""The published files from which v2 is built."""


@dataclass(frozen=True)
class UpstreamV2:
    """Everything a v2 bridge is built from.

    Attributes:
        name: `osf` (the archive's raw scans), `simulated`, `hybrid` (published means and standard deviations, with the
            covariance of the simulated archive), or `scans` (a user's own).
        scans: (A * P, T, C) scans in nT to fit, ordered by anchor and position.
        statistics: Mean and std trajectories at the anchors, from the scans or, in a hybrid, as published.
        pulses: Pulse-test records.
        sources: SHA-256 of each file read, by name.
        own_cells: Whether the records are a user's own.
    """

    name: str
    scans: np.ndarray
    statistics: AnchorStatistics
    pulses: PulseTables
    sources: dict[str, str]
    own_cells: bool = False

    @property
    def bridge_version(self) -> str:
        """Version written into every row."""
        return BRIDGE_VERSIONS[self.name] + (OWN_CELLS if self.own_cells else "")

    @property
    def scan_anchor(self) -> np.ndarray:
        """(S,) ordinal number of each scan's anchor."""
        anchors = len(self.statistics.voltages)
        return np.repeat(np.arange(anchors), len(self.scans) // anchors)


def fit_upstream(upstream: UpstreamV2, config: BridgeV2Config = BridgeV2Config()) -> ScanMap:
    """Fit the scan map of an upstream to its scans; for a hybrid, impose the published statistics."""
    scan_map = fit(upstream.scans, upstream.statistics.voltages.tolist(), config)
    return impose_statistics(scan_map, upstream.statistics, config) if upstream.name == "hybrid" else scan_map


def resolve(choice: str = "auto", upstream_dir: Path | str | None = None, fetch: bool = True) -> UpstreamV2:
    """Find the inputs of v2; arguments and errors as in `bridge.upstream.resolve`, with `published` the hybrid."""
    folder = None if upstream_dir is None else Path(upstream_dir)
    paths = files_of_choice(choice, folder, fetch, PUBLISHED)
    if paths is None:
        return simulated_upstream()
    statistics = published.read_anchor_statistics(paths[files.ANCHOR_STATISTICS.path])
    sources = {file.path: file.sha256 for file in PUBLISHED}
    if choice == "osf":
        path = osf_path(folder)
        scans = published.read_osf_scans(path, statistics)
        sources[files.OSF_SCANS] = sha256_of(path)
    else:
        scans, of_scans = _simulated_scans()
        sources |= of_scans
    name = "osf" if choice == "osf" else "hybrid"
    return UpstreamV2(name, scans, statistics, read_pulse_tables(paths), sources)


def simulated_upstream() -> UpstreamV2:
    """Build the simulated stand-in: v1's scans, and four tables."""
    scans, sources = _simulated_scans()
    pulses = simulated_pulse_tables(load_parameters())
    sources[TABLE_FILE.name] = sha256_of(TABLE_FILE)
    sources[f"simulated pulse tables, seeds from {TABLE_SEED}"] = hashlib.sha256(pulses.u.tobytes()).hexdigest()
    return UpstreamV2(
        "simulated", scans, AnchorStatistics.from_scans(scans, np.array(ANCHOR_VOLTAGES)), pulses, sources
    )


def _simulated_scans() -> tuple[np.ndarray, dict[str, str]]:
    scans = scan_archive(load_parameters())
    return scans, {
        PARAMETER_FILE.name: sha256_of(PARAMETER_FILE),
        f"simulated scans, seed {SCAN_SEED}": hashlib.sha256(scans.tobytes()).hexdigest(),
    }
