"""Cycler files as tables of samples: our own names, the Battery Data Format, common tables, vendors' exports.

A table whose columns are named by their quantity is read here, with its units. batterydf (Battery Data Alliance; the
extra `[cyclers]`) parses other exports that it knows: those with a preamble, sections or a binary form. It leaves the
units of text columns unconverted, so the columns that it names are converted here, by the vendor's own header.
"""

import io
import warnings
from collections.abc import Collection
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dataset_card.contract.measured import InputField
from dataset_card.errors import MagBridgeError
from dataset_card.storage.columns import ColumnMap, Found, find_columns, named, read_column_map, split_unit
from dataset_card.storage.faults import FaultyInput, faults_in
from dataset_card.storage.layout import MAX_ROWS, TEXT, RawTable, SeveralSheets, text_layout, workbook_table

from .child import MAX_MEMORY_BYTES, Broken, bounded_child
from .download import packaged_document

_SAMPLES = packaged_document("names.yaml")["samples"]
FIELDS = tuple(InputField(**{**each, "aliases": tuple(each.get("aliases", ()))}) for each in _SAMPLES)
CELL, CYCLE, TIME, VOLTAGE, CURRENT, TEMPERATURE, CAPACITY, COUNTED, STEP_TYPE = FIELDS
"""Columns of a table of samples. With time, voltage and current only, it is one cell's whole test."""

NEEDED = (TIME, VOLTAGE, CURRENT)
MAX_COLUMNS = 1000
MAX_UNPACKING = 20  # limit on a table's memory as a multiple of its Parquet file, if over `MAX_MEMORY_BYTES`
AS_TEXT = {".mpr": "export it as text (.mpt) in EC-Lab", ".res": "export it as CSV or XLSX in MITS Pro"}
"""What to do with binary files that batterydf does not read."""
CLOCK_SET_S = 1.0
"""Largest step by which a cycler's clock may be set back without a break in its record."""
EXTRA = "pip install 'magbridge-battery[cyclers]'"


def read_raw(path: str | Path, mapped: ColumnMap | None = None) -> RawTable:
    """Read a table with any columns: CSV (commas, semicolons, tabs; decimal commas; UTF-16), XLSX or Parquet.

    Raises:
        MagBridgeError: If there is no such file or it cannot be parsed.
    """
    path = Path(path)
    mapped = mapped or ColumnMap()
    if not path.is_file():
        raise MagBridgeError(f"{path} does not exist or is not a file; expected a table of samples")
    try:
        if path.suffix.lower() == ".parquet":
            with bounded_child(max(1.0, MAX_UNPACKING * path.stat().st_size / MAX_MEMORY_BYTES)) as call:
                call(_try_parquet, path)
            return RawTable(path, _read_parquet(path), mapped=mapped)
        if path.suffix.lower() == ".xlsx":
            try:
                with faults_in(path):
                    read = workbook_table(path, FIELDS, mapped, MAX_ROWS)
            except SeveralSheets as error:  # such as one per cell: batterydf reads only the first
                raise _Final(str(error)) from None
            names = _apart([str(name) for name in read.rows])
            _check_names(path, names)
            return replace(read, rows=read.rows.set_axis(names, axis=1).infer_objects())
        try:
            with faults_in(path):
                layout = text_layout(path, FIELDS, mapped, strict=False)
        except FaultyInput as error:  # empty, or a line of such a length that batterydf takes minutes
            raise _Final(str(error)) from None
        _check_width(path, layout.names)
        names = _apart([name or f"column {i + 1}" for i, name in enumerate(layout.names)])
        _check_names(path, names)
        if layout.header and not any(layout.names[:2]):
            layers = "several layers of column names (cycles, steps and samples in one sheet)"
            raise MagBridgeError(f"{path} has {layers}; export only the samples, with one row of names")
        first = layout.header + 1 + bool(layout.units)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # cells beyond the names would be dropped
            table = pd.read_csv(
                path, sep=layout.separator, decimal=layout.decimal, encoding=layout.encoding, header=None,
                names=names, skiprows=first, index_col=False, float_precision="round_trip",
                compression=None, low_memory=False, on_bad_lines="error", skipinitialspace=True,
            )  # fmt: skip
        units = dict(zip(names, layout.units))
        rows = table.set_axis(table.index + first + 1)
        return RawTable(path, rows, layout.header + 1, units, layout.notes, mapped)
    except MagBridgeError:
        raise
    except pd.errors.ParserWarning as error:
        raise _Final(
            f"{path}: rows have more fields than the {len(names)} columns named in row {layout.header + 1}; "
            "expected a name for each: export the file again"
        ) from error
    except Broken as error:
        raise MagBridgeError(f"{path} is damaged or too large (it {error}); split it by cell") from None
    except Exception as error:  # pandas and pyarrow raise a dozen kinds for files that are not tables
        raise MagBridgeError(f"{path} cannot be read as {path.suffix or 'CSV'}: {error}") from error


