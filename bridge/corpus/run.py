"""Make a corpus from plan to card: plan it once, make it shard by shard, finish it when all shards are complete."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

from bridge.audit.rows import Finding
from bridge.corpus.plan import SPECIFICATION, Specification, read_specification, require_same, specify
from bridge.corpus.shards import Recipe, audit_shard, build_shard, combine, digest_of_list, finished
from bridge.corpus.storage import Folder
from bridge.generate import ReleaseConfig, ReleaseInputs, make_bridge
from bridge.release.folder import SCAN_MAP, json_text, rebuild_command, require_sound
from bridge.v2 import BridgeV2, ScanMap, UpstreamV2
from dataset_card.cards import corpus as contract
from dataset_card.contract.configs import SPLITS
from dataset_card.errors import MagBridgeError
from dataset_card.running.parallel import Engine, run_jobs
from dataset_card.storage.digests import listed_digests
from dataset_card.storage.output import require_place
from dataset_card.storage.reading import CHECKSUMS, MANIFEST

CARD = "README.md"


def plan(
    out: str | Path, upstream: ReleaseInputs, rows: int, *, config: ReleaseConfig | None = None, **options
) -> Recipe:
    """Write what a corpus will be, and check the bridge; a folder with the same plan is left unchanged.

    Args:
        out: A folder, or a URL that fsspec can open.
        upstream: The bridge's inputs (see `bridge.generate.inputs_of`).
        rows: Rows wanted; rounded up to whole releases.
        config: The bridge's parameters; by default those of the published release.
        **options: `first_seed`, `dtype`, `shard_rows` and the composition, as `specify` takes them.

    Returns:
        What every shard is made from.

    Raises:
        MagBridgeError: If the folder is another corpus or something else, a parameter is out of range, or the bridge
            breaks a sanity invariant.
    """
    folder = Folder.of(out)
    if folder.local:
        require_place(folder.url)
    options |= {"config": config}
    found = read_specification(folder)
    if found is None and any(not name.startswith(".") for name in folder.names("")):
        free = "expected a corpus or a new folder; it is left unchanged"
        raise MagBridgeError(f"{folder.url} contains something other than a corpus: {free}")
    specify(upstream, rows, **options)  # refuse a bad number before the bridge is fitted
    scan_map = _map(folder, found, upstream, config)
    asked = specify(upstream, rows, scan_map=scan_map, **options)
    if found is None:
        bridge = make_bridge(upstream, asked.bridge_config, asked.first_seed, scan_map)
        require_sound(bridge, asked.counts, asked.first_seed)
        folder.create_text(SPECIFICATION, json_text(vars(asked)))
        # another command may have begun it in the meantime
        found = read_specification(folder) or asked
    require_same(folder, found, asked)
    folder.create_text(CARD, contract.UNFINISHED)
    if scan_map is not None and folder.size(SCAN_MAP) is None:
        with folder.writing(SCAN_MAP) as path:
            scan_map.save(path)
    return Recipe(folder, found, upstream, scan_map)


def build(recipe: Recipe, engine: Engine = Engine()) -> dict:
    """Make the shards that are not complete yet, and finish the corpus.

    Args:
        recipe: Result of `plan`.
        engine: Where shards are made. The bytes written do not depend on it.

    Returns:
        The manifest.

    Raises:
        MagBridgeError: If a shard failed for good; complete shards stay, and the same call resumes from there.
    """
    if recipe.out.in_this_process and (engine.uses_dask or engine.processes > 1):
        raise MagBridgeError(
            f"{recipe.out.url} is in the memory of one process: expected a single joblib job, or another place"
        )
    markers = run_jobs(build_shard, shard_names(recipe.specification), recipe, engine=engine, label="shards")
    return _finish(recipe.out, recipe.specification, list(markers.values()))


def finish(out: str | Path, engine: Engine = Engine()) -> dict:
    """Write manifest, card and checksums of a corpus whose shards are all complete.

    Args:
        out: A planned corpus.
        engine: Where the shards are checked.

    Returns:
        The manifest.

    Raises:
        MagBridgeError: If no corpus is planned there, or a shard is missing or damaged.
    """
    folder, specification = corpus = _planned(out)
    markers = run_jobs(finished, shard_names(specification), corpus, engine=engine, label="shards")
    missing = [name for name, marker in markers.items() if marker is None]
    if missing:
        raise MagBridgeError(
            f"{folder.url}: {len(missing)} of {specification.shards} shards are missing or damaged, {missing[0]} "
            "first; run `python -m bridge corpus build` again, with the options that began it"
        )
    return _finish(folder, specification, list(markers.values()))


def verify(out: str | Path, engine: Engine = Engine()) -> list[Finding]:
    """Audit a corpus: every file to the last byte, every row as a row of a release, manifest and checksums.

    Args:
        out: A corpus.
        engine: Where the shards are audited.

    Returns:
        All broken promises.

    Raises:
        MagBridgeError: If no corpus is planned there.
    """
    folder, specification = corpus = _planned(out)
    audited = run_jobs(audit_shard, shard_names(specification), corpus, engine=engine, label="shards").values()
    findings = [finding for _, found in audited for finding in found]
    manifest = folder.read_json(MANIFEST)
    markers = [marker for marker, _ in audited if marker is not None]
    if manifest is None:
        return [*findings, Finding("manifest", MANIFEST, "missing: the corpus is not finished")]
    if len(markers) < specification.shards:
        return findings
    try:
        expected = _manifest(specification, markers)
    except MagBridgeError as error:
        return [*findings, Finding("split guarantee", "all shards", str(error))]
    # through JSON, like the one in the folder
    for name, value in json.loads(json.dumps(expected)).items():
        if manifest.get(name) != value:
            findings.append(Finding("manifest", MANIFEST, f"{name} does not match the shards"))
    return findings + _checksum_findings(folder, _files(markers))


def _planned(out: str | Path) -> tuple[Folder, Specification]:
    folder = Folder.of(out)
    specification = read_specification(folder)
    if specification is None:
        raise MagBridgeError(
            f"{folder.url}: no {SPECIFICATION}; expected a corpus, from `python -m bridge corpus build`"
        )
    return folder, specification


def shard_names(specification: Specification) -> dict[str, int]:
    """Return the ordinal number of every shard, by the name that errors use."""
    return {f"shard {shard:06d}": shard for shard in range(specification.shards)}


def _map(
    folder: Folder, found: Specification | None, upstream: ReleaseInputs, config: ReleaseConfig | None
) -> ScanMap | None:
    """Return v2's map: the folder's, as another machine's fit may differ in the last digit, or else a new fit."""
    if not isinstance(upstream, UpstreamV2):
        return None
    if found is None or found.scan_map is None or folder.size(SCAN_MAP) is None:
        fitted = make_bridge(upstream, config)
        return fitted.scan_map if isinstance(fitted, BridgeV2) else None
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / SCAN_MAP
        path.write_bytes(folder.read(SCAN_MAP))
        return ScanMap.load(path, found.scan_map)


