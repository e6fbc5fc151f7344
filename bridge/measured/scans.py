"""A user's own scan archive for the v2 bridge: any anchors, any positions, any steps."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas

from bridge.config import GROUNDED_MAX_V, GROUNDED_MIN_V
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
from dataset_card.errors import MagBridgeError
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
        raise MagBridgeError(
            "own scans beside simulated labels: expected --cells with your own table, or the published pulse tables "
            "(--upstream published)"
        )
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
    notes = (
        f"{len(anchors)} anchors at {', '.join(f'{v:.2f}' for v in anchors)} V, {positions} positions each.",
        *((f"{moved} of {len(voltage)} records lie outside {low:g} to {high:g} V and stand there.",) if moved else ()),
        *found.notes(),
    )
    statistics = AnchorStatistics.from_scans(x, np.array(anchors))
    own = UpstreamV2("scans", x, statistics, pulses, {**sources, **kept}, upstream.own_cells)
    return own, notes


def _archive(labels: pandas.DataFrame, path: Path) -> tuple[list[float], int, pandas.DataFrame]:
    """Anchors in V, positions at each, and the rows by anchor and position.

    Raises:
        FaultyInput: An anchor is out of range, or positions are not the same even grid at every anchor.
    """
    anchor = (labels["voltage"] / ANCHOR_STEP).round() * ANCHOR_STEP
    labels = labels.assign(anchor=anchor.round(2)).sort_values(["anchor", "position"], kind="stable", ignore_index=True)
    faults = Faults(path)
    for row in labels[~labels["anchor"].between(REGIME_B_MIN_V, GROUNDED_MAX_V)].to_dict("records"):
        where, expected = f"{row['where']}, column 'voltage'", f"{REGIME_B_MIN_V} to {GROUNDED_MAX_V} V"
        fix = "the model of the sheet knows no moment there: remove the anchor"
        faults.add(where, f"{row['voltage']:g} V", expected, fix)
    require(faults)
    anchors = sorted(labels["anchor"].unique().tolist())
    if len(anchors) < 2 or anchors[-1] <= GROUNDED_MIN_V:
        expected = f"at least two, one of them above {GROUNDED_MIN_V} V"
        raise fault(path, "", f"anchors at {anchors} V", expected, "scan at more voltages")
    reference = labels.loc[labels["anchor"] == anchors[0], "position"].to_numpy()
    if len(reference) < FEWEST_POSITIONS:
        where, found = f"anchor {anchors[0]:.2f} V", f"{len(reference)} positions"
        raise fault(path, where, found, f"at least {FEWEST_POSITIONS}", "scan more")
    spacing = (reference[-1] - reference[0]) / (len(reference) - 1)
    even = np.linspace(reference[0], reference[-1], len(reference))
    for voltage in anchors:
        rows = labels[labels["anchor"] == voltage]
        if len(rows) != len(reference):
            expected = f"{len(reference)}, as at {anchors[0]:.2f} V"
            fix = "one scan at each position of every anchor"
            faults.add(f"anchor {voltage:.2f} V", f"{len(rows)} positions", expected, fix)
            continue
        off = np.abs(rows["position"].to_numpy() - even)
        for i in np.flatnonzero(~(off <= EVEN * spacing))[:1]:
            row, fix = rows.iloc[int(i)], "space positions evenly, the same at every anchor"
            where = f"{row['where']}, column 'position'"
            faults.add(where, f"{row['position']:g}", f"{even[i]:g}, on an even grid", fix)
    require(faults)
    return anchors, len(reference), labels
