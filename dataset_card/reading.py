"""Reads a release folder: its manifest, one of its Parquet files, all of its rows."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataset_card.configs import METADATA_FILE
from dataset_card.digests import dataset_digest, files_digest
from dataset_card.documents import check_manifest, read_json
from dataset_card.errors import MagBridgeError
from dataset_card.files import cache_dir, replacing, standing
from dataset_card.schema import METADATA_FIELDS, arrow_schema

if TYPE_CHECKING:
    import pandas

MAX_TABLE_BYTES = 2**30
"""Of one Parquet file in memory: the whole v1 release takes 0.04 GB, and a small file can claim any size."""

MANIFEST, CHECKSUMS = "manifest.json", "checksums.sha256"


def read_manifest(folder: Path | str) -> dict:
    """The manifest of a release folder.

    Raises:
        MagBridgeError: The folder is not a release, or its manifest is damaged.
    """
    path = standing(Path(folder)) / MANIFEST
    if not path.is_file():
        raise MagBridgeError(f"{folder}: no {MANIFEST}; expected a release folder, made by `python -m bridge build`")
    manifest = read_json(path)
    check_manifest(manifest, str(path))
    return manifest


def checked_digest(folder: Path | str) -> str:
    """The digest of a release folder's rows, once they are found to have the one that its manifest states.

    The digest of all rows is computed once for the same files (0.2 s of one core for v1) and remembered under the
    files' own digest in the user's cache: later runs only hash the files (0.02 s), and each run only once.

    Raises:
        MagBridgeError: The folder is no release, damaged, or its rows have another digest.
    """
    folder = standing(Path(folder))
    stated = read_manifest(folder)["dataset_digest"]
    paths = sorted(folder.rglob("*.parquet"))
    state = tuple((str(path), (s := path.stat()).st_size, s.st_mtime_ns, s.st_ino) for path in paths)
    digest = _digest(folder, state)
    if digest != stated:
        raise MagBridgeError(
            f"{folder}: its rows have the digest {digest[:12]}, its {MANIFEST} states {stated[:12]}: rows were changed "
            "or damaged; see `python -m bridge verify`, then restore the release or build it again"
        )
    return digest


@functools.lru_cache(maxsize=64)
def _digest(folder: Path, state: tuple) -> str:
    """Digest of the rows in files whose sizes, times and places are `state`."""
    memory = cache_dir() / "digests" / files_digest(folder)
    with contextlib.suppress(OSError, ValueError):  # not there: it is computed
        if len(known := memory.read_text(encoding="ascii")) == 64:
            return known
    digest = dataset_digest(read_table(folder))
    with (
        contextlib.suppress(OSError),
        replacing(memory) as temporary,
    ):  # a cache that cannot be written costs time alone
        temporary.write_text(digest, encoding="ascii")
    return digest


def read_table(folder: Path) -> pa.Table:
    """All rows of a release folder in release order.

    Raises:
        MagBridgeError: A file is missing or damaged, or the rows are not those of the metadata table.
    """
    folder = standing(Path(folder))
    read_manifest(folder)
    order = read_parquet(folder / METADATA_FILE)["sample_id"].to_pylist()
    paths = sorted((folder / "data").rglob("*.parquet"))
    if not paths:
        raise MagBridgeError(f"{folder}: no Parquet files in data/; restore them or rebuild the release")
    table = pa.concat_tables([read_rows(path) for path in paths])
    row_of = {sample_id: i for i, sample_id in enumerate(table["sample_id"].to_pylist())}
    absent = [i for i in order if i not in row_of]
    if absent or len(order) != table.num_rows:
        detail = (
            f"{absent[0]} has no row in data/" if absent else f"{table.num_rows} rows in data/, {len(order)} expected"
        )
        raise MagBridgeError(f"{folder}: {METADATA_FILE} and data/ disagree: {detail}; a file is missing or damaged")
    return table.take([row_of[i] for i in order])


def read_rows(path: Path) -> pa.Table:
    """The rows of one data file, cast to the contract; other software may have stored signals as plain lists.

    Raises:
        MagBridgeError: It is damaged, or a column is missing, unknown, null where it may not be, or of another type or
            length.
    """
    return by_contract(read_parquet(path), str(path))


def by_contract(part: pa.Table, where: str) -> pa.Table:
    """Columns of a table by the contract; raises as `read_rows` does, naming `where` they come from."""
    schema = arrow_schema()
    missing = [name for name in schema.names if name not in part.column_names]
    extra = [name for name in part.column_names if name not in schema.names]
    if missing or extra or len(part.column_names) != len(schema.names):
        wrong = f"no column {missing[0]!r}" if missing else f"unknown column {(extra or part.column_names)[0]!r}"
        raise MagBridgeError(f"{where}: {wrong}; expected {', '.join(schema.names)}")
    columns = []
    for expected in schema:
        column = part[expected.name]
        if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            for i, value in enumerate(column):
                if value.is_valid and len(value) != expected.type.list_size:
                    raise MagBridgeError(
                        f"{where}: row {i}: {expected.name} has length {len(value)}, expected {expected.type.list_size}"
                    )
        if not expected.nullable and column.null_count:
            row = column.is_null().to_pylist().index(True)
            raise MagBridgeError(f"{where}: row {row}: {expected.name} is null")
        try:
            columns.append(column.cast(expected.type))
        except (pa.ArrowException, ValueError) as error:
            raise MagBridgeError(
                f"{where}: column {expected.name!r} is {column.type}, expected {expected.type}"
            ) from error
    return pa.table(columns, schema=schema)


def read_parquet(path: Path) -> pa.Table:
    """Reads one Parquet file; damage is one clear error.

    Raises:
        MagBridgeError: It is missing, unreadable, or would take more than `MAX_TABLE_BYTES`.
    """
    try:
        with pq.ParquetFile(path) as file:
            _check_size(_least_size(file.metadata), path)
            if _greatest_size(file.metadata) <= MAX_TABLE_BYTES:
                return file.read()
            texts = [
                f.name for f in file.schema_arrow if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)
            ]
        with pq.ParquetFile(path, read_dictionary=texts) as file:  # each text once, until it is clear what all take
            table = file.read()
        _check_size(sum(_decoded(column) for column in table.columns), path)
        return pa.table({name: _plain(table[name]) for name in table.column_names})
    except FileNotFoundError:
        raise MagBridgeError(f"{path}: missing; restore it or rebuild the release") from None
    except MagBridgeError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise MagBridgeError(
            f"{path}: not a readable Parquet file ({' '.join(str(error).split())}); restore it or rebuild the release"
        ) from error


def _chunks(metadata: pq.FileMetaData) -> Iterator[tuple[int, int, bool]]:
    """Values, unpacked bytes and whether they are texts, of each column chunk of a file."""
    for i in range(metadata.num_row_groups):
        group = metadata.row_group(i)
        for column in (group.column(j) for j in range(group.num_columns)):
            yield column.num_values, column.total_uncompressed_size, column.physical_type == "BYTE_ARRAY"


def _least_size(metadata: pq.FileMetaData) -> int:
    return sum(max(size, 0 if text else 8 * values) for values, size, text in _chunks(metadata))


def _greatest_size(metadata: pq.FileMetaData) -> int:
    """What a file could take if every row repeated its column's whole dictionary."""
    return sum(values * size if text else max(size, 8 * values) for values, size, text in _chunks(metadata))


def _decoded(column: pa.ChunkedArray) -> int:
    """Bytes of a column once its dictionaries are written out."""
    if not pa.types.is_dictionary(column.type):
        return column.nbytes
    sizes = (pc.take(pc.binary_length(chunk.dictionary), chunk.indices) for chunk in column.chunks)
    return sum(pc.sum(size).as_py() or 0 for size in sizes)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _check_size(found: int, path: Path) -> None:
    if found > MAX_TABLE_BYTES:
        raise MagBridgeError(
            f"{path}: unpacks to {found / 1e9:.1f} GB: expected a file of at most {MAX_TABLE_BYTES / 1e9:.1f} GB"
        )


def scalars(table: pa.Table) -> pandas.DataFrame:
    """The scalar fields of every row, with None for null."""
    frame = table.select(METADATA_FIELDS).to_pandas()
    return frame.astype(object).where(frame.notna(), None)
