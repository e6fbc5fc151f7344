"""The search for codes that foretell lives, in words; every figure comes from its record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

MEANING = {
    "precursor": "HQ-VQVAE (circuit of 4 qubits, bypass)",
    "precursor-classical": "its classical twin, VQ-VAE",
    "kmeans": "k-means",
    "pca3-kmeans": "PCA(3) + k-means",
    "vae-kmeans": "variational autoencoder + k-means",
    "random": "random codes",
    "precursor-rotation": "HQ-VQVAE, rotation trick",
    "precursor-simvq": "HQ-VQVAE, SimVQ",
    "precursor-fsq": "HQ-VQVAE, finite scalar quantization",
    "variance of the curve's change": "no codes: ridge on the variance of Q_100(V) - Q_10(V)",
    "drift of the six features": "no codes: ridge on the drift of the six features",
}
DETECTORS = {
    "capacity": "capacity below its beginning",
    "v_mean_charge": "mean voltage below its beginning",
}
FIGURES = ("rho", "within")
LEAST, LEVEL = 0.35, 0.01  # what every seed is to reach within batches: set before the search
METHOD = (
    "124 LFP/graphite cells (Severson et al. 2019), cycles 13 to 100, six features of each discharge less their mean "
    "over the cell's own cycles 8 to 12. In each of ten folds of cells the size of the codebook (3, 4, 6 or 8), one "
    "code and a line from its share of a cell's cycles to log life are chosen on the other folds, and the lives of the "
    "held-out cells are predicted. Nulls repeat all of it on lives exchanged between cells."
)
MATR_DATA = (
    "124 LFP/graphite cells of 1.1 Ah, discharged at 4C, lives of 148 to 2,237 cycles (K. A. Severson et al., Nature "
    "Energy 4, 383, 2019, data.matr.io, CC BY 4.0; curves as tables: P. M. Attia et al., arXiv:2101.01885, MIT). The "
    "features of cycles 2 to 100 come with the package: `hqvqvae.cells.matr.load_cycles()`; all cells are in training."
)
PRECURSOR_LIMITS = (
    "The codes foretell lives among cells of one chemistry, one format and one discharge rate, all cycled in one "
    "laboratory; on a later batch they do less well, and a ridge regression without codes does better throughout. "
    "Temperature, resistance and charge are not in the data. A cell needs 12 discharges, from its first one on."
)


def precursor_report(found: dict[str, Any]) -> str:
    """The record of `python -m hqvqvae precursors` as Markdown: tables, and what they say."""
    return f"# Codes that foretell lives\n\n{precursor_sections(found)}\n"


def precursor_sections(found: dict[str, Any]) -> str:
    """The sections of report and card, as far as they were measured."""
    parts = {
        "search": f"## Unseen cells\n\n{search_table(found)}\n\n{seed_table(found)}",
        "absolute": f"{against_table(found, 'absolute', 'features as they are')}\n\nThese mostly name the batch.",
        "curve": against_table(found, "curve", "the curve itself: charge at 20 voltages, relative"),
        "transfer": f"## A later batch\n\n{transfer_table(found)}",
        "numbers": f"## With fewer cells\n\n{number_table(found)}",
        "warning": f"## When it warns\n\n{warning_table(found)}",
    }
    there = {row["part"] for row in found["rows"]}
    return "\n\n".join(
        [METHOD, *(text for part, text in parts.items() if part in there), "![Codes over cycles](codes.png)"]
    )


def rows_of(found: dict[str, Any], part: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of a part by method, in the order of the record."""
    by_method: dict[str, list[dict[str, Any]]] = {}
    for row in found["rows"]:
        if row["part"] == part:
            by_method.setdefault(row["method"], []).append(row)
    return by_method


def values_of(rows: list[dict[str, Any]], name: str) -> np.ndarray:
    """A figure of each row."""
    return np.array([row[name] for row in rows])


def holds(found: dict[str, Any], method: str) -> bool:
    """Whether a method keeps the criterion with every seed: within batches at least `LEAST`, p below `LEVEL`."""
    rows = rows_of(found, "search")[method]
    return bool((values_of(rows, "within") >= LEAST).all() and (values_of(rows, "p_within") < LEVEL).all())


