"""The report of a discovery run in Markdown, and the same as one self-contained HTML page."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import numpy as np
import pandas as pd

from ..cells.proxies import PROXIES
from ..hub.template import render
from . import paper_values
from .analysis import MethodResult
from .figures import FIGURES
from .result import Discovery
from .verdict import is_precursor, p_text
from .warning_score import DETECTORS, HORIZON, MAX_FALSE_ALARMS, WINDOW

TITLE = "Precursor discovery"


def number(value: float | str | None, digits: int = 2) -> str:
    """A number as it is printed; "-" where there is none."""
    if isinstance(value, str):
        return value
    if value is None or not np.isfinite(value):
        return "-"
    if float(value).is_integer() and (isinstance(value, (int, np.integer)) or abs(value) >= 2):
        return f"{value:.0f}"
    return f"{round(value, digits) + 0.0:.{digits}f}"  # + 0.0: no minus before a rounded zero


def markdown_report(discovery: Discovery) -> str:
    """The report as Markdown, figures linked from the folder `figures` beside it."""
    primary, plan, warning = discovery.primary, discovery.study.plan, discovery.warning
    results = [primary, *discovery.controls.values()]
    random = discovery.controls.get("random")
    values = vars(discovery) | {
        "title": TITLE,
        "plan": plan,
        "proxy": PROXIES[plan.proxy].label,
        "is_precursor": is_precursor(discovery.study, primary),
        "results": results,
        "paper": paper_comparison(discovery),
        "random_chance": number(random.chance if random else np.nan),
        "table_10": table_10(discovery),
        "warning": None if warning is None else warning.summary,
        "detectors": DETECTORS,
        "window": WINDOW,
        "horizon": HORIZON,
        "max_false_alarms": MAX_FALSE_ALARMS,
        "drawn": {name: kind for name, kind in FIGURES.items() if name in discovery.figures},
        "absent": [kind.title.lower() for name, kind in FIGURES.items() if name not in discovery.figures],
    }
    filters = {"plain": _text, "table": markdown_table, "number": number, "p": p_text, "is_known": np.isfinite}
    return render("discovery.md", values, filters) + "\n"


def compared(discovery: Discovery) -> list[MethodResult]:
    """The results that stand beside the paper's numbers: this run's, its model trained here, random codes."""
    controls = [discovery.controls[name] for name in ("paper", "random") if name in discovery.controls]
    return [discovery.primary, *controls]


def paper_comparison(discovery: Discovery, n_best: int = 3) -> pd.DataFrame:
    """The paper's Table 2 and the best codes of this run, ready to print."""
    printed = paper_values.table(2)
    rows = [
        {"source": "paper", "adjusted pW": "not given", **dict(zip(printed, map(number, row), strict=True))}
        for row in printed.itertuples(index=False)
    ]
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
    """The paper's Table 10 beside ours, ready to print."""
    printed = paper_values.listing(10)
    columns = {"Table 10": list(printed), "paper": [number(value, 4) for value in printed.values()]}
    for result in compared(discovery):
        ours = result.summary or {}
        columns[result.label] = [number(ours[key], 4) if key in ours else "none" for key in printed]
    return pd.DataFrame(columns)


def html_report(discovery: Discovery, figures: Path) -> str:
    """The Markdown report as one HTML page, with the PNG files of a folder inside it."""
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown_report(discovery))
    for name in discovery.figures:
        image = base64.b64encode((figures / f"{name}.png").read_bytes()).decode()
        body = body.replace(f'src="figures/{name}.png"', f'src="data:image/png;base64,{image}"')
    return render("discovery.html", {"title": TITLE, "body": body}) + "\n"


def _text(words: object) -> str:
    """Words in Markdown as they are: a name of the user's own cannot format the page."""
    return re.sub(r"([\\`*_\[\]|]|<(?=[A-Za-z/!?]))", r"\\\1", " ".join(str(words).split()))


def markdown_table(table: pd.DataFrame) -> str:
    """A table in Markdown; the first column to the left, all others to the right."""
    rows = [map(_text, table.columns), ["---", *["---:"] * (table.shape[1] - 1)], *table.map(_text).to_numpy()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
