"""Tables in their files: encoding, separator, decimal sign, sheet and header row, detected and reported."""

import codecs
import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from dataset_card.contract.measured import InputField
from dataset_card.storage.archives import workbook
from dataset_card.storage.columns import MOST_NAMES, ColumnMap, recognised
from dataset_card.storage.faults import Fault, FaultyInput, fault
from dataset_card.storage.parquet import read_parquet

HEAD_BYTES = 1 << 18
MAX_HEADER_ROW = 200
"""Number of rows that are searched for the column names."""

ROWS_BELOW = 50
"""Number of rows, that of the names included, from which the decimal sign is detected."""

LONGEST_LINE = 50_000
"""Maximum number of characters in one of the first lines; a header of a thousand names has fewer."""

FEWEST_NAMES = 2
"""Minimum number of fields that a header row names."""

TEXT = (".csv", ".tsv", ".txt")
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
WORKBOOK_BYTES = 256 * 2**20
MAX_BYTES = 256 * 2**20
MAX_ROWS = 1_000_000
"""Far more than any laboratory has records; a larger file is not a table of records."""

NOTHING = ("", "-", "1", "n/a", "na", "nan", "none", "null")
"""Texts that stand for no unit in a row of units, or for no value in a row of values."""

DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")
DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Layout:
    """The layout of a text table.

    Attributes:
        names: Column names.
        header: Row of the names, counted from 0.
        lines: Number of lines above the first row of values; more than rows if a cell spans several.
        separator: Separator of columns.
        decimal: Decimal sign.
        encoding: Name of the encoding for `codecs`.
        units: Cells of the row of units under the names; empty if the file has no such row.
    """

    names: tuple[str, ...]
    header: int
    lines: int
    separator: str
    decimal: str
    encoding: str
    units: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence on how the file differs from plain CSV; empty if it does not."""
        parts = [f"{SEPARATORS[self.separator]} between columns"] if self.separator != "," else []
        parts += ["decimal commas"] if self.decimal == "," else []
        parts += [self.encoding] if self.encoding.startswith("utf-16") else []
        parts += [f"column names in row {self.header + 1}"] if self.header else []
        parts += [f"units in row {self.header + 2}"] if self.units else []
        return (f"Read with {', '.join(parts)}.",) if parts else ()


class SeveralSheets(FaultyInput):
    """A workbook with known columns in several sheets, none of which was chosen."""


@dataclass(frozen=True)
class RawTable:
    """A table as in its file.

    Attributes:
        path: The file.
        rows: Its cells under their own names; the index is each row's number in the file.
        header: Row of the names, counted from 1.
        units: Units of columns, from a row under the names.
        notes: How it was read, in sentences.
        mapped: The column map that it was read with.
    """

    path: Path
    rows: pd.DataFrame
    header: int = 1
    units: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    mapped: ColumnMap = ColumnMap()


def read_table(
    path: Path, fields: Sequence[InputField], mapped: ColumnMap, known: Mapping[str, ColumnMap] = MappingProxyType({})
) -> RawTable:
    """Read a table of records with any columns, in memory; in Parquet, rows are numbered from 1.

    Args:
        path: Text (.csv, .tsv or .txt), workbook (.xlsx) or Parquet.
        fields: Fields whose names identify the header row and the sheet.
        mapped: The column map, which may state them.
        known: Column maps for sheets of published workbooks, as for `workbook_table`.

    Raises:
        FaultyInput: Without a file (see `faults_in`), if there is no such table, it is too large, or it has a column
            twice.
    """
    if not path.is_file():
        raise fault("no such file, or not a regular file", "a CSV, Parquet or XLSX table", "check the path")
    if (size := path.stat().st_size) > MAX_BYTES:
        raise fault(f"{size} bytes", f"at most {MAX_BYTES}", "keep one row per record")
    suffix = path.suffix.lower()
    if suffix not in (*TEXT, ".xlsx", ".parquet"):
        raise fault(f"suffix {path.suffix!r}", ".csv, .parquet or .xlsx", "save the table in one of these formats")
    try:
        if suffix in TEXT:
            raw = text_table(path, fields, mapped)
        elif suffix == ".xlsx":
            raw = workbook_table(path, fields, mapped, MAX_ROWS + 1, known)
        else:  # pandas' metadata would take a column for the index
            rows = read_parquet(path).to_pandas(ignore_metadata=True).rename(lambda i: i + 1)
            raw = RawTable(path, rows, mapped=mapped)
    except FaultyInput:
        raise
    except Exception as error:  # from pandas, pyarrow, zipfile or openpyxl
        reason = " ".join(str(error).split()).removeprefix(str(path)).lstrip(": ")[:200]
        raise fault(f"not readable ({reason})", f"a valid {suffix} table", "export it again") from error
    columns, where = raw.rows.columns, f"row {raw.header}"
    if columns.has_duplicates:
        raise fault(f"column {columns[columns.duplicated()][0]!r} twice", "each column once", "remove one", where)
    if len(columns) > MOST_NAMES:
        raise fault(f"{len(columns)} columns", f"at most {MOST_NAMES}", "keep the columns that are needed", where)
    if len(raw.rows) > MAX_ROWS:
        raise fault(f"{len(raw.rows)} rows", f"at most {MAX_ROWS}", "keep one row per record")
    return raw


def text_layout(path: Path, fields: Sequence[InputField], mapped: ColumnMap, strict: bool = True) -> Layout:
    """Detect the layout of a text table.

    Args:
        path: The file.
        fields: Fields whose names identify the header row; if no row has such names, it is the first one.
        mapped: The column map, which may state the header row.
        strict: Whether the text must be UTF-8 or UTF-16; otherwise, text that is neither is read as Windows-1252.

    Raises:
        FaultyInput: Without a file (see `faults_in`), if the file is empty or not text, or one of its first lines is
            too long for a table.
    """
    with open(path, "rb") as file:
        data = file.read(HEAD_BYTES)
    encoding = _encoding(data, strict)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(data)
    if not text.strip():
        raise fault("an empty file", "column names and rows", "export it again")
    if (longest := max(map(len, text.splitlines()))) > LONGEST_LINE:
        limit = f"at most {LONGEST_LINE:,}"
        raise fault(f"a line of {longest:,} characters", limit, "export the table with one row per line")
    most = max(MAX_HEADER_ROW, mapped.header or 0) + ROWS_BELOW + 1
    records = {each: _records(text, each, most, whole=len(data) < HEAD_BYTES) for each in SEPARATORS}
    header, separator = _header(records, fields, mapped)
    (row, end), *below = records[separator][header : header + ROWS_BELOW] or [([], 0)]
    if any("\0" in name for name in row):
        raise fault("NUL characters in the text", "UTF-8", "save it as 'CSV UTF-8'", f"row {header + 1}")
    row[:1] = [name.lstrip("#~ ") for name in row[:1]]
    names = tuple(name.strip().removeprefix("\ufeff") for name in row)
    decimal = "." if separator == "," else _decimal([row for row, _ in below])
    units = units_row(names, below[0][0], fields, mapped) if below else ()
    return Layout(names, header, below[0][1] if units else end, separator, decimal, encoding, units)


def units_row(
    names: Sequence[str], cells: Sequence[object], fields: Sequence[InputField], mapped: ColumnMap
) -> tuple[str, ...]:
    """Return the units in the row under the names, without brackets; empty if it is a row of values.

    A row of units contains no number, and has text in at least two columns of quantities.
    """
    quantities = [each for each in fields if not each.is_text and each.unit != "-"]
    units = tuple(str(cell).strip(" []()") if isinstance(cell, str) else "" for cell in cells)
    told = sum(
        unit.lower() not in NOTHING and recognised([name], quantities, mapped) for name, unit in zip(names, units)
    )
    return units if told >= FEWEST_NAMES and not any(re.search(r"\d", u) and u != "1" for u in map(str, cells)) else ()


def _encoding(data: bytes, strict: bool) -> str:
    for bom, name in ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if data.startswith(bom):
            return name
    if data[1:200:2].count(0) > 20:
        return "utf-16-le"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError as error:
        if strict:
            raise fault(f"not UTF-8 text ({error.reason})", "UTF-8", "save it as 'CSV UTF-8'") from error
        return "cp1252"
    return "utf-8"


def _records(text: str, separator: str, most: int, whole: bool) -> list[tuple[list[str], int]]:
    """Return the first rows of a text, each with the number of its last line; of part of a text, not its last row."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows: list[tuple[list[str], int]] = []
    with suppress(csv.Error):  # a quotation mark that is not closed: told when the rows are read
        rows.extend((row, reader.line_num) for row in islice(reader, most))
    return rows if whole else rows[:-1] or rows