def _try_parquet(path: Path) -> None:
    """Read a Parquet file in the child: a small file can claim any size, and damaged footers crash pyarrow."""
    _read_parquet(path)


def _read_parquet(path: Path) -> pd.DataFrame:
    with pq.ParquetFile(path) as file:
        _check_names(path, file.schema_arrow.names)
        table = file.read(use_threads=False)
        table.validate(full=True)  # text that is not UTF-8 is read without error and fails only when used
        if raw := [column.name for column in table.schema if column.type in (pa.binary(), pa.large_binary())]:
            raise MagBridgeError(f"{path}: column {raw[0]!r} contains bytes; expected numbers, times or text")
        return table.to_pandas()


def _apart(names: list[str]) -> list[str]:
    """Add numbers to repeated column names that name no field, such as `Units`."""
    known = {name for name in names if any(named(name, each) is not None for each in FIELDS)}
    return [f"{n}.{i}" if n in names[:i] and n not in known else n for i, n in enumerate(names)]


class _Final(MagBridgeError):
    """A fault to report at once: batterydf would take minutes on such a table, shift its cells or choose a column."""


def _check_width(path: Path, names: Collection[str]) -> None:
    if len(names) > MAX_COLUMNS:
        raise _Final(f"{path} has {len(names)} columns; expected a table of samples, at most {MAX_COLUMNS}")


def _check_names(path: Path, names: list[str]) -> None:
    _check_width(path, names)
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise _Final(f"{path} has the column {twice[0]!r} twice; remove one")


def read_samples(path: str | Path, columns: str | Path | None = None) -> tuple[RawTable, Found]:
    """Read a cycler's file and identify which columns are which fields.

    Args:
        path: The file.
        columns: A column map.

    Returns:
        The table as in its file, and the columns found for the fields.

    Raises:
        MagBridgeError: If it has no time, voltage and current, or needs batterydf, which is not installed.
    """
    path = Path(path)
    mapped = read_column_map(columns, [each.name for each in FIELDS])
    if not path.is_file():
        raise MagBridgeError(f"{path} does not exist or is not a file; expected a table or a cycler's export")
    reason = f"its suffix is {path.suffix!r}"
    if path.suffix.lower() in (*TEXT, ".parquet", ".xlsx"):
        try:
            raw = read_raw(path, mapped)
            found = columns_of(raw)
            if all(each.name in found.columns for each in NEEDED):
                return raw, found
            missing = [each.name for each in NEEDED if each.name not in found.columns]
            reason = f"no column for {', '.join(missing)} among {', '.join(map(repr, raw.rows.columns[:12]))}"
        except _Final:
            raise
        except MagBridgeError as error:
            if mapped.path is not None or path.suffix.lower() not in (*TEXT, ".xlsx"):
                raise
            reason = str(error).removeprefix(str(path)).lstrip(":, ")
    if mapped.path is not None or path.suffix.lower() == ".parquet":
        raise MagBridgeError(f"{path}: {reason}; name your columns in a column map (--columns)")
    return _through_batterydf(path, reason)