def _table(head: str, rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; floats with two digits."""
    lines = [head.split(" | "), ["---"] * (head.count(" | ") + 1)]
    lines += [[f"{value:.2f}" if isinstance(value, float) else str(value) for value in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _spread(values: np.ndarray) -> str:
    return f"{values.mean():.2f} ({values.min():.2f} to {values.max():.2f})"


def _each(values: np.ndarray) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


def search_table(found: dict[str, Any]) -> str:
    """Spearman of predicted and true lives of unseen cells by method, over the seeds of folds."""
    rows = []
    for method, seeds in rows_of(found, "search").items():
        sizes = np.concatenate([row["n_codes"] for row in seeds]).astype(int)
        shown = ", ".join(f"{size} ({np.mean(sizes == size):.0%})" for size in np.unique(sizes)) or "-"
        rho, within, seconds = (values_of(seeds, name) for name in ("rho", "within", "cpu_seconds"))
        rows.append((MEANING[method], len(seeds), rho.mean(), _spread(within), shown, f"{seconds.mean():.1f}"))
    head = "method | seeds | Spearman, all cells | within batches: mean (lowest to highest) | sizes | CPU s per seed"
    return _table(head, rows)


def seed_table(found: dict[str, Any]) -> str:
    """Spearman within batches, seed by seed, and whether all of them keep the criterion."""
    rows = [
        (
            MEANING[method], _each(values_of(seeds, "within")), f"{values_of(seeds, 'p_within').max():.3f}",
            "yes" if holds(found, method) else "no",
        )
        for method, seeds in rows_of(found, "search").items()
    ]  # fmt: skip
    return _table(f"method | within batches, seed by seed | largest p | all at least {LEAST} with p < {LEVEL}", rows)


def against_table(found: dict[str, Any], part: str, name: str) -> str:
    """Another input of the same search, beside the six relative features with the same seeds."""
    six = rows_of(found, "search")
    rows = []
    for method, other in rows_of(found, part).items():
        same = [row for row in six.get(method, ()) if row["seed"] < len(other)]
        figures = [values_of(measured, key).mean() for measured in (other, same) if measured for key in FIGURES]
        rows.append((MEANING[method], len(other), *figures, *["-"] * (4 - len(figures))))
    return _table(
        f"{name} | seeds | Spearman, all cells | within batches | six relative features: all cells | within batches",
        rows,
    )


def transfer_table(found: dict[str, Any]) -> str:
    """Spearman on test2, fitted on train and test1."""
    rows = []
    for method, seeds in rows_of(found, "transfer").items():
        rho, p = values_of(seeds, "rho"), values_of(seeds, "p")
        rows.append((MEANING[method], rho.mean(), _each(rho), f"{p.max():.3f}"))
    return _table("fitted on train and test1, scored on test2 | Spearman: mean | seed by seed | largest p", rows)


def number_table(found: dict[str, Any]) -> str:
    """Spearman by number of cells, beside what planted precursors had predicted; all cells are the search itself."""
    rows = []
    whole = rows_of(found, "search")
    for method, drawn in rows_of(found, "numbers").items():
        every = drawn + whole.get(method, [])
        for n in dict.fromkeys(row["cells"] for row in every):
            mine = [row for row in every if row["cells"] == n]
            predicted = found["predicted"].get(method, {}).get(str(n))
            rows.append(
                (
                    MEANING[method], n, len(mine), *(_spread(values_of(mine, name)) for name in FIGURES),
                    f"{np.mean(values_of(mine, 'p_within') < 0.05):.0%}",
                    "-" if predicted is None else f"{predicted:.0%}",
                )
            )  # fmt: skip
    told = (
        "Predicted: the share of precursors of this strength within batches that the power analysis on planted "
        "precursors (`python -m hqvqvae power`, on other cells, some drawn more than once) finds with so many cells. "
        "All cells are not drawn: their rows are seeds of folds and models."
    )
    head = "method | cells | draws | Spearman, all cells: mean (lowest to highest) | within batches: mean (lowest to "
    return f"{_table(f'{head}highest) | found, p < .05 | predicted', rows)}\n\n{told}"


def warning_table(found: dict[str, Any]) -> str:
    """Alarms on unseen cells, of codes and of plain thresholds calibrated alike; then when a code first fires."""
    rows, leads = [], []
    for method, (row, *_) in rows_of(found, "warning").items():
        name = DETECTORS.get(method) or f"score of the codes of {MEANING[method]}"
        counts = (row[outcome] for outcome in ("hit", "missed", "false_alarm", "quiet"))
        rows.append((name, *counts, f"{row['p']:.3f}", f"{row['alarm_cycle']:.0f}", f"{row['lead_cycles']:.0f}"))
        if first := row.get("first"):
            medians = (f"{first[key]:.0f}" for key in ("cycle", "lead_cycles"))
            leads.append((MEANING[method], first["cells"], *medians, f"{first['p']:.3f}"))
    alarms = _table(
        "detector | short-lived, warned | short-lived, missed | long-lived, warned | long-lived, quiet | p | median "
        "cycle of the alarm | median cycles left",
        rows,
    )
    told = (
        "Short-lived is below the median life of the training cells. Thresholds let at most a fifth of all training "
        "cells be warned of falsely. p: as many cells judged rightly when lives are exchanged within batches, and "
        f"score and threshold fitted again ({found['plan']['n_alarm_orders']} draws). Age alone cannot warn: all cells "
        "are equally old."
    )
    fires = _table(
        "code of short lives | cells in which it fires | median cycle of the first | median cycles left | p", leads
    )
    first = (
        "Lead times as in the paper, from the first time that the code of short lives fires. The null shifts each "
        "cell's codes at random. A large p means that the code fires no earlier than by chance: it grows with the "
        "drift, so it comes late in the 100 cycles. That hundreds of cycles are left is due to the lives, not to an "
        "early code; what tells is in which cells it fires."
    )
    return "\n\n".join((alarms, told, fires, first))
