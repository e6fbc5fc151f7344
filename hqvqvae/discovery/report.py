"""Results of a discovery run as a record, a verdict in plain words, and a report in Markdown and HTML.

The texts are in `hub/templates`: `headline.md` and `verdict.md`, with one sentence per line, and `discovery.md`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..cells.proxies import PROXIES
from ..hub.sentences import render
from . import paper_values, warning_score
from .analysis import MethodResult, Study, proxy_by_cohort
from .figures import FIGURES
from .nulls import distinct_permutations, enough_orders
from .warning_score import WarningEvaluation

if TYPE_CHECKING:
    from ..modeling_hqvqvae import HQVQVAEModel

TITLE = "Precursor discovery"
SCHEMA_VERSION = 1
PACKAGES = ("magbridge-battery", "numpy", "scipy", "scikit-learn", "torch")


@dataclass(frozen=True)
class Discovery:
    """All results of a run.

    Attributes:
        study: The cells under the plan.
        primary: Result of the method under test.
        controls: Results of the controls by name.
        warning: Evaluation of the early-warning score; None if there are too few cells.
        verdict: The verdict in sentences.
        model: The model whose codes the warning score reads; None if the codes do not come from a model.
        figures: Data behind each figure.
        settings: Seeds, protocol and methods.
        notes: What could not be done, and why.
    """

    study: Study
    primary: MethodResult
    controls: dict[str, MethodResult]
    warning: WarningEvaluation | None
    model: HQVQVAEModel | None
    verdict: list[str]
    figures: dict[str, pd.DataFrame]
    settings: dict[str, Any]
    notes: list[str]


def method_record(result: MethodResult) -> dict[str, object]:
    """Return one method's figures, unrounded and JSON-ready; figures that cannot be computed are NaN."""
    nested, leads = result.nested, result.nested_leads
    record: dict[str, object] = {"label": result.label, "nested": None, "table_10": result.summary, **result.quality}
    if nested is not None:
        figures = {"rho": nested.rho, "folds_with_code": float(np.mean(nested.chosen >= 0)), "r2": nested.r2}
        figures |= {"p_free": nested.p_free, "p_within": nested.p_within}
        figures |= {name: getattr(nested, name).tolist() for name in ("rho_seeds", "p_within_seeds")}
        record["nested"] = figures
    if len(result.table):
        record["chance_spearman_95"] = result.chance
        record["table_2"] = result.table.to_dict("records")
    if leads is not None:
        record["lead_time"] = {"median": leads.median, "positive": leads.positive, "p": leads.p}
    return record


def record(discovery: Discovery) -> dict[str, object]:
    """Return the run as one JSON-ready record."""
    study, warning = discovery.study, discovery.warning
    found = {"schema_version": SCHEMA_VERSION, "plan": asdict(study.plan), **discovery.settings}
    found |= {"segments": len(study.segments), "cells": study.cells.to_dict("records")}
    found |= {"precursor_found": is_precursor(study, discovery.primary), "verdict": discovery.verdict}
    found |= {"notes": discovery.notes, "primary": method_record(discovery.primary)}
    found["controls"] = {name: method_record(result) for name, result in discovery.controls.items()}
    found["warning"] = None if warning is None else warning.summary.to_dict("records")
    return found | {"versions": {name: metadata.version(name) for name in PACKAGES}}


def p_text(p: float) -> str:
    """Format a p: three digits, "< 0.001", or "not testable" if it is not finite."""
    if not np.isfinite(p):
        return "not testable"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _p_equals(p: float, name: str) -> str:
    text = p_text(p)
    return f"{name} {text}" if text[0] in "<n" else f"{name} = {text}"


_FILTERS = {"p": _p_equals, "is_known": np.isfinite}


def is_precursor(study: Study, result: MethodResult) -> bool:
    """Return whether the nested analysis predicts unseen cells beyond what their cohort explains: a precursor."""
    return result.nested is not None and result.nested.finds_precursor(study.plan.alpha)


def headline(study: Study, result: MethodResult) -> str:
    """Write the one sentence that answers the run's question."""
    codes, counts = np.unique(result.chosen[result.chosen >= 0], return_counts=True)
    values = _about(study, result) | {"is_precursor": is_precursor(study, result)}
    values["constant"] = len(study.proxy) > 0 and np.ptp(study.proxy) == 0
    values["often"] = (codes[counts.argmax()], counts.max()) if len(codes) else None
    return render("headline.md", values, _FILTERS)


def _about(study: Study, result: MethodResult) -> dict[str, Any]:
    cells, proxy = len(study.index.cell_ids), PROXIES[study.plan.proxy].label
    return {"plan": study.plan, "cells": cells, "proxy": proxy, "nested": result.nested}


