"""A user's own cycling data, a CSV or Parquet table of samples, as discharge segments; units are checked, not guessed.

===============  ======  ==============================================================================
column           unit    meaning
===============  ======  ==============================================================================
cell_id                  name of the cell; may be left out of a file of one cell, then its file name is it
cycle                    whole number, one per discharge, counted from 0 or any other start
time_s           s       time within the discharge, strictly increasing
voltage_V        V       terminal voltage
current_A        A       current, negative in discharge
temperature_C    degC    cell temperature
capacity_Ah      Ah      optional: capacity reported for the discharge, the same in each of its rows
===============  ======  ==============================================================================

Rows hold discharges only, one rest sample before the load and the recovery after it welcome. Exports under the names of
the Battery Data Format, PyProBE or cellpy are taken as they are, whole tests included: see `formats`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from dataset_card.errors import MagBridgeError

from .child import MAX_MEMORY_BYTES, Broken, bounded_child
from .features import (
    LOAD_CURRENT_A,
    MIN_LOAD_S,
    MIN_LOADED_SAMPLES,
    MIN_REPORTED_AH,
    Segment,
    discharged_Ah,
    loaded_samples,
)
from .formats import as_numbers, in_own_names

CHANNELS = ("time_s", "voltage_V", "current_A", "temperature_C")

# Bounds that no single cell leaves, and that a slip by a factor of 1000 does.
MAX_VOLTAGE_V = 10.0
MIN_PEAK_VOLTAGE_V = 0.1
MAX_CURRENT_A = 300.0
TEMPERATURE_RANGE_C = (-60.0, 150.0)
MIN_PEAK_TEMPERATURE_C = 0.1  # a cell whose every reading is nearer to 0 has no sensor, or one in kilodegrees
MAX_DURATION_S = 500 * 3600.0
MIN_DURATION_S = MIN_LOAD_S  # of the longest discharge that has enough samples
MAX_COLUMNS = 1000
MAX_HEADER_BYTES = 1 << 16  # that are looked at: 64 a column
MAX_UNPACKING = 20  # a table of samples takes in memory at most so many times its Parquet file, or `MAX_MEMORY_BYTES`
MAX_CAPACITY_RATIO = 50.0  # reported capacity over the integral of the current, either way


def read_table(path: str | Path) -> pd.DataFrame:
    """A CSV or Parquet file as a table; a file without `cell_id` is one cell, named after the file.

    Raises:
        MagBridgeError: no such file, or one that cannot be parsed.
    """
    path = Path(path)
    if not path.is_file():
        raise MagBridgeError(f"{path} does not exist; expected a CSV or Parquet file of samples")
    try:
        if path.suffix == ".parquet":
            with bounded_child(max(1.0, MAX_UNPACKING * path.stat().st_size / MAX_MEMORY_BYTES)) as call:
                call(_try_parquet, path)
            table = _read_parquet(path)
        else:
            table = _read_csv(path)
    except MagBridgeError:
        raise
    except Broken as error:
        raise MagBridgeError(f"{path} is damaged or too large (it {error}); split it by cell") from None
    except Exception as error:  # pandas and pyarrow raise a dozen kinds for files that are not tables
        raise MagBridgeError(f"{path} cannot be read as {path.suffix or 'CSV'}: {error}") from error
    if "cell_id" not in table:
        table = table.assign(cell_id=path.stem)
    if table["cell_id"].isna().any():
        row = int(np.flatnonzero(table["cell_id"].isna())[0])
        raise MagBridgeError(f"{path}: row {row} has no cell_id; name the cell in every row, or leave the column out")
    return table


def _try_parquet(path: Path) -> None:
    """A small file can claim any size, and damaged footers crash pyarrow: this process reads what another one could."""
    _read_parquet(path)


def _read_parquet(path: Path) -> pd.DataFrame:
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        _check_width(path, len(names))
        if twice := [name for name in names if names.count(name) > 1]:
            raise MagBridgeError(f"{path} has the column {twice[0]!r} twice; remove one")
        return file.read(use_threads=False).to_pandas()


def _read_csv(path: Path) -> pd.DataFrame:
    with open(path, "rb") as file:  # pandas takes half a minute for a hundred thousand columns
        header = file.readline(MAX_HEADER_BYTES)
    separator = ";" if b";" in header and b"," not in header else ","  # cellpy writes the former
    _check_width(path, 1 + header.count(separator.encode()))
    return pd.read_csv(path, float_precision="round_trip", sep=separator, compression=None)


def _check_width(path: Path, columns: int) -> None:
    if columns > MAX_COLUMNS:
        raise MagBridgeError(f"{path} has {columns} columns; expected a table of samples, at most {MAX_COLUMNS}")


def segments_of(table: pd.DataFrame) -> list[Segment]:
    """The discharge segments of a table of samples.

    Args:
        table: columns as above, more are ignored; rows of one discharge in order of time.

    Returns:
        Checked segments in order of cell and cycle.

    Raises:
        MagBridgeError: a column is missing or holds no numbers, a value is not finite, or a channel is in another unit.
    """
    table = in_own_names(table)
    missing = [name for name in ("cell_id", "cycle", *CHANNELS) if name not in table]
    if missing:
        raise MagBridgeError(
            f"the table lacks {missing}; it has {list(table.columns)[:20]}; hqvqvae.cells.cycling tells names and units"
        )
    if not len(table):
        raise MagBridgeError("the table has no rows")
    for name in ("cycle", *CHANNELS, *(["capacity_Ah"] if "capacity_Ah" in table else [])):
        if not pd.api.types.is_numeric_dtype(table[name]):
            bad = table[name][as_numbers(table[name]).isna()]
            found = f"{str(bad.iloc[0])[:80]!r} in row {bad.index[0]}" if len(bad) else f"{table[name].dtype}"
            raise MagBridgeError(f"column {name} holds {found}; expected numbers")
    cycles = table["cycle"].to_numpy(dtype=float)
    broken = ~np.isfinite(cycles) | (np.abs(cycles) > 1e9) | (cycles != np.round(cycles))
    if broken.any():
        raise MagBridgeError(f"cycle holds {cycles[broken][0]:g}; expected whole numbers")
    segments = []
    for (cell, _), rows in table.groupby(["cell_id", "cycle"], sort=True):
        channels = {name: rows[name].to_numpy(dtype=float) for name in CHANNELS}
        capacity = float(rows["capacity_Ah"].iloc[0]) if "capacity_Ah" in rows else float("nan")
        segment = Segment(str(cell), int(rows["cycle"].iloc[0]), **channels, capacity_Ah=capacity)
        segment.check()
        segments.append(segment)
    by_cell: dict[str, list[Segment]] = {}
    for segment in segments:
        by_cell.setdefault(segment.cell_id, []).append(segment)
    for cell, of_cell in by_cell.items():
        check_units(cell, of_cell)
    return segments


def check_units(cell: str, segments: list[Segment]) -> None:
    """Refuse a cell with a channel that cannot be in the unit of its column.

    Raises:
        MagBridgeError: names cell, channel, the value seen and the unit it looks like.
    """

    def refuse(channel: str, seen: str, expected: str, looks_like: str) -> None:
        raise MagBridgeError(f"cell {cell}: {channel} {seen}; expected {expected} (looks like {looks_like}): convert")

    peak = {name: max(float(np.abs(getattr(s, name)).max()) for s in segments) for name in CHANNELS}
    if peak["voltage_V"] > MAX_VOLTAGE_V:
        refuse("voltage_V", f"reaches {peak['voltage_V']:g}", f"at most {MAX_VOLTAGE_V:g} V", "mV, or a pack of cells")
    if peak["voltage_V"] < MIN_PEAK_VOLTAGE_V:
        refuse("voltage_V", f"stays below {peak['voltage_V']:g}", f"at least {MIN_PEAK_VOLTAGE_V:g} V", "kV")
    if peak["current_A"] > MAX_CURRENT_A:
        refuse("current_A", f"reaches {peak['current_A']:g}", f"at most {MAX_CURRENT_A:g} A", "mA")
    coldest = min(float(segment.temperature_C.min()) for segment in segments)
    hottest = max(float(segment.temperature_C.max()) for segment in segments)
    low, high = TEMPERATURE_RANGE_C
    if coldest < low or hottest > high:
        refuse("temperature_C", f"spans {coldest:g} to {hottest:g}", f"{low:g} to {high:g} degC", "kelvin or m°C")
    if peak["temperature_C"] < MIN_PEAK_TEMPERATURE_C:
        refuse("temperature_C", f"stays within {peak['temperature_C']:g} of 0", "degC", "kilodegrees, or no sensor")
    loaded = [segment for segment in segments if loaded_samples(segment).size]
    if not loaded:
        least = min(float(segment.current_A.min()) for segment in segments)
        positive = all(segment.current_A.mean() > 0 for segment in segments)
        hint = "the sign is that of charge: flip it" if positive else "no load, or kA"
        refuse("current_A", f"is never below {LOAD_CURRENT_A} (least {least:g})", "a discharge, negative, in A", hint)
    durations = [s.time_s[-1] - s.time_s[0] for s in loaded if loaded_samples(s).size >= MIN_LOADED_SAMPLES]
    if durations and max(durations) > MAX_DURATION_S:
        refuse("time_s", f"runs {max(durations):g} in one discharge", f"at most {MAX_DURATION_S:g} s", "ms")
    if durations and max(durations) < MIN_DURATION_S:
        unit = "minutes" if max(durations) * 60 > MIN_DURATION_S else "hours or ks"
        seen = f"runs {max(durations):g} in the longest discharge"
        refuse("time_s", seen, f"seconds, at least {MIN_DURATION_S:g} in one of them", unit)
    for segment in loaded:
        if segment.capacity_Ah > MIN_REPORTED_AH:
            charge = discharged_Ah(segment, slice(None))
            ratio = segment.capacity_Ah / max(charge, MIN_REPORTED_AH)
            if not 1 / MAX_CAPACITY_RATIO < ratio < MAX_CAPACITY_RATIO:
                refuse(
                    "capacity_Ah",
                    f"of cycle {segment.cycle} is {segment.capacity_Ah:g}, the integral of the current {charge:.4g} Ah",
                    "Ah",
                    "mAh, or current_A or time_s in another unit",
                )
