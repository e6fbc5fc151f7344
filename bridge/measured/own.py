"""A user's own cells in place of PulseBat's tables, and their own scans in place of the published archive."""

import dataclasses
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas

from bridge.config import CHEMISTRY, GROUNDED_MAX_V, GROUNDED_MIN_V
from bridge.errors import Mistakes, faulty, refusal
from bridge.generate import AnyUpstream
from bridge.measured.adopt import paired
from bridge.measured.channels import RELEASE_NAMES, read_channel_map
from bridge.measured.plausibility import check_scans
from bridge.measured.sampling import evenly_sampled
from bridge.measured.signals import read_scans
from bridge.measured.tables import Records, read_records
from bridge.plan import REGIME_B_MIN_V
from bridge.upstream.pulsebat import SCANNED, PulseTables
from bridge.v1.inputs import AnchorStatistics, PulseTable
from bridge.v2 import UpstreamV2
from dataset_card.contract.editions import OWN_CELLS
from dataset_card.contract.measured import ARCHIVE_FIELDS, CELL_FIELDS, PULSES, chemistry_of
from dataset_card.running.templates import macros
from dataset_card.storage.digests import sha256_of
from dataset_card.storage.faults import require

FEWEST_CELLS = 5
"""Least number of cells of one chemistry, so that no subset of the split by cell is empty."""


def with_cells(
    upstream: AnyUpstream, path: Path, chemistries: Collection[str] | None = None, columns: Path | None = None
) -> tuple[AnyUpstream, tuple[str, ...]]:
    """Return the upstream with the cells of a table.

    Args:
        upstream: Result of `bridge.generate.resolve`.
        path: CSV, Parquet or XLSX by `dataset_card.contract.measured.CELL_FIELDS`, or one of PulseBat's workbooks.
        chemistries: Use only the cells of these; all by default.
        columns: A column map of the table.

    Returns:
        An upstream whose `bridge_version` ends in `+cells` and whose sources include the table's SHA-256; and notes on
        the table, in sentences.

    Raises:
        FaultyInput: If the table is not as declared, contains a record twice, or has a chemistry other than LFP for v1.
    """
    is_v2 = isinstance(upstream, UpstreamV2)
    records = read_records(path, CELL_FIELDS, columns)
    records = _checked(records, chemistries, is_v2)
    table, u = records.rows, records.pulses
    own = table["voltage"].to_numpy(float) if "voltage" in table else u.mean(axis=1)
    pulses = PulseTables(
        cell=table["cell_id"].to_numpy(object),
        battery=table["battery_id" if "battery_id" in table else "cell_id"].to_numpy(object),
        age_cycles=table["age_cycles"].to_numpy(float) if "age_cycles" in table else np.full(len(table), np.nan),
        soc=table["soc"].to_numpy(float),
        soh=table["soh"].to_numpy(float),
        u=u,
        table=table["chemistry"].to_numpy(object),
        chemistry=table["chemistry"].to_numpy(object),
        voltage=_voltages(table, own, upstream),
        own_voltage=own,
    )
    notes = (*records.notes, *_voltage_notes(table, own, pulses.voltage))
    # v2 still reads the scanned cell's voltages from the pulse tables, so they remain among its sources.
    sources = {name: digest for name, digest in upstream.sources.items() if is_v2 or "pulse" not in name}
    sources |= {Path(p).name: sha256_of(Path(p)) for p in (path, columns) if p is not None}
    if isinstance(upstream, UpstreamV2):
        return dataclasses.replace(upstream, pulses=pulses, sources=sources, own_cells=True), notes
    version = upstream.bridge_version + OWN_CELLS
    return dataclasses.replace(upstream, pulses=pulses, sources=sources, bridge_version=version), notes


def _checked(records: Records, chemistries: Collection[str] | None, any_chemistry: bool) -> Records:
    """Return the records of cells with these chemistries, or of all cells, after checking them."""
    table, faults = records.rows, Mistakes(records.file)
    if chemistries is not None:
        wanted, known = [chemistry_of(name) for name in chemistries], sorted(set(table["chemistry"]))
        for name in wanted:
            if name not in known:
                faults.add("column 'chemistry'", "no_such_chemistry", name=name, known=", ".join(known))
        require(faults)
        table = table[table["chemistry"].isin(wanted)].reset_index(drop=True)
    if "voltage" not in table and PULSES[0].name not in table:
        raise faulty("no_voltage", where="row 1", file=records.file)
    for row in table[table.duplicated(["cell_id", "soc", "soh"])].to_dict("records"):
        faults.add(row["where"], "record_twice", **{name: row[name] for name in ("cell_id", "soc", "soh")})
    if not any_chemistry:
        for row in table[table["chemistry"] != CHEMISTRY].to_dict("records")[:1]:
            faults.add(row["where"], "other_chemistry", name=row["chemistry"], known=CHEMISTRY)
    counts = table.groupby("chemistry")["cell_id"].nunique()
    if counts.max() < FEWEST_CELLS:
        found = ", ".join(f"{n} {name} cells" for name, n in counts.items())
        faults.add("", "few_cells", found=found, least=FEWEST_CELLS)
    require(faults)
    return dataclasses.replace(records, rows=table)


