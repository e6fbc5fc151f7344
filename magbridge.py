"""The `magbridge` command: one entry point for the bridge, the benchmark and the model.

    magbridge build                  commands of the bridge are at the top level
    magbridge benchmark run          commands of the benchmark and of the model are in groups
    magbridge hqvqvae train

A console command does not put the working folder on Python's path, so a `benchmark.py` of your own does no harm.
"""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, Annotated

import typer

from dataset_card.running.commands import CommandLine
from dataset_card.running.door import answer_signals, require_own, run

if TYPE_CHECKING:
    from benchmark import Model


def command_line() -> typer.Typer:
    """Return the command line with all commands of the three packages."""
    from benchmark.__main__ import app as benchmark
    from bridge.__main__ import app as bridge
    from hqvqvae.__main__ import app as model

    app = CommandLine("Build datasets, score models and train HQ-VQVAE.", completion=True, callback=_options)
    app.add_typer(bridge)
    app.add_typer(benchmark, name="benchmark")
    app.add_typer(model, name="hqvqvae")
    return app


def supply_models() -> None:
    """Register with `benchmark run` the bridge's models, which the benchmark itself may not import."""
    from benchmark.running import OUTSIDE

    OUTSIDE["reservoir-ridge"] = _reservoir_ridge
    OUTSIDE["matched-filters"] = _matched_filters


def _reservoir_ridge() -> Model:
    from bridge.models import reservoir_ridge

    return reservoir_ridge()


def _matched_filters() -> Model:
    from bridge.models import matched_filters

    return matched_filters()


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"magbridge-battery {importlib.metadata.version('magbridge-battery')}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Build datasets, score models and train HQ-VQVAE."""


def main() -> None:
    """Run the command line."""
    answer_signals()
    from hqvqvae.errors import HQVQVAEError

    run(_checked, (HQVQVAEError,))


def _checked() -> None:
    require_own("bridge", "benchmark")
    supply_models()
    command_line()()


if __name__ == "__main__":
    main()
