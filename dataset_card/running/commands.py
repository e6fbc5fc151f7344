"""What the command lines share: options, and how they print JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
ReplaceOption = Annotated[bool, typer.Option("--replace", help="Replace what a command wrote there before.")]
JobsOption = Annotated[
    int | None, typer.Option(help="Processes on this machine, which change no result.", show_default=False)
]
AddressOption = Annotated[
    str | None, typer.Option(help="HOST:PORT of a Dask scheduler that you run: its workers do the work.")
]


def print_json(value: Any) -> None:
    """Prints a value as one line of JSON."""
    typer.echo(json.dumps(value))


def list_findings(where: object, findings: Sequence[object], what: str, none: str) -> None:
    """Prints a line a finding, and how many of what they are, or that there are none."""
    for finding in findings:
        typer.echo(str(finding))
    typer.echo(f"{where}: {len(findings)} {what}" if findings else f"{where}: {none}")
