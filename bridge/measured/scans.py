"""A user's own scan archive for the v2 bridge: any anchors, any positions, any steps."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas

from bridge.config import GROUNDED_MAX_V, GROUNDED_MIN_V
from bridge.errors import refusal, said
from bridge.measured.adopt import paired
from bridge.measured.channels import RELEASE_NAMES, read_channel_map
from bridge.measured.plausibility import check_scans
from bridge.measured.sampling import evenly_sampled
from bridge.measured.signals import read_scans
from bridge.measured.tables import read_labels
from bridge.plan import REGIME_B_MIN_V
from bridge.v1.inputs import AnchorStatistics
from bridge.v2 import UpstreamV2
from dataset_card.contract.measured import ARCHIVE_FIELDS
from dataset_card.running.templates import macros
from dataset_card.storage.digests import sha256_of
from dataset_card.storage.faults import Faults, fault, require

ANCHOR_STEP = 0.01
"""Scans whose voltages round to the same multiple of this, in V, are of one anchor."""

EVEN = 0.1
"""Positions lie within this share of a spacing from an even grid, the same at every anchor."""

FEWEST_POSITIONS = 5
"""The map over positions needs a polynomial at least."""


def with_scans(
    upstream: UpstreamV2, signals: Path, table: Path, channels: Path | None = None
) -> tuple[UpstreamV2, tuple[str, ...]]:
    """The same upstream with a user's own scans.

    Args:
        upstream: v2's, whose pulse tables or own cells are kept.
        signals: Parquet or HDF5 file, or a folder of CSV files.
        table: One row per scan: `scan_id`, `voltage`, `position`.
        channels: Channel map; by default columns are named as in a release, in nT.

    Returns:
        The upstream, and what was done to the scans, in sentences.

    Raises:
        MagBridgeError: The scans are not usable, or the labels beside them are simulated.
    """
    if upstream.name == "simulated" and not upstream.own_cells:
        raise refusal("simulated_labels")
    mapping = RELEASE_NAMES if channels is None else read_channel_map(channels)
    labels = read_labels(table, ARCHIVE_FIELDS)
    scans, sources = read_scans(signals, mapping)
    anchors, positions, labels = _archive(labels, Path(table))
    found = evenly_sampled(paired(scans, labels, Path(signals), Path(table), "row"), mapping)
    check_scans(found, labels["voltage"].to_numpy())
    x = found.released()
    sources |= {Path(p).name: sha256_of(Path(p)) for p in (table, channels) if p is not None}
    kept = {name: digest for name, digest in upstream.sources.items() if "scan" not in name and "anchor" not in name}
    low, high = max(GROUNDED_MIN_V, anchors[0]), min(GROUNDED_MAX_V, anchors[-1])
    voltage = np.clip(upstream.pulses.voltage, low, high)
    moved = int((voltage != upstream.pulses.voltage).sum())
    pulses = dataclasses.replace(upstream.pulses, voltage=voltage)
    words = macros("bridge.measured", "notes.txt").archive(anchors, positions, moved, len(voltage), low, high)
    statistics = AnchorStatistics.from_scans(x, np.array(anchors))
    own = UpstreamV2("scans", x, statistics, pulses, {**sources, **kept}, upstream.own_cells)
    return own, (*words.splitlines(), *found.notes())


def _archive(labels: pandas.DataFrame, path: Path) -> tuple[list[float], int, pandas.DataFrame]:
    """Anchors in V, positions at each, and the rows by anchor and position.

    Raises:
        FaultyInput: An anchor is out of range, or positions are not the same even grid at every anchor.
    """
    anchor = (labels["voltage"] / ANCHOR_STEP).round() * ANCHOR_STEP
    labels = labels.assign(anchor=anchor.round(2)).sort_values(["anchor", "position"], kind="stable", ignore_index=True)
    faults = Faults(path)
    for row in labels[~labels["anchor"].between(REGIME_B_MIN_V, GROUNDED_MAX_V)].to_dict("records"):
        text = said("anchor_range", voltage=row["voltage"], low=REGIME_B_MIN_V, high=GROUNDED_MAX_V)
        faults.add(f"{row['where']}, column 'voltage'", *text)
    require(faults)
    anchors = sorted(labels["anchor"].unique().tolist())
    if len(anchors) < 2 or anchors[-1] <= GROUNDED_MIN_V:
        raise fault(path, "", *said("few_anchors", anchors=anchors, low=GROUNDED_MIN_V))
    reference = labels.loc[labels["anchor"] == anchors[0], "position"].to_numpy()
    usual = len(reference)
    if usual < FEWEST_POSITIONS:
        raise fault(path, f"anchor {anchors[0]:.2f} V", *said("few_positions", count=usual, least=FEWEST_POSITIONS))
    even, spacing = np.linspace(reference[0], reference[-1], usual, retstep=True)
    for voltage in anchors:
        rows = labels[labels["anchor"] == voltage]
        if len(rows) != usual:
            text = said("uneven_anchors", count=len(rows), usual=usual, first=anchors[0])
            faults.add(f"anchor {voltage:.2f} V", *text)
            continue
        off = np.abs(rows["position"].to_numpy() - even)
        for i in np.flatnonzero(~(off <= EVEN * spacing))[:1]:
            row = rows.iloc[int(i)]
            text = said("uneven_positions", position=row["position"], even=even[i])
            faults.add(f"{row['where']}, column 'position'", *text)
    require(faults)
    return anchors, usual, labels
