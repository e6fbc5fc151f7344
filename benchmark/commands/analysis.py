"""`python -m benchmark analyse`: the page on what can be read off a signal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Adds the command to the application."""
    app.command()(analyse)


def analyse(
    out: Annotated[Path, typer.Option(help="Folder for the page and its figures.")],
    data: Annotated[str, typer.Option("--data", help="Release folder, or Hub id user/name.")] = "magbridge-battery",
) -> None:
    """Writes the analysis page: score by severity and subtype, SOH error, learning curves."""
    from benchmark.analysis.page import write_page

    print(f"wrote {write_page(data, out)}", file=sys.stderr)
