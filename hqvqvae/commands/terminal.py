"""What the commands share: the `--json` option and its printing, notes on a terminal, quiet libraries in a pipe."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ..files import json_text

Json = Annotated[bool, typer.Option("--json", help="Print a JSON record to stdout.")]


def answer(record: object, as_json: bool, text: str) -> None:
    """Print a command's result: the record as JSON where a script reads it, else the text."""
    print(json_text(record, indent=2) if as_json else text)


def note(text: str) -> None:
    """A line of progress, on a terminal only."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr)


def quiet_in_a_pipe() -> None:
    """The bars of transformers and huggingface_hub know no terminal; ours do."""
    from huggingface_hub.utils import disable_progress_bars
    from transformers.utils import logging

    if not sys.stderr.isatty():
        disable_progress_bars()
        logging.disable_progress_bar()
