"""`python -m bridge push`: a release as a dataset on the Hugging Face Hub."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import typer

from dataset_card.running.commands import JsonOption, print_json


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
        collection: Title of a collection of yours to add it to; created if it does not exist.
        private: Make it visible to you only.
        dry_run: List what would be uploaded, without contacting the Hub.
    """
    from bridge.audit import publishing
    from dataset_card.running.hub import Repository

    if dry_run:
        files = publishing.listing(publishing.release_files(release))
        if as_json:
            print_json({"repo": repo, "files": dict(files), "bytes": sum(size for _, size in files)})
            return
        for name, size in files:
            typer.echo(f"{size:>12,}  {name}")
        typer.echo(f"{sum(size for _, size in files):>12,}  bytes in {len(files)} files would go to dataset {repo}")
        return
    pushed = publishing.push(release, repo, private=private)
    address = None if collection is None else Repository(repo, "dataset").collect(collection)
    if as_json:
        print_json(dataclasses.asdict(pushed))
        return
    done = "created" if pushed.created else "updated" if pushed.changed else "already up to date"
    typer.echo(f"{pushed.url}: {done}, commit {pushed.commit[:12]}, tag {pushed.tag}")
    if address is not None:
        typer.echo(f"in the collection {address}")
    typer.echo(f'load it with: datasets.load_dataset("{repo}", "by_cell_primary")')
