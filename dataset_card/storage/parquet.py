"""The parser of Parquet files: it computes the memory that a file needs before it reads any column.

Footer and page headers can claim any size, and pyarrow allocates memory accordingly; a dictionary with one long text
can stand for any number of rows.
"""

import mmap
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataset_card.errors import MagBridgeError

MAX_TABLE_BYTES = 2**30
"""Memory limit of one Parquet file: the whole v1 release takes 0.04 GB, and a small file can claim any size."""

MAX_NESTING = 12
"""Maximum nesting of structures in a footer or page header, positions in lists included; the format has ten levels."""

_ROW_GROUPS, _COLUMNS, _COLUMN = 4, 1, 3
_TYPE, _ENCODINGS, _VALUES = 1, 2, 5
_PLACE = (6, 7, 9, 11)
"""Numbers of the footer's fields in parquet.thrift; those of `_PLACE` are the unpacked and packed size, the first data
page and the dictionary page."""

_BYTE_ARRAY, _DELTA_BYTE_ARRAY, _MOST_ENCODINGS = 6, 7, 10


class _Chunk(NamedTuple):
    """One column's part of a row group, as its pages describe it."""

    values: int
    size: int
    is_text: bool
    shares_prefixes: bool


@contextmanager
def opened_parquet(
    path: Path, columns: Collection[str] | None = None, limit: int = MAX_TABLE_BYTES
) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file whose columns need at most `limit` bytes, counting a text shared by many rows once.

    Args:
        path: The file.
        columns: Names of the columns to be read; all by default.
        limit: Bytes in memory.

    Raises:
        MagBridgeError: If it is missing or damaged, or would need more memory.
    """
    with _opened(path, columns, limit) as (file, _):
        yield file


@contextmanager
def _opened(path: Path, columns: Collection[str] | None, limit: int) -> Iterator[tuple[pq.ParquetFile, int]]:
    """Open a file as `opened_parquet` does; also yield the bytes that its columns could need if texts are expanded."""
    with _damage(path), pq.ParquetFile(path) as file:
        chunks = list(_chunks(path, file.metadata, columns))
        _check_size(sum(map(_least, chunks)), path, limit)
        greatest = sum(map(_greatest, chunks))
        if any(chunk.shares_prefixes for chunk in chunks) and greatest > limit:
            raise MagBridgeError(
                f"{path}: texts with shared prefixes: expected plain or dictionary encoding; write the file again"
            )
        yield file, greatest


def read_parquet(path: Path, columns: list[str] | None = None, limit: int = MAX_TABLE_BYTES) -> pa.Table:
    """Read one Parquet file, or some of its columns.

    Raises:
        MagBridgeError: If it is missing or damaged, or would need more than `limit` bytes.
    """
    with _opened(path, columns, limit) as (file, greatest):
        if greatest <= limit:
            return _whole(file.read(columns))
        texts = [f.name for f in file.schema_arrow if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
    with _damage(path), pq.ParquetFile(path, read_dictionary=texts) as file:  # each text once
        table = file.read(columns)
        _check_size(sum(_decoded(column) for column in table.columns), path, limit)
        return _whole(pa.table({name: _plain(table[name]) for name in table.column_names}))


def _whole(table: pa.Table) -> pa.Table:
    """Return the table after checking that its texts are UTF-8: pyarrow reads other bytes too, and fails on access."""
    table.select([f.name for f in table.schema if pa.types.is_string(f.type)]).validate(full=True)
    return table


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise MagBridgeError(f"{path}: missing; restore it from a copy") from None
    except MagBridgeError:
        raise
    except (pa.ArrowException, OSError, ValueError, LookupError) as error:
        raise MagBridgeError(
            f"{path}: not a readable Parquet file ({' '.join(str(error).split())[:300]}); restore it from a copy"
        ) from error


def _chunks(path: Path, metadata: pq.FileMetaData, columns: Collection[str] | None) -> Iterator[_Chunk]:
    # The footer is parsed here, since pyarrow's access to damaged column metadata would crash the process.
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        footer, _ = _structure(data[len(data) - 8 - int.from_bytes(data[-8:-4], "little") :], 0)
        names = [metadata.schema.column(i).path for i in range(metadata.num_columns)]
        for group in range(metadata.num_row_groups):
            for i, name in enumerate(names):
                if columns is not None and name.split(".")[0] not in columns:
                    continue
                chunk = (_ROW_GROUPS, group, _COLUMNS, i, _COLUMN)
                claimed = footer[*chunk, _VALUES]
                values, size = _pages(data, name, claimed, *(footer.get((*chunk, field), 0) for field in _PLACE))
                if values != claimed:
                    raise ValueError(f"{name} has pages of {values} values for {claimed}")
                is_text = footer[*chunk, _TYPE] == _BYTE_ARRAY
                encodings = {footer.get((*chunk, _ENCODINGS, k)) for k in range(_MOST_ENCODINGS)}
                yield _Chunk(values, size, is_text, is_text and _DELTA_BYTE_ARRAY in encodings)


def _pages(
    data: mmap.mmap, name: str, claimed: int, unpacked_size: int, packed_size: int, first: int, dictionary: int
) -> tuple[int, int]:
    """Return the number of values and of unpacked bytes that the pages of a column chunk claim."""
    at = min(dictionary or first, first)
    end, values, size = at + packed_size, 0, 0
    if at < 0 or end > len(data):
        raise ValueError(f"{name} lies outside the file")
    while at < end and values < claimed:
        header, at = _structure(data, at)
        unpacked, packed = header.get((2,), -1), header.get((3,), -1)
        if unpacked < 0 or packed < 0:
            raise ValueError(f"{name} has a page of negative size")
        values += max(header.get((5, 1), 0), header.get((8, 1), 0))  # of a data page, version 1 or 2
        size += unpacked
        at += packed
    return values, max(size, unpacked_size)


def _structure(
    data: mmap.mmap | bytes, at: int, above: tuple[int, ...] = (), numbers: dict[tuple[int, ...], int] | None = None
) -> tuple[dict[tuple[int, ...], int], int]:
    """Parse a structure in Thrift's compact protocol; return its numbers by path of field numbers, and its end."""
    if len(above) > MAX_NESTING:
        raise ValueError("a page header is nested too deeply")
    numbers = {} if numbers is None else numbers
    field = 0
    while (byte := data[at]) != 0:
        at += 1
        kind, step = byte & 15, byte >> 4
        if step:
            field += step
        else:
            field, at = _integer(data, at)
        match kind:
            case 1 | 2:  # a boolean, encoded in the type
                pass
            case 3:
                at += 1
            case 4 | 5 | 6:
                numbers[*above, field], at = _integer(data, at)
            case 7:
                at += 8
            case 8:
                length, at = _varint(data, at)
                at += length
            case 9:
                at = _list(data, at, (*above, field), numbers)
            case 12:
                _, at = _structure(data, at, (*above, field), numbers)
            case _:
                raise ValueError(f"a page header has a field of type {kind}")
    return numbers, at + 1


