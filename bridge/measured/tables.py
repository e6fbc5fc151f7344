"""Reads a laboratory's table: CSV, Parquet or XLSX, by the contract's columns, every fault named with its row."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from dataset_card.contract.measured import PULSES, InputField, chemistry_of
from dataset_card.storage.archives import workbook
from dataset_card.storage.columns import Column, ColumnMap, Found, did_you_mean, find_columns, read_column_map
from dataset_card.storage.faults import MOST, Faults, FaultyInput, fault, require
from dataset_card.storage.layout import text_layout, text_rows, workbook_rows
from dataset_card.storage.parquet import read_parquet

MAX_BYTES = 256 * 2**20
MAX_ROWS = 1_000_000
"""Far beyond any laboratory's labels; a larger file is not one."""

PULSEBAT_SHEET = "SOC ALL"
PULSEBAT_COLUMNS = {"chemistry": "Mat", "cell_id": "No.", "capacity_Ah": "Q", "nominal_Ah": "Qn"}
"""Columns of PulseBat's workbooks that have names of their own; others are not read."""

NAME = re.compile(r"[^\W_][\w.+-]{0,63}")
DATE = re.compile(
    r"\d{1,2}-[A-Z][a-z]{2}(-\d{2,4})?|[A-Z][a-z]{2}-\d{2}|\d{4}-\d{2}-\d{2}([ "
    r"T]\d\d:\d\d(:\d\d)?)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}"
)
"""What spreadsheets make of ids such as 3-1 or MAR1."""

CAPACITY_TOLERANCE = 0.02


def read_labels(path: Path | str, fields: Sequence[InputField], columns: Path | str | None = None) -> pandas.DataFrame:
    """Read a table by its declared columns.

    Args:
        path: CSV (commas, semicolons or tabs; decimal points or commas), Parquet, XLSX, or a workbook of PulseBat's.
        fields: Columns it may have, and must have where required.
        columns: A column map; else names in any case, their usual synonyms and the units that they state are taken.

    Returns:
        A column for each field that is there, names as strings, numbers as floats, and `where`, the row in words;
        `attrs["notes"]` says in sentences what was ignored, converted or derived.

    Raises:
        FaultyInput: Not such a table; `faults` names each kind of mistake.
    """
    path = Path(path)
    mapped = read_column_map(columns, [field.name for field in fields])
    raw, notes, header, units = _read(path, fields, mapped)
    names = [str(name) for name in raw.columns]
    found = find_columns(path, names, fields, mapped, header, units)
    present = _present(path, names, found, fields, header)
    if not len(raw):
        raise fault(path, "", "no rows", "one row per record under the header", "export the table again")
    reader = _Rows(path, [f"row {number}" for number in raw.index])
    faults, out = reader.faults, reader.table
    notes += found.notes
    for field in present:
        column = found.columns[field.name]
        read = reader.names if field.is_text else reader.numbers
        out[field.name] = read(field, column, raw[column.column].tolist())
    if "cell_id" in out and (cleaned := reader.cleaned(raw[found.columns["cell_id"].column])):
        notes += (cleaned,)
    require(faults)
    soh = next((field for field in fields if field.name == "soh"), None)
    if soh is not None and "soh" not in out:
        out["soh"] = [capacity / nominal for capacity, nominal in zip(out["capacity_Ah"], out["nominal_Ah"])]
        reader.check_range(soh, "soh", out["soh"], told=False)
        notes += ("SOH is capacity over nominal capacity: the table has no column of its own for it.",)
        require(faults)
    reader.check_consistent()
    require(faults)
    table = pandas.DataFrame({**out, "where": reader.where})
    table.attrs["notes"] = list(notes)
    return table


def pulses_of(table: pandas.DataFrame) -> np.ndarray:
    """The pulse voltages U1 to U21 of each row, (n, 21) in V; NaN where the table has none."""
    names = [field.name for field in PULSES]
    if names[0] not in table:
        return np.full((len(table), len(names)), np.nan)
    return np.ascontiguousarray(table[names].to_numpy(float))


