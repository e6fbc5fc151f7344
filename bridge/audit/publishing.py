"""Publish a release folder as a dataset repository on the Hugging Face Hub."""

from dataclasses import dataclass
from pathlib import Path

from bridge.audit.promises import audit_release
from bridge.errors import refusal
from dataset_card.contract.configs import METADATA_FILE
from dataset_card.errors import MagBridgeError
from dataset_card.running.hub import Repository, size_of
from dataset_card.storage.digests import listed_digests
from dataset_card.storage.documents import parse_json
from dataset_card.storage.reading import CHECKSUMS, MANIFEST, one_release, read_manifest


@dataclass(frozen=True)
class Pushed:
    """Result of a push.

    Attributes:
        url: The dataset's page.
        commit: The commit of the release.
        tag: The tag of its version.
        created: Whether the repository is new.
        changed: Whether there was anything to commit.
    """

    url: str
    commit: str
    tag: str
    created: bool
    changed: bool


def release_files(folder: Path) -> dict[str, Path]:
    """Return the files of a release by path: those that its checksums cover, and the checksums.

    Raises:
        MagBridgeError: If the folder is not a release, or breaks a promise.
    """
    folder = Path(folder)
    read_manifest(folder)
    if not (folder / METADATA_FILE).is_file():
        raise refusal("no_release_folder", folder=folder, file=METADATA_FILE)
    findings = audit_release(folder)
    if findings:
        more = f" and {len(findings) - 1} more" if len(findings) > 1 else ""
        raise refusal("broken_release", folder=folder, finding=findings[0], more=more)
    listed = listed_digests((folder / CHECKSUMS).read_bytes(), CHECKSUMS)
    return {name: folder / name for name in sorted([*listed, CHECKSUMS])}


def listing(files: dict[str, Path]) -> list[tuple[str, int]]:
    """List path and size in bytes of each file to publish."""
    return [(name, size_of(path)) for name, path in files.items()]


def push(folder: Path, repo_id: str, *, private: bool = False) -> Pushed:
    """Create or update a dataset repository with a release, in one commit, and tag its version.

    An interrupted push can be repeated: files that arrived are not sent again, and a missing tag is added. A version
    stands for its rows: a different release of the same version is refused.

    Args:
        folder: A release folder.
        repo_id: `user/name` on the Hub.
        private: Whether only its owner may see it.

    Returns:
        What was done.

    Raises:
        MagBridgeError: If the release breaks a promise, the repository is of another dataset, or the Hub refuses or
            cannot be reached. The repository is unchanged then.
    """
    with one_release(folder) as real:  # held to the end: files are read while they are sent
        files, manifest = release_files(real), read_manifest(real)
        name, digest, tag = manifest["name"], manifest["dataset_digest"], f"v{manifest['version']}"
        repository = Repository(repo_id, "dataset")
        repository.check(MANIFEST, private)
        tagged = repository.tags().get(tag)
        if MANIFEST in repository.files and (other := _stated(repository, None, "name")) != name:
            raise refusal("other_dataset", repo=repo_id, other=other, name=name)
        # A published version must never come to mean other rows.
        if tagged is not None and (other := _stated(repository, tag, "dataset_digest")) != digest:
            raise refusal("other_rows", tag=tag, repo=repo_id, other=str(other), digest=digest)
        commit = repository.replace(files, f"{name} {manifest['version']}, rows {digest[:12]}", private=private)
    if tagged is None:
        repository.tag(tag, commit)
    created = repository.revision is None
    return Pushed(repository.url, commit, tag, created, created or commit != repository.revision)


def _stated(repository: Repository, revision: str | None, entry: str) -> object:
    """Return an entry of the manifest of a published release."""
    data = repository.read(MANIFEST, revision)
    try:
        return parse_json(data, MANIFEST).get(entry)
    except MagBridgeError as error:
        raise refusal("published_manifest", file=MANIFEST, repo=repository.repo_id, reason=error) from error
