"""Read a laboratory's table (CSV, Parquet or XLSX) by the contract's columns; faults name their row."""

import datetime
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from bridge.errors import Mistakes, faulty
from bridge.upstream.published import PULSEBAT_SHEET
from dataset_card.contract.measured import PULSES, InputField, chemistry_of
from dataset_card.storage.columns import (
    Column,
    ColumnMap,
    Found,
    find_columns,
    in_unit,
    read_column_map,
    require_columns,
)
from dataset_card.storage.faults import MOST, faults_in, require
from dataset_card.storage.layout import RawTable, read_table

_PULSEBAT = {"chemistry": "Mat", "cell_id": "No.", "capacity_Ah": "Q", "nominal_Ah": "Qn"}
PUBLISHED = {PULSEBAT_SHEET: ColumnMap(None, {k: {"column": v} for k, v in _PULSEBAT.items()}, PULSEBAT_SHEET)}
"""Column maps for the sheets of PulseBat's workbooks, whose columns have names of their own."""

NAME = re.compile(r"[^\W_][\w.+-]{0,63}")
DATE = re.compile(
    r"\d{1,2}-[A-Z][a-z]{2}(-\d{2,4})?|[A-Z][a-z]{2}-\d{2}|\d{4}-\d{2}-\d{2}([ "
    r"T]\d\d:\d\d(:\d\d)?)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}"
)
"""Forms into which spreadsheets convert ids such as 3-1 or MAR1."""

MISSING = re.compile(r"(?i:nan|none|null|nat|<na>|n/a)|#N/A|#NV|#[A-Z]+(/0)?[!?]")
"""What programs write for no value, and spreadsheets for an error; `Na` may be a chemistry."""

CAPACITY_TOLERANCE = 0.02
LEAST_SHARE = 0.1
"""Least plausible fraction after a conversion: an SOH of 84 may be in percent, one of 1.06 is not."""


@dataclass(frozen=True)
class Records:
    """A laboratory's table, converted and checked.

    Attributes:
        rows: One column for each field present, names as strings and numbers as floats, and `where`, the row in words.
        notes: What was ignored, converted or derived, in sentences.
        file: The table's path.
    """

    rows: pandas.DataFrame
    notes: tuple[str, ...]
    file: Path

    @property
    def pulses(self) -> np.ndarray:
        """Pulse voltages U1 to U21 of each row, (n, 21) in V; NaN if the table has none."""
        names = [field.name for field in PULSES]
        if names[0] not in self.rows:
            return np.full((len(self.rows), len(names)), np.nan)
        return np.ascontiguousarray(self.rows[names].to_numpy(float))


def read_records(path: Path | str, fields: Sequence[InputField], columns: Path | str | None = None) -> Records:
    """Read a table with declared columns.

    Args:
        path: CSV (commas, semicolons or tabs; decimal points or commas), Parquet, XLSX, or one of PulseBat's workbooks.
        fields: Columns that the table may have, and must have if required.
        columns: A column map; without it, columns are matched by name in any case or usual synonym, and converted from
            the units that they state.

    Raises:
        FaultyInput: If the file is not such a table; `faults` lists each kind of mistake.
    """
    mapped = read_column_map(columns, [field.name for field in fields])
    with faults_in(path):
        raw = read_table(Path(path), fields, mapped, PUBLISHED)
        names = [str(name) for name in raw.rows.columns]
        found = find_columns(names, fields, raw.mapped, raw.header, raw.units)
        require_columns(found, names, fields, [field.name for field in PULSES], raw.header)
        return Records(*_converted(raw, found, fields), Path(path))


