"""Make one shard, recognise it once it is complete, and audit it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import ExitStack
from functools import reduce
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bridge.audit.contents import check_table
from bridge.audit.rows import Finding
from bridge.corpus.plan import Specification
from bridge.corpus.storage import Folder
from bridge.generate import ReleaseInputs, make_bridge
from bridge.release.folder import json_text, make_table, package_versions
from bridge.release.manifest import summarise
from bridge.release.splits import PRIMARY, by_cell_primary
from bridge.v2 import ScanMap
from dataset_card.cards.corpus import MASTER_SEED_FIELD, arrow_schema, data_path
from dataset_card.contract.configs import SPLITS
from dataset_card.contract.field import metadata_of
from dataset_card.errors import MagBridgeError
from dataset_card.storage.digests import dataset_digest, sha256_of
from dataset_card.storage.documents import schema_errors
from dataset_card.storage.reading import scalars

MARKER = Path(__file__).with_name("marker.json")


class Recipe(NamedTuple):
    """What every shard is made from.

    Attributes:
        out: The corpus.
        specification: Its specification.
        upstream: The bridge's inputs.
        scan_map: v2's fitted map; None in v1.
    """

    out: Folder
    specification: Specification
    upstream: ReleaseInputs
    scan_map: ScanMap | None


def marker_path(shard: int) -> str:
    """Return the path of the file that marks a shard as complete, written last."""
    return f"_shards/{shard:06d}.json"


def finished(shard: int, corpus: tuple[Folder, Specification]) -> dict | None:
    """Return a shard's marker if it is of this specification and all its files have their size and SHA-256; or None."""
    out, specification = corpus
    try:
        marker = out.read_json(marker_path(shard))
    except MagBridgeError:  # truncated while it was written: the shard is made again
        return None
    if marker is None or marker.get("specification") != specification.hash() or any(schema_errors(marker, MARKER)):
        return None
    files = marker["files"]
    if set(files) != {data_path(split, shard) for split in SPLITS}:
        return None
    for path, file in files.items():
        if type(file["rows"]) is not int or type(file["bytes"]) is not int:  # a schema accepts 3.0 as an integer
            return None
        if out.size(path) != file["bytes"] or out.sha256(path) != file["sha256"]:
            return None
    return marker


def build_shard(shard: int, recipe: Recipe) -> dict:
    """Write a shard's files and then its marker; leave a complete shard unchanged.

    Args:
        shard: Ordinal number.
        recipe: What it is made from.

    Returns:
        The marker.

    Raises:
        MagBridgeError: If package versions here differ from the specification.
        OSError: If a file cannot be written; the shard then has no marker.
    """
    out, specification = recipe.out, recipe.specification
    marker = finished(shard, (out, specification))
    if marker is not None:
        return marker
    for name, version in package_versions().items():
        if version != specification.packages[name]:
            raise MagBridgeError(
                f"{name} {version} is installed, the corpus was planned with {specification.packages[name]}: expected "
                "the same versions on every machine, as others could change a digit"
            )
    paths = {split: data_path(split, shard) for split in SPLITS}
    cells: dict[str, list[str]] = {}
    seeds, summaries, files = {}, [], {}
    with ExitStack() as stack:
        written = {split: stack.enter_context(out.writing(path)) for split, path in paths.items()}
        with ExitStack() as writing:
            writers = {split: writing.enter_context(_writer(path, specification)) for split, path in written.items()}
            # one row group per seed: one release is in memory, never the whole shard
            for seed in specification.seeds_of(shard):
                bridge = make_bridge(recipe.upstream, specification.bridge_config, seed, recipe.scan_map)
                table = make_table(bridge, specification.counts, seed, workers=1)
                rows = scalars(table)
                subset = by_cell_primary(rows)
                seeds[str(seed)] = {"rows": table.num_rows, "dataset_digest": dataset_digest(table)}
                summaries.append(summarise(rows, {PRIMARY: subset}))
                if specification.edition.same_cells:
                    found = {s: sorted(set(rows["cell_id"][subset == s])) for s in SPLITS}
                    if cells and cells != found:
                        raise MagBridgeError(
                            f"seed {seed}: its cells or their subsets differ from the previous seed's; expected "
                            "enough Regime-B rows for every pseudo-cell in every seed"
                        )
                    cells = found
                for split, writer in writers.items():
                    part = table.take(np.flatnonzero(subset == split))
                    seeds_of_rows = pa.array(np.full(part.num_rows, seed))
                    part = part.append_column(MASTER_SEED_FIELD.name, seeds_of_rows).cast(writer.schema)
                    writer.write_table(part, row_group_size=part.num_rows)
        for split, path in written.items():
            rows, size = pq.read_metadata(path).num_rows, path.stat().st_size
            files[paths[split]] = {"rows": rows, "bytes": size, "sha256": sha256_of(path)}
    marker = {"specification": specification.hash(), "files": files, "seeds": seeds, "cells": cells}
    marker["summary"] = combine(summaries, specification.edition.same_cells)
    out.write_text(marker_path(shard), json_text(marker))
    return marker