def columns_of(raw: RawTable) -> Found:
    """Identify which columns of a table are which fields."""
    names = [str(name) for name, values in raw.rows.items() if not len(values) or values.notna().any()]
    with faults_in(raw.path):
        return find_columns(names, FIELDS, raw.mapped, raw.header, raw.units)


def _through_batterydf(path: Path, reason: str) -> tuple[RawTable, Found]:
    try:
        import bdf  # type: ignore[import-untyped]
    except ImportError:
        fix = f"install batterydf to read vendors' exports ({EXTRA}), or name your columns in a column map (--columns)"
        raise MagBridgeError(f"{path}: {reason}; {fix}") from None
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        ranked = sorted(bdf.plugins(), key=lambda name: name != bdf.detect(path).id)
        for plugin in ranked:
            try:
                table = bdf.parse(path, plugin=plugin)
                numbers = table.apply(_numbers_if_they_are)
                bdf_table = bdf.normalize(numbers, plugin=plugin)
                raw = RawTable(path, _in_units(numbers, bdf_table), notes=(f"Parsed by batterydf as {plugin}.",))
                found = columns_of(raw)
            except Exception:  # each plugin rejects other vendors' files in its own way
                continue
            if all(each.name in found.columns for each in NEEDED):
                return raw, found
    other = "export one table with one row of column names, or name your columns in a column map (--columns)"
    fix = AS_TEXT.get(path.suffix.lower(), other)
    raise MagBridgeError(f"{path}: {reason}; batterydf does not recognise it either: {fix}")


def _numbers_if_they_are(column: pd.Series) -> pd.Series:
    """Convert a column to numbers if most of its values are numbers; else leave its text or times."""
    if column.dtype.kind == "M":
        return column
    numbers = pd.to_numeric(column, errors="coerce")
    return numbers if numbers.notna().sum() > len(column) / 2 else column


def _in_units(vendor: pd.DataFrame, bdf_table: pd.DataFrame) -> pd.DataFrame:
    """Return batterydf's columns, with cycle, time, voltage, current and temperature in the vendor's values and units.

    Its own conversion guesses if a header states a unit that it does not know, and takes a cycle for 2 pi; here the
    vendor's header decides. If the time is that of each step, the time stamps in the table give that of the test.
    """
    told = bdf_table.attrs.get("bdf:columns", {})
    table = pd.DataFrame(bdf_table).copy()
    for each in (CYCLE, TIME, VOLTAGE, CURRENT, TEMPERATURE):
        label = next((name for name in table.columns if named(name, each) is not None), None)
        source = str(told.get(label, {}).get("sourceHeader", "")) if label else ""
        if label and source in vendor.columns and vendor[source].dtype.kind in "fiu":
            unit = split_unit(source)[1]
            if unit:
                table = table.drop(columns=label).assign(**{f"{each.aliases[0]} [{unit}]": vendor[source].to_numpy()})
            elif each is CYCLE:
                table[label] = vendor[source].to_numpy()
    if "Status" in vendor and STEP_TYPE.name not in table:
        table["step_type"] = vendor["Status"].to_numpy()
    stamps = next((values for _, values in vendor.items() if values.dtype.kind == "M"), None)
    label = next((name for name in table.columns if named(name, TIME) is not None), None)
    if stamps is not None and label is not None and (table[label].diff() < 0).any():
        seconds = (stamps - stamps.iloc[0]).dt.total_seconds()
        seconds = seconds.cummax() if (seconds.diff() < -CLOCK_SET_S).sum() == 0 else seconds
        table = table.drop(columns=label).assign(**{"Test Time / s": seconds.to_numpy()})
    return table
