"""The report of a discovery run in Markdown, and the same as one self-contained HTML page."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import numpy as np
import pandas as pd

from ..cells.proxies import PROXIES
from .analysis import MethodResult
from .figures import FIGURES
from .paper_values import TABLE_2, TABLE_10
from .result import Discovery
from .verdict import is_precursor, p_text
from .warning_score import DETECTORS, HORIZON, MAX_FALSE_ALARMS, WINDOW

TITLE = "Precursor discovery"
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc; }
blockquote { border-left: 6px solid #0072B2; background: #eef5fa; margin: 0; padding: .1rem 1rem; }
table { display: block; overflow-x: auto; border-collapse: collapse; font-size: .85rem; margin: 1rem 0; }
th:first-child { text-align: left; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #ddd; white-space: nowrap; }
thead th { border-bottom: 2px solid #666; vertical-align: bottom; white-space: normal; min-width: 3rem; }
img { max-width: 100%; height: auto; } em { color: #555; font-size: .9rem; }
"""


def number(value: float | str | None, digits: int = 2) -> str:
    """A number as it is printed; "-" where there is none."""
    if isinstance(value, str):
        return value
    if value is None or not np.isfinite(value):
        return "-"
    if float(value).is_integer() and (isinstance(value, (int, np.integer)) or abs(value) >= 2):
        return f"{value:.0f}"
    return f"{round(value, digits) + 0.0:.{digits}f}"  # + 0.0: no minus before a rounded zero


def methods_table(results: list[MethodResult]) -> pd.DataFrame:
    """The primary result of the method in question and of every control, ready to print."""
    rows = []
    for result in results:
        nested, best = result.nested, result.summary
        row = {"method": result.label}
        if nested is None:
            row |= {"folds with a code": "0%", "rho, unseen cells": "none", "R2": "-", "pF": "-", "pW": "-"}
        else:
            row |= {"folds with a code": f"{np.mean(nested.chosen >= 0):.0%}" if result.n_codes else "-"}
            row |= {"rho, unseen cells": number(nested.rho), "R2": number(nested.r2)}
            row |= {"pF": p_text(nested.p_free), "pW": p_text(nested.p_within)}
        if result.table.empty:
            best_code = ("-",) * 4
        elif best is None:
            best_code = ("none", "-", "-", "-")
        else:
            first = result.table.iloc[0]
            best_code = (
                f"{number(first['spearman'])} (code {best['precursor_code']})",
                p_text(first["p_free"]),
                p_text(first["p_within"]),
                number(result.chance),
            )
        titles = ("best code, Spearman", "adjusted pF", "adjusted pW", "95 % by chance")
        row |= dict(zip(titles, best_code, strict=True))
        rows.append(row)
    return pd.DataFrame(rows)


def quality_table(results: list[MethodResult]) -> pd.DataFrame:
    """Usage, purity and stability of every method's codes, ready to print."""
    names = {
        "codes_used": "codes used",
        "perplexity": "perplexity",
        "cohort_purity": "cohort purity",
        "cell_purity": "cell purity",
        "ari_seeds": "ARI, seeds",
        "ami_seeds": "AMI, seeds",
        "ari_folds": "ARI, folds",
        "ami_folds": "AMI, folds",
        "agreement": "held out = trained",
    }
    return pd.DataFrame(
        {"method": result.label, **{title: number(result.quality[key]) for key, title in names.items()}}
        for result in results
        if result.quality
    )


