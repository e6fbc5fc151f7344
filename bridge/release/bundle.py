"""The Zenodo-style bundle: five shards and a metadata table, made from a release folder and convertible back."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

from bridge.release import folder as release
from bridge.release.splits import PRIMARY
from dataset_card.contract.editions import MEASURED, OWN_CELLS
from dataset_card.contract.field import metadata_of
from dataset_card.errors import MagBridgeError
from dataset_card.storage import reading
from dataset_card.storage.archives import unpack
from dataset_card.storage.digests import dataset_digest, listed_digests, sha256_of
from dataset_card.storage.documents import check_manifest, check_split, read_json
from dataset_card.storage.files import replacing, standing
from dataset_card.storage.output import RELEASE, require_file, require_folder
from dataset_card.storage.reading import CHECKSUMS, MANIFEST, read_manifest

SHARDS = 5
DOCUMENTS = {
    "README.md": "dataset_card.md",
    "composition.svg": "composition.svg",
    "comparison.svg": "comparison.svg",
    "CITING.md": "CITING.md",
    "CITATION.cff": "CITATION.cff",
    "LICENSE": "LICENSE",
}
"""Documents of a release folder and their names in a bundle; v1 has no comparison."""

ORIGIN_KEYS = (
    "upstream", "config", "master_seed", "variants", "anomalies", "regime_b", "severity", "virtual_cells", "rebuild",
    "overridden", "operators", "packages",
)  # fmt: skip
"""Manifest entries that are taken over from a bundle into the release folder made from it."""

OWN_KEYS = {"scans": ("notes",), "measured": ("name", "licence", "citation", "notes")}
"""Further entries, for a user's own upstreams: the owner's texts, which cannot be derived."""

UPSTREAMS = ("published", "osf", "simulated", "hybrid", "physics", *OWN_KEYS)
"""Upstreams that a release may be made from."""

LOADER = '''"""Loads this bundle with nothing but pandas and pyarrow: `rows = load()`."""

from pathlib import Path

import pandas


def load(folder=Path(__file__).parent):
    """All rows in release order as a pandas.DataFrame."""
    shards = sorted(Path(folder, "data").glob("shard_*.parquet"))
    return pandas.concat([pandas.read_parquet(shard) for shard in shards], ignore_index=True)
'''


def bundle_name(manifest: dict) -> str:
    """Return the name of a release's bundle and of its top folder; the published v1.0 keeps its original name."""
    major, minor, _ = manifest["version"].split(".")
    kind = "_simulated" if manifest["upstream"]["name"] == "simulated" else ""
    return f"magbridge_battery_v{major}_{minor}{kind}_release"


def write_bundle(folder: Path, out: Path, replace: bool = False) -> Path:
    """Write a release folder as a bundle, complete or not at all.

    Args:
        folder: A release folder whose checksums are valid.
        out: The zip file.
        replace: Whether an existing file may be replaced.

    Returns:
        `out`.

    Raises:
        MagBridgeError: If the folder is not a release, or a file is missing or damaged.
    """
    require_file(out, replace)
    with ExitStack() as stack:
        folder = stack.enter_context(reading.one_release(folder))
        check_checksums(folder)
        reading.checked_digest(folder)
        table = reading.read_table(folder)
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="magbridge-bundle-"))
        packed = stack.enter_context(replacing(Path(out)))
        root = Path(scratch) / bundle_name(read_manifest(folder))
        size = -(-table.num_rows // SHARDS)
        for i in range(SHARDS):
            release.write_parquet(table.slice(i * size, size), root / "data" / f"shard_{i:04d}.parquet")
        release.write_parquet(table.select(metadata_of(reading.fields_in(table))), root / "data" / "metadata.parquet")
        shutil.copytree(folder / "splits", root / "splits")
        shutil.copy(folder / MANIFEST, root / MANIFEST)
        for name, bundled in (DOCUMENTS | {release.SCAN_MAP: release.SCAN_MAP}).items():
            if (folder / name).is_file():  # the checksums are valid: a file that is missing belongs to another edition
                shutil.copy(folder / name, root / bundled)
        (root / "load_bundle.py").write_text(LOADER, encoding="utf-8")
        release.write_checksums(root)
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:  # Parquet is compressed already
            for path in sorted(p for p in root.rglob("*") if p.is_file()):
                # A fixed date keeps the archive's bytes a function of its contents.
                entry = zipfile.ZipInfo(path.relative_to(root.parent).as_posix(), (1980, 1, 1, 0, 0, 0))
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes())
    return Path(out)


def import_bundle(bundle: Path, out: Path, replace: bool = False) -> dict:
    """Turn a bundle into a release folder.

    Args:
        bundle: The zip file, or the folder it unpacks to.
        out: The release folder to write.
        replace: Whether an existing release may be replaced.

    Returns:
        The new folder's manifest.

    Raises:
        MagBridgeError: If the bundle is damaged, incomplete, unsafe, or not a bundle; nothing is written then.
    """
    require_folder(out, RELEASE, replace)
    with opened(Path(bundle)) as root:
        check_checksums(root)
        table = read_bundle(root)
        manifest = read_json(root / MANIFEST, MANIFEST) if (root / MANIFEST).is_file() else {}
        if "files_digest" in manifest and manifest["dataset_digest"] != dataset_digest(table):
            raise MagBridgeError(
                f"{bundle}: its rows do not have the digest that its {MANIFEST} states: get the bundle again"
            )
        fitted = root / release.SCAN_MAP
        extra = {fitted.name: lambda target: shutil.copy(fitted, target)} if fitted.is_file() else {}
        primary = None
        if manifest.get("bridge_version") == MEASURED.bridge:
            path = root / "splits" / f"{PRIMARY}.json"
            primary = stated_split(read_json(path), table["sample_id"].to_pylist(), str(path))
        return release.write(Path(out), table, _origin(manifest, Path(bundle)), extra, primary, replace)