def verdict(
    study: Study,
    primary: MethodResult,
    controls: Mapping[str, MethodResult],
    warning: WarningEvaluation | None,
    *,
    trained_apart: bool,
) -> list[str]:
    """Write the verdict: the headline first, then the facts needed to assess it.

    Args:
        study: The prepared cells.
        primary: Result of the method under test.
        controls: Results of the controls by name.
        warning: Evaluation of the warning score, if there is one.
        trained_apart: Whether models were trained without their held-out cells.

    Returns:
        The sentences, headline first.
    """
    known = [control for control in controls.values() if control.nested is not None]
    cohorts = study.index.cohorts
    values = _about(study, primary) | {"headline": headline(study, primary)}
    values["better"] = [c for c in known if c.nested and primary.nested and c.nested.rho >= primary.nested.rho]
    values["sizes"] = np.unique(cohorts, return_counts=True)[1]
    values |= {"study": study, "primary": primary, "controls": known, "warning": warning, "score": warning_score}
    values |= {"by_cohort": proxy_by_cohort(study), "trained_apart": trained_apart, "zip": zip}
    values |= {"enough": enough_orders(cohorts, within=True), "ways": distinct_permutations(cohorts, within=True)}
    if warning is not None:
        ages = warning.cells[warning.cells["detector"] == "age"]
        values["reach"] = int(ages["onset"].notna().sum())
        values["counts"] = {row["detector"]: row for row in warning.summary.to_dict("records")}
    return [line for line in render("verdict.md", values, _FILTERS).split("\n") if line]


def number(value: float | str | None, digits: int = 2) -> str:
    """Format a number; "-" if it is missing."""
    if isinstance(value, str):
        return value
    if value is None or not np.isfinite(value):
        return "-"
    if float(value).is_integer() and (isinstance(value, (int, np.integer)) or abs(value) >= 2):
        return f"{value:.0f}"
    return f"{round(value, digits) + 0.0:.{digits}f}"  # + 0.0: no minus before a rounded zero


def markdown_report(discovery: Discovery) -> str:
    """Render the report as Markdown, with links to figures in the folder `figures` next to it."""
    primary, plan = discovery.primary, discovery.study.plan
    results = [primary, *discovery.controls.values()]
    random = discovery.controls.get("random")
    values = vars(discovery) | {"title": TITLE, "plan": plan, "proxy": PROXIES[plan.proxy].label, "results": results}
    values |= {"is_precursor": is_precursor(discovery.study, primary), "figure_kinds": FIGURES}
    values |= {"paper": paper_comparison(discovery), "table_10": table_10(discovery), "score": warning_score}
    values |= {"random_chance": number(random.chance if random else np.nan)}
    filters = {"plain": _text, "table": markdown_table, "number": number, "p": p_text, "is_known": np.isfinite}
    return render("discovery.md", values, filters) + "\n"


def compared(discovery: Discovery) -> list[MethodResult]:
    """Select the results shown next to the paper's: this run's, the paper's model trained here, random codes."""
    controls = [discovery.controls[name] for name in ("paper", "random") if name in discovery.controls]
    return [discovery.primary, *controls]


def paper_comparison(discovery: Discovery, n_best: int = 3) -> pd.DataFrame:
    """Tabulate the paper's Table 2 and this run's best codes, ready to print."""
    printed = paper_values.table(2)
    source = {"source": "paper", "adjusted pW": "not given"}
    rows = [source | {name: number(value) for name, value in row.items()} for row in printed.to_dict("records")]
    for result in compared(discovery):
        best = result.table[np.isfinite(result.table["spearman"])].head(n_best)
        if best.empty:
            rows.append({"source": result.label, "code": "none"})
        for code in best.to_dict("records"):
            keys = ("code", "cells_present", "cells_early", "pearson", "spearman")
            row = dict(zip(printed, (number(code[key]) for key in keys), strict=True))
            rows.append({"source": result.label, **row, "adjusted pW": p_text(code["p_within"])})
    return pd.DataFrame(rows, columns=["source", *printed, "adjusted pW"]).fillna("-")


def table_10(discovery: Discovery) -> pd.DataFrame:
    """Tabulate the paper's Table 10 next to ours, ready to print."""
    printed = paper_values.listing(10)
    columns = {"Table 10": list(printed), "paper": [number(value, 4) for value in printed.values()]}
    for result in compared(discovery):
        ours = result.summary or {}
        columns[result.label] = [number(ours[key], 4) if key in ours else "none" for key in printed]
    return pd.DataFrame(columns)


def html_report(discovery: Discovery, figures: Path) -> str:
    """Render the Markdown report as one HTML page that embeds the PNG files of a folder."""
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown_report(discovery))
    for name in discovery.figures:
        image = base64.b64encode((figures / f"{name}.png").read_bytes()).decode()
        body = body.replace(f'src="figures/{name}.png"', f'src="data:image/png;base64,{image}"')
    return render("discovery.html", {"title": TITLE, "body": body}) + "\n"


def _text(words: object) -> str:
    """Escape text for Markdown, so that a user's own names cannot format the page."""
    return re.sub(r"([\\`*_\[\]|]|<(?=[A-Za-z/!?]))", r"\\\1", " ".join(str(words).split()))


def markdown_table(table: pd.DataFrame) -> str:
    """Format a table in Markdown, with the first column left-aligned and all others right-aligned."""
    rows = [map(_text, table.columns), ["---", *["---:"] * (table.shape[1] - 1)], *table.map(_text).to_numpy()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