def _header(
    records: Mapping[str, list[tuple[list[str], int]]], fields: Sequence[InputField], mapped: ColumnMap
) -> tuple[int, str]:
    """Return the row of the names and the separator: the first row that names the most fields."""
    count = max(map(len, records.values()))
    if mapped.header is not None and mapped.header > count:
        found, fix = f"row {mapped.header} of {count}", "correct the header's row"
        raise fault(found, "the row of the column names", fix, "header", mapped.file)
    rows = range(MAX_HEADER_ROW) if mapped.header is None else [mapped.header - 1]
    named = [
        (recognised(records[each][row][0], fields, mapped), -row, each)
        for each in SEPARATORS
        for row in rows
        if row < len(records[each]) and len(records[each][row][0]) > 1
    ]
    best, row, separator = max(named, key=lambda item: item[:2], default=(0, 0, ""))
    if best >= FEWEST_NAMES:
        return -row, separator
    lines = enumerate(records[","])
    first = next((i for i, (row, _) in lines if "".join(row).strip() and row[0][:1] != "#"), 0)
    first = first if mapped.header is None else mapped.header - 1
    return first, max(SEPARATORS, key=lambda each: sum(len(row) for row, _ in records[each][first : first + 1]))


def _decimal(rows: Sequence[Sequence[str]]) -> str:
    cells = [cell.strip() for row in rows for cell in row]
    commas = any(DECIMAL_COMMA.fullmatch(cell) for cell in cells)
    return "," if commas and not any(DECIMAL_POINT.fullmatch(cell) for cell in cells) else "."


