"""`python -m benchmark list | run`: what there is, and models run on it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands.options import Data, Json, Protocol, Runnable, Split, Task, print_json
from benchmark.data import DEFAULT_RELEASE, DatasetInfo
from benchmark.tasks import BY_ID, PRIMARY_SPLIT
from dataset_card.running.commands import AddressOption, JobsOption
from dataset_card.running.log import LOG


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("list")(list_)
    app.command()(run)


def list_(as_json: Json = False) -> None:
    """List tasks and baseline models."""
    from benchmark.baselines import models

    if as_json:
        tasks = [
            {
                "id": t.id,
                "version": t.version,
                "title": t.title,
                "target": t.target,
                "labels": list(t.labels),
                "headline": t.headline.name,
                "metrics": [m.name for m in t.metrics],
            }
            for t in BY_ID.values()
        ]
        declared = [{"name": m.name, "tasks": list(m.tasks), "description": m.description} for m in models()]
        print_json({"tasks": tasks, "models": declared})
        return
    for task in BY_ID.values():
        print(f"{task.id}  {task.title}: {task.target}, by {task.headline.name}")
    print()
    for model in models():
        print(f"{model.name:<22} {' '.join(model.tasks):<14} {model.description}")


def run(
    data: Data = DEFAULT_RELEASE,
    task: Task = None,
    model: Runnable = None,
    table: Annotated[int | None, typer.Option(help="3 or 4: the models of that published table.")] = None,
    split: Split = PRIMARY_SPLIT,
    protocol: Protocol = None,
    like: Annotated[
        Path | None, typer.Option(help="Results file or folder: run only the models, tasks and protocols found there.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to add each result to.")] = None,
    jobs: JobsOption = None,
    address: AddressOption = None,
    as_json: Json = False,
) -> None:
    """Run baselines; with --table, on v1 of the published upstream, print the paper's figures beside ours."""
    from benchmark.analysis.published import comparison
    from benchmark.results import to_json
    from benchmark.running import run_baselines
    from dataset_card.running.parallel import Engine

    engine = None if jobs is address is None else Engine(jobs, address=address)
    results = run_baselines(
        data, task=task, model=model, table=table, split=split, protocol=protocol, like=like, out=out, engine=engine
    )
    remark = results[0].dataset.remark
    if remark is not None and (as_json or table is not None):
        LOG.info(f"note: {remark}")
    published = table if protocol is None and split == PRIMARY_SPLIT else None
    if published is not None and (rows := comparison(published, results)):
        _print_comparison(published, results[0].dataset, rows, as_json)
    elif as_json:
        print_json([to_json(result) for result in results])
    else:
        for result in results:
            print(result)
        if published is not None:
            print("The paper's figures speak of v1 from the published upstream and are not shown beside these rows.")
    if out is not None:
        LOG.info(f"rank them: python -m benchmark leaderboard --results {out}")


def _print_comparison(table: int, dataset: DatasetInfo, rows: list[dict], as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from benchmark.analysis.published import NOTES

    if as_json:
        print_json({"table": table, "dataset": dataset.digest, "rows": rows, "note": NOTES[table]})
        return
    title = f"Table {'III' if table == 3 else 'IV'} beside ours, on {dataset.name} ({dataset.upstream})"
    view = Table(title=title, title_justify="left")
    for name in ("task", "metric", "model", "published", "ours", "protocol", "verdict"):
        view.add_column(name, no_wrap=True)
    for row in rows:
        spread = "" if row["published_std"] is None else f" ± {row['published_std']:.3f}"
        source = "" if row["source"] == "paper" else f" ({row['source']})"
        view.add_row(
            row["task"].upper(),
            row["metric"],
            row["model"],
            f"{row['published']:.3f}{spread}{source}",
            f"{row['ours']:.3f} ± {row['ours_std']:.3f}",
            row["protocol"],
            row["verdict"],
        )
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(view)
    console.print(NOTES[table], soft_wrap=True)
