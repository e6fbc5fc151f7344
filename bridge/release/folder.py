"""The release folder: written in one piece, or not at all; read back in release order."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet as pq

from bridge.config import VARIANTS, BridgeConfig
from bridge.generate import Bridge
from bridge.plan import Plan, make_plan
from bridge.release import splits
from bridge.release.manifest import files_digest, make_manifest, provenance
from bridge.upstream import Upstream
from bridge.upstream.files import sha256_of
from bridge.validation.report import require_invariants
from dataset_card import card
from dataset_card.configs import METADATA_FILE, PROVENANCES, SPLITS, atom_path
from dataset_card.errors import MagBridgeError
from dataset_card.schema import (
    CHANNELS,
    MASTER_SEED,
    METADATA_FIELDS,
    U_FEATURES,
    T,
    arrow_schema,
)

MANIFEST, CHECKSUMS = "manifest.json", "checksums.sha256"
PRIMARY, RECORD = "by_cell_primary", "by_record_optimistic_baseline"
PACKAGES = ("numpy", "numba", "pandas", "pyarrow", "scikit-learn", "scipy")
"""Packages whose versions could change a digit of a release."""

SPLIT_FUNCTIONS = {PRIMARY: splits.by_cell_primary, RECORD: splits.by_record_optimistic_baseline}
SPLIT_SEEDS = {PRIMARY: splits.PRIMARY_SEED, RECORD: splits.RECORD_SEED}
LEAK_WARNING = (
    "Rows of one cell, and parents with their anomalies, fall into different subsets: scores on this split are optimistic. "
    "Use it only to measure that gap; report by_cell_primary."
)


def build(
    out: Path,
    upstream: Upstream,
    config: BridgeConfig = BridgeConfig(),
    *,
    master_seed: int = MASTER_SEED,
    variants: int = VARIANTS,
    workers: int | None = None,
) -> dict:
    """Generates a release and writes its folder.

    Args:
        out: The folder; an older release there is replaced once the new one is complete.
        upstream: The bridge's inputs.
        config: Strengths of the bridge's stages.
        master_seed: Seed of everything.
        variants: Clean rows per pulse record.
        workers: Threads; all cores by default. The bytes written do not depend on it.

    Returns:
        The manifest.

    Raises:
        MagBridgeError: `out` holds something other than a release, a parameter is out of range, or the bridge
            breaks a sanity invariant.
    """
    check_replaceable(Path(out))
    plan = make_plan(
        upstream.pulses, config, master_seed=master_seed, variants=variants, bridge_version=upstream.bridge_version
    )
    bridge = Bridge(upstream, config)
    require_invariants(bridge, plan.rows)
    signals = bridge.generate_plan(plan, workers)
    origin = {
        "upstream": {"name": upstream.name, "sources": upstream.sources},
        "config": dataclasses.asdict(config),
        "master_seed": master_seed,
        "variants": variants,
        "rebuild": _rebuild_command(upstream, master_seed, variants),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
    }
    return write(Path(out), assemble(plan, signals), origin)


def _rebuild_command(upstream: Upstream, master_seed: int, variants: int) -> str:
    command = f"python -m bridge build --upstream {upstream.name}"
    if master_seed != MASTER_SEED:
        command += f" --seed {master_seed}"
    if variants != VARIANTS:
        command += f" --variants {variants}"
    return command


def assemble(plan: Plan, signals: np.ndarray) -> pa.Table:
    """Joins labels and signals into one table by the contract, in release order.

    Args:
        plan: n rows.
        signals: (n, 100, 6) in nT.
    """
    arrays = {name: pa.array(plan.rows[name], from_pandas=True) for name in plan.rows.columns}
    arrays["u_features"] = _fixed_lists(plan.u_features, U_FEATURES, mask=np.isnan(plan.u_features).any(axis=1))
    for c, name in enumerate(CHANNELS):
        arrays[name] = _fixed_lists(signals[:, :, c], T)
    arrays["time_norm"] = _fixed_lists(np.tile(np.linspace(0, 1, T), (len(plan.rows), 1)), T)
    schema = arrow_schema()
    return pa.table([arrays[name].cast(schema.field(name).type) for name in schema.names], schema=schema)


def _fixed_lists(values: np.ndarray, length: int, mask: np.ndarray | None = None) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(values).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, length, mask=None if mask is None else pa.array(mask))


def scalars(table: pa.Table) -> pandas.DataFrame:
    """The scalar fields of every row, with None for null."""
    frame = table.select(METADATA_FIELDS).to_pandas()
    return frame.astype(object).where(frame.notna(), None)


def write(out: Path, table: pa.Table, origin: dict) -> dict:
    """Writes a release folder from its rows; complete at once, or not at all.

    Args:
        out: The folder.
        table: Rows by the contract, in release order.
        origin: Manifest entries that tell where the rows come from.

    Returns:
        The manifest.
    """
    rows = scalars(table)
    subsets = {name: function(rows) for name, function in SPLIT_FUNCTIONS.items()}
    manifest = make_manifest(table, rows, subsets, origin)
    with _replacing(out) as folder:
        sizes = _write_tables(folder, table, subsets)
        manifest["files_digest"] = files_digest(folder)
        for name, subset in subsets.items():
            _write_json(folder / "splits" / f"{name}.json", split_document(rows, name, subset))
        for name, text in card.documents(manifest, sizes).items():
            (folder / name).write_text(text, encoding="utf-8")
        _write_json(folder / MANIFEST, manifest)
        write_checksums(folder)
    return manifest


def write_checksums(folder: Path) -> None:
    """Writes `checksums.sha256` of every file in the folder, in a form `sha256sum -c` reads."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != CHECKSUMS)
    lines = [f"{sha256_of(path)}  {path.relative_to(folder).as_posix()}\n" for path in paths]
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


