"""What the commands share: the `--json` option and its printing, notes on a terminal, quiet libraries."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import json_text

Json = Annotated[bool, typer.Option("--json", help="Print a JSON record to stdout.")]
Jobs = Annotated[
    int | None, typer.Option(min=1, help="Number of processes, by default one per core; results do not depend on it.")
]
Address = Annotated[
    str | None, typer.Option(help="HOST:PORT of a Dask scheduler that you run: its workers do the work.")
]

Reference = Annotated[
    str | None,
    typer.Option(metavar="FIRST:LAST", help="Take features less their mean over these segments of each cell, from 1."),
]


def window_of(reference: str | None) -> tuple[int, int] | None:
    """The segments that `--reference` names, None where it names none."""
    if reference is None:
        return None
    try:
        first, last = map(int, reference.split(":"))
    except ValueError:
        first, last = 0, 0
    if not 1 <= first <= last:
        raise MagBridgeError(f"--reference {reference!r}: expected the first and last segment, such as 1:5")
    return first, last


def answer(record: object, as_json: bool, text: str) -> None:
    """Print a command's result: the record as JSON where a script reads it, else the text."""
    print(json_text(record, indent=2) if as_json else text)


def note(text: str) -> None:
    """A line of progress, on a terminal only."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr)


def remark(text: str) -> None:
    """A line on how a file was read, wherever it is printed to."""
    print(text, file=sys.stderr)


def quiet_libraries() -> None:
    """The bars of transformers and huggingface_hub know no terminal; ours do. A network's retries end in one error."""
    from huggingface_hub.utils import disable_progress_bars
    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging

    hub_logging.set_verbosity_error()
    if not sys.stderr.isatty():
        disable_progress_bars()
        logging.disable_progress_bar()
