"""All tables and figures of the paper in one folder, under its own numbers: our values next to those that it prints.

The paper's printed values are in `paper_values`. Results for which the paper has no table or figure come last, without
a number: metrics, the candidate code cell by cell, the circuit, and the use of the codebook.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import write_json
from dataset_card.storage.output import require_folder, writing_folder

from ...cells.download import packaged_document
from ...cells.nasa import load_curves, load_segments
from ...configuration_hqvqvae import HQVQVAEConfig
from ...hub.model_card import POWER, STUDY, read_record
from ...hub.sentences import power_sentences, render, study_report
from ...modeling_hqvqvae import PACKAGED
from ...training.evaluation import evaluate, table_sha256
from ...training.fit import TrainingConfig
from ...training.jobs import ALONE, Engine
from ...training.plotting import save_figure_of
from ..analysis import DiscoveryPlan, MethodResult
from ..figure_data import figure_data, key_shapes
from ..figures import FIGURES
from ..interpretation import prompt_for, summarise_code
from ..paper_values import paper as printed
from ..paper_values import table
from ..power import draw_power
from ..report import Discovery, headline, markdown_table, paper_comparison, record, table_10
from ..run import discover
from . import diagrams, tables

SCHEMA_VERSION = 1
KIND = "reproduction"
SHORT_CELLS = ("B0025", "B0026", "B0045", "B0046")
SHORT_TRAINING = TrainingConfig(epochs=6, warmup_epochs=2, restart_before_epoch=5)
SHORT_PLAN = DiscoveryPlan(n_permutations=199, min_cells_present=2)


class Artefact(NamedTuple):
    """One table or figure: its name in the paper, title, note, table, drawing function and further text."""

    name: str
    title: str
    note: str
    table: pd.DataFrame | None
    draw: Callable[[], Any] | None
    text: str

    @property
    def file(self) -> str:
        """Name of the figure's file."""
        return f"{self.name.lower().replace(' ', '_')}.png"

    @property
    def record(self) -> dict[str, Any]:
        """Its entry in report.json."""
        table = None if self.table is None else self.table.fillna("").to_dict("records")
        figure = None if self.draw is None else f"figures/{self.file}"
        return {"name": self.name, "title": self.title, "note": self.note, "table": table, "figure": figure}


