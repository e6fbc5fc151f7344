"""`python -m benchmark push | serve`: metric and leaderboard as Spaces on the Hub, the leaderboard on this machine."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dataset_card.errors import MagBridgeError

Results = Annotated[Path | None, typer.Option("--results", help="Folder of result files; the shipped ones by default.")]


class Space(StrEnum):
    """What can be published."""

    metric = "metric"
    leaderboard = "leaderboard"


def register(app: typer.Typer) -> None:
    """Adds the commands to the application."""
    for command in (push, serve):
        app.command()(command)


def push(
    what: Annotated[Space, typer.Argument(help="metric or leaderboard.")],
    repo: Annotated[str, typer.Option(help="Space, USER/magbridge_metric or USER/NAME; made where there is none.")],
    data: Annotated[
        str | None, typer.Option(help="Leaderboard: the dataset on the Hub, USER/magbridge-battery.")
    ] = None,
    results: Results = None,
    private: Annotated[bool, typer.Option("--private", help="Only you may see it.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would be uploaded; ask nothing of the Hub.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Publishes the metric or the leaderboard as a Space, in one commit."""
    from benchmark.leaderboard import push as publishing
    from dataset_card.hub import size_of

    if (what is Space.leaderboard) != (data is not None):
        raise MagBridgeError(
            "the leaderboard needs the dataset that it scores against, the metric needs none: expected "
            "`push leaderboard --data USER/magbridge-battery` or `push metric`"
        )
    if dry_run:
        files = publishing.metric_files() if data is None else publishing.leaderboard_files(data, results)
        sizes = {name: size_of(content) for name, content in files.items()}
        if as_json:
            print(json.dumps({"repo": repo, "files": sizes, "bytes": sum(sizes.values())}))
            return
        for name, size in sizes.items():
            print(f"{size:>12,}  {name}")
        print(f"{sum(sizes.values()):>12,}  bytes in {len(sizes)} files would go to Space {repo}")
        return
    if data is None:
        url = publishing.push_metric(repo, private=private)
    else:
        url = publishing.push_leaderboard(repo, data, results=results, private=private)
    print(json.dumps({"url": url}) if as_json else url)


def serve(
    data: Annotated[str, typer.Option("--data", help="Release folder, or Hub id user/name.")] = "magbridge-battery",
    results: Results = None,
    port: Annotated[int | None, typer.Option(help="Port; the first free one from 7860 by default.")] = None,
) -> None:
    """Serves the leaderboard on this machine, with a form that scores predictions files."""
    from benchmark.leaderboard.space.app import serve as serve_page

    serve_page(results, data, port)
