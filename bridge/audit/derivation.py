"""Derive a release's documents again from its rows and compare them with those in the release, text by text."""

import re
from collections.abc import Iterator
from pathlib import Path

from bridge.audit.contents import Contents
from bridge.audit.rows import Finding
from bridge.plan import COMPOSITIONS, AnyComposition, as_tuples, composition_of
from bridge.release.bundle import DOCUMENTS, LOADER, origin_of, stated_split
from bridge.release.folder import choice_of, json_text, rebuild_command
from bridge.release.manifest import make_manifest
from bridge.release.splits import PRIMARY, make_splits, split_document
from bridge.upstream import files
from bridge.upstream.pulsebat import SHEETS
from dataset_card.cards import card
from dataset_card.contract.editions import MEASURED, has_own_cells
from dataset_card.errors import MagBridgeError
from dataset_card.storage.digests import files_digest, listed_digests, sha256_of
from dataset_card.storage.reading import CHECKSUMS, MANIFEST, scalars

FROM_THE_HUB = (".gitattributes", ".cache/huggingface/")
"""Files that the Hub and its client add to a release."""

_IMPORTED = re.compile(r"python -m bridge import [^`<>\n]+ --out [\w.+-]+")
_VERSION = re.compile(r"[\w.+!-]{1,40}")
_WORD = r"(?:[\w@%+=:,./-]+|'(?:[^'`<>\n]|'\"'\"')+')"
"""A file's name, or another argument, as `shlex.quote` writes it."""

_CHEMISTRY = re.compile(rf"(?: --chemistry {_WORD})?")
_OWN_OPTIONS = re.compile(rf"(?: --(?:cells|columns|chemistry|scans|scan-table|channels) {_WORD}){{0,6}}")
_ADOPTED = re.compile(
    rf"python -m bridge adopt {_WORD} --labels {_WORD} --out MY-CELLS(?: --channels {_WORD})?(?: --columns {_WORD})?"
    rf"(?: --split {_WORD})? --licence \.\.\. --citation \.\.\."
)
"""Forms in which commands record a user's own files."""


def unlisted(contents: Contents) -> Iterator[Finding]:
    """Yield files that the checksums do not cover, and links, whose targets may change."""
    root = contents.root
    try:
        listed = {CHECKSUMS, *listed_digests((root / CHECKSUMS).read_bytes(), CHECKSUMS)}
    except (MagBridgeError, OSError):
        listed = None  # already reported
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink() and not _is_snapshot_of_the_hub(path, root):
            yield Finding("files", name, "is a link: expected a plain file or folder")
        elif listed and path.is_file() and name not in listed and not name.startswith(FROM_THE_HUB):
            yield Finding("files", name, f"is not listed in {CHECKSUMS}")


def _is_snapshot_of_the_hub(link: Path, root: Path) -> bool:
    """Tell whether a link is huggingface_hub's own, from a snapshot to `blobs/<digest>` in its cache."""
    root = root.resolve()
    return root.parent.name == "snapshots" and link.resolve().parent == root.parents[1] / "blobs"


def derived(contents: Contents) -> list[Finding]:
    """Derive manifest, splits and documents from the rows.

    Args:
        contents: A release whose rows keep their promises: nothing can be derived from others.

    Returns:
        Differences from the release's own documents; none for a bundle of other software, which cannot be compared.
    """
    manifest = contents.manifest
    if manifest is None or "files_digest" not in manifest:
        return []
    try:
        _check_origin(manifest, contents)
        expected = _texts(contents, manifest)
    except (MagBridgeError, TypeError, KeyError, AttributeError, ValueError) as error:
        return [Finding("manifest", MANIFEST, f"documents cannot be derived from it ({type(error).__name__}: {error})")]
    findings = []
    for name, text in expected.items():
        try:
            found = (contents.root / name).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            findings.append(Finding("documents", name, f"not readable ({error})"))
            continue
        if found != text and (not name.endswith(".md") or not contents.is_bundle or _body(found) != _body(text)):
            words = f"{_difference(found, text)}; if another version wrote the release, verify it with that version"
            findings.append(Finding("documents", name, f"does not follow from the rows: {words}"))
    return findings


