"""Records in text: measurements of methods, bottlenecks, planted precursors, and codes that predict lives.

The texts are in `hqvqvae/hub/templates`; the figures come from records.
"""

import functools
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dataset_card.running.templates import engine

from ..cells.download import packaged_document

TEMPLATES = Path(__file__).parent / "templates"
PROTOCOLS = ("cell", "cohort")
WORDS: dict[str, Any] = packaged_document("names.yaml")


def render(name: str, values: Mapping[str, Any], filters: Mapping[str, Any] | None = None) -> str:
    """Fill in a template.

    Args:
        name: File name of the template.
        values: Values by the names that the template uses; a missing name is an error.
        filters: Further filters, in addition to jinja2's own and `fmt`, which is Python's `format`.

    Returns:
        The document, without a line break at the end.
    """
    return _template(name, tuple((filters or {}).items())).render(values).rstrip()


@functools.cache
def _template(name: str, filters: tuple[tuple[str, Any], ...]):
    environment = engine()
    environment.filters |= {"fmt": format, **dict(filters)}
    return environment.from_string((TEMPLATES / name).read_text(encoding="utf-8"))


def evaluation_table(evaluation: dict[str, Any]) -> str:
    """Render one record of `evaluation.evaluate` as a Markdown table."""
    return render("evaluation.md", evaluation | {"meaning": WORDS["methods"]})


def findings(by_what: dict[str, dict[str, Any]]) -> str:
    """Summarise the records by cell and by cohort, good or bad, in sentences that quote them."""
    cell = by_what["cell"]["methods"]
    methods = [by_what[by]["methods"].items() for by in PROTOCOLS]
    pooled, unseen_cohort = ({name: each["test_mse_pooled"]["mean"] for name, each in of} for of in methods)
    pairs = {name: (pooled[name], pooled[f"{name}-classical"]) for name in ("paper", "recommended", "bounded")}
    values = {"cell": cell, "pooled": pooled, "best": min(pooled, key=pooled.__getitem__)}
    values["against"] = {name: f"{circuit:.3f} against {twin:.3f}" for name, (circuit, twin) in pairs.items()}
    values["worse"] = sum(circuit > twin for circuit, twin in pairs.values())
    values["harder"] = [unseen_cohort[name] / pooled[name] for name in cell if name != "random"]
    values["worst"] = max(cell["recommended"]["test_mse_by_cell"].items(), key=lambda item: item[1])
    return render("findings.md", values)


def power_sentences(power: dict[str, Any], found: dict[str, Any] | None = None) -> str:
    """State the smallest effect that a search of the cells could have shown.

    Args:
        power: Record from `python -m hqvqvae power`.
        found: Record of a discovery run on the same cells, to state its outcome first.
    """
    own, curves = str(power["cells"]), power["curves"]
    counts = sorted(curves, key=int)
    by_trials: dict[int, list[str]] = {}
    for n in counts:
        by_trials.setdefault(curves[n]["trials"], []).append(n)
    values = {"found": found, "numbers": sorted(counts, key=lambda n: n != own), "by_trials": by_trials}
    values["over_all"] = np.interp(curves[own]["smallest_effect"] or 0, power["effects"], curves[own]["spearman"])
    values["at_rest"] = max(curve["found"][0] for curve in curves.values())
    return render("power.md", power | values)


def ahead(summary: dict[str, Any]) -> list[str]:
    """List circuits whose error is below their twin's beyond the interval, on unseen cells or unseen cohorts."""
    return [name for name, pair in summary["pairs"].items() if any(pair[by]["high"] < 0 for by in PROTOCOLS)]


def verdict(summary: dict[str, Any]) -> str:
    """State whether a circuit beats its twin, where they differ, and what the controls reach.

    A circuit beats its twin if it was ahead and then, on fresh seeds against a twin with twice the search, is ahead on
    both unseen cells and unseen cohorts.
    """
    pairs, bottlenecks = summary["pairs"], summary["bottlenecks"]
    if not pairs:
        return "No circuit was measured."
    first, of_all = ahead(summary), list(pairs.values())
    best = min(pairs, key=lambda name: bottlenecks[name]["cell"]["mse"])
    controls = [name for name in ("paper", "product", "frozen", "none") if name in bottlenecks and name != best]
    fresh = {name: [pairs[name]["fresh_seeds"][by]["high"] for by in PROTOCOLS] for name in first}
    values: dict[str, Any] = {"first": first, "proven": [name for name, highs in fresh.items() if max(highs) < 0]}
    values |= {"shown": [best, *controls], "counts": {}}
    for by in PROTOCOLS:
        below, above = (sum(pair[by]["high"] < 0 for pair in of_all), sum(pair[by]["low"] > 0 for pair in of_all))
        values["counts"][by] = below, above
    return render("study_verdict.md", summary | values)


def study_report(summary: dict[str, Any]) -> str:
    """Render the summary of `python -m hqvqvae study` as Markdown: verdict, table, method."""
    return render("study.md", summary) + "\n"


LEAST, LEVEL = 0.35, 0.01  # criterion for every seed, within batches; set before the search

Rows = list[dict[str, Any]]


def precursor_report(found: dict[str, Any]) -> str:
    """Render the record of `python -m hqvqvae precursors` as Markdown: tables with explanations."""
    return f"# Codes that predict lives\n\n{precursor_sections(found)}\n"


def precursor_sections(found: dict[str, Any]) -> str:
    """Render the sections of report and card for the parts that were measured."""
    parts = ("search", "absolute", "curve", "transfer", "numbers", "warning")
    values = {"meaning": WORDS["lives"], "detectors": WORDS["detectors"], "least": LEAST, "level": LEVEL}
    values["parts"] = {part: rows_of(found, part) for part in parts}
    filters = {"mean": _mean, "spread": _spread, "each": _each, "sizes": _sizes, "holds": holds}
    return render("precursors.md", found | values, filters)


def rows_of(found: dict[str, Any], part: str) -> dict[str, Rows]:
    """Group the rows of a part by method, in the order of the record."""
    by_method: dict[str, Rows] = {}
    for row in found["rows"]:
        if row["part"] == part:
            by_method.setdefault(row["method"], []).append(row)
    return by_method


def holds(rows: Rows) -> bool:
    """Return whether every seed of a method meets the criterion: at least `LEAST` within batches, p below `LEVEL`."""
    return all(row["within"] >= LEAST and row["p_within"] < LEVEL for row in rows)


def _mean(rows: Rows, name: str, digits: str = ".2f") -> str:
    return format(np.mean([row[name] for row in rows]), digits)


def _spread(rows: Rows, name: str) -> str:
    values = [row[name] for row in rows]
    return f"{np.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def _each(rows: Rows, name: str) -> str:
    return ", ".join(f"{row[name]:.2f}" for row in rows)


def _sizes(rows: Rows) -> str:
    """List the codebook sizes chosen by the folds, and how often."""
    counts = Counter(size for row in rows for size in row["n_codes"])
    return ", ".join(f"{size} ({counts[size] / counts.total():.0%})" for size in sorted(counts)) or "-"
