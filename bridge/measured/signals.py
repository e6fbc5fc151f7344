"""Read scans from Parquet, HDF5 or CSV files into plain arrays; only their form is checked here."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from bridge.errors import faulty, said
from bridge.measured.channels import ChannelMap
from bridge.measured.tables import NAME
from dataset_card.contract.measured import MEASURED_CHANNELS, TIME_COLUMNS, InputField
from dataset_card.errors import MagBridgeError
from dataset_card.storage.columns import ColumnMap
from dataset_card.storage.digests import sha256_of
from dataset_card.storage.faults import MOST, Fault, FaultyInput, faults_in, require
from dataset_card.storage.layout import text_layout
from dataset_card.storage.parquet import opened_parquet

MAX_SCANS = 200_000
MAX_STEPS = 100_000
MAX_VALUES = 2 * 10**9
"""Numbers in a whole set, 16 GB in memory."""

LEAST_STEPS = 20
NULLS = ["", "NaN", "nan", "NA", "NULL"]


@dataclass(frozen=True)
class RawScan:
    """One scan as it was stored.

    Attributes:
        scan_id: Its name.
        file: File that contains it.
        where: Its place in the file, in words.
        first_row: Row number of the first step in a table with one row per step; None for other files.
        columns: (n,) numbers of each mapped column, in the laboratory's unit, and of time.
    """

    scan_id: str
    file: str
    where: str
    first_row: int | None
    columns: dict[str, np.ndarray]

    def at(self, step: int) -> str:
        """Return the place of a step, in words."""
        row = "" if self.first_row is None else f"row {self.first_row + step}, "
        return f"{row}{self.where}, step {step}"

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(next(iter(self.columns.values())))

    def fault(self, mistake: str, column: str = "", step: int | None = None, **values: object) -> Fault:
        """Return a fault of the scan, or of one of its columns or steps.

        Args:
            mistake: Name of the mistake, as for `said`.
            column: Column at fault; none for the whole scan.
            step: Step at fault, from 0; None for the whole scan.
            **values: Values of the placeholders.
        """
        where = self.where if step is None else self.at(step)
        return Fault(self.file, f"{where}, {column}" if column else where, *said(mistake, **values))


def read_scans(path: Path | str, channels: ChannelMap) -> tuple[list[RawScan], dict[str, str]]:
    """Read all scans.

    Args:
        path: A Parquet or HDF5 file, one CSV file of all steps (`scan_id` in each row), or a folder of CSV files.
        channels: Columns to read; magnitudes and time are read if they exist.

    Returns:
        Scans in the order of the file, or of the file names; and the SHA-256 of the file, or of the folder's file list.

    Raises:
        FaultyInput: If the files are not such scans; `faults` lists each mistake.
    """
    path = Path(path)
    if not path.exists():
        raise faulty("no_scans_there", file=path)
    reader = _csv_folder if path.is_dir() else READERS.get(path.suffix.lower())
    if reader is None:
        raise faulty("scans_suffix", suffix=path.suffix, known=", ".join(READERS), file=path)
    scans: list[RawScan] = []
    faults: list[Fault] = []
    total = 0
    for scan in reader(path, channels):
        if isinstance(scan, Fault):
            faults.append(scan)
            if len(faults) >= MOST:
                break
            continue
        scans.append(scan)
        total += sum(len(values) for values in scan.columns.values())
        if len(scans) > MAX_SCANS or total > MAX_VALUES:
            raise faulty("too_many_scans", scans=MAX_SCANS, numbers=MAX_VALUES, where=scan.where, file=path)
    require(faults)
    if not scans:
        raise faulty("no_scan", file=path)
    return scans, _sources(path)


def _sources(path: Path) -> dict[str, str]:
    if path.is_file():
        return {path.name: sha256_of(path)}
    import hashlib

    lines = "".join(f"{sha256_of(file)}  {file.name}\n" for file in sorted(path.glob("*.csv")))
    return {f"{path.name}/*.csv (SHA-256 of their sha256sum list)": hashlib.sha256(lines.encode()).hexdigest()}


def _wanted(path: Path, names: list[str], channels: ChannelMap, where: str = "") -> list[str]:
    """Return the columns to read out of the existing ones.

    Raises:
        FaultyInput: If a measured channel or the mapped time is missing.
    """
    for channel in channels.channels:
        if channel.column not in names and channel.name in MEASURED_CHANNELS:
            known = ", ".join(sorted(map(str, names))[:12])
            raise faulty("no_channel", column=channel.column, name=channel.name, known=known, where=where, file=path)
    if channels.time is not None and channels.time[0] not in names:
        raise faulty("no_time", column=channels.time[0], where=where, file=path)
    time = [channels.time[0]] if channels.time else [name for name in TIME_COLUMNS if name in names]
    return [c.column for c in channels.channels if c.column in names] + time


def _checked(read: Callable[..., RawScan], *arguments) -> RawScan | Fault:
    """Return the scan that a reader makes, or the fault found in it."""
    try:
        scan = read(*arguments)
    except FaultyInput as error:
        return error.faults[0]
    lengths = {name: len(values) for name, values in scan.columns.items()}
    if len(set(lengths.values())) != 1:
        return scan.fault("lengths", lengths=", ".join(f"{name} {n}" for name, n in lengths.items()))
    if not LEAST_STEPS <= scan.steps <= MAX_STEPS:
        return scan.fault("steps", steps=scan.steps, least=LEAST_STEPS, most=MAX_STEPS)
    return scan if NAME.fullmatch(scan.scan_id) else scan.fault("scan_name", name=scan.scan_id[:80])


def _parquet(path: Path, channels: ChannelMap) -> Iterator[RawScan | Fault]:
    try:
        with opened_parquet(path, limit=8 * MAX_VALUES) as file:
            yield from _parquet_scans(path, file, channels)
    except FaultyInput:
        raise
    except MagBridgeError as error:
        raise faulty("parquet_unreadable", reason=error, file=path) from error


def _parquet_scans(path: Path, file, channels: ChannelMap) -> Iterator[RawScan | Fault]:
    names = file.schema_arrow.names
    if "scan_id" not in names:
        raise faulty("parquet_no_ids", file=path)
    if repeated := [name for name in names if names.count(name) > 1]:
        raise faulty("column_twice", name=repeated[0], file=path)
    wanted = _wanted(path, names, channels)
    if not _is_list(file.schema_arrow.field(wanted[0]).type):
        table = file.read(columns=["scan_id", *wanted], use_threads=False)
        yield from _long_form(path, table, wanted, 1)
        return
    row = 0
    for batch in file.iter_batches(1024, columns=["scan_id", *wanted]):
        columns = {name: _lists(path, batch.column(batch.schema.get_field_index(name)), name) for name in wanted}
        for i, scan_id in enumerate(batch.column("scan_id").to_pylist()):
            row += 1
            at = f"row {row} (scan {str(scan_id)[:80]})"
            scan = {name: columns[name][i] for name in wanted}
            yield _checked(RawScan, str(scan_id), str(path), at, None, scan)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _long_form(path: Path, table: pa.Table, wanted: list[str], first_row: int) -> Iterator[RawScan | Fault]:
    """Yield the scans of a table with one row per step, in which the rows of a scan are contiguous."""
    ids = np.array([str(value) for value in table["scan_id"].to_pylist()], dtype=object)
    columns = {name: _csv_numbers(path, name, table[name], first_row) for name in wanted}
    bounds = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]]) if len(ids) else np.zeros(0, int)
    seen: set[str] = set()
    for start, stop in zip(bounds, [*bounds[1:], len(ids)]):
        where = f"scan {ids[start][:80]}"
        if ids[start] in seen:
            yield Fault(str(path), f"row {first_row + start}", *said("scan_apart", name=ids[start]))
            return
        seen.add(ids[start])
        scan = {name: values[start:stop] for name, values in columns.items()}
        yield _checked(RawScan, ids[start], str(path), where, int(first_row + start), scan)


def _lists(path: Path, column: pa.Array, name: str) -> list[np.ndarray]:
    kind = column.type
    if not _is_list(kind) or not (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)):
        raise faulty("parquet_type", kind=kind, where=f"column {name!r}", file=path)
    values = []
    for scalar in column:
        array = pa.array([], pa.float64()) if not scalar.is_valid else scalar.values.cast(pa.float64())
        values.append(array.to_numpy(zero_copy_only=False))  # null becomes NaN
    return values


def _hdf5(path: Path, channels: ChannelMap) -> Iterator[RawScan | Fault]:
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise faulty("hdf5_unreadable", reason=error, file=path) from error
    with file:
        for scan_id in file:
            yield _checked(_group, path, file, scan_id, channels)


def _group(path: Path, file, scan_id: str, channels: ChannelMap) -> RawScan:
    import h5py

    where = f"scan {scan_id}"
    # A link may point outside this file: read only what the file itself contains.
    if not isinstance(file.get(scan_id, getlink=True), h5py.HardLink):
        raise faulty("hdf5_link", where=where, file=path)
    group = file[scan_id]
    if not isinstance(group, h5py.Group):
        raise faulty("hdf5_dataset", where=where, file=path)
    wanted = _wanted(path, list(group), channels, where)
    return RawScan(scan_id, str(path), where, None, {name: _dataset(path, where, group, name) for name in wanted})


def _dataset(path: Path, where: str, group, name: str) -> np.ndarray:
    import h5py

    hard = isinstance(group.get(name, getlink=True), h5py.HardLink)
    dataset = group[name] if hard else None
    plain = isinstance(dataset, h5py.Dataset) and dataset.ndim == 1 and dataset.dtype.kind in "iuf"
    if dataset is None or not plain or dataset.external:
        raise faulty("hdf5_values", where=f"{where}, {name}", file=path)
    if len(dataset) > MAX_STEPS:
        raise faulty("hdf5_steps", steps=len(dataset), most=MAX_STEPS, where=f"{where}, {name}", file=path)
    return np.asarray(dataset[()], float)


def _csv_folder(path: Path, channels: ChannelMap) -> Iterator[RawScan | Fault]:
    for file in sorted(path.iterdir()):
        if file.name.startswith(".") or file.is_dir():
            continue
        if file.suffix.lower() != ".csv" or not file.is_file():
            yield Fault(str(path), file.name, *said("no_csv"))
        else:
            yield _checked(_csv_scan, file, channels)


def _csv_scan(file: Path, channels: ChannelMap) -> RawScan:
    table, first_row = _csv(file, channels, MAX_STEPS)
    wanted = _wanted(file, table.column_names, channels)
    columns = {name: _csv_numbers(file, name, table[name], first_row) for name in wanted}
    return RawScan(file.stem, str(file), f"scan {file.stem}", first_row, columns)


def _csv_file(path: Path, channels: ChannelMap) -> Iterator[RawScan | Fault]:
    table, first_row = _csv(path, channels, MAX_VALUES // 6)
    if "scan_id" not in table.column_names:
        raise faulty("csv_no_ids", where=f"row {first_row - 1}", file=path)
    yield from _long_form(path, table, _wanted(path, table.column_names, channels), first_row)


def _csv(file: Path, channels: ChannelMap, most: int) -> tuple[pa.Table, int]:
    """Return a text table of steps and the number of its first row."""
    if file.stat().st_size > most * 400:
        raise faulty("csv_size", size=file.stat().st_size, most=most, file=file)
    known = [InputField(name, "") for name in ("scan_id", *(c.column for c in channels.channels), *TIME_COLUMNS)]
    with faults_in(file):
        layout = text_layout(file, known, ColumnMap())
    names = list(layout.names)
    if repeated := [name for name in names if name and names.count(name) > 1]:
        raise faulty("column_twice", name=repeated[0], where=f"row {layout.header + 1}", file=file)
    read = pa.csv.ReadOptions(use_threads=False, skip_rows=layout.lines, column_names=names, encoding=layout.encoding)
    kinds = {"scan_id": pa.string()}
    convert = pa.csv.ConvertOptions(
        null_values=NULLS, strings_can_be_null=True, decimal_point=layout.decimal, column_types=kinds
    )
    try:
        table = pa.csv.read_csv(file, read, pa.csv.ParseOptions(delimiter=layout.separator), convert)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:160]
        line = re.search(r"Row #(\d+)", reason)
        where = f"row {line[1]}" if line else ""
        raise faulty("csv_unreadable", reason=reason, where=where, file=file) from error
    return table, layout.header + 2 + bool(layout.units)


def _csv_numbers(file: Path, name: str, column: pa.ChunkedArray, first_row: int) -> np.ndarray:
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type) or pa.types.is_null(column.type):
        return column.cast(pa.float64()).to_numpy()
    for row, value in enumerate(column.to_pylist(), first_row):
        try:
            float(value)
        except (TypeError, ValueError):
            comma = isinstance(value, str) and re.fullmatch(r"[+-]?\d+,\d+", value.strip())
            mistake, found = "csv_comma" if comma else "csv_number", "empty" if value is None else repr(value)[:80]
            raise faulty(mistake, value=found, where=f"row {row}, column {name!r}", file=file) from None
    raise faulty("csv_type", kind=column.type, where=f"column {name!r}", file=file)


READERS: dict[str, Callable[[Path, ChannelMap], Iterator[RawScan | Fault]]] = {
    ".parquet": _parquet, ".h5": _hdf5, ".hdf5": _hdf5, ".csv": _csv_file, ".tsv": _csv_file, ".txt": _csv_file,
}  # fmt: skip
