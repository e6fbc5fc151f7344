"""Commands of the benchmark: `list | run | score | leaderboard | plot | analyse | export | push | serve`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands import analysis as commands_analysis
from benchmark.commands import hub as commands_hub
from benchmark.tasks import PRIMARY_SPLIT, TASKS
from dataset_card.errors import MagBridgeError

app = typer.Typer(
    help="Scores models on MagBridge-Battery releases.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Data = Annotated[str, typer.Option("--data", help="Release folder, or Hub id user/name.")]
TaskOption = Annotated[str | None, typer.Option("--task", help="t1, t2, t3 or t4; all by default.")]
Split = Annotated[str, typer.Option("--split", help="by_cell_primary, or by_record_optimistic_baseline, which leaks.")]
Results = Annotated[Path | None, typer.Option("--results", help="Folder of result files; the shipped ones by default.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DEFAULT_DATA = "magbridge-battery"


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Lists tasks and baseline models."""
    from benchmark.baselines import models

    if as_json:
        document = {
            "tasks": [
                {
                    "id": t.id,
                    "version": t.version,
                    "title": t.title,
                    "target": t.target,
                    "labels": list(t.labels),
                    "headline": t.headline.name,
                    "metrics": [m.name for m in t.metrics],
                }
                for t in TASKS
            ],
            "models": [{"name": m.name, "tasks": list(m.tasks), "description": m.description} for m in models()],
        }
        print(json.dumps(document, indent=1))
        return
    for task in TASKS:
        print(f"{task.id}  {task.title}: {task.target}, by {task.headline.name}")
        for model in models(task.id):
            print(f"    {model.name:<20} {model.description}")


@app.command()
def run(
    data: Data = DEFAULT_DATA,
    task: TaskOption = None,
    model: Annotated[str | None, typer.Option(help="One baseline; all by default.")] = None,
    table: Annotated[int | None, typer.Option(help="3 or 4: the models of that published table.")] = None,
    split: Split = PRIMARY_SPLIT,
    protocol: Annotated[
        str | None, typer.Option(help="rows, cells, full, few_shot or cross_validation; each model's own by default.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write result files to.")] = None,
    as_json: Json = False,
) -> None:
    """Runs baselines; with --table, prints the paper's numbers beside ours."""
    from benchmark.running import run_baselines

    results = run_baselines(data, task=task, model=model, table=table, split=split, protocol=protocol, out=out)
    if table is not None and protocol is None and split == PRIMARY_SPLIT:
        _print_comparison(table, results, as_json)
    elif as_json:
        from benchmark.results import to_json

        print(json.dumps([to_json(result) for result in results]))
    else:
        for result in results:
            print(result)


