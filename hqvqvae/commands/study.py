"""The study as a command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .terminal import Address, Jobs, Json, answer, processes


def register(app: typer.Typer) -> None:
    """Add the command to an app."""
    app.command()(study)


def study(
    out: Annotated[Path, typer.Option(help="Folder of the results; a cut run goes on from it.")] = Path("study"),
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds; more of them add to what is there.")] = 2,
    short: Annotated[bool, typer.Option("--short", help="One seed, one unseen cell a cohort: minutes.")] = False,
    jobs: Jobs = None,
    address: Address = None,
    as_json: Json = False,
) -> None:
    """Measure whether the circuit helps: each circuit of the grid against a classical twin of equal size.

    Writes records.jsonl (one line a fit), summary.json, study.md and study.png.
    """
    from ..cells.nasa import load_segments
    from ..files import replacing, write_json
    from ..hub.study_card import study_report
    from ..training.study import Study
    from ..training.study_summary import plot_study, run_study

    workers = processes(jobs, address)
    fits = Study(load_segments(), out, jobs=workers, address=address, seeds=seeds, short=short, progress=True)
    summary = run_study(fits)
    fits.sort_records()
    write_json(out / "summary.json", summary)
    with replacing(out / "study.md") as temporary:
        temporary.write_text(study_report(summary), encoding="utf-8")
    with replacing(out / "study.png") as temporary:
        plot_study(summary, temporary)
    answer(summary, as_json, study_report(summary))