def text_table(path: Path, fields: Sequence[InputField], mapped: ColumnMap) -> RawTable:
    """Read a text table, with its cells as text and with decimal points.

    Args:
        path: The file.
        fields: Fields whose names identify the header row.
        mapped: The column map, which may state the header row.

    Raises:
        FaultyInput: Without a file (see `faults_in`), as `text_layout`, or if a row and the header differ in their
            number of cells, or the text is not in the encoding.
    """
    layout = text_layout(path, fields, mapped)
    rows = _text_rows(path, layout)
    return RawTable(path, rows, layout.header + 1, dict(zip(layout.names, layout.units)), layout.notes, mapped)


def _text_rows(path: Path, layout: Layout) -> pd.DataFrame:
    width = len(layout.names)
    rows: dict[int, list[str]] = {}
    try:
        with open(path, encoding=layout.encoding, newline="") as file:
            for number, row in enumerate(csv.reader(file, delimiter=layout.separator), 1):
                if number <= layout.header + 1 + bool(layout.units) or not any(cell.strip() for cell in row):
                    continue
                while len(row) > width and not row[-1].strip():
                    row.pop()
                if len(row) != width:
                    hint = "a decimal comma splits a number in two: export with decimal points"
                    if len(row) < width:
                        hint = "cells or a quotation mark are missing: complete the row"
                    cells = layout.separator.join(row)[:60]
                    raise fault(f"{len(row)} values {cells!r}", f"{width}", hint, f"row {number}")
                if layout.decimal == ",":
                    row = [cell.replace(",", ".") if DECIMAL_COMMA.fullmatch(cell.strip()) else cell for cell in row]
                rows[number] = row
    except UnicodeDecodeError as error:
        raise fault(f"not UTF-8 text ({error.reason})", "UTF-8", "save it as 'CSV UTF-8'") from error
    except csv.Error as error:
        where = f"row {max(rows, default=0) + 1} or later"
        raise fault(str(error), "a cell", "export it again", where) from error
    table = pd.DataFrame(list(rows.values()), columns=list(layout.names), index=list(rows), dtype=object)
    # spreadsheets write separators for empty columns beside the table
    kept = [i for i, name in enumerate(layout.names) if name or any(row[i].strip() for row in rows.values())]
    return table.iloc[:, kept]