def code_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of `analysis.code_table`, ready to print."""
    columns = {
        "code": "code",
        "segments": "segments",
        "cells_present": "cells present",
        "cells_early": "cells early",
        "persistence": "persistence",
        "mean_life": "place in life",
        "pearson": "Pearson",
        "spearman": "Spearman",
        "p_free": "adjusted pF",
        "p_within": "adjusted pW",
        "sensitivity": "early drop, Spearman",
    }
    printed = pd.DataFrame(index=table.index)
    for key, title in columns.items():
        show = p_text if key.startswith("p_") else number
        printed[title] = [show(value) if np.isfinite(value) else "-" for value in table[key].tolist()]
    unusable = ~np.isfinite(table["spearman"])
    printed.loc[unusable, "Spearman"] = "not eligible"
    printed.loc[unusable & table["eligible"], "Spearman"] = "early rate constant"
    return printed


def markdown_report(discovery: Discovery) -> str:
    """The report as Markdown, figures linked from the folder `figures` beside it."""
    study, plan, primary = discovery.study, discovery.study.plan, discovery.primary
    proxy = PROXIES[plan.proxy].label
    results = [primary, *discovery.controls.values()]
    apart, origin = "", "The codes as given."
    if discovery.settings["method"] != "given":
        apart = "the models are trained without it, "
        origin = (
            "Each cell's codes come from the model that never saw it, in the names of the model of all cells "
            "(Hungarian matching on shared training segments); first training seed."
        )
    found = "precursor found" if is_precursor(study, primary) else "no precursor established"
    parts = [
        f"# {TITLE}: {found}",
        f"> {_text(discovery.verdict[0])}",
        "\n".join(f"- {_text(sentence)}" for sentence in discovery.verdict[1:] + discovery.notes),
        "## What was fixed beforehand",
        (
            f"Method: {primary.label}. Proxy: {proxy}. Early window: the first {plan.early_fraction:.0%} of a cell's "
            f"segments. Eligible: codes held by at least {plan.min_cells_present} cells. Cells: "
            f"{len(study.index.cell_ids)} of {len(study.cells)}, those with at least {plan.min_segments} valid "
            f"segments and a proxy; {len(study.segments)} valid segments in all. Level: {plan.alpha:g}. Draws per "
            f"null: {plan.n_permutations}, seed {plan.seed}. Training seeds: "
            f"{', '.join(map(str, discovery.settings['seeds']))}. Features: protocol "
            f"{discovery.settings['protocol']}."
        ),
        "## Primary result: unseen cells, the method and its controls",
        (
            f"For each cell in turn {apart}the code is chosen and a line fitted on the "
            "other cells, and the cell is predicted; rho is Spearman's between the pooled predictions and the "
            "proxy. pF exchanges cells freely and is too kind, since cells of a cohort are alike; pW exchanges them "
            "within cohorts. Without any relation rho is negative, not 0, because the mean of the others falls as "
            "the left-out cell rises. R2 compares with that mean. On the right, the best code picked in the paper's "
            "way, its p adjusted by the largest of all eligible codes, and the Spearman that the best code reaches "
            "by chance. 'none': no code is eligible. A fold without an eligible code predicts the mean of its cells."
        ),
        markdown_table(methods_table(results)),
        "## Codes one by one (the paper's Table 2, with its null)",
        (
            f"{origin} Persistence: how often a code "
            "is followed by itself. Place in life: mean relative position. Early drop: Spearman of the early rate "
            "with the capacity already lost by the end of the early window."
        ),
        markdown_table(code_rows(primary.table)),
        "## The paper's numbers beside ours",
        (
            "Table 2 of the paper (18 cells, its ten codes) has no null; its best Spearman, 0.65, is what "
            "the best of 32 random codes reaches by chance in one run of twenty (here "
            f"{number(_random_chance(discovery))}). What differs: the paper does not say how segments are cleaned "
            "or how codes of separate folds are matched, and picks and describes its code on the same cells. Below, "
            "the best three codes of the paper, of this run, of the paper's model trained here, and of random codes."
        ),
        markdown_table(paper_comparison(discovery)),
        markdown_table(table_10(discovery)),
        "## Codebooks: use, purity, stability",
        markdown_table(quality_table(results)),
        (
            "Purity: how often the code of a segment names its cohort or cell. ARI and AMI compare codings of the "
            "same segments over training seeds, and of each fold with the model of all cells. Last column: share of "
            "held-out segments that get the code they get in training."
        ),
    ]
    parts += _warning_parts(discovery)
    parts.append("## Figures")
    for name, kind in FIGURES.items():
        if name in discovery.figures:
            parts.append(f"![{kind.title}](figures/{name}.png)\n\n*{kind.title} (figures/{name}.png, .svg, .csv)*")
    absent = [kind.title.lower() for name, kind in FIGURES.items() if name not in discovery.figures]
    if absent:
        parts.append(f"Not drawn, for want of data or of an eligible code: {'; '.join(absent)}.")
    return "\n\n".join(parts) + "\n"


def _random_chance(discovery: Discovery) -> float:
    control = discovery.controls.get("random")
    return control.chance if control else np.nan


def compared(discovery: Discovery) -> list[MethodResult]:
    """The results that stand beside the paper's numbers: this run's, its model trained here, random codes."""
    controls = [discovery.controls[name] for name in ("paper", "random") if name in discovery.controls]
    return [discovery.primary, *controls]


def paper_comparison(discovery: Discovery, n_best: int = 3) -> pd.DataFrame:
    """The paper's Table 2 and the best codes of this run, ready to print."""
    rows = [
        {"source": "paper", "adjusted pW": "not given", **dict(zip(TABLE_2, map(number, row), strict=True))}
        for row in TABLE_2.itertuples(index=False)
    ]
    for result in compared(discovery):
        best = result.table[np.isfinite(result.table["spearman"])].head(n_best)
        if best.empty:
            rows.append({"source": result.label, "code": "none"})
        for code in best.to_dict("records"):
            keys = ("code", "cells_present", "cells_early", "pearson", "spearman")
            row = dict(zip(TABLE_2, (number(code[key]) for key in keys), strict=True))
            rows.append({"source": result.label, **row, "adjusted pW": p_text(code["p_within"])})
    return pd.DataFrame(rows, columns=["source", *TABLE_2.columns, "adjusted pW"]).fillna("-")


