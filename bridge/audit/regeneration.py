"""Regenerate rows of a release from its upstream and compare them byte for byte: rewritten checksums cannot pass."""

import tempfile
from pathlib import Path

import numpy as np

from bridge.audit.contents import Contents, read_contents, u_features
from bridge.audit.derivation import composition_from
from bridge.audit.rows import Finding
from bridge.errors import refusal
from bridge.generate import CONFIGS, AnyBridge, ReleaseBridge, generate_plan, inputs_of, make_bridge, plan_of
from bridge.plan import AnyComposition, Plan
from bridge.release.folder import fitted_files
from bridge.v3.release import BridgeV3, operator_digests
from dataset_card.contract.field import metadata_of
from dataset_card.errors import MagBridgeError
from dataset_card.storage.arrays import place_of, signals
from dataset_card.storage.reading import MANIFEST

CHOICES = {"hybrid": "published", "physics": "auto"}
"""Value of `--upstream` for upstreams that a manifest calls by another name."""


def regenerate(
    path: Path, count: int | None, rng: np.random.Generator, upstream_dir: Path | None = None
) -> tuple[list[Finding], int]:
    """Plan a release again (ids, labels and order) and generate some of its signals again.

    Args:
        path: A release folder or bundle without findings.
        count: Number of signals to generate; None for all.
        rng: Generator that draws which ones.
        upstream_dir: Folder of published files.

    Returns:
        Differences, and the number of signals compared.

    Raises:
        MagBridgeError: If the release does not state what it was made from, or its upstream is not available.
    """
    with read_contents(path) as contents:
        bridge, counts, seed = _again(contents, upstream_dir)
        n = len(contents.order)
        rows = np.arange(n) if count is None else np.sort(rng.choice(n, min(count, n), replace=False))
        if isinstance(bridge, BridgeV3):
            return _computed(contents, bridge, counts, rows), len(rows)
        plan = plan_of(bridge, counts, seed)
        findings = _labels(contents, plan) + _fitted(contents, bridge)
        if findings:
            return findings, 0
        return _signals(contents, bridge, plan, rows), len(rows)


def _again(contents: Contents, upstream_dir: Path | None) -> tuple[ReleaseBridge, AnyComposition, int]:
    """Return bridge, composition and master seed from a release's manifest."""
    manifest, edition = contents.manifest or {}, contents.edition
    try:
        name, sources, seed = manifest["upstream"]["name"], manifest["upstream"]["sources"], manifest["master_seed"]
        config, counts = CONFIGS[edition].of(manifest["config"]), composition_from(manifest, contents)
    except (KeyError, TypeError) as error:
        found = f"its {MANIFEST} does not state what it was made from ({error})"
        raise MagBridgeError(f"{contents.root}: {found}: it cannot be regenerated") from error
    upstream = inputs_of(edition.bridge, CHOICES.get(name, name), upstream_dir)
    if upstream.sources != sources:
        here = upstream.sources
        others = sorted(name for name in {*sources, *here} if sources.get(name) != here.get(name))
        raise refusal("other_sources", folder=contents.root, names=", ".join(others[:5]))
    return make_bridge(upstream, config, seed), counts, seed


def _computed(contents: Contents, bridge: BridgeV3, counts: AnyComposition, rows: np.ndarray) -> list[Finding]:
    """Compare rows of v3, whose labels are computed together with their signals."""
    requests = sorted(bridge.requests(counts.rows(0) // bridge.config.visits), key=bridge.sample_id)
    if contents.order != [bridge.sample_id(request) for request in requests]:
        return [
            Finding("regeneration", contents.metadata_file, "ids or their order do not follow from the master seed")
        ]
    here = operator_digests(bridge.config)
    operators = [
        Finding("regeneration", MANIFEST, f"its operator {name} is not the one computed here: last digits may differ")
        for name, digest in (contents.manifest or {}).get("operators", {}).items()
        if here.get(name) != digest
    ]
    at = [contents.position[contents.order[i]] for i in rows]
    found, fresh = contents.table.take(at), bridge.rows([requests[i] for i in rows])
    return operators + [
        Finding("regeneration", contents.where[at[k]], f"its {name} differs from what the bridge generates")
        for name in fresh.column_names
        for k, (a, b) in enumerate(zip(found[name].to_pylist(), fresh[name].to_pylist()))
        if a != b
    ]


def _labels(contents: Contents, plan: Plan) -> list[Finding]:
    if contents.order != plan.rows["sample_id"].tolist():
        return [Finding("regeneration", contents.metadata_file, "ids or their order differ from the plan")]
    planned = plan.rows.astype(object).where(plan.rows.notna(), None)
    rows = contents.rows.set_index("sample_id", drop=False).loc[contents.order]
    findings = [
        Finding("regeneration", sample_id, f"{name} is {found!r}, but the plan has {expected!r}")
        for name in metadata_of(contents.edition.fields)
        for sample_id, found, expected in zip(contents.order, rows[name], planned[name])
        if found != expected
    ]
    at = [contents.position[sample_id] for sample_id in contents.order]
    other = ~_equal(u_features(contents.table)[at], plan.u_features).all(axis=1)
    return findings + [
        Finding("regeneration", contents.order[i], "u_features differ from the upstream") for i in np.flatnonzero(other)
    ]


def _fitted(contents: Contents, bridge: AnyBridge) -> list[Finding]:
    """Check that fitted files in a release equal those of the bridge."""
    findings = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, save in fitted_files(bridge).items():
            save(Path(scratch, name))
            path = contents.root / name
            if not path.is_file() or path.read_bytes() != Path(scratch, name).read_bytes():
                findings.append(Finding("regeneration", name, "differs from what the bridge fits to its upstream"))
    return findings


def _signals(contents: Contents, bridge: AnyBridge, plan: Plan, rows: np.ndarray) -> list[Finding]:
    with_parents = np.union1d(rows, plan.parent[rows][plan.parent[rows] >= 0])
    part = plan.take(with_parents)
    fresh = generate_plan(bridge, part)[np.searchsorted(with_parents, rows)]
    at = [contents.position[contents.order[i]] for i in rows]
    found = signals(contents.table.take(at))
    findings = []
    for i in np.flatnonzero(~_equal(found, fresh).all(axis=(1, 2))):
        gap = np.abs(found[i] - fresh[i])
        channel, step = place_of(contents.edition, np.unravel_index(gap.argmax(), gap.shape))
        off = f"up to {gap.max():.3g} nT off what the bridge generates ({channel}, step {step})"
        findings.append(Finding("regeneration", contents.where[at[i]], f"its signal is {off}"))
    return findings


def _equal(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Compare two float64 arrays bit by bit; NaN, which represents null, equals NaN."""
    same = np.ascontiguousarray(found).view(np.int64) == np.ascontiguousarray(expected).view(np.int64)
    return same | (np.isnan(found) & np.isnan(expected))