def _converted(raw: RawTable, found: Found, fields: Sequence[InputField]) -> tuple[pandas.DataFrame, tuple[str, ...]]:
    """Return the rows and notes of a table whose columns were found."""
    if not len(raw.rows):
        raise faulty("no_rows")
    reader = _Rows([f"row {number}" for number in raw.rows.index])
    faults, out = reader.faults, reader.table
    notes = [*raw.notes, *found.notes]
    for field in (each for each in fields if each.name in found.columns):
        column = found.columns[field.name]
        read = reader.names if field.is_text else reader.numbers
        out[field.name] = read(field, column, raw.rows[column.column].tolist())
    if "cell_id" in out and (cleaned := reader.cleaned(raw.rows[found.columns["cell_id"].column])):
        notes.append(cleaned)
    require(faults)
    soh = next((field for field in fields if field.name == "soh"), None)
    if soh is not None and "soh" not in out:
        out["soh"] = [capacity / nominal for capacity, nominal in zip(out["capacity_Ah"], out["nominal_Ah"])]
        reader.check_range(soh, "soh", out["soh"])
        notes.append("SOH was derived as capacity over nominal capacity, as the table has no SOH column.")
        require(faults)
    reader.check_consistent()
    require(faults)
    return pandas.DataFrame({**out, "where": reader.where}), tuple(notes)


def _text(value: Any) -> Any:
    """Return text for bytes, as which some programs store it in Parquet, and any other value unchanged."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value


def _plain(text: str) -> str:
    """Return a cell's name with the characters replaced that a file name should not contain."""
    return re.sub(r"[^\w.+-]+", "_", text, flags=re.ASCII).strip("_")