def reproduce(
    out: Path,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    short: bool = False,
    replace: bool = False,
    evaluated: Path | None = None,
    engine: Engine = ALONE,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Train and analyse all that the paper's tables and figures need, and write them.

    Args:
        out: New folder for report.md, report.json and figures/.
        seeds: Training seeds.
        short: Use four cells and six epochs, to show that all parts work; the figures mean nothing.
        replace: Whether an earlier reproduction in the folder may be replaced.
        evaluated: File from `python -m hqvqvae evaluate` on the same segments and seeds, to take errors from; None to
            measure them here.
        engine: Where the methods are trained.
        say: Called with each line of progress.

    Returns:
        The content of report.json.

    Raises:
        MagBridgeError: If the folder contains something else, or the file is for other segments, seeds or methods.
    """
    require_folder(out, KIND, replace)
    if not seeds:
        raise MagBridgeError("reproducing the paper needs at least one seed, got none")
    segments, curves = load_segments("C"), load_curves()
    plan, training = (SHORT_PLAN, SHORT_TRAINING) if short else (DiscoveryPlan(), TrainingConfig())
    if short:
        segments = segments[segments["cell_id"].isin(SHORT_CELLS)].reset_index(drop=True)
    known = None if evaluated is None else _read_evaluation(evaluated, segments, seeds)
    found = discover(segments, plan, curves=curves, say=say, seeds=seeds, training=training, engine=engine)
    if known is None:
        say(f"leaving each cell out: {len(tables.BASELINES)} methods, {len(seeds)} seeds")
        known = evaluate(segments, tables.BASELINES, seeds=tuple(seeds), training=training, engine=engine)
    evaluation = known | {"methods": {name: known["methods"][name] for name in tables.BASELINES}}
    say("writing the report")
    artefacts = collect(found, evaluation, training, curves)
    result = {
        "schema_version": SCHEMA_VERSION,
        "paper": printed()["paper"],
        "short": short,
        "artefacts": [artefact.record for artefact in artefacts],
        "discovery": record(found),
        "evaluation": evaluation,
    }
    with writing_folder(out, KIND, replace) as folder:
        (folder / "figures").mkdir()
        for artefact in artefacts:
            if artefact.draw is not None:
                save_figure_of(folder / "figures" / artefact.file, artefact.draw)
        if power := read_record(PACKAGED / POWER):
            save_figure_of(folder / "figures" / "power.png", draw_power, power)
        write_json(folder / "report.json", result)
        (folder / "report.md").write_text(_markdown(found, artefacts, short), encoding="utf-8")
    return result


def _read_evaluation(path: Path, segments: pd.DataFrame, seeds: Sequence[int]) -> dict[str, Any]:
    try:
        records = json.loads(path.read_text(encoding="utf-8"))["evaluations"]
        evaluation = next(one for one in records if one["leave_out"] == "cell")
        lacking = [name for name in tables.BASELINES if name not in evaluation["methods"]]
        of_these = evaluation["data_sha256"] == table_sha256(segments) and evaluation["seeds"] == list(seeds)
    except (ValueError, TypeError, KeyError, StopIteration) as error:
        lacks = "has no record by cell from `python -m hqvqvae evaluate`"
        raise MagBridgeError(f"{path} {lacks}; omit it to measure errors") from error
    if lacking or not of_these:
        other = f"for other segments, or for other seeds than {list(seeds)}, or lacks methods"
        raise MagBridgeError(f"{path} is {other} ({', '.join(lacking) or 'none'}); omit it to measure errors")
    return evaluation


def collect(found: Discovery, errors: dict[str, Any], training: TrainingConfig, curves: pd.DataFrame) -> list[Artefact]:
    """Collect tables and figures in the paper's order, from a discovery run with the paper's configuration."""
    paper, config = found.controls["paper"], HQVQVAEConfig.named("paper")
    results = {found.primary.name: found.primary, **found.controls}
    frames = figure_data(found.study, paper, curves)
    about = _about_codes(found, paper)
    shown = paper.candidate if paper.candidate is not None else int(pd.Series(paper.codes).mode()[0])
    shapes = key_shapes(frames["curves"], shown)
    coded = found.study.segments.assign(code=paper.codes)
    prompt = prompt_for(summarise_code(coded, shown, shapes))
    told = {"about": about, "shown": shown, "paper": paper.name, "prompt": prompt}
    cohorts = found.study.segments.groupby("cell_id", sort=False)["cohort"].first()
    cells = {str(cell): str(cohort) for cell, cohort in cohorts.items()}
    recorded = load_segments("P")

    def figure(name: str) -> Callable[[], Any]:
        if name not in frames:
            return lambda: diagrams.draw_notice(about)
        return lambda: FIGURES[name].draw(frames[name])

    made = {
        "Table 1": tables.features(),
        "Table 2": paper_comparison(found),
        "Table 3": tables.inputs(config),
        "Table 4": tables.splits({"ours, as recorded": recorded, "ours, cleaned": load_segments("C")}),
        "Table 5": tables.baselines(errors),
        "Table 6": tables.schema_fields(),
        "Table 7": tables.settings(config, training),
        "Table 8": tables.datasets(recorded),
        "Table 9": tables.environment(),
        "Table 10": table_10(found),
        "Table 11": table(11).assign(ours="not reproduced"),
        "Table 12": tables.answer_fields(shapes),
        "Metrics": tables.measures(errors, results),
        "Cell by cell": tables.leads_by_cell(found.study, paper),
    }
    drawn: dict[str, Callable[[], Any]] = {
        "Figure 1": lambda: diagrams.draw_method(config, found.study.plan),
        "Figure 2": figure("lead_times"),
        "Figure 3": figure("heatmap"),
        "Figure 4": figure("early_late"),
        "Figure 5": lambda: diagrams.draw_model(config),
        "Figure 6": figure("timeline"),
        "Figure 7": diagrams.draw_protocol,
        "Figure 8": lambda: diagrams.draw_split(cells),
        "Circuit": lambda: diagrams.draw_circuit(config),
        "Codebook": figure("histogram"),
    }
    words = packaged_document("artefacts.yaml")
    artefacts = []
    for name, title in (printed()["captions"] | words["titles"]).items():
        note, text = (words[kind].get(name, "").format(**told) for kind in ("notes", "texts"))
        artefacts.append(Artefact(name, title, note, made.get(name), drawn.get(name), text))
    return artefacts


def _about_codes(found: Discovery, paper: MethodResult) -> str:
    """Describe which code is shown, and which of the two models has none."""
    lacking = [f"`{result.name}`" for result in (paper, found.primary) if result.candidate is None]
    parts = [] if paper.candidate is None else [f"Shown: code {paper.candidate} of `{paper.name}`."]
    if lacking:
        fewest = found.study.plan.min_cells_present
        none = f"none occurs in {fewest} cells with a varying early rate"
        parts.append(f"No code of {' and '.join(lacking)} is eligible: {none}.")
    return " ".join(parts)


def _markdown(found: Discovery, artefacts: list[Artefact], short: bool) -> str:
    power, study = read_record(PACKAGED / POWER), read_record(PACKAGED / STUDY)
    headlines = {r.name: headline(found.study, r) for r in (found.controls["paper"], found.primary)}
    values = {"paper": printed()["paper"], "seeds": found.settings["seeds"], "headlines": headlines, "short": short}
    values |= {"artefacts": artefacts, "power": "", "study": study_report(study).rstrip() if study else ""}
    if power:
        best, curve = float(table(2)["Spearman"].max()), power["curves"][str(power["cells"])]
        share = np.interp(best, np.maximum.accumulate(curve["spearman"]), curve["found"])
        values |= {"power": power_sentences(power, None if short else record(found)), "best": best}
        values |= {"share": share, "cells": power["cells"]}
    return render("reproduction.md", values, {"table": markdown_table}) + "\n"
