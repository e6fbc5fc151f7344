"""`python -m benchmark list | run`: list tasks and models, and run models."""

import sys
from pathlib import Path

from benchmark.commands.options import Data, Json, Protocol, Runnable, Split, Task
from benchmark.data import DEFAULT_RELEASE, DatasetInfo
from benchmark.tasks import BY_ID, PRIMARY_SPLIT
from dataset_card.running.commands import AddressOption, JobsOption, show
from dataset_card.running.log import LOG


def list_(as_json: Json = False) -> None:
    """List tasks and baseline models."""
    from benchmark.baselines import models

    tasks, declared = BY_ID.values(), models()
    document = {
        "tasks": [
            {name: getattr(t, name) for name in ("id", "version", "title", "target", "labels")}
            | {"headline": t.headline.name, "metrics": [m.name for m in t.metrics]}
            for t in tasks
        ],
        "models": [{"name": m.name, "tasks": m.tasks, "description": m.description} for m in declared],
    }
    lines = [f"{task.id}  {task.title}: {task.target}, by {task.headline.name}" for task in tasks]
    lines += ["", *(f"{m.name:<22} {' '.join(m.tasks):<14} {m.description}" for m in declared)]
    show(document, "\n".join(lines), as_json)


def run(
    data: Data = DEFAULT_RELEASE,
    task: Task = None,
    model: Runnable = None,
    table: int | None = None,
    split: Split = PRIMARY_SPLIT,
    protocol: Protocol = None,
    like: Path | None = None,
    out: Path | None = None,
    jobs: JobsOption = None,
    address: AddressOption = None,
    as_json: Json = False,
) -> None:
    """Run baselines; with --table, on v1 of the published upstream, compare them with the paper's figures.

    Args:
        table: 3 or 4: run the models of that published table.
        like: Results file or folder: run only the models, tasks and protocols found there.
        out: Folder to add each result to.
    """
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
    else:
        lines = list(map(str, results))
        if published is not None:
            lines.append("The paper's figures are for v1 from the published upstream and are not shown for other rows.")
        show([to_json(result) for result in results], "\n".join(lines), as_json)
    if out is not None:
        LOG.info(f"rank them: python -m benchmark leaderboard --results {out}")


def _print_comparison(table: int, dataset: DatasetInfo, rows: list[dict], as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from benchmark.analysis.published import NOTES

    if as_json:
        show({"table": table, "dataset": dataset.digest, "rows": rows, "note": NOTES[table]}, "", as_json)
        return
    title = f"Table {'III' if table == 3 else 'IV'} and our figures, on {dataset.name} ({dataset.upstream})"
    view = Table(title=title, title_justify="left")
    for name in ("task", "metric", "model", "published", "ours", "protocol", "verdict"):
        view.add_column(name, no_wrap=True)
    for row in rows:
        spread = "" if row["published_std"] is None else f" ± {row['published_std']:.3f}"
        source = "" if row["source"] == "paper" else f" ({row['source']})"
        figures = f"{row['published']:.3f}{spread}{source}", f"{row['ours']:.3f} ± {row['ours_std']:.3f}"
        view.add_row(row["task"].upper(), row["metric"], row["model"], *figures, row["protocol"], row["verdict"])
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(view)
    console.print(NOTES[table], soft_wrap=True)


COMMANDS = (list_, run)
