"""Simulated stand-ins for PulseBat's LMO and NMC tables, beside the LFP table of v1."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from bridge.upstream.pulsebat import SCANNED, SHEETS, PulseSheet, PulseTables, combine
from bridge.upstream.simulated import TABLE_SEED, pulse_table
from bridge.upstream.simulated_parameters import LARGEST, PulseParameters, SimulationParameters
from bridge.v1.inputs import PulseTable
from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import read_json

TABLE_FILE = Path(__file__).with_name("simulated_tables.json")

DECILES = 11


def simulated_pulse_tables(parameters: SimulationParameters, path: Path = TABLE_FILE) -> PulseTables:
    """Four tables with the published ones' cell counts, SOH distributions and SOC levels.

    The LFP table is v1's. The others come from the same equations with parameters of their own; their cells' SOH follow
    the published deciles.

    Args:
        parameters: From `load_parameters()`.
        path: JSON with the deciles of SOH and the pulse parameters of each other table.

    Raises:
        MagBridgeError: Not such a file.
    """
    tables = {SCANNED: pulse_table(parameters)}
    others = [sheet for sheet in SHEETS if sheet.name != SCANNED]
    for number, (sheet, (deciles, pulse)) in enumerate(zip(others, _read(path, [s.name for s in others])), 1):
        soh = np.interp(np.linspace(0, 1, sheet.cells), np.linspace(0, 1, DECILES), deciles)
        table = pulse_table(
            dataclasses.replace(parameters, pulse_table=pulse), sheet.cells, seed=TABLE_SEED + number, soh=soh
        )
        tables[sheet.name] = _numbered_by_age(table, sheet) if sheet.visits else table
    return combine(tables)


def _numbered_by_age(table: PulseTable, sheet: PulseSheet) -> PulseTable:
    """The table with its cells' numbers dealt so that SOH falls as the cycles of the visit they stand for rise."""
    numbers, first = np.unique(table.cell, return_index=True)
    fresh_first = numbers[np.argsort(-table.soh[first], kind="stable")]
    visits = sorted(range(1, sheet.cells + 1), key=lambda number: (sheet.battery(number)[1], number))
    number_of = {cell: str(number) for cell, number in zip(fresh_first.tolist(), visits)}
    return dataclasses.replace(table, cell=np.array([number_of[c] for c in table.cell.tolist()], dtype=object))


def _read(path: Path, names: list[str]) -> list[tuple[np.ndarray, PulseParameters]]:
    """Deciles of SOH and pulse parameters of each named table."""
    document = read_json(path)
    expected = {field.name for field in dataclasses.fields(PulseParameters)} | {"soh_deciles"}
    out = []
    for name in names:
        group = document.get(name)
        if not isinstance(group, dict) or set(group) != expected:
            raise MagBridgeError(
                f"{path}: expected an object {name!r} with exactly the keys {', '.join(sorted(expected))}"
            )
        try:
            deciles = np.array(group["soh_deciles"], dtype=float)
        except (ValueError, TypeError, OverflowError) as error:
            raise MagBridgeError(f"{path}: soh_deciles of {name!r} are no numbers ({error})") from error
        if (
            deciles.shape != (DECILES,)
            or not (np.diff(deciles) >= 0).all()
            or not (deciles > 0).all()
            or not (deciles <= LARGEST).all()
        ):
            raise MagBridgeError(
                f"{path}: soh_deciles of {name!r} are {deciles}: expected {DECILES}, above 0, ascending"
            )
        out.append((deciles, PulseParameters(**{k: v for k, v in group.items() if k != "soh_deciles"})))
    return out