def _read(
    path: Path, fields: Sequence[InputField], mapped: ColumnMap
) -> tuple[pandas.DataFrame, tuple[str, ...], int, dict[str, str]]:
    """The raw table, its rows numbered as in the file (in Parquet from 1); notes; the row of the names; units."""
    if not path.is_file():
        raise fault(path, "", "no such file", "a table as CSV, Parquet or XLSX", "check the path")
    if path.stat().st_size > MAX_BYTES:
        raise fault(path, "", f"{path.stat().st_size} bytes", f"at most {MAX_BYTES}", "labels are one row per scan")
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".tsv", ".txt", ".parquet", ".xlsx"):
        raise fault(path, "", f"suffix {path.suffix!r}", ".csv, .parquet or .xlsx", "save the table as one of them")
    notes: tuple[str, ...] = ()
    units: dict[str, str] = {}
    header = 1
    try:
        if suffix == ".parquet":
            raw = read_parquet(path).to_pandas().reset_index(drop=True).rename(lambda i: i + 1)
        elif suffix == ".xlsx":
            raw, notes, units = _read_workbook(path, fields, mapped)
            header = int(raw.index[0]) - 1 - bool(units) if len(raw) else 1
        else:
            layout = text_layout(path, fields, mapped)
            raw, notes, header = text_rows(path, layout), layout.notes, layout.header + 1
            units = dict(zip(layout.names, layout.units))
    except FaultyInput:
        raise
    except Exception as error:  # pandas, pyarrow, zipfile and openpyxl raise many kinds, all of them the file's fault
        reason = " ".join(str(error).split())[:200]
        raise fault(path, "", f"not readable ({reason})", f"a {suffix[1:].upper()} table", "export it again") from error
    repeated = raw.columns[raw.columns.duplicated()]
    if len(repeated):
        raise fault(path, f"row {header}", f"column {repeated[0]!r} twice", "each column once", "remove one of them")
    if len(raw) > MAX_ROWS:
        raise fault(path, "", f"{len(raw)} rows", f"at most {MAX_ROWS}", "labels are one row per scan")
    return raw, notes, header, units


def _read_workbook(
    path: Path, fields: Sequence[InputField], mapped: ColumnMap
) -> tuple[pandas.DataFrame, tuple[str, ...], dict[str, str]]:
    book = pandas.ExcelFile(workbook(path, MAX_BYTES), engine="openpyxl")
    if mapped.path is not None or PULSEBAT_SHEET not in book.sheet_names:
        return workbook_rows(path, fields, mapped, MAX_ROWS + 1)
    sheet = book.parse(PULSEBAT_SHEET, dtype=object, nrows=MAX_ROWS + 1).rename(lambda i: i + 2)
    own = {column: name for name, column in PULSEBAT_COLUMNS.items()}
    sheet = sheet.rename(columns=own)
    return sheet[[name for name in sheet.columns if name in {field.name for field in fields} | {"SOC", "SOH"}]], (), {}


def _present(path: Path, names: list[str], found: Found, fields: Sequence[InputField], header: int) -> list[InputField]:
    """The fields that are there; missing required and half-given ones are faults."""
    faults, there = Faults(path), found.columns
    derived = {"capacity_Ah", "nominal_Ah"} <= set(there)
    for field in fields:
        if field.required and field.name not in there and not (field.name == "soh" and derived):
            missing = f"no column for {field.name!r} among {', '.join(map(repr, names[:12]))}"
            faults.add(f"row {header}", missing, f"{field.name}{_in(field)}", did_you_mean(field, found.ignored))
    absent = [field.name for field in PULSES if field.name not in there]
    if absent and len(absent) < len(PULSES):
        half = f"{len(PULSES) - len(absent)} pulse voltages without {absent[0]!r}"
        faults.add(f"row {header}", half, "all 21 or none", "add it")
    require(faults)
    return [field for field in fields if field.name in there]


def _in(field: InputField, joined: str = " in ") -> str:
    """A field's unit as it follows a number or a name."""
    return "" if field.unit == "-" else f"{joined}{field.unit}"


def _plain(text: str) -> str:
    """A cell's name without what no file's name should have."""
    return re.sub(r"[^\w.+-]+", "_", text, flags=re.ASCII).strip("_")