def _writer(path, specification: Specification) -> pq.ParquetWriter:
    edition = specification.edition
    # Signals compress if bytes of equal significance are adjacent; labels are few values, repeated often.
    return pq.ParquetWriter(
        path,
        arrow_schema(specification.dtype, edition.schema_version),
        compression="zstd",
        use_dictionary=[*metadata_of(edition.fields), MASTER_SEED_FIELD.name],
        use_byte_stream_split=[f"{field.name}.list.element" for field in edition.fields if field.length],
        use_content_defined_chunking=True,
        write_page_index=True,
    )


def audit_shard(shard: int, corpus: tuple[Folder, Specification]) -> tuple[dict | None, list[Finding]]:
    """Check every promise of a shard: its files to the last byte, its rows as those of a release, its split.

    Args:
        shard: Ordinal number.
        corpus: The folder and its specification.

    Returns:
        The shard's marker, and all broken promises.
    """
    out, specification = corpus
    marker = finished(shard, corpus)
    if marker is None:
        missing = "missing, of another corpus, or does not match its files"
        return None, [Finding("shards", marker_path(shard), missing)]
    findings, summaries, seeds = [], [], specification.seeds_of(shard)
    if list(marker["seeds"]) != [str(seed) for seed in seeds]:
        findings.append(Finding("shards", marker_path(shard), f"seeds {', '.join(marker['seeds'])}: expected {seeds}"))
    with ExitStack() as stack:
        files = {s: stack.enter_context(pq.ParquetFile(out.open(data_path(s, shard)))) for s in SPLITS}
        for split, file in files.items():
            where = data_path(split, shard)
            if file.schema_arrow != arrow_schema(specification.dtype, specification.edition.schema_version):
                return marker, [*findings, Finding("columns", where, "do not follow the contract")]
            if file.num_row_groups != len(seeds):
                groups = f"{file.num_row_groups} row groups: expected one per seed"
                return marker, [*findings, Finding("columns", where, groups)]
        for group, seed in enumerate(seeds):
            parts = {split: file.read_row_group(group, use_threads=False) for split, file in files.items()}
            summary, found = _audit_release(parts, shard, seed, specification)
            summaries.append(summary)
            findings += found
    if combine(summaries, specification.edition.same_cells) != marker["summary"]:
        findings.append(Finding("counts", marker_path(shard), "the summary does not match the rows"))
    return marker, findings


def _audit_release(
    parts: dict[str, pa.Table], shard: int, seed: int, specification: Specification
) -> tuple[dict, list[Finding]]:
    """Check the rows of one seed, in their three files."""
    table = pa.concat_tables(parts.values())
    rows, findings = scalars(table), []
    subset = np.array([split for split, part in parts.items() for _ in range(part.num_rows)], dtype=object)
    where = [f"{data_path(s, shard)}, seed {seed}, row {i}" for s, part in parts.items() for i in range(part.num_rows)]
    findings += check_table(table, where)
    version, config = specification.bridge_version, specification.bridge_config.hash()
    of_bridge = ((rows["bridge_version"] == version) & (rows["bridge_config_hash"] == config)).to_numpy()
    for check, holds, message in (
        ("master seed", table[MASTER_SEED_FIELD.name].to_numpy() == seed, f"master_seed is not {seed}"),
        ("bridge", of_bridge, "bridge_version or bridge_config_hash differs from the specification"),
        ("placement", by_cell_primary(rows) == subset, "its cell belongs to another subset"),
    ):
        findings += [Finding(check, where[i], message) for i in np.flatnonzero(~holds)]
    if table.num_rows != specification.rows_per_seed:
        counted = f"{table.num_rows} rows: expected {specification.rows_per_seed}"
        findings.append(Finding("counts", f"seed {seed}", counted))
    # rows in file order: counts do not depend on it
    return summarise(rows, {PRIMARY: subset}), findings


def combine(summaries: Iterable[dict], same_cells: bool = True) -> dict:
    """Combine the summaries of several seeds: counts add up, ranges widen.

    Args:
        summaries: Results of `bridge.release.manifest.summarise` for seeds, or of this function for shards.
        same_cells: Whether every seed has the same cells, which then count once.

    Raises:
        MagBridgeError: If the seeds have different cells although they should not.
    """
    fixed = ("cells", "batteries") if same_cells else ()
    return reduce(lambda one, other: {k: _add(k, one.get(k), other.get(k), fixed) for k in one | other}, summaries)


def _add(name: str, one, other, fixed: tuple[str, ...]):
    if one is None or other is None:
        return other if one is None else one
    if isinstance(one, dict):
        return {k: _add(k, one.get(k), other.get(k), fixed) for k in one | other}
    if isinstance(one, list):
        return [min(one[0], other[0]), max(one[1], other[1])]
    if name in fixed:
        if one != other:
            raise MagBridgeError(f"{name}: {one} in one release, {other} in another; expected the same in every seed")
        return one
    return one + other


def digest_of_list(digests: Iterable[tuple[object, str]]) -> str:
    """Return the SHA-256 over digests of releases by seed, or of files by path (a folder's `files_digest`)."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in digests)
    return hashlib.sha256(lines.encode()).hexdigest()
