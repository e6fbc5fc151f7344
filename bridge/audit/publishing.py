"""Publishes a release folder as a dataset repository on the Hugging Face Hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bridge.audit.promises import audit_release
from dataset_card.contract.configs import METADATA_FILE
from dataset_card.errors import MagBridgeError
from dataset_card.running.hub import Repository, size_of
from dataset_card.storage.digests import listed_digests
from dataset_card.storage.documents import parse_json
from dataset_card.storage.reading import CHECKSUMS, MANIFEST, one_release, read_manifest


@dataclass(frozen=True)
class Pushed:
    """What a push did.

    Attributes:
        url: The dataset's page.
        commit: The commit that holds the release.
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
    """The files that make a release, by path: those that its checksums cover, and the checksums.

    Raises:
        MagBridgeError: The folder is not a release, or breaks a promise.
    """
    folder = Path(folder)
    read_manifest(folder)
    if not (folder / METADATA_FILE).is_file():
        raise MagBridgeError(
            f"{folder}: no {METADATA_FILE}; expected a release folder (a bundle becomes one with `python -m "
            "bridge import`)"
        )
    findings = audit_release(folder)
    if findings:
        more = f" and {len(findings) - 1} more" if len(findings) > 1 else ""
        raise MagBridgeError(
            f"{folder} breaks a promise and is not pushed: {findings[0]}{more}; see `python -m bridge verify "
            f"{folder}`, then build the release again"
        )
    listed = listed_digests((folder / CHECKSUMS).read_bytes(), CHECKSUMS)
    return {name: folder / name for name in sorted([*listed, CHECKSUMS])}


def listing(files: dict[str, Path]) -> list[tuple[str, int]]:
    """Path and bytes of each file to publish."""
    return [(name, size_of(path)) for name, path in files.items()]


def push(folder: Path, repo_id: str, *, private: bool = False) -> Pushed:
    """Create or update a dataset repository with a release, in one commit, and tags its version.

    A push that was interrupted is repeated: what arrived is not sent again, and a missing tag is added. A version
    stands for its rows: another release of the same version is refused.

    Args:
        folder: A release folder.
        repo_id: `user/name` on the Hub.
        private: Whether only its owner may see it.

    Returns:
        What was done.

    Raises:
        MagBridgeError: The release breaks a promise, the repository holds something else, or the Hub refuses or cannot
            be reached. The repository is as it was then.
    """
    with one_release(folder) as real:  # to the end: files are read as they are sent
        return _push(real, repo_id, private)


def _push(folder: Path, repo_id: str, private: bool) -> Pushed:
    files = release_files(folder)
    manifest = read_manifest(folder)
    repository = Repository(repo_id, "dataset")
    repository.check(MANIFEST, private)
    tag = f"v{manifest['version']}"
    tagged = repository.tags().get(tag)
    if MANIFEST in repository.files:
        _check_name(repository, manifest)
    if tagged is not None:
        _check_rows(repository, manifest, tag)
    message = f"{manifest['name']} {manifest['version']}, rows {manifest['dataset_digest'][:12]}"
    commit = repository.replace(files, message, private=private)
    if tagged is None:
        repository.tag(tag, commit)
    created = repository.revision is None
    return Pushed(repository.url, commit, tag, created, created or commit != repository.revision)


def _check_name(repository: Repository, manifest: dict) -> None:
    name = _manifest_of(repository, None).get("name")
    if name != manifest["name"]:
        raise MagBridgeError(
            f"dataset {repository.repo_id} holds {name!r}, this release is {manifest['name']!r}: nothing is "
            "changed; choose another repository"
        )


def _check_rows(repository: Repository, manifest: dict, tag: str) -> None:
    """A published version never comes to mean other rows."""
    digest = _manifest_of(repository, tag).get("dataset_digest")
    if digest != manifest["dataset_digest"]:
        raise MagBridgeError(
            f"tag {tag} of dataset {repository.repo_id} marks rows with the digest {str(digest)[:12]}, this "
            f"release has {manifest['dataset_digest'][:12]}: nothing is changed; choose another repository, or "
            "delete the tag on the Hub if nobody uses those rows"
        )


def _manifest_of(repository: Repository, revision: str | None) -> dict:
    data = repository.read(MANIFEST, revision)
    try:
        return parse_json(data, MANIFEST)
    except MagBridgeError as error:
        raise MagBridgeError(
            f"{MANIFEST} of dataset {repository.repo_id} is not JSON ({error}): nothing is changed; choose "
            "another repository"
        ) from error
