"""`python -m benchmark push | serve`: metric and leaderboard as Spaces on the Hub, the leaderboard on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import typer

from benchmark.commands.options import Data, Json, Model, Results, Task, print_json
from benchmark.data import DEFAULT_RELEASE
from dataset_card.errors import MagBridgeError


class Published(StrEnum):
    """What can be published."""

    metric = "metric"
    leaderboard = "leaderboard"
    baseline = "baseline"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (push, serve):
        app.command()(command)


def push(
    what: Annotated[Published, typer.Argument(help="metric, leaderboard or baseline.")],
    repo: Annotated[str, typer.Option(help="USER/magbridge_metric or USER/NAME; created if it does not exist.")],
    data: Annotated[
        str | None,
        typer.Option(
            help="Leaderboard: the dataset on the Hub. Baseline: the release to fit on; a Hub id adds its scores."
        ),
    ] = None,
    model: Model = None,
    task: Task = None,
    results: Results = None,
    submissions: Annotated[
        str | None, typer.Option(help="Leaderboard: dataset on the Hub that the Space proposes submissions to.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Make it visible to you only.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would be uploaded, without contacting the Hub.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Publish the metric or the leaderboard as a Space, or a fitted baseline as a model, in one commit."""
    from benchmark.leaderboard.push import leaderboard_files, metric_files, push_leaderboard, push_metric

    if (what is Published.metric) == (data is not None):
        raise MagBridgeError(
            "the leaderboard needs the dataset that it scores against, a baseline the release to fit on, the metric "
            "neither: expected `push leaderboard --data USER/magbridge-battery`, `push baseline --data RELEASE --model "
            "NAME --task t1` or `push metric`"
        )
    if what is Published.baseline and (model is None or task is None):
        raise MagBridgeError("which baseline? expected --model NAME and --task t1, t2, t3 or t4")
    if what is Published.baseline:
        from benchmark.baselines.hub import baseline_files, fit_baseline, push_baseline

        fitted = fit_baseline(str(task), str(model), str(data))
        files: Mapping = baseline_files(fitted, repo) if dry_run else {}
        url = "" if dry_run else push_baseline(repo, fitted, private=private)
    elif what is Published.metric:
        files = metric_files()
        url = "" if dry_run else push_metric(repo, private=private)
    else:
        files = leaderboard_files(str(data), results, submissions)
        url = (
            ""
            if dry_run
            else push_leaderboard(repo, str(data), results=results, submissions=submissions, private=private)
        )
    if dry_run:
        _print_plan(repo, files, as_json)
    elif as_json:
        print_json({"url": url})
    else:
        print(url)


def _print_plan(repo: str, files: Mapping, as_json: bool) -> None:
    from dataset_card.running.hub import size_of

    sizes = {name: size_of(content) for name, content in files.items()}
    if as_json:
        print_json({"repo": repo, "files": sizes, "bytes": sum(sizes.values())})
        return
    for name, size in sizes.items():
        print(f"{size:>12,}  {name}")
    print(f"{sum(sizes.values()):>12,}  bytes in {len(sizes)} files would go to {repo}")


def serve(
    data: Data = DEFAULT_RELEASE,
    results: Results = None,
    port: Annotated[int | None, typer.Option(help="Port; the first free one from 7860 by default.")] = None,
) -> None:
    """Serve the leaderboard on this machine, with a form that scores predictions files."""
    from benchmark.leaderboard.space.app import serve as serve_page

    serve_page(results, data, port)