def _files(markers: list[dict]) -> dict[str, dict]:
    return {path: file for marker in markers for path, file in marker["files"].items()}


def _manifest(specification: Specification, markers: list[dict]) -> dict:
    """Return the manifest of a corpus, from the markers of all its shards."""
    try:
        summary = combine((marker["summary"] for marker in markers), specification.edition.same_cells)
    except (TypeError, AttributeError, IndexError, KeyError) as error:
        raise MagBridgeError(f"a marker's summary is damaged ({error}); build the corpus again") from error
    if any(marker["cells"] != markers[0]["cells"] for marker in markers):
        raise MagBridgeError(
            "a cell is in different subsets in different shards; expected the same in all; build the corpus again"
        )
    edition, name = specification.edition, specification.upstream["name"]
    digests = sorted((int(seed), s["dataset_digest"]) for marker in markers for seed, s in marker["seeds"].items())
    command = f"corpus build {edition.name}-corpus --rows {specification.rows}"
    command += f" --dtype {specification.dtype}" if specification.dtype != contract.DTYPES[0] else ""
    return {
        "name": f"{edition.name}-corpus" + ("-simulated" if name == "simulated" else ""),
        "version": edition.version,
        "schema_version": edition.schema_version,
        "bridge_version": specification.bridge_version,
        "bridge_config_hash": specification.bridge_config.hash(),
        "specification": specification.hash(),
        "dataset_digest": digest_of_list(digests),
        "upstream": specification.upstream,
        "config": specification.config,
        "seeds": {"first": specification.first_seed, "count": specification.seeds},
        "composition": specification.composition,
        "dtype": specification.dtype,
        "rebuild": rebuild_command(edition, name, specification.first_seed, specification.counts, command),
        "packages": specification.packages,
        **summary,
        "files_digest": digest_of_list(sorted((path, file["sha256"]) for path, file in _files(markers).items())),
    }


