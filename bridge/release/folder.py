"""The release folder: written in one piece or not at all, and read back in release order."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bridge import generate
from bridge.generate import ReleaseBridge, ReleaseConfig, ReleaseInputs, edition_of_upstream, make_bridge
from bridge.plan import COMPOSITIONS, AnyComposition, Plan, composition_of
from bridge.release.manifest import make_manifest
from bridge.release.splits import PRIMARY, RECORD, make_splits, split_document
from bridge.upstream.pulsebat import PulseTables
from bridge.v2 import BridgeV2
from bridge.v3.release import BridgeV3, operator_digests
from bridge.validation.invariants import require_invariants
from dataset_card.cards import card
from dataset_card.contract.configs import AGEING, METADATA_FILE, atom_path, provenance
from dataset_card.contract.editions import V1, V3, Edition, edition_of
from dataset_card.contract.field import arrow_schema_of, metadata_of
from dataset_card.contract.schema import CHANNELS, MASTER_SEED, U_FEATURES, T, fields_of
from dataset_card.errors import MagBridgeError
from dataset_card.storage.digests import files_digest, sha256_of
from dataset_card.storage.output import RELEASE, require_folder, writing_folder
from dataset_card.storage.reading import CHECKSUMS, MANIFEST, read_manifest, read_table, scalars

__all__ = ["build", "read_manifest", "read_table", "write"]

SCAN_MAP = "scan_map.npz"
"""The map that v2's bridge fitted to its scans."""

PACKAGES = ("numpy", "numba", "pandas", "pyarrow", "scikit-learn", "scipy")
"""Packages whose versions could change a digit of a release."""


def package_versions() -> dict[str, str]:
    """Return the installed versions of the packages that could change a digit."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


class OwnFiles(NamedTuple):
    """A user's own files in an upstream.

    Attributes:
        options: Options of the build command that name them.
        notes: What was done to them, in sentences.
    """

    options: str
    notes: tuple[str, ...] = ()


def build(
    out: Path,
    upstream: ReleaseInputs,
    config: ReleaseConfig | None = None,
    *,
    master_seed: int = MASTER_SEED,
    workers: int | None = None,
    own: OwnFiles | None = None,
    replace: bool = False,
    **composition,
) -> dict:
    """Generate a release and write its folder.

    Args:
        out: The folder; an older build of the same request is replaced once the new one is complete.
        upstream: The bridge's inputs (see `bridge.generate.inputs_of`).
        config: The bridge's parameters; by default those of the published release.
        master_seed: Seed of everything.
        workers: Threads; all cores by default. The bytes written do not depend on it.
        own: Entries of the manifest on a user's own files, if any replace parts of the upstream.
        replace: Whether a release from another request may also be replaced.
        **composition: Entries that differ from the published release's: of `bridge.plan.Composition`, or of v3's
            `CompositionV3`.

    Returns:
        The manifest.

    Raises:
        MagBridgeError: If `out` is something other than this release, a parameter is out of range, or the bridge breaks
            a sanity invariant.
    """
    edition = edition_of_upstream(upstream)
    counts = composition_of(edition, **composition)
    upstream_entry = {"name": upstream.name, "sources": upstream.sources}
    rebuild = rebuild_command(edition, choice_of(upstream_entry), master_seed, counts) + (own.options if own else "")
    made_so = {"version": edition.version, "bridge_version": upstream.bridge_version, "upstream": upstream_entry}
    require_folder(out, RELEASE, replace or _stands(Path(out), {**made_so, "rebuild": rebuild}))
    bridge = make_bridge(upstream, config, master_seed)
    table = make_table(bridge, counts, master_seed, workers, require_sound(bridge, counts, master_seed))
    pulses = None if isinstance(bridge, BridgeV3) else bridge.upstream.pulses
    origin = {
        "upstream": upstream_entry,
        "config": dataclasses.asdict(bridge.config),
        "master_seed": master_seed,
        # v1 states counts other than `variants` only if they differ from the published release's
        **({"variants": vars(counts)["variants"]} if edition is V1 and counts == COMPOSITIONS[V1] else vars(counts)),
        "rebuild": rebuild,
        **({"notes": list(own.notes)} if own and own.notes else {}),
        **({"overridden": pulses.overridden()} if isinstance(pulses, PulseTables) else {}),
        **({"operators": operator_digests(bridge.config)} if isinstance(bridge, BridgeV3) else {}),
        "packages": package_versions(),
    }
    return write(Path(out), table, origin, fitted_files(bridge))


def make_table(
    bridge: ReleaseBridge,
    counts: AnyComposition,
    master_seed: int,
    workers: int | None = None,
    plan: Plan | None = None,
) -> pa.Table:
    """Generate the rows of a release in release order.

    Args:
        bridge: From `make_bridge`, with the same master seed.
        counts: Number of rows of each kind.
        master_seed: Seed of everything.
        workers: Threads; the bytes do not depend on it.
        plan: The result of `bridge.generate.plan_of`, if already made.

    Returns:
        The rows by the contract.
    """
    if isinstance(bridge, BridgeV3):
        return bridge.table(counts.rows(0) // bridge.config.visits, workers)
    plan = plan or generate.plan_of(bridge, counts, master_seed)
    return assemble(plan, generate.generate_plan(bridge, plan, workers))


def require_sound(bridge: ReleaseBridge, counts: AnyComposition, master_seed: int) -> Plan | None:
    """Refuse a bridge of scans that breaks a sanity invariant, before a release is written.

    Returns:
        The plan of its rows; None for v3, which has no plan.

    Raises:
        MagBridgeError: If invariants are broken; names them.
    """
    if isinstance(bridge, BridgeV3):
        return None
    plan = generate.plan_of(bridge, counts, master_seed)
    require_invariants(bridge, plan.rows)
    return plan


def fitted_files(bridge: ReleaseBridge) -> dict[str, Callable[[Path], object]]:
    """Return writers of fitted files by name: v2's map, from which any machine generates the same bytes."""
    return {SCAN_MAP: bridge.scan_map.save} if isinstance(bridge, BridgeV2) else {}


