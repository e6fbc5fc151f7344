"""Shared by the commands: options, the user's own tables, printing, quiet libraries."""

import sys
from pathlib import Path
from typing import Annotated, Any

from typer import Option

from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import json_text

Json = Annotated[bool, Option("--json", help="Print a JSON record to stdout.")]
Reference = Annotated[
    str | None,
    Option(metavar="FIRST:LAST", help="Subtract each cell's mean over these segments (from 1) from features."),
]
ReplaceExport = Annotated[bool, Option("--replace", help="Replace packaged weights that --export wrote.")]
SkipInvalid = Annotated[bool, Option(help="Leave out discharges that are faulty, too short or without load.")]


def told(
    columns: Path | None = None,
    current_sign: str | None = None,
    ambient: float | None = None,
    nominal: float | None = None,
) -> tuple:
    """Return what a user tells about a table of samples; all None if nothing.

    Args:
        columns: Column map: YAML that maps your table's columns and units to ours.
        current_sign: Sign of discharge in your table, negative or positive; default: checked.
        ambient: Ambient temperature in degC, for a table without temperatures.
        nominal: Nominal capacity of your cells in Ah; rejects charges far from it.
    """
    return columns, current_sign, ambient, nominal


def window_of(reference: str | None) -> tuple[int, int] | None:
    """Parse `--reference` into its first and last segment; return None if it is not given."""
    if reference is None:
        return None
    first, _, last = reference.partition(":")
    if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last)):
        raise MagBridgeError(f"--reference {reference!r}: expected the first and last segment, such as 1:5")
    return int(first), int(last)


def own_table(data: Path):
    """Read a user's own table; without a column `cohort`, NASA's cells get their test cohort, others their own."""
    from ..cells.cycling import read_table
    from ..cells.nasa import cohort_of

    table = read_table(data)
    return table if "cohort" in table else table.assign(cohort=table["cell_id"].map(cohort_of))


def own_segments(table: Path, *told: Any):
    """Read the discharges of a user's own cells; print to stderr how the file was read."""
    from ..cells.cycling import Reading, read_cells

    cells = read_cells(table, Reading(*told))
    for words in cells.notes:
        print(words, file=sys.stderr)
    return cells.segments


def answer(record: object, as_json: bool, text: str) -> None:
    """Print a command's result: the record as JSON for scripts, or the text."""
    print(json_text(record, indent=2) if as_json else text)


def note(text: str) -> None:
    """Print a line of progress, on a terminal only."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr)


def quiet_libraries() -> None:
    """Silence retry messages (one error follows) and, without a terminal, the libraries' progress bars."""
    from huggingface_hub.utils import disable_progress_bars
    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging

    hub_logging.set_verbosity_error()
    if not sys.stderr.isatty():
        disable_progress_bars()
        logging.disable_progress_bar()
