"""Reads a laboratory's table: CSV, Parquet or XLSX, by the contract's columns, every fault named with its row."""

from __future__ import annotations

import csv
import datetime
import difflib
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas

from bridge.measured.faults import MOST, Fault, FaultyInput, fault, require
from dataset_card.contract.measured import PULSES, InputField
from dataset_card.storage.archives import honest_copy
from dataset_card.storage.parquet import read_parquet

MAX_BYTES = 256 * 2**20
MAX_ROWS = 1_000_000
"""Far beyond any laboratory's labels; a larger file is not one."""

PULSEBAT_SHEET = "SOC ALL"
PULSEBAT_COLUMNS = {
    "Mat": "chemistry",
    "No.": "cell_id",
    "SOC": "soc",
    "SOH": "soh",
    "Q": "capacity_Ah",
    "Qn": "nominal_Ah",
    **{field.name: field.name for field in PULSES},
}
"""Columns of PulseBat's workbooks, whose other columns are not read."""

NAME = re.compile(r"[^\W_][\w.+-]{0,63}")
DATE = re.compile(
    r"\d{1,2}-[A-Z][a-z]{2}(-\d{2,4})?|[A-Z][a-z]{2}-\d{2}|\d{4}-\d{2}-\d{2}([ "
    r"T]\d\d:\d\d(:\d\d)?)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}"
)
"""What spreadsheets make of ids such as 3-1 or MAR1."""

CAPACITY_TOLERANCE = 0.02


def read_labels(path: Path | str, fields: Sequence[InputField]) -> pandas.DataFrame:
    """Reads a table by its declared columns.

    Args:
        path: CSV with commas and decimal points, Parquet, XLSX (first sheet), or a workbook of PulseBat's.
        fields: Columns it may have, and must have where required.

    Returns:
        A column for each field that is there, names as strings, numbers as floats, and `where`, the row in words.

    Raises:
        FaultyInput: Not such a table; `faults` names every row that is not as declared.
    """
    path = Path(path)
    raw = _read(path)
    present = _columns(path, list(raw.columns), fields)
    if not len(raw):
        raise fault(path, "", "no rows", "one row a record under the header", "export the table again")
    where = [f"row {number}" for number in raw.index]
    faults: list[Fault] = []
    out = {}
    for field in present:
        values = raw[field.name].tolist()
        out[field.name] = (_names if field.is_text else _numbers)(path, field, values, where, faults)
    require(faults)
    _consistent(path, out, where, faults)
    require(faults)
    return pandas.DataFrame({**out, "where": where})


def pulses_of(table: pandas.DataFrame) -> np.ndarray:
    """The pulse voltages U1 to U21 of each row, (n, 21) in V; NaN where the table has none."""
    names = [field.name for field in PULSES]
    if names[0] not in table:
        return np.full((len(table), len(names)), np.nan)
    return np.ascontiguousarray(table[names].to_numpy(float))


def _read(path: Path) -> pandas.DataFrame:
    """The raw table, numbered as its rows are in the file: from 2 under a header line, in Parquet from 1."""
    if not path.is_file():
        raise fault(path, "", "no such file", "a table as CSV, Parquet or XLSX", "check the path")
    if path.stat().st_size > MAX_BYTES:
        raise fault(path, "", f"{path.stat().st_size} bytes", f"at most {MAX_BYTES}", "labels are one row a scan")
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet", ".xlsx"):
        raise fault(path, "", f"suffix {path.suffix!r}", ".csv, .parquet or .xlsx", "save the table as one of them")
    try:
        readers: dict[str, Callable[[Path], pandas.DataFrame]] = {
            ".csv": _read_csv,
            ".parquet": lambda path: read_parquet(path).to_pandas(),
            ".xlsx": _read_workbook,
        }
        raw = readers[suffix](path)
    except UnicodeDecodeError as error:
        raise fault(path, "", f"not UTF-8 text ({error.reason})", "UTF-8", "save it as 'CSV UTF-8'") from error
    except (ValueError, OSError, KeyError, csv.Error, ImportError) as error:
        if isinstance(error, FaultyInput):
            raise
        reason = " ".join(str(error).split())[:200]
        raise fault(path, "", f"not readable ({reason})", f"a {suffix[1:].upper()} table", "export it again") from error
    except Exception as error:  # zipfile and openpyxl raise many kinds, all of them the file's fault
        raise fault(path, "", f"not readable ({error})", f"a {suffix[1:].upper()} table", "export it again") from error
    repeated = raw.columns[raw.columns.duplicated()]
    if len(repeated):
        raise fault(path, "row 1", f"column {repeated[0]!r} twice", "each column once", "remove one of them")
    if len(raw) > MAX_ROWS:
        raise fault(path, "", f"{len(raw)} rows", f"at most {MAX_ROWS}", "labels are one row a scan")
    return raw if suffix == ".csv" else raw.reset_index(drop=True).rename(lambda i: i + 1 + (suffix == ".xlsx"))


