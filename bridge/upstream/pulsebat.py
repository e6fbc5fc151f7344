"""PulseBat's four pulse tables as one: chemistries, unique cell ids, and the voltage assigned to each record."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bridge.config import CHEMISTRY, GROUNDED_MAX_V, GROUNDED_MIN_V
from bridge.errors import refusal
from bridge.upstream import files
from bridge.upstream.published import read_pulse_table
from bridge.v1.inputs import PulseTable
from dataset_card.contract.measured import chemistry_of
from dataset_card.errors import MagBridgeError


@dataclass(frozen=True)
class PulseSheet:
    """One of PulseBat's tables.

    Attributes:
        name: Chemistry and capacity, the stem of its cells' ids.
        chemistry: LFP, LMO or NMC.
        cells: Number of cells, at 10 SOC levels each.
        file: The published file.
        visits: Battery and cycles of each cell, in the order of their numbers, if the table contains one battery at
            several ages.
    """

    name: str
    chemistry: str
    cells: int
    file: files.UpstreamFile
    visits: tuple[tuple[str, int], ...] = ()

    def battery(self, cell: int) -> tuple[str, float]:
        """Return the battery that a cell number stands for, and its cycles.

        Without `visits`, each cell is a separate battery, whose cycles are NaN.

        Args:
            cell: The table's `No.`, from 1.
        """
        if not self.visits:
            return f"{self.name}-{cell:03d}", math.nan
        battery, cycles = self.visits[cell - 1]
        return f"{self.name}-{battery}", float(cycles)


_ABSENT = {"E3": 100, "H3": 300, "I4": 300, "J3": 100, "J4": 300}
_VISITS = tuple(
    (battery, cycles)
    for battery in ("D3", "D4", "E3", "E4", "H3", "H4", "I3", "I4", "J1", "J2", "J3", "J4")
    for cycles in range(100, 601, 100)
    if cycles != _ABSENT.get(battery)
)
"""From the column `ID`, `D3-100` to `J4-600`: twelve batteries at 100 to 600 cycles, some with one visit missing."""

CLIPPED = f"voltages clipped to {GROUNDED_MIN_V} to {GROUNDED_MAX_V} V"
REPLACED = "voltages replaced by the scanned cell's at the same SOC"
"""Treatment of a record's own voltage: the first applies to LFP, the second to other chemistries."""

SCANNED = "LFP-35Ah"
"""The table of the cell type that was scanned."""

SHEETS = (
    PulseSheet(SCANNED, "LFP", 56, files.PULSE_TABLES[0]),
    PulseSheet("LMO-10Ah", "LMO", 95, files.PULSE_TABLES[1]),
    PulseSheet("NMC-2.1Ah", "NMC", 67, files.PULSE_TABLES[2], _VISITS),
    PulseSheet("NMC-21Ah", "NMC", 52, files.PULSE_TABLES[3]),
)
"""The tables of a v2 release, in release order."""


@dataclass(frozen=True)
class PulseTables(PulseTable):
    """Records of several tables.

    Attributes:
        cell: (n,) ids that are unique over the tables, such as `LMO-10Ah-017`.
        table: (n,) name of each record's table.
        chemistry: (n,) LFP, LMO or NMC.
        voltage: (n,) voltage in V of the scanned cell.
        battery: (n,) ids of the batteries; cells are visits to them.
        age_cycles: (n,) number of cycles of each battery, NaN if unknown.
        own_voltage: (n,) voltage in V of the record itself, NaN if it was not measured.
    """

    table: np.ndarray
    chemistry: np.ndarray
    voltage: np.ndarray
    battery: np.ndarray
    age_cycles: np.ndarray
    own_voltage: np.ndarray

    def overridden(self) -> dict[str, int]:
        """Count the records whose signals are not generated at their own voltage, by treatment of that voltage."""
        other = np.isfinite(self.own_voltage) & (self.own_voltage != self.voltage)
        scanned = self.chemistry == CHEMISTRY
        return {CLIPPED: int((other & scanned).sum()), REPLACED: int((other & ~scanned).sum())}

    def of(self, chemistries: Collection[str]) -> PulseTables:
        """Return only the records of the given chemistries.

        Raises:
            MagBridgeError: If a chemistry has no table.
        """
        chemistries, known = [chemistry_of(name) for name in chemistries], sorted(set(self.chemistry))
        for chemistry in chemistries:
            if chemistry not in known:
                raise MagBridgeError(f"chemistry {chemistry!r} has no pulse table: expected {', '.join(known)}")
        rows = np.isin(self.chemistry, list(chemistries))
        return PulseTables(**{name: values[rows] for name, values in vars(self).items()})


def combine(tables: Mapping[str, PulseTable]) -> PulseTables:
    """Join the tables into one.

    An LFP record is assigned its mean pulse voltage, clipped to the grounded regime, as in v1. The voltages of the
    other chemistries lie outside the scanned cell's range, so their records are assigned the median LFP voltage at the
    same SOC.

    Args:
        tables: One table for each name of `SHEETS`.

    Raises:
        MagBridgeError: If a table is missing, or has an SOC level that the LFP table lacks.
    """
    missing = [sheet.name for sheet in SHEETS if sheet.name not in tables]
    if missing:
        raise MagBridgeError(f"no pulse table {missing[0]!r}: expected {', '.join(sheet.name for sheet in SHEETS)}")
    scanned = tables[SCANNED]
    own = np.clip(scanned.u.mean(axis=1), GROUNDED_MIN_V, GROUNDED_MAX_V)
    median = {level: float(np.median(own[scanned.soc == level])) for level in np.unique(scanned.soc).tolist()}
    parts = []
    for sheet in SHEETS:
        table = tables[sheet.name]
        strange = sorted(set(table.soc.tolist()) - set(median))
        if strange:
            raise refusal("soc_of_a_table", name=sheet.name, soc=strange[0], scanned=SCANNED)
        visits = [sheet.battery(int(cell)) for cell in table.cell]
        parts.append(
            PulseTables(
                cell=np.array([f"{sheet.name}-{int(cell):03d}" for cell in table.cell], dtype=object),
                soc=table.soc,
                soh=table.soh,
                u=table.u,
                table=np.full(len(table), sheet.name, dtype=object),
                chemistry=np.full(len(table), sheet.chemistry, dtype=object),
                voltage=own if sheet.name == SCANNED else np.array([median[level] for level in table.soc.tolist()]),
                battery=np.array([battery for battery, _ in visits], dtype=object),
                own_voltage=table.u.mean(axis=1),
                age_cycles=np.array([cycles for _, cycles in visits]),
            )
        )
    return PulseTables(**{name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])})


def read_pulse_tables(paths: Mapping[str, Path]) -> PulseTables:
    """Read the four published workbooks.

    Args:
        paths: Location of each workbook, by the `path` of its `UpstreamFile`.

    Raises:
        MagBridgeError: If the contents of a workbook are not as expected.
    """
    return combine({sheet.name: read_pulse_table(paths[sheet.file.path]) for sheet in SHEETS})
