"""Cells of a hidden round: new ones, drawn from smoothed versions of PulseBat's tables."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bridge.config import GROUNDED_MAX_V, GROUNDED_MIN_V
from bridge.upstream.pulsebat import SCANNED, PulseTables

SOC_BINS = np.arange(5.0, 51.0, 5.0)
"""Edges in percent: a cell has one record in each of nine bins, which together span the range of the tables."""


def bandwidth(values: np.ndarray) -> float:
    """Return Silverman's bandwidth of a Gaussian kernel, .9 min(std, IQR / 1.34) n^-1/5 (1986, equation 3.31)."""
    low, high = np.quantile(values, (0.25, 0.75))
    return float(0.9 * min(values.std(ddof=1), (high - low) / 1.34) * len(values) ** -0.2)


def smoothed_cells(pulses: PulseTables, counts: Mapping[str, int], rng: np.random.Generator) -> PulseTables:
    """Draw new cells by a smooth bootstrap of each table.

    A new cell takes the SOH and the voltages of a cell drawn from its table, each shifted by a Gaussian with
    Silverman's bandwidth; its SOC values are uniform in their bins. So SOH, SOC and voltage are in no public table, and
    vary together as they do there.

    Args:
        pulses: The public tables.
        counts: Number of new cells of each table, by the table's name.
        rng: Generator of the round.

    Returns:
        Nine records per cell; pulse voltages U1 to U21 are not drawn and are NaN.
    """
    jitter_V = _voltage_bandwidth(pulses)
    labels: list[tuple[str, str, str, float]] = []
    charges, voltages = [], []
    for table, count in counts.items():
        rows = pulses.table == table
        cells = np.unique(pulses.cell[rows].astype(str))
        soh_of = np.array([pulses.soh[pulses.cell == cell][0] for cell in cells])
        width = bandwidth(soh_of)
        for number, donor in enumerate(rng.integers(len(cells), size=count).tolist(), 1):
            records = pulses.cell == cells[donor]
            order = np.argsort(pulses.soc[records])
            soc = rng.uniform(SOC_BINS[:-1], SOC_BINS[1:])
            voltage = np.interp(soc, pulses.soc[records][order], pulses.voltage[records][order])
            voltage = np.clip(voltage + rng.normal(0, jitter_V, len(soc)), GROUNDED_MIN_V, GROUNDED_MAX_V)
            soh = _reflected(soh_of[donor] + rng.normal(0, width), soh_of.min(), soh_of.max())
            labels.append((f"{table}-r{number:03d}", table, pulses.chemistry[rows][0], soh))
            charges.append(soc)
            voltages.append(voltage)
    cell, table_of, chemistry, soh_of_row = np.repeat(np.array(labels, dtype=object), len(SOC_BINS) - 1, axis=0).T
    unknown = np.full((len(cell), pulses.u.shape[1]), np.nan)
    return PulseTables(
        cell=cell,
        soc=np.concatenate(charges),
        soh=soh_of_row.astype(float),
        u=unknown,
        table=table_of,
        chemistry=chemistry,
        voltage=np.concatenate(voltages),
        battery=cell,
        own_voltage=unknown[:, 0],
        age_cycles=unknown[:, 0],
    )


def _voltage_bandwidth(pulses: PulseTables) -> float:
    """Return the bandwidth in V of the scanned cell type's voltages around their median at the same SOC."""
    rows = pulses.table == SCANNED
    soc, voltage = pulses.soc[rows], pulses.voltage[rows]
    return bandwidth(np.concatenate([voltage[soc == level] - np.median(voltage[soc == level]) for level in set(soc)]))


def _reflected(value: float, low: float, high: float) -> float:
    """Reflect a value outside [low, high] back inside: clipping would pile cells up on two public values of SOH."""
    if value < low:
        value = 2 * low - value
    elif value > high:
        value = 2 * high - value
    return float(np.clip(value, low, high))
