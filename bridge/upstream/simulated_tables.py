"""Simulated stand-ins for PulseBat's LMO and NMC tables, in addition to the LFP table of v1."""

import dataclasses
from pathlib import Path

import numpy as np

from bridge.upstream.pulsebat import SCANNED, SHEETS, PulseSheet, PulseTables, combine
from bridge.upstream.simulated import TABLE_SEED, pulse_table
from bridge.upstream.simulated_parameters import SimulationParameters, as_arrays
from bridge.v1.inputs import PulseTable
from dataset_card.storage.documents import read_json

TABLE_FILE = Path(__file__).with_name("simulated_tables.json")


def simulated_pulse_tables(parameters: SimulationParameters) -> PulseTables:
    """Simulate four tables with the cell counts, SOH distributions and SOC levels of the published ones.

    The LFP table is that of v1. The others come from the same equations with separate parameters; the SOH of their
    cells follows the published deciles.

    Args:
        parameters: From `load_parameters()`.
    """
    tables = {SCANNED: pulse_table(parameters)}
    document = read_json(TABLE_FILE)
    for number, sheet in enumerate([sheet for sheet in SHEETS if sheet.name != SCANNED], 1):
        deciles = document[sheet.name].pop("soh_deciles")
        soh = np.interp(np.linspace(0, 1, sheet.cells), np.linspace(0, 1, len(deciles)), deciles)
        own = dataclasses.replace(parameters, pulse_table=as_arrays(document[sheet.name], sheet.name))
        table = pulse_table(own, sheet.cells, seed=TABLE_SEED + number, soh=soh)
        tables[sheet.name] = _numbered_by_age(table, sheet) if sheet.visits else table
    return combine(tables)


def _numbered_by_age(table: PulseTable, sheet: PulseSheet) -> PulseTable:
    """Renumber the cells so that SOH falls as the cycles of the visits that their numbers stand for rise."""
    numbers, first = np.unique(table.cell, return_index=True)
    fresh_first = numbers[np.argsort(-table.soh[first], kind="stable")]
    visits = sorted(range(1, sheet.cells + 1), key=lambda number: (sheet.battery(number)[1], number))
    number_of = {cell: str(number) for cell, number in zip(fresh_first.tolist(), visits)}
    return dataclasses.replace(table, cell=np.array([number_of[c] for c in table.cell.tolist()], dtype=object))
