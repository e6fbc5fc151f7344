"""Resistances fitted to PulseBat's 5 s pulses, the only real calibration available, and what such pulses leave open.

PulseBat's cells have 2.1 to 35 A h, ours 5.8 A h, so resistances are compared as products with capacity, in ohm A h. A
record is U1 at rest and five pulses of 5 s (+.5, -.5, +1, -1, +1.5C, charge positive), each read at its beginning, at
its end, just after it, and after a rest. LMO is omitted: no LMO cell is simulated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from bridge.upstream.pulsebat import SHEETS
from bridge.v1.inputs import PulseTable
from bridge.v3 import network
from bridge.v3.cells import Request, draw
from bridge.v3.config import PhysicsConfig
from bridge.v3.design import PouchCell
from bridge.v3.patches import GROUP, patches
from bridge.v3.state import CellState, Defect, Mesh, Variation
from dataset_card.contract.schema import MASTER_SEED
from dataset_card.errors import MagBridgeError
from dataset_card.running.templates import macros

RATES_C = (0.5, -0.5, 1.0, -1.0, 1.5)
"""Currents of the pulses over the nominal capacity in 1/h, charge positive."""
PULSE_S = 5.0
REST_S = 25.0
"""Rest after a pulse in s: not in the tables, so [C]; the reading after it is fitted like the others."""
PARAMETERS = ("r_0", "r_ct", "tau_ct", "tau_p", "tau_n")
FITTED = 2
"""Number of leading `PARAMETERS` that are fitted; times are the design's, and only their uncertainty is reported."""
PRIOR = 3.0
"""Standard deviation of a parameter's logarithm before any data: a factor of twenty either way [C]."""
DRAWN = 60
"""Number of virtual cells of a spread."""
UNIDENTIFIED = 0.5
"""Relative standard deviation above which a parameter counts as not identified."""


@dataclass(frozen=True)
class Calibration:
    """The fit to one table.

    Attributes:
        table: Name of PulseBat's table.
        fitted: Value of each of `PARAMETERS`: resistances in ohm A h, times in s.
        preset: The preset's value of each.
        uncertainty: Relative standard deviation of each if all five were free, given a prior of `PRIOR`.
        residual_mV: Root mean square misfit of the mean record of each SOC level.
        spread_mV: Root mean square deviation of single records from their level's mean: the table's own scatter.
        preset_mV: Misfit of the unchanged preset.
        cells: Relative standard deviation over the table's cells of the voltage step at the beginning of a pulse.
        soc: (L,) charge of each level in percent.
        measured_mV, simulated_mV: (L, 6) standard deviations within a level, of U1 and of the changes in each pulse,
            for the table's records and for `DRAWN` healthy virtual cells.
    """

    table: str
    fitted: dict[str, float]
    preset: dict[str, float]
    uncertainty: dict[str, float]
    residual_mV: float
    spread_mV: float
    preset_mV: float
    cells: float
    soc: list[float]
    measured_mV: list[list[float]]
    simulated_mV: list[list[float]]

    @property
    def unidentified(self) -> list[str]:
        """Parameters that these pulses do not determine."""
        return [name for name, value in self.uncertainty.items() if value > UNIDENTIFIED]

    def levels(self) -> list[tuple[str, list[tuple[float, float]]]]:
        """Return the spread of records and of virtual cells at each SOC level, and at all levels together."""
        both = [np.array(self.measured_mV), np.array(self.simulated_mV)]
        rows = [np.vstack([values, np.sqrt((values**2).mean(axis=0))]).tolist() for values in both]
        names = [*(f"{level:g}" for level in self.soc), "all"]
        return [(name, list(zip(*pair))) for name, *pair in zip(names, *rows, strict=True)]

    def wider(self) -> list[int]:
        """Count the levels at which records spread more than virtual cells, for U1 and each pulse."""
        return (np.array(self.measured_mV) > np.array(self.simulated_mV)).sum(axis=0).tolist()


def record(cell: PouchCell, state: CellState, variation: Variation | None = None) -> np.ndarray:
    """Simulate a cell's record, (21,) U1 to U21 in V: at rest, then four readings of each pulse."""
    numbers = patches(cell, state, Defect(), variation or Variation(), Mesh.uniform(cell, 3, 3))
    steps = np.concatenate([[0.0], np.full(5, PULSE_S / 5), [0.0], np.full(5, REST_S / 5)])
    on = np.concatenate([np.ones(6), np.zeros(6)])
    current = np.concatenate([-rate * on for rate in RATES_C]) * cell.nominal_Ah / cell.units
    scale = numbers.mean_scale
    states = GROUP, numbers.weight, numbers.time, np.tile(steps, len(RATES_C))
    volts, _ = network.share(numbers.ocv_V, scale[0].copy(), scale, *states, current)
    return np.concatenate([[numbers.ocv_V], volts.reshape(len(RATES_C), 12)[:, [0, 5, 6, 11]].ravel()])


