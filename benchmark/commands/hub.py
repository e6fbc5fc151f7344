"""`python -m benchmark push | serve`: metric and leaderboard as Spaces on the Hub, the leaderboard on this machine."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from benchmark.commands.options import DEFAULT_DATA, Data, Json, Results, print_json
from dataset_card.errors import MagBridgeError


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
    as_json: Json = False,
) -> None:
    """Publishes the metric or the leaderboard as a Space, in one commit."""
    from benchmark.leaderboard.push import leaderboard_files, metric_files, push_leaderboard, push_metric
    from dataset_card.hub import size_of

    if (what is Space.leaderboard) != (data is not None):
        raise MagBridgeError(
            "the leaderboard needs the dataset that it scores against, the metric needs none: expected "
            "`push leaderboard --data USER/magbridge-battery` or `push metric`"
        )
    if dry_run:
        files = metric_files() if data is None else leaderboard_files(data, results)
        sizes = {name: size_of(content) for name, content in files.items()}
        if as_json:
            print_json({"repo": repo, "files": sizes, "bytes": sum(sizes.values())})
            return
        for name, size in sizes.items():
            print(f"{size:>12,}  {name}")
        print(f"{sum(sizes.values()):>12,}  bytes in {len(sizes)} files would go to Space {repo}")
        return
    if data is None:
        url = push_metric(repo, private=private)
    else:
        url = push_leaderboard(repo, data, results=results, private=private)
    if as_json:
        print_json({"url": url})
    else:
        print(url)


def serve(
    data: Data = DEFAULT_DATA,
    results: Results = None,
    port: Annotated[int | None, typer.Option(help="Port; the first free one from 7860 by default.")] = None,
) -> None:
    """Serves the leaderboard on this machine, with a form that scores predictions files."""
    from benchmark.leaderboard.space.app import serve as serve_page

    serve_page(results, data, port)
