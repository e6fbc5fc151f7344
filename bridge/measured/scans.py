"""A user's own scan archive for the v2 bridge: any anchors, any positions, any steps."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas

from bridge.config import GROUNDED_MAX_V, GROUNDED_MIN_V
from bridge.measured.adopt import channel_notes, release_channels, stacked
from bridge.measured.channels import RELEASE_NAMES, read_channel_map
from bridge.measured.plausibility import check_scans
from bridge.measured.sampling import evenly_sampled
from bridge.measured.signals import RawScan, read_scans
from bridge.measured.tables import read_labels
from bridge.plan import REGIME_B_MIN_V
from bridge.v1.inputs import AnchorStatistics
from bridge.v2 import UpstreamV2
from dataset_card.contract.measured import ARCHIVE_FIELDS
from dataset_card.errors import MagBridgeError
from dataset_card.storage.digests import sha256_of
from dataset_card.storage.faults import Fault, fault, require

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
        table: One row a scan: `scan_id`, `voltage`, `position`.
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
    scans = _in_order(scans, labels, Path(table))
    anchors, positions, labels = _archive(labels, Path(table))
    by_id = {scan.scan_id: scan for scan in scans}
    scans = [by_id[scan_id] for scan_id in labels["scan_id"]]
    scans, sampling = evenly_sampled(scans, mapping)
    x, mapping = stacked(scans, mapping)
    check_scans(x, scans, mapping, labels["voltage"].to_numpy())
    x = release_channels(x, mapping, sampling)
    sources |= {Path(p).name: sha256_of(Path(p)) for p in (table, channels) if p is not None}
    kept = {name: digest for name, digest in upstream.sources.items() if "scan" not in name and "anchor" not in name}
    low, high = max(GROUNDED_MIN_V, anchors[0]), min(GROUNDED_MAX_V, anchors[-1])
    voltage = np.clip(upstream.pulses.voltage, low, high)
    moved = int((voltage != upstream.pulses.voltage).sum())
    pulses = dataclasses.replace(upstream.pulses, voltage=voltage)
    notes = (
        f"{len(anchors)} anchors at {', '.join(f'{v:.2f}' for v in anchors)} V, {positions} positions each.",
        *((f"{moved} of {len(voltage)} records lie outside {low:g} to {high:g} V and stand there.",) if moved else ()),
        sampling.note,
        *channel_notes(mapping),
    )
    statistics = AnchorStatistics.from_scans(x, np.array(anchors))
    own = UpstreamV2("scans", x, statistics, pulses, {**sources, **kept}, upstream.own_cells)
    return own, notes


def _in_order(scans: list[RawScan], labels: pandas.DataFrame, table: Path) -> list[RawScan]:
    known, found = set(labels["scan_id"]), {scan.scan_id for scan in scans}
    faults = [
        Fault(
            scan.file,
            scan.where,
            "a scan without a row",
            f"a row with this scan_id in {table.name}",
            "add it or remove the scan",
        )
        for scan in scans
        if scan.scan_id not in known
    ] + [
        Fault(
            str(table),
            where,
            f"a row of {scan_id!r}, without a scan",
            "a scan of that name",
            "add it or remove the row",
        )
        for scan_id, where in zip(labels["scan_id"], labels["where"])
        if scan_id not in found
    ]
    require(faults)
    return scans


def _archive(labels: pandas.DataFrame, path: Path) -> tuple[list[float], int, pandas.DataFrame]:
    """Anchors in V, positions at each, and the rows by anchor and position."""
    anchor = (labels["voltage"] / ANCHOR_STEP).round() * ANCHOR_STEP
    labels = labels.assign(anchor=anchor.round(2)).sort_values(["anchor", "position"], kind="stable", ignore_index=True)
    faults = []
    for row in labels.to_dict("records"):
        if not REGIME_B_MIN_V <= row["anchor"] <= GROUNDED_MAX_V:
            faults.append(
                Fault(
                    str(path),
                    f"{row['where']}, column 'voltage'",
                    f"{row['voltage']:g} V",
                    f"{REGIME_B_MIN_V} to {GROUNDED_MAX_V} V",
                    "the model of the sheet knows no moment there: remove the anchor",
                )
            )
    require(faults)
    anchors = sorted(labels["anchor"].unique().tolist())
    if len(anchors) < 2 or anchors[-1] <= GROUNDED_MIN_V:
        raise fault(
            path,
            "",
            f"anchors at {anchors} V",
            f"at least two, one of them above {GROUNDED_MIN_V} V",
            "scan at more voltages",
        )
    reference = labels.loc[labels["anchor"] == anchors[0], "position"].to_numpy()
    if len(reference) < FEWEST_POSITIONS:
        raise fault(
            path,
            f"anchor {anchors[0]:.2f} V",
            f"{len(reference)} positions",
            f"at least {FEWEST_POSITIONS}",
            "scan more",
        )
    spacing = (reference[-1] - reference[0]) / (len(reference) - 1)
    even = np.linspace(reference[0], reference[-1], len(reference))
    for voltage in anchors:
        rows = labels[labels["anchor"] == voltage]
        if len(rows) != len(reference):
            faults.append(
                Fault(
                    str(path),
                    f"anchor {voltage:.2f} V",
                    f"{len(rows)} positions",
                    f"{len(reference)}, as at {anchors[0]:.2f} V",
                    "one scan at each position of every anchor",
                )
            )
            continue
        off = np.abs(rows["position"].to_numpy() - even)
        for i in np.flatnonzero(~(off <= EVEN * spacing))[:1]:
            row = rows.iloc[int(i)]
            faults.append(
                Fault(
                    str(path),
                    f"{row['where']}, column 'position'",
                    f"{row['position']:g}",
                    f"{even[i]:g}, on an even grid",
                    "space positions evenly, the same at every anchor",
                )
            )
    require(faults)
    return anchors, len(reference), labels
