"""Reads a release folder: its manifest, one of its Parquet files, all of its rows."""

from __future__ import annotations

import json
from pathlib import Path

import pandas
import pyarrow as pa
import pyarrow.parquet as pq

from dataset_card.configs import METADATA_FILE
from dataset_card.errors import MagBridgeError
from dataset_card.schema import METADATA_FIELDS, arrow_schema

MANIFEST, CHECKSUMS = "manifest.json", "checksums.sha256"


def read_manifest(folder: Path) -> dict:
    """The manifest of a release folder.

    Raises:
        MagBridgeError: The folder is not a release, or its manifest is damaged.
    """
    path = Path(folder) / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MagBridgeError(
            f"{folder}: no {MANIFEST}; expected a release folder, made by `python -m bridge build`"
        ) from None
    except (ValueError, OSError) as error:
        raise MagBridgeError(
            f"{path}: not readable as JSON ({error}); restore the file or rebuild the release"
        ) from error
    if not isinstance(manifest, dict) or "dataset_digest" not in manifest:
        raise MagBridgeError(f"{path}: no dataset_digest; expected the manifest of a release")
    return manifest


def read_table(folder: Path) -> pa.Table:
    """All rows of a release folder in release order.

    Raises:
        MagBridgeError: A file is missing or damaged, or the rows are not those of the metadata table.
    """
    folder = Path(folder)
    read_manifest(folder)
    order = read_parquet(folder / METADATA_FILE)["sample_id"].to_pylist()
    paths = sorted((folder / "data").rglob("*.parquet"))
    if not paths:
        raise MagBridgeError(f"{folder}: no Parquet files in data/; restore them or rebuild the release")
    parts = [read_parquet(path) for path in paths]
    schema = arrow_schema()
    for path, part in zip(paths, parts):
        if part.schema.names != schema.names or part.schema.types != schema.types:
            raise MagBridgeError(f"{path}: columns differ from the contract; expected {', '.join(schema.names)}")
    table = pa.concat_tables([part.cast(schema) for part in parts])
    row_of = {sample_id: i for i, sample_id in enumerate(table["sample_id"].to_pylist())}
    absent = [i for i in order if i not in row_of]
    if absent or len(order) != table.num_rows:
        detail = (
            f"{absent[0]} has no row in data/" if absent else f"{table.num_rows} rows in data/, {len(order)} expected"
        )
        raise MagBridgeError(f"{folder}: {METADATA_FILE} and data/ disagree: {detail}; a file is missing or damaged")
    return table.take([row_of[i] for i in order])


def read_parquet(path: Path) -> pa.Table:
    """Reads one Parquet file; damage is one clear error."""
    try:
        return pq.ParquetFile(path).read()
    except FileNotFoundError:
        raise MagBridgeError(f"{path}: missing; restore it or rebuild the release") from None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise MagBridgeError(
            f"{path}: not a readable Parquet file ({error}); restore it or rebuild the release"
        ) from error


def scalars(table: pa.Table) -> pandas.DataFrame:
    """The scalar fields of every row, with None for null."""
    frame = table.select(METADATA_FIELDS).to_pandas()
    return frame.astype(object).where(frame.notna(), None)
