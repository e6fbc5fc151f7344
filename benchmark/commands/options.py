"""Options and output functions that the commands share."""

from pathlib import Path
from typing import Annotated

import typer

from benchmark.results import SHIPPED, Result, read_files
from dataset_card.errors import MagBridgeError
from dataset_card.running.log import LOG
from dataset_card.storage.files import write_text
from dataset_card.storage.output import require_file

Data = Annotated[
    str, typer.Option("--data", help="Release folder or Hub id user/name; for scoring, also a round's folder.")
]
Task = Annotated[str | None, typer.Option("--task", help="Task, t1 to t9; all by default.")]
Model = Annotated[str | None, typer.Option("--model", help="One model; all by default.")]
Runnable = Annotated[
    str | None, typer.Option("--model", help="One baseline, or your own MODULE:NAME; all baselines by default.")
]
Split = Annotated[str, typer.Option("--split", help="by_cell_primary, or by_record_optimistic_baseline, which leaks.")]
AnySplit = Annotated[str | None, typer.Option("--split", help="One split; all by default.")]
Protocol = Annotated[str | None, typer.Option("--protocol", help="One protocol; all by default.")]
Results = Annotated[Path | None, typer.Option("--results", help="Results file or folder; the shipped ones by default.")]
ResultsArgument = Annotated[
    Path | None, typer.Argument(help="Results file or folder of them; the shipped ones by default.")
]
Out = Annotated[Path | None, typer.Option("--out", help="File to write; the terminal by default.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def print_text(text: str, out: Path | None, replace: bool = False) -> None:
    """Print text, or write it to a file, which appears complete or not at all."""
    if out is None:
        print(text)
        return
    require_file(out, replace)
    write_text(out, text)
    LOG.info(f"wrote {out}")


def chosen(results: Path | None, **wanted: str | None) -> list[tuple[Path, Result]]:
    """Return the results with the given task, model, split and protocol, each with its file; None matches any.

    Raises:
        MagBridgeError: If there is no such result.
    """
    found = [(path, result) for path, filed in read_files(results or SHIPPED).items() for result in filed]
    kept = [(p, r) for p, r in found if all(value in (None, getattr(r, name)) for name, value in wanted.items())]
    if not kept:
        words = ", ".join(f"{name} {value}" for name, value in wanted.items() if value is not None)
        raise MagBridgeError(f"no result of {words} among {len(found)} in {results or SHIPPED}: expected at least one")
    return kept