def workbook_table(
    path: Path,
    fields: Sequence[InputField],
    mapped: ColumnMap,
    most: int,
    known: Mapping[str, ColumnMap] = MappingProxyType({}),
) -> RawTable:
    """Read the one sheet of a workbook that has known columns.

    Args:
        path: The file.
        fields: Fields whose names identify the sheet and its header row.
        mapped: The column map, which may state sheet and header row.
        most: Maximum number of rows to read.
        known: Column maps for sheets of published workbooks by name, used if there is no other map.

    Raises:
        FaultyInput: Without a file (see `faults_in`), if the map names a sheet that does not exist, or no sheet has
            known columns; `SeveralSheets` if more than one has.
    """
    book = pd.ExcelFile(workbook(path, WORKBOOK_BYTES), engine="openpyxl")
    sheets = [str(name) for name in book.sheet_names]
    if mapped.sheet is not None and mapped.sheet not in sheets:
        found = f"no sheet {mapped.sheet!r} in {path.name}"
        raise fault(found, ", ".join(map(repr, sheets)), "correct it", "sheet", mapped.file)
    published = [known[sheet] for sheet in sheets if sheet in known] if mapped.path is None else []
    found_in: dict[str, tuple[int, pd.DataFrame]] = {}
    for chosen in (*published, mapped):
        for sheet in [chosen.sheet] if chosen.sheet else sheets:
            rows = book.parse(sheet, header=None, dtype=object, nrows=most + MAX_HEADER_ROW)
            header = _workbook_header(rows, fields, chosen)
            if header is not None:
                found_in[sheet] = (header, rows)
        if found_in:
            break
    if len(found_in) != 1:
        listed = ", ".join(map(repr, found_in or sheets))
        found = f"{'columns of that kind in several sheets' if found_in else 'no sheet with known columns'}: {listed}"
        names = ", ".join(each.name for each in fields[:8])
        fix = "name the sheet and its header row in a column map (--columns): sheet: ..., header: ..."
        error = SeveralSheets if found_in else FaultyInput
        raise error([Fault("", "", found, f"one sheet with {names}", fix)])
    ((sheet, (header, rows)),) = found_in.items()
    columns = [
        str(name).strip() if isinstance(name, str) else f"column {i + 1}" for i, name in enumerate(rows.iloc[header])
    ]
    body: pd.DataFrame = (
        rows.iloc[header + 1 :].set_axis(pd.Index(columns), axis=1).rename(lambda i: i + 1).dropna(how="all")
    )
    units = units_row(columns, body.iloc[0].tolist(), fields, chosen) if len(body) else ()
    parts = [f"sheet {sheet!r}"] if len(sheets) > 1 else []
    parts += [f"column names in row {header + 1}"] if header else []
    parts += [f"units in row {body.index[0]}"] if units else []
    notes = (f"Read with {', '.join(parts)}.",) if parts else ()
    return RawTable(path, body.iloc[int(bool(units)) :], header + 1, dict(zip(columns, units)), notes, chosen)


def _workbook_header(rows: pd.DataFrame, fields: Sequence[InputField], mapped: ColumnMap) -> int | None:
    if mapped.header is not None:
        return mapped.header - 1 if mapped.header <= len(rows) else None
    count: Callable[[int], int] = lambda i: recognised(list(rows.iloc[i]), fields, mapped)  # noqa: E731
    counts = [count(i) for i in range(min(len(rows), MAX_HEADER_ROW))]
    best = max(counts, default=0)
    return counts.index(best) if best >= FEWEST_NAMES else None
