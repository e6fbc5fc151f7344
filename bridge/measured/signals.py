"""Reads scans from Parquet, HDF5 or a folder of CSV files into plain arrays; nothing is judged here but form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from bridge.measured.channels import ChannelMap
from bridge.measured.tables import NAME
from dataset_card.contract.measured import MEASURED_CHANNELS, TIME_COLUMNS
from dataset_card.errors import MagBridgeError
from dataset_card.faults import MOST, Fault, FaultyInput, fault, require
from dataset_card.storage.digests import sha256_of
from dataset_card.storage.parquet import opened_parquet

MAX_SCANS = 200_000
MAX_STEPS = 100_000
MAX_VALUES = 2 * 10**9
"""Numbers of a whole set, 16 GB in memory: more is another machine's work."""

LEAST_STEPS = 20


@dataclass(frozen=True)
class RawScan:
    """One scan as it was stored.

    Attributes:
        scan_id: Its name.
        file: File that it lies in.
        where: Its place there, in words.
        first_row: Number of the first step's row in a CSV file; None elsewhere.
        columns: (n,) numbers of each mapped column, in the laboratory's unit, and of time.
    """

    scan_id: str
    file: str
    where: str
    first_row: int | None
    columns: dict[str, np.ndarray]

    def at(self, step: int) -> str:
        """A step's place, in words."""
        row = "" if self.first_row is None else f"row {self.first_row + step}, "
        return f"{row}{self.where}, step {step}"


def read_scans(path: Path | str, channels: ChannelMap) -> tuple[list[RawScan], dict[str, str]]:
    """Reads all scans.

    Args:
        path: A Parquet or HDF5 file, or a folder of CSV files.
        channels: Columns to read; magnitudes and time are read where they are there.

    Returns:
        Scans in the order of the file, or of the file names; and the SHA-256 of each file read, a folder's by its list.

    Raises:
        FaultyInput: Not such scans; `faults` names each one.
    """
    path = Path(path)
    if path.is_dir():
        reader: Callable = _csv_folder
    elif not path.exists():
        raise fault(path, "", "no such file or folder", "Parquet, HDF5 or a folder of CSV files", "check the path")
    elif path.suffix.lower() in (".parquet", ".h5", ".hdf5"):
        reader = _parquet if path.suffix.lower() == ".parquet" else _hdf5
    else:
        raise fault(path, "", f"suffix {path.suffix!r}", ".parquet, .h5 or a folder of CSV", "store the scans as one")
    scans: list[RawScan] = []
    faults: list[Fault] = []
    total = 0
    for scan in _tolerant(reader(path, channels), faults):
        scans.append(scan)
        total += sum(len(values) for values in scan.columns.values())
        if len(scans) > MAX_SCANS or total > MAX_VALUES:
            raise fault(
                path, scan.where, f"over {MAX_SCANS} scans or {MAX_VALUES} numbers", "fewer", "adopt it in parts"
            )
    require(faults)
    if not scans:
        raise fault(path, "", "no scan", "one a row, group or CSV file", "check the path")
    return scans, _sources(path)


def _tolerant(found: Iterator[RawScan | Fault], faults: list[Fault]) -> Iterator[RawScan]:
    for item in found:
        if isinstance(item, RawScan):
            yield item
            continue
        faults.append(item)
        if len(faults) >= MOST:
            return


def _sources(path: Path) -> dict[str, str]:
    if path.is_file():
        return {path.name: sha256_of(path)}
    import hashlib

    lines = "".join(f"{sha256_of(file)}  {file.name}\n" for file in sorted(path.glob("*.csv")))
    return {f"{path.name}/*.csv (SHA-256 of their sha256sum list)": hashlib.sha256(lines.encode()).hexdigest()}


def _wanted(path: Path, names: list[str], channels: ChannelMap, where: str = "") -> list[str]:
    """Columns to read of those that are there.

    Raises:
        FaultyInput: A measured channel or the mapped time is missing.
    """
    for channel in channels.channels:
        if channel.column not in names and channel.name in MEASURED_CHANNELS:
            known = ", ".join(sorted(map(str, names))[:12])
            fix = "add it, or name the laboratory's columns with --channels"
            raise fault(path, where, f"no column {channel.column!r} for {channel.name} among {known}", "each", fix)
    if channels.time is not None and channels.time[0] not in names:
        raise fault(path, where, f"no column {channels.time[0]!r}", "the time of the channel map", "correct the map")
    time = [channels.time[0]] if channels.time else [name for name in TIME_COLUMNS if name in names]
    return [c.column for c in channels.channels if c.column in names] + time


def _checked(scan: RawScan) -> RawScan | Fault:
    lengths = {name: len(values) for name, values in scan.columns.items()}
    if len(set(lengths.values())) != 1:
        words = ", ".join(f"{name} {n}" for name, n in lengths.items())
        return Fault(scan.file, scan.where, f"channels of different lengths: {words}", "one number of steps", "cut it")
    steps = next(iter(lengths.values()))
    if not LEAST_STEPS <= steps <= MAX_STEPS:
        return Fault(scan.file, scan.where, f"{steps} steps", f"{LEAST_STEPS} to {MAX_STEPS}", "scan it again")
    if not NAME.fullmatch(scan.scan_id):
        return Fault(
            scan.file, scan.where, f"scan id {scan.scan_id[:80]!r}", "letters, digits, '.', '_', '+', '-'", "rename it"
        )
    return scan