def stated_split(document: dict, sample_ids: list[str], where: str) -> np.ndarray:
    """Return the subset of each row from a split document: owners of measured cells may use their own split.

    Raises:
        MagBridgeError: If the document is not a split, or lacks a row.
    """
    check_split(document, where)
    of = {sample_id: subset for subset, ids in document["sample_ids"].items() for sample_id in ids}
    missing = [sample_id for sample_id in sample_ids if sample_id not in of]
    if missing:
        raise MagBridgeError(f"{where}: {missing[0]} is in no subset: expected every row; restore it")
    return np.array([of[sample_id] for sample_id in sample_ids], dtype=object)


def origin_of(manifest: dict) -> dict:
    """Return the entries of a manifest that cannot be derived from its rows."""
    upstream = manifest.get("upstream")
    own = OWN_KEYS.get(str(upstream.get("name")), ()) if isinstance(upstream, dict) else ()
    if str(manifest.get("bridge_version")).endswith(OWN_CELLS):
        own += ("notes",)
    return {key: value for key, value in manifest.items() if key in ORIGIN_KEYS + own}


def _origin(manifest: dict, bundle: Path) -> dict:
    """Return manifest entries on the origin of the rows, from whatever the bundle states about itself."""
    origin = origin_of(manifest)
    upstream = origin.get("upstream")
    if not isinstance(upstream, dict) or set(upstream) != {"name", "sources"}:
        # Made by other software: the published release's own manifest describes its sources differently.
        origin["upstream"] = {"name": "published", "sources": {}}
    if not isinstance(origin.get("rebuild"), str):
        origin["rebuild"] = f"python -m bridge import {bundle.name} --out magbridge-battery"
    name = origin["upstream"]["name"]
    if name not in UPSTREAMS:
        raise MagBridgeError(f"{bundle}: made from the upstream {name!r}: expected one of {', '.join(UPSTREAMS)}")
    check_manifest({**origin, "name": "", "bridge_version": "", "dataset_digest": "0" * 64}, f"{bundle}, {MANIFEST}")
    return origin


@contextmanager
def opened(bundle: Path) -> Iterator[Path]:
    """Yield the bundle's root folder; unpack a zip to a temporary place after checking every path in it."""
    bundle = standing(bundle)
    if bundle.is_dir():
        yield _root(bundle)
        return
    if not bundle.is_file():
        raise MagBridgeError(f"{bundle}: no such bundle; expected a zip file or the folder it unpacks to")
    with tempfile.TemporaryDirectory(prefix="magbridge-bundle-") as scratch:
        unpack(bundle, Path(scratch))
        yield _root(Path(scratch))


def _root(folder: Path) -> Path:
    """Return the folder that contains `data/`, which may be one level down."""
    for candidate in (folder, *sorted(folder.iterdir())):
        if (candidate / "data").is_dir():
            return candidate
    raise MagBridgeError(f"{folder}: no data/ folder; expected a bundle with data/shard_0000.parquet and so on")


def read_bundle(root: Path) -> pa.Table:
    """Return the rows of an unpacked bundle in release order, cast to the contract."""
    paths = sorted((root / "data").glob("shard_*.parquet"))
    expected = [f"shard_{i:04d}.parquet" for i in range(max(SHARDS, len(paths)))]
    missing = [name for name in expected if name not in {path.name for path in paths}]
    if missing:
        wanted = f"expected {len(expected)} shards; download the bundle again"
        raise MagBridgeError(f"{root}: {missing[0]} is missing from data/; {wanted}")
    table = reading.joined([reading.read_rows(path) for path in paths], str(root))
    if not table.num_rows:
        raise MagBridgeError(f"{root}: no rows in data/; expected the bundle of a release")
    return table


def check_checksums(root: Path) -> None:
    """Check every file listed in `checksums.sha256`.

    Raises:
        MagBridgeError: If the list is missing, or a listed file is missing or differs; names the first.
    """
    problems = checksum_problems(root)
    if problems:
        raise MagBridgeError(
            f"{root}: {problems[0]}"
            + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else "")
            + "; restore the files or build the release again"
        )


def checksum_problems(root: Path) -> list[str]:
    """List what `sha256sum -c` would complain about, one sentence per file."""
    listing = root / CHECKSUMS
    if not listing.is_file():
        return [f"no {CHECKSUMS}"]
    try:
        digests = listed_digests(listing.read_bytes(), CHECKSUMS)
    except MagBridgeError as error:
        return [str(error)]
    problems = []
    for name, digest in digests.items():
        if not (root / name).is_file():
            problems.append(f"{name} is missing")
        elif sha256_of(root / name) != digest:
            problems.append(f"{name} differs from its checksum")
    present = {p.relative_to(root).as_posix() for p in (root / "data").rglob("*.parquet")}
    return problems + [f"{name} is not listed in {CHECKSUMS}" for name in sorted(present - digests.keys())]
