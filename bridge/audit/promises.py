"""Integrity audit of a release folder or a bundle from any source: every broken promise, with its file or row.

Reads the files themselves, without `datasets`, and continues after a broken promise to find the others.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from bridge.audit.contents import Contents, check_table, read_contents
from bridge.audit.derivation import derived, unlisted
from bridge.audit.rows import Finding
from bridge.audit.shortcuts import check_shortcuts
from bridge.config import config_hash
from bridge.generate import CONFIGS
from bridge.release import splits
from bridge.release.folder import data_paths
from bridge.release.splits import PRIMARY, RECORD
from dataset_card.contract.configs import PROVENANCE_OF_ORIGIN, SPLITS
from dataset_card.contract.editions import OWN_CELLS, V2
from dataset_card.contract.field import metadata_of
from dataset_card.storage.arrays import signals
from dataset_card.storage.digests import dataset_digest, files_digest
from dataset_card.storage.reading import MANIFEST


def audit_release(path: Path) -> list[Finding]:
    """Check every promise of a release.

    Args:
        path: A release folder, an unpacked bundle, or a bundle's zip file.

    Returns:
        All broken promises; empty for a sound release.

    Raises:
        MagBridgeError: If there is no release at `path`, or a zip cannot be opened safely.
    """
    with read_contents(path) as contents:
        findings = list(contents.findings)
        if not contents.table.num_rows:
            return findings
        findings += check_table(contents.table, contents.where)
        findings += _metadata(contents)
        for name in (PRIMARY, RECORD):
            findings += _split(contents, name)
        if not contents.is_bundle:
            findings += _placement(contents)
        findings += _manifest(contents)
        findings += unlisted(contents)
        findings += _shortcuts(contents)
        return findings or derived(contents)


def _metadata(contents: Contents) -> list[Finding]:
    """Check that the metadata table agrees with the data files in every row."""
    if contents.metadata is None:
        return []
    file = contents.metadata_file
    rows, metadata, position = contents.rows.to_dict("records"), contents.metadata.to_dict("records"), contents.position
    listed = Counter(record["sample_id"] for record in metadata)
    found: list[tuple[str, str]] = []
    for m, record in enumerate(metadata):
        name, where = record["sample_id"], f"{file}, row {m}"
        i = position.get(name)
        if i is None:
            found.append((where, f"{name} has no row in data/"))
            continue
        for field in metadata_of(contents.edition.fields):
            if record[field] != rows[i][field]:
                other = f"{contents.where[i]} has {rows[i][field]!r}"
                found.append((where, f"{field} of {name} is {record[field]!r}, {other}"))
        if contents.is_bundle and i != m:
            found.append((where, f"{name} is row {i} of the shards"))
    found += [(contents.where[i], f"{name} has no row in {file}") for name, i in position.items() if name not in listed]
    found += [(file, f"{name} is listed more than once") for name, n in listed.items() if n > 1]
    return [Finding("metadata", *one) for one in found]


def _split(contents: Contents, name: str) -> list[Finding]:
    """Check that a split covers every row once, and that by_cell_primary separates no cell and no family."""
    where, document, rows = f"splits/{name}.json", contents.splits[name], contents.rows
    if not document:
        return []
    known, found = set(rows["sample_id"]), []
    of: dict[str, str] = {}
    for subset, ids in document["sample_ids"].items():
        for sample_id in ids:
            if sample_id not in known:
                found.append(f"{sample_id} of {subset} is not in the release")
            elif sample_id in of:
                found.append(f"{sample_id} is in {of[sample_id]} and again in {subset}")
            of[sample_id] = subset
        if document["counts"].get(subset) != len(ids):
            found.append(f"counts of {subset} is {document['counts'].get(subset)}, but it lists {len(ids)}")
    found += [f"{i} is in no subset" for i in rows["sample_id"] if i not in of]
    for subset in SPLITS:
        if document["cells"].get(subset) != sorted(set(rows["cell_id"][rows["sample_id"].map(of) == subset])):
            found.append(f"cells of {subset} do not match its rows")
    if name == RECORD and not document.get("warning"):
        found.append("no warning that the split leaks")
    findings, check = [Finding("splits", where, message) for message in found], "split guarantee"
    if name == PRIMARY:
        subsets, at = [of.get(i) for i in rows["sample_id"]], dict(zip(rows["sample_id"], contents.where))
        for cell, names in splits.shared_cells(rows, subsets).items():
            findings.append(Finding(check, where, f"cell {cell} is in {' and '.join(names)}"))
        for parent, child in splits.separated_pairs(rows, subsets):
            findings.append(Finding(check, at[child], f"is in {of[child]}, but its parent {parent} is in {of[parent]}"))
    return findings


def _placement(contents: Contents) -> list[Finding]:
    """Check that each row is in the file of its provenance and subsets, as configurations select files by globs."""
    primary, record = contents.subset(PRIMARY), contents.subset(RECORD)
    if primary is None or record is None:
        return []  # reported by the check of splits
    if not set(contents.rows[contents.edition.origin]) <= set(PROVENANCE_OF_ORIGIN):
        return []  # reported by the check of rows
    expected = data_paths(contents.table, {PRIMARY: primary, RECORD: record}, contents.edition)
    return [
        Finding("placement", contents.where[i], f"expected in {path}")
        for i, path in enumerate(expected)
        if contents.files[i] != path
    ]


def _shortcuts(contents: Contents) -> list[Finding]:
    """Check that the labels of a v2 release do not show in how its rows were made; v1's do, as its card states."""
    subset, place = contents.subset(PRIMARY), {name: i for i, name in enumerate(contents.order)}
    ids = contents.rows["sample_id"]
    if contents.edition is not V2 or subset is None or not set(ids) <= set(place):
        return []  # the latter are reported by the checks of splits and metadata
    order = np.array([place[name] for name in ids])
    return check_shortcuts(contents.rows, signals(contents.table), order, contents.files, subset == "test")