def _read_csv(path: Path) -> pandas.DataFrame:
    with open(path, encoding="utf-8-sig", newline="") as file:
        header = next(csv.reader(file), [])
        rows: dict[int, list[str]] = {}
        for number, row in enumerate(csv.reader(file), 2):
            if not row:
                continue
            if len(row) != len(header):
                hint = "a decimal comma splits a number in two: export with decimal points"
                raise fault(path, f"row {number}", f"{len(row)} values {','.join(row)[:60]!r}", f"{len(header)}", hint)
            rows[number] = row
    if len(header) == 1 and re.search("[;\t]", header[0]):
        raise fault(
            path,
            "row 1",
            f"columns separated by {'tabs' if chr(9) in header[0] else 'semicolons'}",
            "commas",
            "export with commas between columns and points in decimals",
        )
    repeated = [name for i, name in enumerate(header) if name in header[:i]]
    if repeated:
        raise fault(path, "row 1", f"column {repeated[0]!r} twice", "each column once", "remove one of them")
    return pandas.DataFrame(list(rows.values()), columns=header, index=list(rows), dtype=object)


def _read_workbook(path: Path) -> pandas.DataFrame:
    book = pandas.ExcelFile(honest_copy(path, MAX_BYTES, "workbook"), engine="openpyxl")
    if PULSEBAT_SHEET not in book.sheet_names:
        return book.parse(0, dtype=object, nrows=MAX_ROWS + 1)
    sheet = book.parse(PULSEBAT_SHEET, dtype=object, nrows=MAX_ROWS + 1)
    known = [name for name in PULSEBAT_COLUMNS if name in sheet.columns]
    return sheet[known].rename(columns=PULSEBAT_COLUMNS)


def _columns(path: Path, names: list[str], fields: Sequence[InputField]) -> list[InputField]:
    """The declared columns that are there; unknown, missing and half-given ones are faults."""
    declared = {field.name: field for field in fields}
    faults = []
    for name in names:
        if name not in declared:
            near = difflib.get_close_matches(str(name).lower(), [n.lower() for n in declared], 1, 0.6)
            meant = [n for n in declared if near and n.lower() == near[0]]
            fix = f"did you mean {meant[0]!r}?" if meant else "remove it or rename it"
            faults.append(Fault(str(path), "row 1", f"unknown column {name!r}", ", ".join(_short(fields)), fix))
    missing = [field.name for field in fields if field.required and field.name not in names]
    for name in missing:
        unit = declared[name].unit
        unit = "" if unit == "-" else f" in {unit}"
        faults.append(Fault(str(path), "row 1", f"no column {name!r}", f"{name}{unit}", "add it"))
    pulses = [field.name for field in PULSES if field.name in names]
    if pulses and len(pulses) < len(PULSES):
        absent = next(field.name for field in PULSES if field.name not in names)
        faults.append(
            Fault(str(path), "row 1", f"{len(pulses)} pulse voltages without {absent!r}", "all 21 or none", "add it")
        )
    require(faults)
    return [declared[name] for name in names]


def _short(fields: Sequence[InputField]) -> list[str]:
    return [f.name for f in fields if f not in PULSES] + (["U1..U21"] if set(PULSES) & set(fields) else [])


