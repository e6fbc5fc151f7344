"""`python -m benchmark plot | analyse | magnetics | transfer`: figures of results, and analysis pages."""

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmark.commands.options import AnySplit, Data, Model, Protocol, Results, ResultsArgument, Task, chosen
from benchmark.data import DEFAULT_RELEASE
from dataset_card.running.commands import ReplaceOption
from dataset_card.running.log import LOG
from dataset_card.storage.output import require_file, require_place

Page = Annotated[Path, typer.Option(help="Folder for the page, its figures and the measurements.")]
Measured = Annotated[
    list[str] | None,
    typer.Option(
        help="Release folder or Hub id to measure; may be repeated. Without it, earlier measurements are redrawn."
    ),
]


def plot(
    results: ResultsArgument = None,
    *,
    out: Path,
    task: Task = None,
    model: Model = None,
    split: AnySplit = None,
    protocol: Protocol = None,
    kind: str | None = None,
    data: Data = DEFAULT_RELEASE,
    replace: ReplaceOption = False,
) -> None:
    """Draw a parity plot (T1), a confusion matrix (T2 to T4), few-shot curves or the leakage gap.

    Args:
        out: Figure to write; its suffix determines the format.
        kind: parity, confusion, few-shot or leakage; by default the one that suits the results.
    """
    from benchmark.analysis.plots import default_kind
    from benchmark.analysis.plots import plot as draw
    from benchmark.results import read_predictions
    from dataset_card.running.plotting import save

    require_file(out, replace)
    found = chosen(results, task=task, model=model, split=split, protocol=protocol)
    read = [result for _, result in found]
    kind = kind or default_kind(read)
    if kind == "parity" and len(read) == 1:
        read = [dataclasses.replace(read[0], table=read_predictions(found[0][0], read)[read[0].key])]
    save(draw(read, kind, release=data if kind == "parity" else None), out)


def analyse(out: Page, data: Measured = None, results: Results = None, replace: ReplaceOption = False) -> None:
    """Write the analysis page: severity, SOH error, learning and few-shot curves, leakage, and what carries SOH."""
    from benchmark.analysis import page

    _write(page, out, data, results, replace)


def magnetics(out: Page, data: Measured = None, results: Results = None, replace: ReplaceOption = False) -> None:
    """Write the page on v3's magnetometers: defects, places, calibration, and which sensors and times matter."""
    from benchmark.analysis import magnetics_page

    _write(magnetics_page, out, data, results, replace)


def _write(page: Any, out: Path, data: list[str] | None, results: Path | None, replace: bool) -> None:
    for path in page.page_files(require_place(out)):
        require_file(path, replace)
    LOG.info(f"wrote {page.write_page(data or [], out, results)}")


def transfer(*, v1: str, v2: str, simulated: str, out: Path, replace: ReplaceOption = False) -> None:
    """Fit on one release or chemistry, score on another, and write the page.

    Args:
        v1: Release folder or Hub id of v1.
        v2: Release folder or Hub id of v2.
        simulated: Release folder or Hub id of v2 from the simulated upstream.
        out: Markdown file to write.
    """
    from benchmark.analysis.transfer import write_page

    require_file(out, replace)
    LOG.info(f"wrote {write_page({'v1': v1, 'v2': v2, 'simulated': simulated}, out)}")


COMMANDS = (plot, analyse, magnetics, transfer)
