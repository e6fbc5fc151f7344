"""The boundary of Parquet files: what one would take in memory is known before a column of it is read.

Footer and page headers can claim anything, and pyarrow sets memory aside by what they claim; a dictionary of one long
text can stand for any number of rows.
"""

from __future__ import annotations

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
"""Of one Parquet file in memory: the whole v1 release takes 0.04 GB, and a small file can claim any size."""

MAX_NESTING = 8
"""Of a page header's structures; the format has three."""


class _Chunk(NamedTuple):
    """One column's part of a row group: what its pages claim."""

    values: int
    size: int
    is_text: bool
    shares_prefixes: bool


@contextmanager
def opened_parquet(
    path: Path, columns: Collection[str] | None = None, limit: int = MAX_TABLE_BYTES
) -> Iterator[pq.ParquetFile]:
    """A Parquet file whose columns take at most `limit` bytes, a text that many rows share counted once.

    Args:
        path: The file.
        columns: Names of those that are to be read; all by default.
        limit: Bytes in memory.

    Raises:
        MagBridgeError: It is missing, damaged, or would take more.
    """
    with _damage(path), pq.ParquetFile(path) as file:
        chunks = list(_chunks(path, file.metadata, columns))
        _check_size(sum(map(_least, chunks)), path, limit)
        if any(chunk.shares_prefixes for chunk in chunks) and sum(map(_greatest, chunks)) > limit:
            raise MagBridgeError(f"{path}: texts that share prefixes: expected them plain, or in dictionaries")
        yield file


def read_parquet(path: Path, columns: list[str] | None = None, limit: int = MAX_TABLE_BYTES) -> pa.Table:
    """Reads one Parquet file, or some columns of it; damage is one clear error.

    Raises:
        MagBridgeError: It is missing, unreadable, or would take more than `limit` bytes.
    """
    with opened_parquet(path, columns, limit) as file:
        if sum(map(_greatest, _chunks(path, file.metadata, columns))) <= limit:
            return file.read(columns)
        texts = [f.name for f in file.schema_arrow if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
    with _damage(path), pq.ParquetFile(path, read_dictionary=texts) as file:  # each text once
        table = file.read(columns)
        _check_size(sum(_decoded(column) for column in table.columns), path, limit)
        return pa.table({name: _plain(table[name]) for name in table.column_names})


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise MagBridgeError(f"{path}: missing; restore it or rebuild the release") from None
    except MagBridgeError:
        raise
    except (pa.ArrowException, OSError, ValueError, IndexError) as error:
        raise MagBridgeError(
            f"{path}: not a readable Parquet file ({' '.join(str(error).split())[:300]}); restore it or rebuild the "
            "release"
        ) from error


def _chunks(path: Path, metadata: pq.FileMetaData, columns: Collection[str] | None) -> Iterator[_Chunk]:
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for group in map(metadata.row_group, range(metadata.num_row_groups)):
            for column in map(group.column, range(group.num_columns)):
                if columns is not None and column.path_in_schema.split(".")[0] not in columns:
                    continue
                values, size = _pages(data, column)
                if values != column.num_values:
                    raise ValueError(f"{column.path_in_schema} has pages of {values} values for {column.num_values}")
                is_text = column.physical_type == "BYTE_ARRAY"
                yield _Chunk(values, size, is_text, is_text and "DELTA_BYTE_ARRAY" in column.encodings)


def _pages(data: mmap.mmap, column: pq.ColumnChunkMetaData) -> tuple[int, int]:
    """Values and unpacked bytes that the pages of a column chunk claim."""
    at = min(column.dictionary_page_offset or column.data_page_offset, column.data_page_offset)
    end, values, size = at + column.total_compressed_size, 0, 0
    if at < 0 or end > len(data):
        raise ValueError(f"{column.path_in_schema} lies outside the file")
    while at < end and values < column.num_values:
        header, at = _structure(data, at)
        unpacked, packed = header.get((2,), -1), header.get((3,), -1)
        if unpacked < 0 or packed < 0:
            raise ValueError(f"{column.path_in_schema} has a page of negative size")
        values += max(header.get((5, 1), 0), header.get((8, 1), 0))  # of a data page, version 1 or 2
        size += unpacked
        at += packed
    return values, max(size, column.total_uncompressed_size)


def _structure(data: mmap.mmap | bytes, at: int, above: tuple[int, ...] = ()) -> tuple[dict[tuple[int, ...], int], int]:
    """The numbers of a structure in Thrift's compact protocol, by path of field numbers, and where it ends."""
    if len(above) > MAX_NESTING:
        raise ValueError("a page header is nested too deeply")
    numbers: dict[tuple[int, ...], int] = {}
    field = 0
    while (byte := data[at]) != 0:
        at += 1
        kind, step = byte & 15, byte >> 4
        if step:
            field += step
        else:
            field, at = _integer(data, at)
        match kind:
            case 1 | 2:  # a truth value: the type has it
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
            case 12:
                inner, at = _structure(data, at, (*above, field))
                numbers |= inner
            case _:
                raise ValueError(f"a page header has a field of type {kind}")
    return numbers, at + 1


def _integer(data: mmap.mmap | bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return value >> 1 ^ -(value & 1), at


def _varint(data: mmap.mmap | bytes, at: int) -> tuple[int, int]:
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
    """What a chunk could take if every value were its whole dictionary, or all that went before."""
    return chunk.values * chunk.size if chunk.is_text else _least(chunk)


def _decoded(column: pa.ChunkedArray) -> int:
    """Bytes of a column once its dictionaries are written out."""
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