def _manifest(contents: Contents) -> list[Finding]:
    """Check that the manifest agrees with the rows; one of other software is checked only for entries it has."""
    manifest, rows, order = contents.manifest, contents.rows, contents.order
    if manifest is None:
        return []
    own, wrong = not contents.is_bundle, []

    def stated(*path: str) -> Any:
        found: Any = manifest
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return found

    versions, config_id = sorted(set(rows["bridge_version"])), rows["bridge_config_hash"].iat[0]
    expected = {
        "bridge_version": versions[0] if len(versions) == 1 else versions,
        "bridge_config_hash": config_id,
        "schema_version": contents.edition.schema_version,
        "counts.rows": len(rows),
    }
    if len(order) == len(contents.position) == contents.table.num_rows and set(order) == set(contents.position):
        expected["dataset_digest"] = dataset_digest(contents.in_order())
    if own:
        expected["files_digest"] = files_digest(contents.root)
    found = {name: stated(*name.split(".")) for name in expected}
    for name in (PRIMARY, RECORD):
        subset, leaks = contents.subset(name), stated("splits", name, "leakage")
        if subset is not None and leaks is not None:
            found[f"leakage of {name}"], expected[f"leakage of {name}"] = leaks, splits.leakage(rows, subset)
    if isinstance(config := stated("config"), dict):
        try:
            kind = CONFIGS.get(contents.edition)  # None if nothing was generated
            found["hash of config"] = config_hash(config) if kind is None else kind.of(config).hash()
            expected["hash of config"] = config_id
        except (TypeError, ValueError, AttributeError) as error:
            wrong.append(f"config is not a bridge configuration ({error})")
    for name, value in expected.items():
        if found[name] != value and (own or found[name] is not None):
            wrong.append(f"{name} is {found[name]!r}, but the rows give {value!r}")
    simulated = any(version.removesuffix(OWN_CELLS).endswith("-simulated") for version in versions)
    if isinstance(stated("upstream"), dict) and (stated("upstream", "name") == "simulated") != simulated:
        name = stated("upstream", "name")
        wrong.append(f"upstream is {name!r}, but the rows have bridge_version {', '.join(versions)}")
    return [Finding("manifest", MANIFEST, words) for words in wrong]
