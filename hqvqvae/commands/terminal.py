"""What the commands share: options, tables of the user's own, their printing, quiet libraries."""

import sys
from pathlib import Path
from typing import Annotated

from typer import Option

from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import json_text

Json = Annotated[bool, Option("--json", help="Print a JSON record to stdout.")]
Reference = Annotated[
    str | None,
    Option(metavar="FIRST:LAST", help="Take features less their mean over these segments of cells, from 1."),
]
ReplaceExport = Annotated[bool, Option("--replace", help="Replace packaged weights that --export wrote.")]


def window_of(reference: str | None) -> tuple[int, int] | None:
    """The segments that `--reference` names, None where it names none."""
    if reference is None:
        return None
    first, _, last = reference.partition(":")
    if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last)):
        raise MagBridgeError(f"--reference {reference!r}: expected the first and last segment, such as 1:5")
    return int(first), int(last)


def own_table(data: Path):
    """A table of the user's own; a cell without a cohort is the cohort that NASA tested it in, or one of its own."""
    from ..cells.cycling import read_table
    from ..cells.nasa import cohort_of

    table = read_table(data)
    return table if "cohort" in table else table.assign(cohort=table["cell_id"].map(cohort_of))


def answer(record: object, as_json: bool, text: str) -> None:
    """Print a command's result: the record as JSON where a script reads it, else the text."""
    print(json_text(record, indent=2) if as_json else text)


def note(text: str) -> None:
    """A line of progress, on a terminal only."""
    if sys.stderr.isatty():
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