def response(cell: PouchCell, soc: float, values: Mapping[str, float]) -> np.ndarray:
    """Simulate the (20,) changes in V from U1 of a fresh cell.

    Args:
        cell: The design.
        soc: Charge, 0 to 1.
        values: Value of each of `PARAMETERS`: resistances in ohm A h, times in s.
    """
    areal = cell.nominal_Ah / cell.units / cell.area_m2
    changes: dict[str, Any] = {f"{name}_ohmcm2": 1e4 * values[name] / areal for name in ("r_0", "r_ct")}
    own = replace(cell, **changes | {f"{name}_s": values[name] for name in PARAMETERS[FITTED:]})
    found = record(own, CellState(soc=soc))
    return found[1:] - found[0]


def simulated_spread(chemistry: str, levels: np.ndarray) -> np.ndarray:
    """Compute the (L, 6) `spread` in mV of healthy virtual cells, drawn as for a release, at L levels in percent."""
    records = []
    for drawn in draw([Request(chemistry, "known_soc", k, k % 4) for k in range(DRAWN)], PhysicsConfig(), MASTER_SEED):
        own = [replace(drawn.state, soc=drawn.state.soc - 0.5 + level / 100) for level in levels]
        records.append([record(drawn.cell, state, drawn.variation) for state in own])
    return np.stack([spread(of_level) for of_level in np.swapaxes(records, 0, 1)])


def spread(u: np.ndarray) -> np.ndarray:
    """Compute (6,) standard deviations in mV of records (n, 21): of U1, and of each pulse's four changes from it."""
    change = (u[:, 1:] - u[:, :1]).reshape(len(u), len(RATES_C), 4)
    return 1e3 * np.concatenate([[u[:, 0].std()], np.sqrt(change.var(axis=0).mean(axis=1))])


def calibrate(name: str, table: PulseTable, cell: PouchCell) -> Calibration:
    """Fit ohmic and charge-transfer resistance to the mean record of each SOC level.

    Args:
        name: Name of the table.
        table: Records of the table.
        cell: A design of the same chemistry.
    """
    areal = cell.nominal_Ah / cell.units / cell.area_m2
    preset = {name: getattr(cell, f"{name}_ohmcm2") * 1e-4 * areal for name in ("r_0", "r_ct")}
    preset |= {name: getattr(cell, f"{name}_s") for name in PARAMETERS[FITTED:]}
    change = table.u[:, 1:] - table.u[:, :1]
    levels = np.unique(table.soc)
    mean = np.stack([change[table.soc == level].mean(axis=0) for level in levels])
    within = change - mean[np.searchsorted(levels, table.soc)]

    def misfit(logs: np.ndarray) -> np.ndarray:
        values = preset | dict(zip(PARAMETERS, np.exp(logs), strict=False))
        return np.concatenate([response(cell, level / 100, values) for level in levels]) - mean.ravel()

    start = np.log(list(preset.values()))
    low, high = np.log([1e-3, 1e-3]), np.log([1.0, 1.0])
    found = least_squares(misfit, start[:FITTED], bounds=(low, high), x_scale=0.3)
    best = np.concatenate([found.x, start[FITTED:]])
    step = 1e-3
    slopes = np.stack([(misfit(best + step * e) - misfit(best - step * e)) / (2 * step) for e in np.eye(len(best))], 1)
    residual = np.sqrt((found.fun**2).mean())
    covariance = np.linalg.inv(slopes.T @ slopes / residual**2 + np.eye(len(best)) / PRIOR**2)
    begins = change[:, 0].reshape(-1)
    by_cell = [begins[table.cell == one].mean() for one in dict.fromkeys(table.cell)]
    tables = [dict(zip(PARAMETERS, values.tolist())) for values in (np.exp(best), np.sqrt(np.diag(covariance)))]
    misfits = residual, np.sqrt((within**2).mean()), np.sqrt((misfit(start[:FITTED]) ** 2).mean())
    of_fit, of_records, of_preset = (1e3 * float(value) for value in misfits)
    return Calibration(
        name,
        preset | tables[0],
        preset,
        tables[1],
        of_fit,
        of_records,
        of_preset,
        float(np.std(by_cell) / np.mean(by_cell)),
        levels.tolist(),
        [spread(table.u[table.soc == level]).tolist() for level in levels],
        simulated_spread(cell.chemistry, levels).tolist(),
    )


def calibrate_all(tables: Mapping[str, PulseTable]) -> list[Calibration]:
    """Fit the resistances to every table of a simulated chemistry.

    Args:
        tables: One table for each name of `SHEETS` whose chemistry is NMC or LFP.

    Raises:
        MagBridgeError: If a table is missing.
    """
    found = []
    for sheet in SHEETS:
        if sheet.chemistry not in ("NMC", "LFP"):
            continue
        if sheet.name not in tables:
            raise MagBridgeError(f"no pulse table {sheet.name!r}: expected all NMC and LFP tables")
        found.append(calibrate(sheet.name, tables[sheet.name], PouchCell.preset(sheet.chemistry.lower())))
    return found


def text(found: list[Calibration]) -> str:
    """Format the fits for people."""
    rates = [f"{rate:+g}C" for rate in RATES_C]
    return macros("bridge.v3", "calibrate.md").text(found, PARAMETERS, PARAMETERS[:FITTED], rates)
