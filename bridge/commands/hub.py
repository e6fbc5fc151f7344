"""`python -m bridge push`: publish a release as a dataset on the Hugging Face Hub."""

import dataclasses
from pathlib import Path

from bridge.commands.options import LINES
from dataset_card.running.commands import JsonOption, show


def push(
    release: Path,
    *,
    repo: str,
    collection: str | None = None,
    private: bool = False,
    dry_run: bool = False,
    as_json: JsonOption = False,
) -> None:
    """Publish a release on the Hugging Face Hub: one commit, tagged with its version.

    Args:
        release: A release folder.
        repo: Dataset repository, USER/magbridge-battery; created if it does not exist.
        collection: Title of your collection to add it to; created if it does not exist.
        private: Make it visible to you only.
        dry_run: List what would be uploaded, without contacting the Hub.
    """
    from bridge.audit import publishing
    from dataset_card.running.hub import Repository, require_repo_id

    require_repo_id(repo)
    if dry_run:
        files = publishing.listing(publishing.release_files(release))
        total = sum(size for _, size in files)
        text = LINES().to_push(repo, files, total)
        show({"repo": repo, "files": dict(files), "bytes": total}, text, as_json)
        return
    pushed = publishing.push(release, repo, private=private)
    address = None if collection is None else Repository(repo, "dataset").collect(collection)
    show(dataclasses.asdict(pushed), LINES().pushed(repo, pushed, address), as_json)