def choice_of(upstream: Mapping) -> str:
    """Return the value of `--upstream` for a manifest's upstream.

    Own scans are used with pulse tables of either kind, which decide.
    """
    if upstream["name"] == "scans":
        return "simulated" if any(name.startswith("simulated") for name in upstream["sources"]) else "published"
    return "published" if upstream["name"] == "hybrid" else upstream["name"]


def rebuild_command(
    edition: Edition, upstream: str, master_seed: int, counts: AnyComposition, command: str = "build"
) -> str:
    """Return the command that makes the same rows again, with the options that differ from the published release's."""
    command = f"python -m bridge {command}" + ("" if edition is V1 else f" --bridge {edition.bridge}")
    if edition is not V3:
        command += f" --upstream {'published' if upstream == 'hybrid' else upstream}"
    if master_seed != MASTER_SEED:
        command += f" --seed {master_seed}"
    for name, value in vars(counts).items():
        if value != vars(COMPOSITIONS[edition])[name]:
            joined = ("," if name == "anomalies" else " ").join(map(str, np.ravel(value).tolist()))
            command += f" --{name.replace('_', '-')} {joined}"
    return command


def assemble(plan: Plan, signals: np.ndarray) -> pa.Table:
    """Join labels and signals into one table by the contract, in release order.

    Args:
        plan: n rows.
        signals: (n, 100, 6) in nT.
    """
    arrays = {name: pa.array(plan.rows[name], from_pandas=True) for name in plan.rows.columns}
    arrays["u_features"] = fixed_lists(plan.u_features, U_FEATURES, mask=np.isnan(plan.u_features).any(axis=1))
    for c, name in enumerate(CHANNELS):
        arrays[name] = fixed_lists(signals[:, :, c], T)
    arrays["time_norm"] = fixed_lists(np.tile(np.linspace(0, 1, T), (len(plan.rows), 1)), T)
    schema = arrow_schema_of(fields_of(str(plan.rows["schema_version"].iat[0])))
    return pa.table([arrays[name].cast(schema.field(name).type) for name in schema.names], schema=schema)


def fixed_lists(values: np.ndarray, length: int, mask: np.ndarray | None = None) -> pa.Array:
    """Convert rows of numbers (n, length) to lists of fixed length; null if masked."""
    flat = pa.array(np.ascontiguousarray(values).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, length, mask=None if mask is None else pa.array(mask))