def _print_comparison(table: int, results: list, as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from benchmark.published import NOTES, comparison

    rows = comparison(table, results)
    if as_json:
        print(json.dumps({"table": table, "dataset": results[0].dataset.digest, "cells": rows, "note": NOTES[table]}))
        return
    view = Table(
        title=f"Table {'III' if table == 3 else 'IV'} beside ours, on {results[0].dataset.name} "
        f"({results[0].dataset.upstream})",
        title_justify="left",
    )
    for name in ("task", "metric", "model", "published", "ours", "protocol", "verdict"):
        view.add_column(name, no_wrap=True)
    for row in rows:
        published = f"{row['published']:.3f}" + (
            "" if row["published_std"] is None else f" ± {row['published_std']:.3f}"
        )
        published += "" if row["source"] == "paper" else f" ({row['source']})"
        view.add_row(
            row["task"].upper(),
            row["metric"],
            row["model"],
            published,
            f"{row['ours']:.3f} ± {row['ours_std']:.3f}",
            row["protocol"],
            row["verdict"],
        )
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(view)
    console.print(NOTES[table], soft_wrap=True)


@app.command()
def score(
    predictions: Annotated[Path, typer.Argument(help="Parquet with sample_id, prediction, optionally seed and score.")],
    task: Annotated[str, typer.Option(help="t1, t2, t3 or t4.")],
    data: Data = DEFAULT_DATA,
    split: Split = PRIMARY_SPLIT,
    as_json: Json = False,
) -> None:
    """Recomputes the scores of a predictions file against a release."""
    from benchmark.predictions import score_predictions

    outcome = score_predictions(predictions, task, data, split)
    if as_json:
        print(json.dumps(outcome))
        return
    seeds = len(outcome["seeds"])
    print(
        f"{outcome['task']} ({outcome['split']}), {seeds} {'seed' if seeds == 1 else 'seeds'}, "
        f"dataset {outcome['dataset'][:12]}"
    )
    for metric, mean in outcome["mean"].items():
        print(f"  {metric:<40} {mean:8.4f}")
    interval = outcome["interval"]
    print(f"  {interval['metric']} over test cells, 95 %: [{interval['low']:.4f}, {interval['high']:.4f}]")


@app.command()
def leaderboard(
    results: Results = None,
    task: TaskOption = None,
    split: Annotated[str | None, typer.Option(help="One split; all by default.")] = None,
    format: Annotated[str, typer.Option(help="table, markdown or html.")] = "table",
    out: Annotated[Path | None, typer.Option(help="File to write; the terminal by default.")] = None,
) -> None:
    """Ranks results within each task and split."""
    from benchmark.leaderboard.boards import leaderboard as rank
    from benchmark.leaderboard.boards import print_table, to_markdown
    from benchmark.leaderboard.page import to_html
    from benchmark.results import SHIPPED, read_results, write_text
    from benchmark.tasks import check_split, get_task

    renderers = {"markdown": to_markdown, "html": to_html, "table": _table_text}
    if format not in renderers:
        raise MagBridgeError(f"unknown format {format!r}: expected table, markdown or html")
    task = None if task is None else get_task(task).id
    split = None if split is None else check_split(split)
    boards = rank(read_results(results or SHIPPED, other_releases=True), task, split)
    if format == "table" and out is None:
        from rich.console import Console

        print_table(boards, Console(width=None if sys.stdout.isatty() else 140))
    elif out is None:
        print(renderers[format](boards))
    else:
        write_text(out, renderers[format](boards))
        print(f"wrote {out}", file=sys.stderr)


def _table_text(boards: list) -> str:
    import io

    from rich.console import Console

    from benchmark.leaderboard.boards import print_table

    console = Console(file=io.StringIO(), width=140)
    print_table(boards, console)
    return console.file.getvalue()


@app.command()
def plot(
    results: Annotated[list[Path], typer.Argument(help="Result files or folders of them.")],
    out: Annotated[Path, typer.Option(help="Figure to write; its suffix picks the format.")],
    kind: Annotated[
        str | None, typer.Option(help="parity, confusion, few-shot or leakage; what suits the results by default.")
    ] = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Draws a parity plot (T1), a confusion matrix (T2 to T4), few-shot curves or the leakage gap."""
    from benchmark.plots import default_kind, plot, save
    from benchmark.results import read_result, read_results

    read = [r for path in results for r in (read_results(path) if path.is_dir() else [read_result(path)])]
    chosen = kind or default_kind(read)
    predictions = None
    if len(results) == 1 and read[0].predictions is not None:
        predictions = results[0].parent / read[0].predictions["file"]
    save(plot(read, chosen, release=data if chosen == "parity" else None, predictions=predictions), out)


@app.command()
def export(
    results: Annotated[list[Path], typer.Argument(help="Result files of one model.")],
    dataset_id: Annotated[str, typer.Option(help="Id of the dataset on the Hub, user/name.")],
    format: Annotated[str, typer.Option(help="model-index or eval-results.")] = "model-index",
    name: Annotated[str | None, typer.Option(help="Model name on the card; the results' by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; the terminal by default.")] = None,
) -> None:
    """Writes results as a model card's model-index or as an .eval_results file."""
    from benchmark.leaderboard.export import to_eval_results, to_model_index
    from benchmark.results import read_result, write_text

    read = [read_result(path) for path in results]
    if format not in ("model-index", "eval-results"):
        raise MagBridgeError(f"unknown format {format!r}: expected model-index or eval-results")
    text = (
        to_model_index(read, name or read[0].model, dataset_id)
        if format == "model-index"
        else to_eval_results(read, dataset_id)
    )
    if out is None:
        print(text)
    else:
        write_text(out, text)


commands_hub.register(app)
commands_analysis.register(app)


def main() -> None:
    """Runs the command; bad input ends in one line on stderr and exit code 1."""
    try:
        app()
    except (MagBridgeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
