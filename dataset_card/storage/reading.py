"""Reading a release folder: its manifest, one of its Parquet files, or all its rows."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from dataset_card.contract.configs import METADATA_FILE
from dataset_card.contract.field import Field, arrow_schema_of, metadata_of
from dataset_card.contract.schema import fields_of
from dataset_card.errors import MagBridgeError
from dataset_card.storage.digests import dataset_digest
from dataset_card.storage.documents import check_manifest, read_json
from dataset_card.storage.files import cache_dir, replacing, standing
from dataset_card.storage.parquet import read_parquet

if TYPE_CHECKING:
    import pandas

SETTLED_NS = 2 * 10**9
"""Minimum age of files whose digest is cached: another write may follow within one tick of the file system's clock."""

MANIFEST, CHECKSUMS = "manifest.json", "checksums.sha256"


@contextlib.contextmanager
def one_release(folder: Path | str) -> Iterator[Path]:
    """Provide the real path of a release folder, and check that it is the same folder until the block ends.

    A symbolic link is followed once. The folder is kept open, so that its inode cannot be reused meanwhile.

    Raises:
        MagBridgeError: If another folder replaced it, so that rows of two releases might have been read.
    """
    real = Path(os.path.realpath(standing(Path(folder))))
    if not real.is_dir() or not hasattr(os, "O_DIRECTORY"):
        yield real
        return
    held = os.open(real, os.O_RDONLY)
    try:
        try:
            yield real
        except (MagBridgeError, OSError) as error:
            if _stands(real, held):
                raise
            raise MagBridgeError(f"{folder} was replaced while it was read: read it again") from error
        if not _stands(real, held):
            raise MagBridgeError(f"{folder} was replaced while it was read: read it again")
    finally:
        os.close(held)


def _stands(path: Path, descriptor: int) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    return False


def read_manifest(folder: Path | str) -> dict:
    """Read the manifest of a release folder.

    Raises:
        MagBridgeError: If the folder is not a release, or its manifest is damaged.
    """
    path = standing(Path(folder)) / MANIFEST
    if not path.is_file():
        raise MagBridgeError(f"{folder}: no {MANIFEST}; expected a release folder, made by `python -m bridge build`")
    manifest = read_json(path)
    check_manifest(manifest, str(path))
    return manifest


def checked_digest(folder: Path | str) -> str:
    """Return the digest of a release folder's rows, after checking that it is the one that its manifest states.

    The digest is computed once for the same files (0.2 s on one core for v1) and stored in the user's cache. Files are
    the same if their paths, sizes, inodes and times are equal; the time of change, which cannot be set, differs after
    any write.

    Raises:
        MagBridgeError: If the folder is not a release or is damaged, or its rows have another digest.
    """
    with one_release(folder) as real:
        stated = read_manifest(real)["dataset_digest"]
        states = [(str(path), path.stat()) for path in sorted(real.rglob("*.parquet"))]
        state = tuple((path, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino, s.st_dev) for path, s in states)
        digest = _digest(real, state)
    if digest != stated:
        raise MagBridgeError(
            f"{folder}: its rows have the digest {digest[:12]}, but its {MANIFEST} states {stated[:12]}: rows were "
            "changed or damaged; see `python -m bridge verify`, then restore the release or build it again"
        )
    return digest


@functools.lru_cache(maxsize=64)
def _digest(folder: Path, state: tuple) -> str:
    """Compute the digest of the rows in files with the given paths, sizes and times, or take it from the cache."""
    memory = cache_dir() / "digests" / hashlib.sha256(repr(state).encode()).hexdigest()
    with contextlib.suppress(OSError, ValueError):  # not cached: compute it
        if len(known := memory.read_text(encoding="ascii")) == 64:
            return known
    digest = dataset_digest(read_table(folder))
    if max(changed for *_, changed, _, _ in state) > time.time_ns() - SETTLED_NS:
        return digest
    with (
        contextlib.suppress(OSError),
        replacing(memory) as temporary,
    ):  # a cache that cannot be written only costs time
        temporary.write_text(digest, encoding="ascii")
    return digest


def read_table(folder: Path) -> pa.Table:
    """Read all rows of a release folder in release order.

    Raises:
        MagBridgeError: If a file is missing or damaged, or the rows are not those of the metadata table.
    """
    with one_release(folder) as real:
        return _table(real)


def _table(folder: Path) -> pa.Table:
    read_manifest(folder)
    order = read_parquet(folder / METADATA_FILE)["sample_id"].to_pylist()
    paths = sorted((folder / "data").rglob("*.parquet"))
    if not paths:
        raise MagBridgeError(f"{folder}: no Parquet files in data/; restore them or rebuild the release")
    table = joined([read_rows(path) for path in paths], str(folder))
    row_of = {sample_id: i for i, sample_id in enumerate(table["sample_id"].to_pylist())}
    absent = [i for i in order if i not in row_of]
    if absent or len(order) != table.num_rows:
        detail = (
            f"{absent[0]} has no row in data/" if absent else f"{table.num_rows} rows in data/, {len(order)} expected"
        )
        raise MagBridgeError(f"{folder}: {METADATA_FILE} and data/ disagree: {detail}; a file is missing or damaged")
    return table.take([row_of[i] for i in order])


def joined(parts: list[pa.Table], where: str) -> pa.Table:
    """Concatenate the rows of several files.

    Raises:
        MagBridgeError: If they follow different versions of the contract.
    """
    if any(part.schema != parts[0].schema for part in parts):
        raise MagBridgeError(f"{where}: files of different schema_version; expected one; rebuild the release")
    return pa.concat_tables(parts)


def read_rows(path: Path) -> pa.Table:
    """Read the rows of one data file and cast them to the contract; other software may store signals as plain lists.

    Raises:
        MagBridgeError: If the file is damaged, or a column is missing, unknown, has forbidden nulls, or has another
            type or length.
    """
    return by_contract(read_parquet(path), str(path))


def by_contract(part: pa.Table, where: str) -> pa.Table:
    """Cast the columns of a table to the contract; raise as `read_rows` does, naming the source `where`."""
    schema = arrow_schema_of(fields_in(part))
    missing = [name for name in schema.names if name not in part.column_names]
    extra = [name for name in part.column_names if name not in schema.names]
    if missing or extra or len(part.column_names) != len(schema.names):
        wrong = f"no column {missing[0]!r}" if missing else f"unknown column {(extra or part.column_names)[0]!r}"
        raise MagBridgeError(f"{where}: {wrong}; expected {', '.join(schema.names)}")
    columns = []
    for expected in schema:
        column = part[expected.name]
        if pa.types.is_fixed_size_list(expected.type) and (
            pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
        ):
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


def fields_in(table: pa.Table) -> tuple[Field, ...]:
    """Return the contract's columns for the version stated in a table's first row; v1's if it states none."""
    states = "schema_version" in table.column_names and table.num_rows
    return fields_of(table["schema_version"][0].as_py() if states else "")


def scalars(table: pa.Table) -> pandas.DataFrame:
    """Return the scalar fields of every row as a data frame, with None for null."""
    frame = table.select(metadata_of(fields_in(table))).to_pandas(integer_object_nulls=True)
    return frame.astype(object).where(frame.notna(), None)
