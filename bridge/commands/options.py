"""Options that several commands of the bridge take, and what they print alike."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from dataset_card.errors import MagBridgeError
from dataset_card.running.commands import print_json

ReleaseArgument = Annotated[Path, typer.Argument(help="A release folder.")]
AnyReleaseArgument = Annotated[Path, typer.Argument(help="A release folder, or a bundle (folder or zip).")]
OutFolderOption = Annotated[Path, typer.Option(help="The release folder to write.")]
UpstreamOption = Annotated[
    Literal["auto", "published", "osf", "simulated"],
    typer.Option(help="auto: the published files if they can be had, otherwise the simulation."),
]
UpstreamDirOption = Annotated[
    Path | None, typer.Option(help="Folder of published files (magbridge/, pulsebat/), before $MAGBRIDGE_UPSTREAM.")
]
FigureOption = Annotated[Path | None, typer.Option(help="A figure to write; its suffix picks the format.")]
BridgeOption = Annotated[Literal["v1", "v2"], typer.Option(help="Bridge, and with it the dataset.")]
DatasetOption = Annotated[Literal["v1", "v2", "v3"], typer.Option("--bridge", help="Bridge, and with it the dataset.")]


def composition(
    variants: Annotated[
        int | None, typer.Option(help="Clean signals per pulse record: 10 in v1, 5 in v2.", show_default=False)
    ] = None,
    anomalies: Annotated[
        str | None,
        typer.Option(help="Synthetic anomalies, 600 in v1, 1500 in v2; or one number per subtype: 150,150,150,150."),
    ] = None,
    regime_b: Annotated[int | None, typer.Option(help="Regime-B rows: 560 in v1, 1000 in v2.")] = None,
    severity: Annotated[
        tuple[float, float] | None, typer.Option(help="Lowest and highest severity of anomalies: 0.2 1.0.")
    ] = None,
    virtual_cells: Annotated[
        int | None, typer.Option(help="v3: cells of four visits each; 1500 by default.", show_default=False)
    ] = None,
) -> dict:
    """How many rows of each kind a release has, as `make_plan` takes it; an edition's own where None."""
    return {
        "variants": variants,
        "anomalies": anomaly_counts(anomalies),
        "regime_b": regime_b,
        "severity": severity,
        "virtual_cells": virtual_cells,
    }


def takes(**makers: Callable) -> Callable[[Callable], Callable]:
    """Give a command, in place of each named parameter, the options of a function that makes it."""
    made_from = {name: inspect.signature(maker, eval_str=True).parameters for name, maker in makers.items()}

    def decorate(command: Callable) -> Callable:
        @functools.wraps(command)
        def run(**given):
            made = {name: makers[name](**{o: given.pop(o) for o in options}) for name, options in made_from.items()}
            return command(**made, **given)

        options: dict[str, inspect.Parameter] = {}
        for name, parameter in inspect.signature(command, eval_str=True).parameters.items():
            options |= made_from.get(name, {name: parameter})
        shown: Any = run
        shown.__signature__ = inspect.Signature(list(options.values()))
        shown.__annotations__ = {name: option.annotation for name, option in options.items()}
        return run

    return decorate


def anomaly_counts(text: str | None) -> int | tuple[int, ...] | None:
    """The number, or one number a subtype, that `--anomalies` gives.

    Raises:
        MagBridgeError: It is neither.
    """
    if text is None:
        return None
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise MagBridgeError(f"anomalies {text!r}: expected one number, or four with commas between them") from None
    return numbers if "," in text else numbers[0]


def report_written(out: Path | str, manifest: dict, what: str, load_with: str, as_json: bool) -> None:
    """Print what was written: its name and size, its digest, rows of each subset of the primary split, how to load."""
    if as_json:
        print_json({"out": str(out), **manifest})
        return
    subsets = manifest["splits"]["by_cell_primary"]["subsets"]
    typer.echo(f"{out}: {what}, digest {manifest['dataset_digest'][:12]}")
    typer.echo("by_cell_primary: " + ", ".join(f"{name} {subset['rows']}" for name, subset in subsets.items()))
    typer.echo(f'load it with: datasets.load_dataset("{out}", {load_with})')


def show(found: Any, text: str, as_json: bool) -> None:
    """Print what was found: as JSON, or as text for people."""
    if as_json:
        print_json(found)
    else:
        typer.echo(text)


def upstream_line(name: str) -> str:
    """One plain line that tells which upstream is used."""
    return {
        "physics": "computed from cell designs; no upstream is read",
        "published": "upstream: published files, checked against their SHA-256 (surrogate scans: the raw ones are not "
        "public)",
        "hybrid": "upstream: published files, checked against their SHA-256 (correlations are borrowed: simulated)",
        "osf": "upstream: published files, checked against their SHA-256, with your raw scans",
        "simulated": "upstream: SIMULATED. The published files are not used; this will not be the published release",
    }[name]