def _voltages(table: pandas.DataFrame, own: np.ndarray, upstream: AnyUpstream) -> np.ndarray:
    """Return the scanned cell's voltage in V for each record, by the rule of PulseBat's tables.

    An LFP cell keeps its own voltage, clipped to the grounded regime. Cells of other chemistries take the voltage of
    the scanned cell at the same SOC: the median of the upstream's LFP table, linear between its SOC levels.
    """
    own = np.clip(own, GROUNDED_MIN_V, GROUNDED_MAX_V)
    scanned, voltage = scanned_voltages(upstream.pulses)
    levels = np.unique(scanned.soc)
    median = [float(np.median(voltage[scanned.soc == level])) for level in levels]
    return np.where(table["chemistry"] == CHEMISTRY, own, np.interp(table["soc"], levels, median))


def _voltage_notes(table: pandas.DataFrame, own: np.ndarray, stood: np.ndarray) -> list[str]:
    """Describe how many of the table's voltages the bridge could not keep, and what replaces them."""
    lfp = (table["chemistry"] == CHEMISTRY).to_numpy()
    moved, names = int((lfp & (stood != own)).sum()), sorted(set(table.loc[~lfp, "chemistry"]))
    words = macros("bridge.measured", "notes.txt")
    return words.voltages(moved, int((~lfp).sum()), names, CHEMISTRY, GROUNDED_MIN_V, GROUNDED_MAX_V).splitlines()


def scanned_voltages(pulses: PulseTable) -> tuple[PulseTable, np.ndarray]:
    """Return the LFP table of an upstream and its voltages in V."""
    if isinstance(pulses, PulseTables):
        lfp = pulses.table == SCANNED
        part = PulseTable(*(getattr(pulses, name)[lfp] for name in ("cell", "soc", "soh", "u")))
        return part, pulses.voltage[lfp]
    return pulses, np.clip(pulses.u.mean(axis=1), GROUNDED_MIN_V, GROUNDED_MAX_V)


ANCHOR_STEP = 0.01
"""Scans whose voltages round to the same multiple of this, in V, belong to one anchor."""

EVEN = 0.1
"""Positions must lie within this share of a spacing from an even grid, which is the same at every anchor."""

FEWEST_POSITIONS = 5
"""The map over positions needs at least a polynomial."""


def with_scans(
    upstream: UpstreamV2, signals: Path, table: Path, channels: Path | None = None
) -> tuple[UpstreamV2, tuple[str, ...]]:
    """Return the upstream with a user's own scans.

    Args:
        upstream: v2's inputs, whose pulse tables or own cells are kept.
        signals: Parquet or HDF5 file, or a folder of CSV files.
        table: One row per scan: `scan_id`, `voltage`, `position`.
        channels: Channel map; by default columns are named as in a release, in nT.

    Returns:
        The upstream, and what was done to the scans, in sentences.

    Raises:
        MagBridgeError: If the scans are not usable, or the labels used with them are simulated.
    """
    if upstream.name == "simulated" and not upstream.own_cells:
        raise refusal("simulated_labels")
    mapping = RELEASE_NAMES if channels is None else read_channel_map(channels)
    records = read_records(table, ARCHIVE_FIELDS)
    scans, sources = read_scans(signals, mapping)
    anchors, positions, labels = _archive(records)
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


def _archive(records: Records) -> tuple[list[float], int, pandas.DataFrame]:
    """Return the anchors in V, the number of positions at each, and the rows sorted by anchor and position.

    Raises:
        FaultyInput: If an anchor is out of range, or positions are not the same even grid at every anchor.
    """
    anchor = (records.rows["voltage"] / ANCHOR_STEP).round() * ANCHOR_STEP
    labels = records.rows.assign(anchor=anchor.round(2)).sort_values(
        ["anchor", "position"], kind="stable", ignore_index=True
    )
    faults = Mistakes(records.file)
    for row in labels[~labels["anchor"].between(REGIME_B_MIN_V, GROUNDED_MAX_V)].to_dict("records"):
        place = f"{row['where']}, column 'voltage'"
        faults.add(place, "anchor_range", voltage=row["voltage"], low=REGIME_B_MIN_V, high=GROUNDED_MAX_V)
    require(faults)
    anchors = sorted(labels["anchor"].unique().tolist())
    if len(anchors) < 2 or anchors[-1] <= GROUNDED_MIN_V:
        raise faulty("few_anchors", anchors=anchors, low=GROUNDED_MIN_V, file=records.file)
    reference = labels.loc[labels["anchor"] == anchors[0], "position"].to_numpy()
    usual = len(reference)
    if usual < FEWEST_POSITIONS:
        place = f"anchor {anchors[0]:.2f} V"
        raise faulty("few_positions", count=usual, least=FEWEST_POSITIONS, where=place, file=records.file)
    even, spacing = np.linspace(reference[0], reference[-1], usual, retstep=True)
    for voltage in anchors:
        rows = labels[labels["anchor"] == voltage]
        if len(rows) != usual:
            faults.add(f"anchor {voltage:.2f} V", "uneven_anchors", count=len(rows), usual=usual, first=anchors[0])
            continue
        off = np.abs(rows["position"].to_numpy() - even)
        for i in np.flatnonzero(~(off <= EVEN * spacing))[:1]:
            row = rows.iloc[int(i)]
            place = f"{row['where']}, column 'position'"
            faults.add(place, "uneven_positions", position=row["position"], even=even[i])
    require(faults)
    return anchors, usual, labels