def write(
    out: Path,
    table: pa.Table,
    origin: dict,
    extra: Mapping[str, Callable[[Path], object]] = MappingProxyType({}),
    primary: np.ndarray | None = None,
    replace: bool = True,
) -> dict:
    """Write a release folder from its rows, complete or not at all.

    Args:
        out: The folder.
        table: Rows by the contract, in release order.
        origin: Manifest entries that state where the rows come from.
        extra: Writers of further files, by name.
        primary: (n,) subset of each row in the split by cell; by default the edition's own split.
        replace: Whether an unchanged release at `out` may be replaced; commands ask their users.

    Returns:
        The manifest.

    Raises:
        MagBridgeError: If `out` is something else (see `dataset_card.storage.output`).
    """
    require_folder(out, RELEASE, replace)
    rows = scalars(table)
    edition = edition_of(rows["bridge_version"].iat[0])
    subsets = make_splits(rows) if primary is None else {**make_splits(rows), PRIMARY: primary}
    manifest = make_manifest(table, rows, subsets, origin)
    parts = {METADATA_FILE: table.select(metadata_of(edition.fields))}
    paths = np.array(data_paths(table, subsets, edition))
    parts |= {path: table.take(np.flatnonzero(paths == path)) for path in np.unique(paths).tolist()}
    with writing_folder(out, RELEASE, replace) as folder:
        for path, part in parts.items():
            write_parquet(part, folder / path)
        files = {
            path: (part.num_rows, (folder / path).stat().st_size, sha256_of(folder / path))
            for path, part in parts.items()
        }
        manifest["files_digest"] = files_digest(folder)
        (folder / "splits").mkdir()
        for name, subset in subsets.items():
            (folder / "splits" / f"{name}.json").write_text(json_text(split_document(rows, name, subset)))
        for name, text in card.documents(manifest, files).items():
            (folder / name).write_text(text, encoding="utf-8")
        for name, save in extra.items():
            save(folder / name)
        (folder / MANIFEST).write_text(json_text(manifest))
        write_checksums(folder)
    return manifest


def write_checksums(folder: Path) -> None:
    """Write `checksums.sha256` of all files in the folder, in the format of `sha256sum -c`."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != CHECKSUMS)
    lines = [f"{sha256_of(path)}  {path.relative_to(folder).as_posix()}\n" for path in paths]
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


def data_paths(table: pa.Table, subsets: Mapping[str, np.ndarray], edition: Edition) -> list[str]:
    """Return the file of each row, relative to the release folder."""
    columns = {name: table[name].to_pylist() for name in (edition.origin, "chemistry")}
    groups: Iterable[str | None] = [None] * table.num_rows
    if edition is V3:
        groups = map("{}-{}".format, columns["chemistry"], table["stack"].to_pylist())
    elif edition.in_groups:
        ages = table["age_cycles"].to_pylist()
        groups = [c if age is None else f"{c}-{AGEING}" for c, age in zip(columns["chemistry"], ages)]
    where = zip(provenance(columns[edition.origin]), subsets[PRIMARY], subsets[RECORD], groups)
    return [atom_path(*parts) for parts in where]


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write plain Parquet that any reader understands, in pages that the Hub stores and reads separately.

    Page boundaries follow the content, so that equal rows of another release are stored once; the page index tells a
    reader which pages it needs.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Signals are noise: compression and dictionaries cost time and save next to nothing on them.
    labels = [field.name for field in table.schema if not pa.types.is_fixed_size_list(field.type)]
    pq.write_table(
        table,
        path,
        compression="zstd",
        use_dictionary=labels,
        use_content_defined_chunking=True,
        write_page_index=True,
    )


def json_text(value) -> str:
    """Return a document as JSON in the form in which a release contains it."""
    return json.dumps(value, indent=1) + "\n"


def _stands(out: Path, entries: Mapping) -> bool:
    """Tell whether `out` is a release made by the same request, so that replacing it loses nothing."""
    with contextlib.suppress(MagBridgeError):
        old = read_manifest(out)
        return all(old.get(name) == value for name, value in entries.items())
    return False