class _Rows:
    """The values of a table's rows while they are read, and the faults found in them.

    Args:
        where: Place of each row in the file, in words.
    """

    def __init__(self, where: list[str]):
        self.faults, self.where = Mistakes(), where
        self.table: dict[str, list] = {}

    def _add(self, row: str, column: str, mistake: str, **values: object) -> None:
        self.faults.add(f"{row}, column {column!r}", mistake, **values)

    def names(self, field: InputField, column: Column, values: list) -> list[str]:
        """Return the values of a column as names; note those that are not valid names."""
        out: list[str] = []
        for value, row in zip(map(_text, values), self.where):
            if len(self.faults) >= MOST:
                break
            if isinstance(value, float) and value.is_integer():
                value = int(value)  # spreadsheets store whole numbers as floats
            is_one = pandas.api.types.is_scalar(value)  # a cell of a Parquet file may be a list
            text = "" if is_one and (pandas.isna(value) or MISSING.fullmatch(str(value))) else str(value)
            text = chemistry_of(text) if field.name == "chemistry" else text  # `LFP/graphite` is not a valid name
            is_date = isinstance(value, datetime.date) or DATE.fullmatch(text) is not None
            if field.name == "cell_id" and is_one and not is_date and not NAME.fullmatch(text):
                text = _plain(text) if NAME.fullmatch(_plain(text)) else text
            out.append(text)
            if is_date:
                self._add(row, column.column, "name_is_date", text=text)
            elif not text:
                self._add(
                    row, column.column, "name_empty", text=f" ({value})" if isinstance(value, str) and value else ""
                )
            elif not NAME.fullmatch(text):
                wrong = "spaces" if re.search(r"\s", text) else "other characters"
                self._add(row, column.column, "name_letters", text=text[:80], wrong=wrong)
            elif text.lower().startswith("regimeb"):
                self._add(row, column.column, "name_taken", text=text)
        return out

    def numbers(self, field: InputField, column: Column, values: list) -> list[float]:
        """Return the values of a column as numbers in the field's unit; note invalid and out-of-range ones."""
        out: list[float] = []
        for value, row in zip(values, self.where):
            if len(self.faults) >= MOST:
                return out
            number = _number(value)
            if number is None:
                unit = in_unit(column.unit or field.unit)
                mistake, text = _not_a_number(value)
                self._add(row, column.column, mistake, text=text, point=text.replace(",", "."), unit=unit)
            out.append(math.nan if number is None else number * column.factor + column.offset)
        self.check_range(field, column.column, out, column.unit)
        return out

    def check_range(self, field: InputField, name: str, values: list[float], told: str = "") -> None:
        """Note numbers outside the field's range, and a column whose numbers all contradict its unit, told or not."""
        low, high = field.low or 0.0, field.high or 0.0
        unit = "" if field.unit in ("-", "fraction") else f" {field.unit}"
        factor, slip = field.slip if field.slip and not told else (math.nan, "")
        least = LEAST_SHARE if field.unit == "fraction" else low
        for number, row in zip(values, self.where):
            if not math.isnan(number) and not (low < number <= high if field.above else low <= number <= high):
                mistake = "range_unit" if least < number * factor <= high else "range"
                self._add(row, name, mistake, number=number, unit=unit, range=field.range, slip=slip)
        top = max((number for number in values if not math.isnan(number)), default=math.nan)
        if field.suspect_up_to is not None and 0 < top <= field.suspect_up_to:
            row, other = self.where[values.index(top)], f"another unit{told and f' than {told!r}'}: correct the unit"
            slip = slip if factor == 1 else other  # other hints are of values that are too large
            self._add(row, name, "column_unit", top=top, unit=unit, range=field.range, slip=slip)

    def _apart(self, keys: Iterable, values: Iterable) -> Iterator[tuple[str, Any, Any, Any, str]]:
        """Yield row, key, value, first value and first row where a value differs from the first of its key."""
        first: dict[Any, tuple[Any, str]] = {}
        for key, value, row in zip(keys, values, self.where):
            known, at = first.setdefault(key, (value, row))
            if value != known:
                yield row, key, value, known, at

    def cleaned(self, before: pandas.Series) -> str | None:
        """Tell which cell names were changed into valid file names; note a fault if two become the same."""
        names, old_names = self.table["cell_id"], [str(_text(value)) for value in before]
        for row, new, old, first, _ in self._apart(names, old_names):
            self._add(row, "cell_id", "names_meet", old=old, first=first, new=new)
        was = pandas.Series(old_names, names).groupby(level=0, sort=False).first()
        changed = [(old, new) for new, old in was.items() if old not in (new, f"{new}.0")]
        return f"Cells renamed: {changed[0][0]!r} to {changed[0][1]!r}, {len(changed)} in total." if changed else None

    def check_consistent(self) -> None:
        """Note rows that contradict one another."""
        table = self.table
        for row, name, _, first, _ in self._apart(table.get("scan_id", []), self.where):
            self._add(row, "scan_id", "scan_labelled_twice", name=name, first=first)
        if "cell_id" not in table:
            return
        for column in ("cell_id", "battery_id", "chemistry"):
            names = table.get(column, [])
            for row, _, name, first, _ in self._apart(map(str.lower, names), names):
                self._add(row, column, "spelling", name=name, first=first)
        for column in ("battery_id", "age_cycles", "chemistry", "nominal_Ah"):
            for row, cell, value, known, at in self._apart(table["cell_id"], table.get(column, [])):
                self._add(row, column, "two_of_a_cell", value=value, cell=cell, known=known, at=at)
        if "capacity_Ah" in table and "nominal_Ah" in table:
            for capacity, nominal, soh, row in zip(table["capacity_Ah"], table["nominal_Ah"], table["soh"], self.where):
                share = capacity / nominal
                if abs(share - soh) > CAPACITY_TOLERANCE:
                    self._add(row, "soh", "capacity", soh=soh, capacity=capacity, nominal=nominal, share=share)


def _number(value) -> float | None:
    if isinstance(value, (bool, datetime.date, np.ndarray)) or (isinstance(value, str) and "_" in value):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _not_a_number(value) -> tuple[str, str]:
    """Return which mistake a value that is not a number is, and its text."""
    text = "" if value is None else str(value).strip()
    if re.fullmatch(r"[+-]?\d+,\d+", text):
        return "number_comma", text
    if text.lower() in ("", "nan", "none", "nat", "<na>", "na", "#n/a"):
        return "number_empty", f" ({text})" if text else ""
    return ("number_percent", text) if text.endswith("%") else ("no_number", text[:80])
