"""What the command lines share: the option --json."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def print_json(value: Any) -> None:
    """Prints a value as one line of JSON."""
    typer.echo(json.dumps(value))