def table_10(discovery: Discovery) -> pd.DataFrame:
    """The paper's Table 10 beside ours, ready to print."""
    columns = {"Table 10": list(TABLE_10), "paper": [number(value, 4) for value in TABLE_10.values()]}
    for result in compared(discovery):
        ours = result.summary or {}
        columns[result.label] = [number(ours[key], 4) if key in ours else "none" for key in TABLE_10]
    return pd.DataFrame(columns)


def _warning_parts(discovery: Discovery) -> list[str]:
    if discovery.warning is None:
        return []
    summary = discovery.warning.summary
    table = pd.DataFrame(
        {
            "detector": summary["detector"].map(DETECTORS),
            "hits": summary["hit"].map(str),
            "false alarms": summary["false_alarm"].map(str),
            "missed": summary["missed"].map(str),
            "rightly quiet": summary["quiet"].map(str),
            "median lead [segments]": summary["median_lead"].map(number),
        }
    )
    return [
        "## Early warning on held-out cells",
        (
            f"The score reads the codes of the last {WINDOW} segments only. It and its threshold are set on the "
            f"other cells, with false alarms on at most {MAX_FALSE_ALARMS:.0%} of them. A hit is an alarm at most "
            f"{HORIZON} segments before the onset of degradation (capacity 0.9 of the first); an earlier one, or one "
            "in a cell without onset, is a false alarm. A capacity threshold and age alone are the plain "
            "alternatives."
        ),
        markdown_table(table),
    ]


def html_report(discovery: Discovery, figures: Path) -> str:
    """The Markdown report as one HTML page, with the PNG files of a folder inside it."""
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown_report(discovery))
    for name in discovery.figures:
        image = base64.b64encode((figures / f"{name}.png").read_bytes()).decode()
        body = body.replace(f'src="figures/{name}.png"', f'src="data:image/png;base64,{image}"')
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{TITLE}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )


def _text(words: object) -> str:
    """Words in Markdown as they are: a name of the user's own cannot format the page."""
    return re.sub(r"([\\`*_\[\]|]|<(?=[A-Za-z/!?]))", r"\\\1", " ".join(str(words).split()))


def markdown_table(table: pd.DataFrame) -> str:
    """A table in Markdown; the first column to the left, all others to the right."""
    rows = [map(_text, table.columns), ["---", *["---:"] * (table.shape[1] - 1)], *table.map(_text).to_numpy()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
