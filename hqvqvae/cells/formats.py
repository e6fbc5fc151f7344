"""Tables as the field writes them, by the names of their columns: Battery Data Format, PyProBE and cellpy exports.

A column names a quantity and, as "Voltage / V", "Voltage [V]" or `voltage_volt`, its unit; cellpy's bare names are in
s, V, A and degC. Such tables hold whole tests; what counts of each cycle is its discharge.

Sources: Battery Data Alliance, battery-data-format (ontology 1.3.0); PyProBE (Imperial College London); cellpy.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from dataset_card.errors import MagBridgeError

from .features import LOAD_CURRENT_A

# Our columns and the quantities that give them, the better ones first; names in lower case, words apart.
QUANTITIES = {
    "cycle": ("cycle count", "cycle", "cycle index", "cycle num"),
    "time_s": ("test time", "time"),
    "voltage_V": ("voltage", "potential"),
    "current_A": ("current",),
    "temperature_C": ("surface temperature", "temperature t1", "temperature", "ambient temperature"),
}
# Factor to our unit, and what is added after it.
UNITS: dict[str, dict[str, tuple[float, float]]] = {
    "cycle": {"": (1, 0), "1": (1, 0), "count": (1, 0)},
    "time_s": {"": (1, 0), "s": (1, 0), "second": (1, 0), "ms": (1e-3, 0), "min": (60, 0), "h": (3600, 0)},
    "voltage_V": {"": (1, 0), "v": (1, 0), "volt": (1, 0), "mv": (1e-3, 0)},
    "current_A": {"": (1, 0), "a": (1, 0), "ampere": (1, 0), "ma": (1e-3, 0)},
    "temperature_C": {"": (1, 0), "degc": (1, 0), "c": (1, 0), "°c": (1, 0), "celsius": (1, 0), "k": (1, -273.15)},
}


def in_own_names(table: pd.DataFrame) -> pd.DataFrame:
    """A table of samples under this package's names and units.

    Args:
        table: columns as in `cycling`, or as the formats above name them.

    Returns:
        The table as it is if it has our names; else the discharge of each cycle, from the last sample at rest before
        the load to the last one under load, with `time_s` counted from its start.

    Raises:
        MagBridgeError: a column of a known quantity is in a unit that is not known.
    """
    found = {ours: column for ours in QUANTITIES if ours not in table if (column := _column(table, ours)) is not None}
    if "time_s" not in found:
        return table
    renamed = table.drop(columns=[name for name in found.values() if name in table])
    for ours, column in found.items():
        factor, offset = _unit(ours, column)
        renamed[ours] = as_numbers(table[column]) * factor + offset
    if not {"voltage_V", "current_A"} <= set(renamed):
        return renamed
    if "cycle" not in renamed:  # a cycle ends where the next charge begins
        charging = renamed["current_A"] > -LOAD_CURRENT_A
        starts = charging & ~charging.groupby(renamed["cell_id"]).shift(fill_value=False)
        renamed["cycle"] = starts.groupby(renamed["cell_id"]).cumsum()
    parts = [_discharge(rows) for _, rows in renamed.groupby(["cell_id", "cycle"], sort=False, dropna=False)]
    return pd.concat(parts, ignore_index=True) if parts else renamed


def as_numbers(column: pd.Series) -> pd.Series:
    """A column as float64, NaN where there is no number.

    Raises:
        MagBridgeError: a whole number is beyond any float.
    """
    try:
        return pd.to_numeric(column, errors="coerce").astype(float)
    except (OverflowError, TypeError, ValueError) as error:
        raise MagBridgeError(f"column {column.name!r} holds no numbers ({error}); correct it") from error


def _split(column: str) -> tuple[str, str]:
    """Quantity and unit of a column's name, in lower case."""
    name = str(column).strip().lower()
    if match := re.fullmatch(r"(.*?)\s*/\s*([^/]+)|(.*?)\s*\[(.*)\]", name):
        quantity, unit = [part for part in match.groups() if part is not None]
    else:
        words = name.replace("_", " ")
        unit = next((word for word in ("second", "volt", "ampere", "celsius") if words.endswith(f" {word}")), "")
        quantity = words.removesuffix(unit)
    return quantity.replace("_", " ").strip(), unit.strip()


def _column(table: pd.DataFrame, ours: str) -> str | None:
    quantities = {_split(column)[0]: column for column in reversed(table.columns)}
    return next((quantities[name] for name in QUANTITIES[ours] if name in quantities), None)


def _unit(ours: str, column: str) -> tuple[float, float]:
    unit = _split(column)[1]
    if unit not in UNITS[ours]:
        known = ", ".join(name for name in UNITS[ours] if name)
        raise MagBridgeError(f"column {column!r} is in {unit!r}; expected {ours} in one of {known}: convert it")
    return UNITS[ours][unit]


def _discharge(rows: pd.DataFrame) -> pd.DataFrame:
    """The longest stretch of a cycle that is under load without a charge between, and the rest sample before it."""
    current = rows["current_A"].to_numpy(dtype=float)
    loaded = current < LOAD_CURRENT_A
    stretch = np.cumsum(current > -LOAD_CURRENT_A)
    if not loaded.any():
        return rows.iloc[:0]
    kept = np.flatnonzero(loaded & (stretch == np.bincount(stretch[loaded]).argmax()))
    first = max(kept[0] - 1, 0) if not current[max(kept[0] - 1, 0)] > -LOAD_CURRENT_A else kept[0]
    part = rows.iloc[first : kept[-1] + 1]
    return part.assign(time_s=part["time_s"] - part["time_s"].iloc[0])