def _texts(contents: Contents, manifest: dict) -> dict[str, str]:
    """Return every document of a release, by file name, as it follows from rows and origin."""
    table = contents.in_order()
    rows = scalars(table)
    subsets = make_splits(rows)
    if contents.edition is MEASURED:
        ids = rows["sample_id"].tolist()
        subsets[PRIMARY] = stated_split(contents.splits[PRIMARY], ids, f"splits/{PRIMARY}.json")
    expected = make_manifest(table, rows, subsets, origin_of(manifest))
    # A bundle's manifest is that of the release folder it was made from, whose files are not available.
    expected["files_digest"] = manifest["files_digest"] if contents.is_bundle else files_digest(contents.root)
    counts = {name: contents.files.count(name) for name in set(contents.files)} | {contents.metadata_file: len(rows)}
    paths = {name: contents.root / name for name in counts}
    files = {name: (counts[name], path.stat().st_size, sha256_of(path)) for name, path in paths.items()}
    documents = card.documents(expected, files)
    if contents.is_bundle:
        documents = {DOCUMENTS[name]: text for name, text in documents.items() if name in DOCUMENTS}
        documents["load_bundle.py"] = LOADER
    splits = {f"splits/{name}.json": json_text(split_document(rows, name, s)) for name, s in subsets.items()}
    return {MANIFEST: json_text(expected), **splits, **documents}


def _check_origin(manifest: dict, contents: Contents) -> None:
    """Check that the manifest's statements that rows cannot confirm have the form that a build or import gives them."""
    edition, sources = contents.edition, manifest["upstream"]["sources"]
    pinned = {file.path: file.sha256 for file in (*files.PUBLISHED, *(sheet.file for sheet in SHEETS))}
    for name, digest in sources.items():
        if digest != pinned.get(name, digest) or not re.fullmatch("[0-9a-f]{64}", digest):
            raise MagBridgeError(f"source {name!r} has the digest {digest!r}: expected {pinned.get(name, 'a SHA-256')}")
    for name, version in manifest.get("packages", {}).items():
        if not _VERSION.fullmatch(name) or not _VERSION.fullmatch(version):
            raise MagBridgeError(f"package {name!r} {version!r}: expected a name and a version")
    notes = manifest.get("notes", [])
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise MagBridgeError("notes: expected a list of sentences")
    if _IMPORTED.fullmatch(manifest["rebuild"]):
        return
    if edition is MEASURED:
        if not _ADOPTED.fullmatch(manifest["rebuild"]):
            raise MagBridgeError(f"rebuild is {manifest['rebuild']!r}: expected `python -m bridge adopt` and its files")
        if "notes" not in manifest:
            raise MagBridgeError("no notes: expected a list of sentences, which may be empty")
        for name in ("name", "licence", "citation"):  # stated by the owner; they cannot be derived
            if not isinstance(manifest[name], str) or not manifest[name].strip():
                raise MagBridgeError(f"{name} is {manifest[name]!r}: expected a non-empty text from the owner")
        return
    counts = composition_from(manifest, contents)
    command = rebuild_command(edition, choice_of(manifest["upstream"]), manifest["master_seed"], counts)
    own = has_own_cells(manifest["bridge_version"]) or manifest["upstream"]["name"] == "scans"
    options = manifest["rebuild"].removeprefix(command)
    if options == manifest["rebuild"] or not (_OWN_OPTIONS if own else _CHEMISTRY).fullmatch(options):
        raise MagBridgeError(f"rebuild is {manifest['rebuild']!r}: expected {command!r}")


def composition_from(manifest: dict, contents: Contents) -> AnyComposition:
    """Return the number of rows of each kind that a manifest states."""
    names = vars(COMPOSITIONS[contents.edition])
    return composition_of(contents.edition, **as_tuples({n: manifest[n] for n in names if n in manifest}))


def _body(text: str) -> str:
    """Return a card without its header, which lists the sizes of a release folder's files."""
    return text.split("\n---\n", 1)[-1]


def _difference(found: str, expected: str) -> str:
    ours, theirs = expected.splitlines(), found.splitlines()
    for number, (a, b) in enumerate(zip(ours, theirs), 1):
        if a != b:
            return f"line {number} is {b.strip()[:80]!r}, expected {a.strip()[:80]!r}"
    return f"it has {len(theirs)} lines, expected {len(ours)}"