def _finish(folder: Folder, specification: Specification, markers: list[dict]) -> dict:
    manifest, files = _manifest(specification, markers), _files(markers)
    for split in SPLITS:
        known = {Path(path).name for path in files if Path(path).parent.name == split}
        for name in folder.names(f"data/{split}"):
            if name not in known and not name.startswith("."):
                why = "not a file of this corpus, but readers would read it; remove it"
                raise MagBridgeError(f"{folder.url}/data/{split}/{name}: {why}")
    texts = contract.documents(manifest, {path: (file["rows"], file["bytes"]) for path, file in files.items()})
    texts[MANIFEST], card = json_text(manifest), texts.pop(CARD)
    digests = {path: file["sha256"] for path, file in files.items()}
    digests |= {name: hashlib.sha256(text.encode()).hexdigest() for name, text in {**texts, CARD: card}.items()}
    digests |= {name: folder.sha256(name) for name in (SPECIFICATION, SCAN_MAP) if folder.size(name) is not None}
    written = {} if folder.size(CHECKSUMS) is None else listed_digests(folder.read(CHECKSUMS), CHECKSUMS)
    unfinished = hashlib.sha256(contract.UNFINISHED.encode()).hexdigest()
    for name in (*texts, CARD):
        if folder.size(name) is not None and folder.sha256(name) not in (written.get(name), digests[name], unfinished):
            raise MagBridgeError(f"{folder.url}/{name} is not as this corpus wrote it and was kept: move it elsewhere")
    texts[CHECKSUMS] = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    for name, text in texts.items():
        folder.write_text(name, text)
    folder.write_text(CARD, card)  # last: from here on the folder loads
    return manifest


def _checksum_findings(folder: Folder, files: dict[str, dict]) -> list[Finding]:
    """Check that the checksums cover every data file, with its marker's digest, and match all other files."""
    if folder.size(CHECKSUMS) is None:
        return [Finding("checksums", CHECKSUMS, "missing")]
    try:
        listed = listed_digests(folder.read(CHECKSUMS), CHECKSUMS)
    except MagBridgeError as error:
        return [Finding("checksums", CHECKSUMS, str(error))]
    findings = [Finding("checksums", CHECKSUMS, f"{path} is not listed") for path in files if path not in listed]
    for name, digest in listed.items():
        if name not in files and Path(name).parent != Path("."):
            findings.append(Finding("checksums", CHECKSUMS, f"{name} is not a file of this corpus"))
            continue
        own = files[name]["sha256"] if name in files else None
        found = own or (folder.sha256(name) if folder.size(name) is not None else None)
        if found != digest:
            findings.append(Finding("checksums", name, "missing" if found is None else "does not match its checksum"))
    return findings
