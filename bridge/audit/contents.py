"""Read whatever can be read of a release folder or a bundle, and note what cannot."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas
import pyarrow as pa

from bridge.audit.physics import check_physics
from bridge.audit.rows import Finding, check_rows
from bridge.release import bundle
from bridge.release.splits import PRIMARY, RECORD
from dataset_card.contract.configs import METADATA_FILE
from dataset_card.contract.editions import V1, V3, Edition, edition_of
from dataset_card.contract.field import arrow_schema_of, metadata_of, select
from dataset_card.contract.schema import U_FEATURES, T, arrow_schema
from dataset_card.errors import MagBridgeError
from dataset_card.storage.arrays import signals
from dataset_card.storage.documents import check_split, read_json
from dataset_card.storage.files import standing
from dataset_card.storage.reading import CHECKSUMS, MANIFEST, by_contract, one_release, read_parquet, scalars


@dataclass
class Contents:
    """The readable part of a release.

    Attributes:
        root: The folder, or where a bundle's zip was unpacked.
        is_bundle: Whether it is laid out as a bundle.
        table: The rows by the contract, file after file; empty if no file could be read.
        where: File and row (from 0) of each row.
        files: File of each row.
        metadata: The metadata table, or None.
        splits: Split documents by name.
        manifest: The manifest, or None.
        findings: What is wrong with the files.
    """

    root: Path
    is_bundle: bool
    table: pa.Table = field(default_factory=arrow_schema().empty_table)
    where: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    metadata: pandas.DataFrame | None = None
    splits: dict[str, dict] = field(default_factory=dict)
    manifest: dict | None = None
    findings: list[Finding] = field(default_factory=list)

    @property
    def metadata_file(self) -> str:
        """Path of the metadata table."""
        return "data/metadata.parquet" if self.is_bundle else METADATA_FILE

    @cached_property
    def rows(self) -> pandas.DataFrame:
        """The scalar fields of every row."""
        return scalars(self.table)

    @property
    def edition(self) -> Edition:
        """The edition that the rows name; v1 if they name none or an unknown one, which the checks report."""
        try:
            return edition_of(self.rows["bridge_version"].iat[0])
        except (MagBridgeError, IndexError):
            return V1

    @property
    def order(self) -> list[str]:
        """Sample ids in release order, from the metadata table."""
        return [] if self.metadata is None else self.metadata["sample_id"].tolist()

    @cached_property
    def position(self) -> dict[str, int]:
        """Row number of each sample id in the data files."""
        return {sample_id: i for i, sample_id in enumerate(self.table["sample_id"].to_pylist())}

    def in_order(self) -> pa.Table:
        """Return the rows in release order."""
        return self.table.take([self.position[sample_id] for sample_id in self.order])

    def members(self, name: str) -> dict[str, str]:
        """Return the subset of each sample id in a split document."""
        members = self.splits[name].get("sample_ids", {})
        return {sample_id: subset for subset, ids in members.items() for sample_id in ids}

    def subset(self, name: str) -> np.ndarray | None:
        """Return the subset of each row in a split document; None if it does not cover all rows."""
        of = self.members(name)
        found = [of.get(sample_id) for sample_id in self.table["sample_id"].to_pylist()]
        return None if None in found else np.array(found, dtype=object)


@contextmanager
def read_contents(path: Path) -> Iterator[Contents]:
    """Open a release, read whatever can be read of it and yield `Contents`.

    Raises:
        MagBridgeError: If there is no release at `path`, or a zip cannot be opened safely.
    """
    path = standing(Path(path))
    if not path.exists():
        raise MagBridgeError(f"{path}: no such release; expected a release folder or a bundle")
    if path.is_dir() and (path / MANIFEST).is_file() and not list((path / "data").glob("shard_*.parquet")):
        with one_release(path) as real:
            contents = _read(real, is_bundle=False)
        yield contents
        return
    with bundle.opened(path) as root:
        yield _read(root, is_bundle=bool(list((root / "data").glob("shard_*.parquet"))))


def _read(root: Path, is_bundle: bool) -> Contents:
    contents = Contents(root, is_bundle)
    note = contents.findings.append
    contents.findings += [Finding("checksums", CHECKSUMS, problem) for problem in bundle.checksum_problems(root)]
    paths = sorted(p for p in (root / "data").rglob("*.parquet") if p != root / contents.metadata_file)
    shards = [f"data/shard_{i:04d}.parquet" for i in range(bundle.SHARDS if is_bundle else 0)]
    contents.findings += [Finding("files", name, "missing") for name in shards if not (root / name).is_file()]
    parts: list[pa.Table] = []
    for path in paths:
        name = path.relative_to(root).as_posix()
        try:
            part = by_contract(read_parquet(path), name)
        except MagBridgeError as error:
            note(Finding("files", name, str(error).removeprefix(f"{name}: ")))
            continue
        if parts and part.schema != parts[0].schema:
            note(Finding("files", name, f"has another schema_version than {contents.files[0]}"))
            continue
        if part.num_rows == 0:
            note(Finding("files", name, "contains no rows; readers refuse such a file"))
        parts.append(part)
        contents.files += [name] * part.num_rows
        contents.where += [f"{name}, row {i}" for i in range(part.num_rows)]
    if parts:
        contents.table = pa.concat_tables(parts)
    elif not paths:
        note(Finding("files", "data", "contains no Parquet file"))
    try:
        fields = contents.edition.fields
        table = read_parquet(root / contents.metadata_file).select(metadata_of(fields))
        contents.metadata = scalars(table.cast(arrow_schema_of(select(fields, metadata_of(fields)))))
    except (MagBridgeError, KeyError, ValueError, pa.ArrowException) as error:
        note(Finding("files", contents.metadata_file, str(error)))
    for name in (PRIMARY, RECORD):
        contents.splits[name] = _document(root, f"splits/{name}.json", note, check_split)
    contents.manifest = _document(root, MANIFEST, note) or None
    return contents


def _document(root: Path, name: str, note, check=None) -> dict:
    """Return a JSON document of a release; if it is not valid, note a finding and return an empty one."""
    promise = "files"
    try:
        document = read_json(root / name, name)
        if check is not None:
            promise = "splits"
            check(document, name)
        return document
    except MagBridgeError as error:
        note(Finding(promise, name, str(error).removeprefix(f"{name}: ")))
        return {}


TIME_TOLERANCE = {"double": 1e-12, "float": 1e-7}
"""Largest deviation from linspace(0, 1, 100), by the type of the column."""


def check_table(table: pa.Table, where: Sequence[str]) -> list[Finding]:
    """Check labels and signals of a whole release.

    Args:
        table: n rows by the contract, at least one.
        where: (n,) file and row of each, for the findings.

    Returns:
        All broken promises.
    """
    rows = scalars(table)
    if set(V3.channels) <= set(table.column_names):
        return check_physics(rows, signals(table), where)
    findings = check_rows(rows, signals(table), u_features(table), where)
    time = lists(table, "time_norm", T)
    off = ~(np.abs(time - np.linspace(0, 1, T)).max(axis=1) <= TIME_TOLERANCE[str(table["time_norm"].type.value_type)])
    return findings + [Finding("time_norm", where[i], "is not linspace(0, 1, 100)") for i in np.flatnonzero(off)]


def u_features(table: pa.Table) -> np.ndarray:
    """Return the pulse voltages (n, 21) in V; NaN for null, and if the edition has none."""
    if "u_features" not in table.column_names:
        return np.full((table.num_rows, U_FEATURES), np.nan)
    return lists(table, "u_features", U_FEATURES)


def lists(table: pa.Table, name: str, length: int) -> np.ndarray:
    """Return the values (n, length) of a list column; NaN for null."""
    column = table[name].combine_chunks()
    out = np.full((len(column), length), np.nan)
    out[column.is_valid().to_numpy(zero_copy_only=False)] = (
        column.drop_null().flatten().to_numpy(zero_copy_only=False).reshape(-1, length)
    )
    return out
