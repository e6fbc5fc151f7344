"""Options that several commands of the bridge share, and text that they print alike."""

import functools
from pathlib import Path
from typing import Annotated, Literal

import typer

from dataset_card.errors import MagBridgeError
from dataset_card.running.commands import show
from dataset_card.running.templates import macros

LINES = functools.partial(macros, "bridge.commands", "lines.txt")
"""Texts that commands print."""

AnyReleaseArgument = Annotated[Path, typer.Argument(help="A release folder, or a bundle (folder or zip).")]
UpstreamOption = Annotated[
    Literal["auto", "published", "osf", "simulated"],
    typer.Option(help="auto: the published files if available, otherwise the simulation."),
]
UpstreamDirOption = Annotated[
    Path | None, typer.Option(help="Folder of published files (magbridge/, pulsebat/); overrides $MAGBRIDGE_UPSTREAM.")
]
FigureOption = Annotated[Path | None, typer.Option(help="A figure to write; its suffix picks the format.")]
DatasetOption = Annotated[
    Literal["v1", "v2", "v3"], typer.Option("--bridge", help="Version of the bridge, and so of the dataset.")
]


def composition(
    variants: int | None = None,
    anomalies: str | None = None,
    regime_b: int | None = None,
    severity: tuple[float, float] | None = None,
    virtual_cells: int | None = None,
) -> dict:
    """Return the number of rows of each kind, in the form that `make_plan` takes; None for the edition's default.

    Args:
        variants: Clean signals per pulse record: 10 in v1, 5 in v2.
        anomalies: Synthetic anomalies: 600 in v1, 1500 in v2; or one number per subtype: 150,150,150,150.
        regime_b: Regime-B rows: 560 in v1, 1000 in v2.
        severity: Lowest and highest severity of anomalies: 0.2 1.0.
        virtual_cells: v3: number of cells, with four visits each; 1500 by default.
    """
    return {
        "variants": variants,
        "anomalies": anomaly_counts(anomalies),
        "regime_b": regime_b,
        "severity": severity,
        "virtual_cells": virtual_cells,
    }


def anomaly_counts(text: str | None) -> int | tuple[int, ...] | None:
    """Parse `--anomalies`: one number, or one number per subtype.

    Raises:
        MagBridgeError: If `text` is neither.
    """
    if text is None:
        return None
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise MagBridgeError(f"anomalies {text!r}: expected one number, or four separated by commas") from None
    return numbers if "," in text else numbers[0]


def report_written(out: Path | str, manifest: dict, what: str, load_with: str, as_json: bool) -> None:
    """Print what was written: name and size, digest, rows of each subset of the primary split, and how to load it."""
    show({"out": str(out), **manifest}, LINES().written(out, manifest, what, load_with), as_json)


def upstream_line(name: str) -> str:
    """Return one plain line that names the upstream in use."""
    return LINES().upstream(name)
