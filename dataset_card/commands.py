"""What the command lines share: options, and how they print JSON."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
JobsOption = Annotated[
    int | None, typer.Option(help="Processes on this machine, which change no result.", show_default=False)
]
AddressOption = Annotated[
    str | None, typer.Option(help="HOST:PORT of a Dask scheduler that you run: its workers do the work.")
]


def print_json(value: Any) -> None:
    """Prints a value as one line of JSON."""
    typer.echo(json.dumps(value))