class _Rows:
    """The values of a table's rows as they are read, and what is wrong with them.

    Args:
        path: The file.
        where: Each row's place in it, in words.
    """

    def __init__(self, path: Path, where: list[str]):
        self.faults, self.where = Faults(path), where
        self.table: dict[str, list] = {}

    def _add(self, row: str, column: str, found: str, expected: str, fix: str) -> None:
        self.faults.add(f"{row}, column {column!r}", found, expected, fix)

    def names(self, field: InputField, column: Column, values: list) -> list[str]:
        """Values that are names."""
        out = []
        for value, row in zip(values, self.where):
            if isinstance(value, float) and value.is_integer():
                value = int(value)  # a spreadsheet's number
            text = "" if value is None or value is pandas.NaT or value != value else str(value)
            text = chemistry_of(text) if field.name == "chemistry" else text  # before `LFP/graphite` is no file's name
            is_date = isinstance(value, datetime.date) or DATE.fullmatch(text) is not None
            if field.name == "cell_id" and not is_date and not NAME.fullmatch(text) and NAME.fullmatch(_plain(text)):
                text = _plain(text)
            if wrong := _not_a_name(text, is_date):
                self._add(row, column.column, *wrong)
            out.append(text)
            if len(self.faults) >= MOST:
                break
        return out

    def numbers(self, field: InputField, column: Column, values: list) -> list[float]:
        """Values that are numbers in the field's range, in its unit."""
        out = []
        for value, row in zip(values, self.where):
            number = _number(value)
            if number is None:
                found, fix = _not_a_number(value)
                unit = "" if field.unit == "-" else f" {column.unit or field.unit}"
                self._add(row, column.column, found, f"a number{unit}", fix)
            out.append(math.nan if number is None else number * column.factor + column.offset)
            if len(self.faults) >= MOST:
                return out
        self.check_range(field, column.column, out, told=bool(column.unit))
        return out

    def check_range(self, field: InputField, name: str, values: list[float], told: bool) -> None:
        """Every number is in the field's range, and not all of them where only another unit puts them."""
        unit, low, high = _in(field, " "), field.low or 0.0, field.high or 0.0
        for number, row in zip(values, self.where):
            if not math.isnan(number) and not (low < number <= high if field.above else low <= number <= high):
                fix = "correct it or remove the row"
                if field.slip and low < number * field.slip[0] <= high and not told:
                    fix = f"it looks like {field.slip[1]}"
                self._add(row, name, f"{number:g}{unit}", f"{field.range}{unit}", fix)
        top = max((number for number in values if not math.isnan(number)), default=math.nan)
        if field.suspect_up_to is not None and field.slip and top <= field.suspect_up_to and not told:
            row, found = self.where[values.index(top)], f"{top:g}, the largest of the column"
            self._add(row, name, found, f"{field.unit}, {field.range}", f"it looks like {field.slip[1]}")

    def cleaned(self, before: pandas.Series) -> str | None:
        """Say which names of cells were changed to be names of files; two that become one are a fault."""
        first: dict[str, str] = {}
        for old, new, row in zip(before.astype(str), self.table["cell_id"], self.where):
            if first.setdefault(new, old) != old:
                both = f"{old!r} and {first[new]!r}, both {new!r}"
                fix = "rename one: letters, digits, '.', '_', '+' and '-' stay as they are"
                self._add(row, "cell_id", both, "names that stay apart", fix)
        changed = [(old, new) for new, old in first.items() if old not in (new, f"{new}.0")]
        return f"Cells renamed: {changed[0][0]!r} is {changed[0][1]!r}, {len(changed)} in all." if changed else None

    def check_consistent(self) -> None:
        """What rows say of one another."""
        table = self.table
        first: dict[Any, Any] = {}
        for name, row in zip(table.get("scan_id", []), self.where):
            if first.setdefault(name, row) != row:
                found = f"{name!r}, which is in {first[name]} too"
                self._add(row, "scan_id", found, "each scan once", "remove one row or correct the id")
        if "cell_id" not in table:
            return
        for column in ("cell_id", "battery_id", "chemistry"):
            spelling: dict[str, str] = {}
            fix = "use one of them: two names would be two of them, in two subsets"
            for name, row in zip(table.get(column, []), self.where):
                if spelling.setdefault(name.lower(), name) != name:
                    self._add(row, column, f"{name!r} beside {spelling[name.lower()]!r}", "one spelling", fix)
        for column in ("battery_id", "age_cycles", "chemistry", "nominal_Ah"):
            seen: dict[str, tuple] = {}
            for cell, value, row in zip(table["cell_id"], table.get(column, []), self.where):
                known, at = seen.setdefault(cell, (value, row))
                if value != known:
                    found = f"{value!r} of cell {cell!r}, which has {known!r} in {at}"
                    self._add(row, column, found, "one value per cell", "two cells under one name? give each its own")
        if "capacity_Ah" in table and "nominal_Ah" in table:
            for capacity, nominal, soh, row in zip(table["capacity_Ah"], table["nominal_Ah"], table["soh"], self.where):
                if abs(capacity / nominal - soh) > CAPACITY_TOLERANCE:
                    found, fix = f"{soh:g} with {capacity:g} of {nominal:g} Ah", "correct the capacity or the SOH"
                    self._add(row, "soh", found, f"{capacity / nominal:.3f}", fix)


def _not_a_name(text: str, is_date: bool) -> tuple[str, str, str] | None:
    """What is wrong with a text as a name, what was expected and the fix; None where it is one."""
    if is_date:
        fix = "the spreadsheet made a date of it: format the column as text and type the id again"
        return f"a date, {text!r}", "a name", fix
    if not text:
        return "empty", "a name", "fill it in or remove the row"
    if not NAME.fullmatch(text):
        wrong = "a space" if re.search(r"\s", text) else "another character"
        fix = f"remove {wrong}, the same in all files"
        return repr(text[:80]), "letters, digits, '.', '_', '+', '-', at most 64", fix
    if text.lower().startswith("regimeb"):
        return repr(text), "another name", "names that begin with regimeB are taken"
    return None


def _number(value) -> float | None:
    if isinstance(value, (bool, datetime.date)):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _not_a_number(value) -> tuple[str, str]:
    text = "" if value is None else str(value).strip()
    if re.fullmatch(r"[+-]?\d+,\d+", text):
        return f"{text!r}, a decimal comma", f"write {text.replace(',', '.')}: export with decimal points"
    if text.endswith("%"):
        return repr(text), "remove the percent sign and mind the unit"
    if text.lower() in ("", "nan", "none", "nat", "<na>", "na", "#n/a"):
        return f"empty ({text})" if text else "empty", "fill it in or remove the row"
    return repr(text[:80]), "correct it or remove the row"