def _parquet(path: Path, channels: ChannelMap) -> Iterator[RawScan | Fault]:
    with _faulty(path), opened_parquet(path, limit=8 * MAX_VALUES) as file:
        names = file.schema_arrow.names
        if "scan_id" not in names:
            raise fault(path, "", "no column 'scan_id'", "a name a row", "add it")
        wanted = _wanted(path, names, channels)
        row = 0
        for batch in file.iter_batches(1024, columns=["scan_id", *wanted]):
            ids = batch.column("scan_id").to_pylist()
            columns = {name: _lists(path, batch.column(batch.schema.get_field_index(name)), name) for name in wanted}
            for i, scan_id in enumerate(ids):
                row += 1
                at = f"row {row} (scan {str(scan_id)[:80]})"
                yield _checked(RawScan(str(scan_id), str(path), at, None, {name: columns[name][i] for name in wanted}))


@contextmanager
def _faulty(path: Path) -> Iterator[None]:
    try:
        yield
    except FaultyInput:
        raise
    except MagBridgeError as error:
        raise fault(path, "", f"not readable ({error})", "a Parquet file", "export it again") from error


def _lists(path: Path, column: pa.Array, name: str) -> list[np.ndarray]:
    kind = column.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)) or not (
        pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)
    ):
        raise fault(path, f"column {name!r}", f"type {kind}", "a list of numbers a scan", "store one row a scan")
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
        raise fault(path, "", f"not readable ({error})", "an HDF5 file", "export it again") from error
    with file:
        for scan_id in file:
            where = f"scan {scan_id}"
            # A link may lead out of this file: only what lies in it is read.
            if not isinstance(file.get(scan_id, getlink=True), h5py.HardLink):
                yield Fault(str(path), where, "a link", "a group in this file", "copy the data into the file")
                continue
            group = file[scan_id]
            if not isinstance(group, h5py.Group):
                yield Fault(str(path), where, "a dataset", "a group a scan with a dataset a channel", "group them")
                continue
            try:
                columns = {
                    name: _dataset(path, where, group, name) for name in _wanted(path, list(group), channels, where)
                }
            except FaultyInput as error:
                yield error.faults[0]
                continue
            yield _checked(RawScan(scan_id, str(path), where, None, columns))


def _dataset(path: Path, where: str, group, name: str) -> np.ndarray:
    import h5py

    hard = isinstance(group.get(name, getlink=True), h5py.HardLink)
    dataset = group[name] if hard else None
    if (
        not isinstance(dataset, h5py.Dataset)
        or dataset.ndim != 1
        or dataset.dtype.kind not in "iuf"
        or dataset.external
    ):
        raise fault(path, f"{where}, {name}", "no plain 1-D dataset of numbers", "one number a step", "store it so")
    if len(dataset) > MAX_STEPS:
        raise fault(path, f"{where}, {name}", f"{len(dataset)} steps", f"at most {MAX_STEPS}", "store one scan a group")
    return np.asarray(dataset[()], float)


def _csv_folder(path: Path, channels: ChannelMap) -> Iterator[RawScan | Fault]:
    for file in sorted(path.iterdir()):
        if file.name.startswith(".") or file.is_dir():
            continue
        if file.suffix.lower() != ".csv" or not file.is_file():
            yield Fault(str(path), file.name, "no CSV file", "one SCAN_ID.csv a scan, and nothing else", "move it away")
            continue
        try:
            columns = _csv(file, channels)
        except FaultyInput as error:
            yield error.faults[0]
            continue
        yield _checked(RawScan(file.stem, str(file), f"scan {file.stem}", 2, columns))


def _csv(file: Path, channels: ChannelMap) -> dict[str, np.ndarray]:
    if file.stat().st_size > MAX_STEPS * 400:
        raise fault(file, "", f"{file.stat().st_size} bytes", f"at most {MAX_STEPS} steps", "store one scan a file")
    try:
        table = pa.csv.read_csv(
            file,
            read_options=pa.csv.ReadOptions(use_threads=False),
            convert_options=pa.csv.ConvertOptions(
                null_values=["", "NaN", "nan", "NA", "NULL"], strings_can_be_null=True
            ),
        )
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:160]
        line = re.search(r"Row #(\d+)", reason)
        fix = "a decimal comma or semicolons? export with commas between columns and points in decimals"
        raise fault(
            file, f"row {line[1]}" if line else "", f"not readable ({reason})", "one row a step", fix
        ) from error
    names = table.column_names
    if len(names) == 1 and ";" in names[0]:
        raise fault(file, "row 1", "columns separated by semicolons", "commas", "export with commas and decimal points")
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise fault(file, "row 1", f"column {repeated[0]!r} twice", "each column once", "remove one of them")
    return {name: _csv_numbers(file, name, table[name]) for name in _wanted(file, names, channels)}


def _csv_numbers(file: Path, name: str, column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type) or pa.types.is_null(column.type):
        return column.cast(pa.float64()).to_numpy()
    for row, value in enumerate(column.to_pylist(), 2):
        try:
            float(value)
        except (TypeError, ValueError):
            comma = isinstance(value, str) and re.fullmatch(r"[+-]?\d+,\d+", value.strip())
            found = f"{value!r}, a decimal comma" if comma else repr(value)
            fix = "export with decimal points" if comma else "correct it"
            raise fault(file, f"row {row}, column {name!r}", found, "a number", fix) from None
    raise fault(file, f"column {name!r}", f"type {column.type}", "numbers", "export it again")