def _names(path: Path, field: InputField, values: list, where: list[str], faults: list[Fault]) -> list[str]:
    out = []
    for value, row in zip(values, where):
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # a spreadsheet's number
        text = "" if value is None or value is pandas.NaT or value != value else str(value)
        at = f"{row}, column {field.name!r}"
        if isinstance(value, (datetime.date, datetime.datetime)) or DATE.fullmatch(text):
            fix = "the spreadsheet made a date of it: format the column as text and type the id again"
            faults.append(Fault(str(path), at, f"a date, {text!r}", "a name", fix))
        elif not text:
            faults.append(Fault(str(path), at, "empty", "a name", "fill it in or remove the row"))
        elif not NAME.fullmatch(text):
            wrong = "a space" if re.search(r"\s", text) else "another character"
            fix = f"remove {wrong}, the same in all files"
            faults.append(Fault(str(path), at, repr(text[:80]), "letters, digits, '.', '_', '+', '-', at most 64", fix))
        elif text.lower().startswith("regimeb"):
            faults.append(Fault(str(path), at, repr(text), "another name", "names that begin with regimeB are taken"))
        out.append(text)
        if len(faults) >= MOST:
            break
    return out


def _numbers(path: Path, field: InputField, values: list, where: list[str], faults: list[Fault]) -> list[float]:
    out = []
    unit = "" if field.unit == "-" else f" {field.unit}"
    for value, row in zip(values, where):
        at = f"{row}, column {field.name!r}"
        number = _number(value)
        low, high = field.low or 0.0, field.high or 0.0
        if number is None:
            found, fix = _not_a_number(value)
            faults.append(Fault(str(path), at, found, f"a number{unit}", fix))
        elif not (low < number <= high if field.above else low <= number <= high):
            fix = "correct it or remove the row"
            if field.slip and low < number * field.slip[0] <= high:
                fix = f"it looks like {field.slip[1]}"
            faults.append(Fault(str(path), at, f"{number:g}{unit}", f"{field.range}{unit}", fix))
        out.append(math.nan if number is None else number)
        if len(faults) >= MOST:
            return out
    top = max(out)
    if field.suspect_up_to is not None and field.slip and top <= field.suspect_up_to:
        row = where[int(np.argmax(out))]
        faults.append(
            Fault(
                str(path),
                f"{row}, column {field.name!r}",
                f"{top:g}, the largest of the column",
                f"{field.unit}, {field.range}",
                f"it looks like {field.slip[1]}",
            )
        )
    return out


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


def _consistent(path: Path, table: dict[str, list], where: list[str], faults: list[Fault]) -> None:
    """What rows say of one another."""
    if "scan_id" in table:
        _once(path, table["scan_id"], where, faults)
    if "cell_id" not in table:
        return
    for column in ("cell_id", "chemistry"):
        spelling: dict[str, str] = {}
        for name, row in zip(table[column], where):
            other = spelling.setdefault(name.lower(), name)
            if other != name:
                faults.append(
                    Fault(
                        str(path),
                        f"{row}, column {column!r}",
                        f"{name!r} beside {other!r}",
                        "one spelling",
                        "use one of them: two names would be two of them, in two subsets",
                    )
                )
    for name in ("chemistry", "nominal_Ah"):
        first: dict[str, tuple] = {}
        for cell, value, row in zip(table["cell_id"], table.get(name, []), where):
            known, at = first.setdefault(cell, (value, row))
            if value != known:
                faults.append(
                    Fault(
                        str(path),
                        f"{row}, column {name!r}",
                        f"{value!r} of cell {cell!r}, which has {known!r} in {at}",
                        "one value a cell",
                        "two cells under one name? give each its own",
                    )
                )
    if "capacity_Ah" in table and "nominal_Ah" in table:
        for capacity, nominal, soh, row in zip(table["capacity_Ah"], table["nominal_Ah"], table["soh"], where):
            if abs(capacity / nominal - soh) > CAPACITY_TOLERANCE:
                faults.append(
                    Fault(
                        str(path),
                        f"{row}, column 'soh'",
                        f"{soh:g} with {capacity:g} of {nominal:g} Ah",
                        f"{capacity / nominal:.3f}",
                        "correct the capacity or the SOH",
                    )
                )


def _once(path: Path, names: list[str], where: list[str], faults: list[Fault]) -> None:
    first: dict[str, str] = {}
    for name, row in zip(names, where):
        other = first.setdefault(name, row)
        if other != row:
            faults.append(
                Fault(
                    str(path),
                    f"{row}, column 'scan_id'",
                    f"{name!r}, which is in {other} too",
                    "each scan once",
                    "remove one row or correct the id",
                )
            )