def _write_tables(folder: Path, table: pa.Table, subsets: dict[str, np.ndarray]) -> dict[str, tuple[int, int]]:
    """Writes the data files; returns rows and bytes of each."""
    parts = {METADATA_FILE: table.select(METADATA_FIELDS)}
    kind = provenance(table)
    for p in PROVENANCES:
        for primary in SPLITS:
            for record in SPLITS:
                index = np.flatnonzero((kind == p) & (subsets[PRIMARY] == primary) & (subsets[RECORD] == record))
                if len(index):  # readers refuse a file without rows
                    parts[atom_path(p, primary, record)] = table.take(index)
    for path, part in parts.items():
        write_parquet(part, folder / path)
    return {path: (part.num_rows, (folder / path).stat().st_size) for path, part in parts.items()}


def write_parquet(table: pa.Table, path: Path) -> None:
    """Writes plain Parquet that any reader understands."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Signals are noise: compression and dictionaries cost time and save next to nothing on them.
    pq.write_table(
        table, path, compression="zstd", use_dictionary=[n for n in table.column_names if n in METADATA_FIELDS]
    )


def _write_json(path: Path, value) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def split_document(rows: pandas.DataFrame, name: str, subset: np.ndarray) -> dict:
    """A split as shipped in `splits/`: seed, counts, cells and sample ids of each subset, and what it does not promise."""
    members = {s: rows[subset == s] for s in SPLITS}
    return {
        "name": name,
        "seed": SPLIT_SEEDS[name],
        "counts": {s: len(members[s]) for s in SPLITS},
        "warning": LEAK_WARNING if name == RECORD else None,
        "cells": {s: sorted(members[s]["cell_id"].unique()) for s in SPLITS},
        "sample_ids": {s: members[s]["sample_id"].tolist() for s in SPLITS},
    }


# Reading


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


# Writing in one piece


def check_replaceable(out: Path) -> None:
    """Raises unless `out` is free, an empty folder, or a release that may be replaced."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise MagBridgeError(f"{out} exists and is not a folder: expected a release folder or a free name")
    if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise MagBridgeError(
            f"{out} holds something other than a release: expected a release folder or a free name; it is left "
            "as it was"
        )


@contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """A folder beside `out` that takes its place when the block succeeds and vanishes when it does not."""
    out = Path(os.path.abspath(out))
    check_replaceable(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    _sweep(out)
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    old = out.with_name(f".{out.name}.{os.getpid()}.replaced")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir()
        yield partial
        if out.exists():
            out.rename(old)
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        if old.exists() and not out.exists():
            old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _sweep(out: Path) -> None:
    """Removes what killed builds of the same folder left behind."""
    for path in out.parent.glob(f".{out.name}.*"):
        pid = path.name.split(".")[-2]
        if path.suffix not in (".partial", ".replaced") or not pid.isdigit() or _runs(int(pid)):
            continue
        if path.suffix == ".replaced" and not out.exists():
            path.rename(out)  # killed between the two renames: the old release is still whole
        else:
            shutil.rmtree(path, ignore_errors=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
