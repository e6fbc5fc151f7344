"""PulseBat's four pulse tables as one: chemistries, cells unique over the tables, the voltage each record stands at."""

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
        cells: Cells it holds, at 10 SOC levels each.
        voltages: Range in V, lower bound excluded, that a record's mean voltage is possible in.
        file: Where it is published.
        visits: Battery and cycles of each cell, in the order of their numbers, where one battery stands in the table
            at several ages.
    """

    name: str
    chemistry: str
    cells: int
    file: files.UpstreamFile
    visits: tuple[tuple[str, int], ...] = ()

    def battery(self, cell: int) -> tuple[str, float]:
        """Battery that a cell's number stands for, and its cycles; a cell is a battery of its own where none is told.

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
"""Of the column `ID`, `D3-100` to `J4-600`: twelve batteries at 100 to 600 cycles, one visit of some missing."""

CLIPPED = f"voltages clipped to {GROUNDED_MIN_V} to {GROUNDED_MAX_V} V"
REPLACED = "voltages replaced by the scanned cell's at the same SOC"
"""What becomes of a record's own voltage; the first befalls LFP, the second other chemistries."""

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
        voltage: (n,) voltage in V that the scanned cell stands at.
        battery: (n,) ids of the batteries; cells are visits to them.
        age_cycles: (n,) cycles that each battery had seen, NaN where unknown.
        own_voltage: (n,) voltage in V that the record itself has, NaN where it was not measured.
    """

    table: np.ndarray
    chemistry: np.ndarray
    voltage: np.ndarray
    battery: np.ndarray
    age_cycles: np.ndarray
    own_voltage: np.ndarray

    def overridden(self) -> dict[str, int]:
        """Records whose own voltage the signals are not made at, by what was done to it."""
        other = np.isfinite(self.own_voltage) & (self.own_voltage != self.voltage)
        scanned = self.chemistry == CHEMISTRY
        return {CLIPPED: int((other & scanned).sum()), REPLACED: int((other & ~scanned).sum())}

    def of(self, chemistries: Collection[str]) -> PulseTables:
        """The records of some chemistries only.

        Raises:
            MagBridgeError: A chemistry has no table.
        """
        chemistries, known = [chemistry_of(name) for name in chemistries], sorted(set(self.chemistry))
        for chemistry in chemistries:
            if chemistry not in known:
                raise MagBridgeError(f"chemistry {chemistry!r} has no pulse table: expected {', '.join(known)}")
        rows = np.isin(self.chemistry, list(chemistries))
        return PulseTables(**{name: values[rows] for name, values in vars(self).items()})


def combine(tables: Mapping[str, PulseTable]) -> PulseTables:
    """Join tables into one.

    An LFP record stands at its mean pulse voltage, clipped to the grounded regime, as in v1. The other chemistries' own
    voltages lie outside the scanned cell's range: their records stand at the median LFP voltage of the same SOC.

    Args:
        tables: A table for each name of `SHEETS`.

    Raises:
        MagBridgeError: A table is missing, or has an SOC level that the LFP table has not.
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
        paths: Where each is, by the path of its `UpstreamFile`.

    Raises:
        MagBridgeError: A workbook's contents are not as expected.
    """
    return combine({sheet.name: read_pulse_table(paths[sheet.file.path]) for sheet in SHEETS})