def _list(data: mmap.mmap | bytes, at: int, above: tuple[int, ...], numbers: dict[tuple[int, ...], int]) -> int:
    """Add the numbers of a list to `numbers`, by path and position; return its end."""
    length, kind = data[at] >> 4, data[at] & 15
    at += 1
    if length == 15:
        length, at = _varint(data, at)
    if kind in (1, 2, 3):  # one byte each: skipped at once, however many the list claims
        return at + length
    for i in range(length):
        match kind:
            case 4 | 5 | 6:
                numbers[*above, i], at = _integer(data, at)
            case 8:
                size, at = _varint(data, at)
                at += size
            case 12:
                _, at = _structure(data, at, (*above, i), numbers)
            case _:
                raise ValueError(f"a list has values of type {kind}")
    return at


def _integer(data: mmap.mmap | bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return value >> 1 ^ -(value & 1), at


def _varint(data: mmap.mmap | bytes, at: int) -> tuple[int, int]:
    if (byte := data[at]) < 128:
        return byte, at + 1
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("a page header has a number without end")


def _least(chunk: _Chunk) -> int:
    return max(chunk.size, 0 if chunk.is_text else 8 * chunk.values)


def _greatest(chunk: _Chunk) -> int:
    """Return the bytes that a chunk could need if every value were its whole dictionary, or all values before it."""
    return chunk.values * chunk.size if chunk.is_text else _least(chunk)


def _decoded(column: pa.ChunkedArray) -> int:
    """Return the bytes of a column with its dictionaries expanded."""
    if not pa.types.is_dictionary(column.type):
        return column.nbytes
    sizes = (pc.take(pc.binary_length(chunk.dictionary), chunk.indices) for chunk in column.chunks)
    return sum(pc.sum(size).as_py() or 0 for size in sizes)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _check_size(found: int, path: Path, limit: int) -> None:
    if found > limit:
        raise MagBridgeError(
            f"{path}: unpacks to {found / 1e9:.1f} GB: expected a file of at most {limit / 1e9:.1f} GB"
        )
