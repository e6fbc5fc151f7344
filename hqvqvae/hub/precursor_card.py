"""The search for codes that foretell lives, in words; every figure comes from its record."""

from __future__ import annotations

from typing import Any

import numpy as np

MEANING = {
    "precursor": "HQ-VQVAE (circuit of 4 qubits, bypass)",
    "precursor-classical": "its classical twin, VQ-VAE",
    "kmeans": "k-means",
    "pca3-kmeans": "PCA(3) + k-means",
    "vae-kmeans": "variational autoencoder + k-means",
    "random": "random codes",
    "variance of the curve's change": "no codes: ridge on the variance of Q_100(V) - Q_10(V)",
    "drift of the six features": "no codes: ridge on the drift of the six features",
}
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
    parts = [METHOD]
    if "search" in found:
        parts.append(f"## Unseen cells\n\n{search_table(found)}\n\n{seed_line(found)}\n\n{_absolute(found)}")
    if "transfer" in found:
        parts.append(f"## A later batch\n\n{transfer_table(found['transfer'])}")
    if "numbers" in found:
        parts.append(f"## With fewer cells\n\n{number_tables(found)}")
    if "warning" in found:
        parts.append(f"## When it warns\n\n{warning_table(found)}")
    return "\n\n".join([*parts, "![Codes over cycles](codes.png)"])


def seed_line(found: dict[str, Any], method: str = "precursor") -> str:
    """Spearman within batches, seed by seed."""
    within, p = _values(found, method, "within"), _values(found, method, "p_within")
    if not len(within):
        return ""
    each = ", ".join(f"{value:.2f}" for value in within)
    return f"{MEANING[method]}, within batches, seed by seed: {each} (p at most {p.max():.3f})."


def _values(found: dict[str, Any], method: str, name: str) -> np.ndarray:
    return np.array([seed[method][name] for seed in found["search"] if method in seed])


def search_table(found: dict[str, Any]) -> str:
    """Spearman of predicted and true lives of unseen cells by method, over the seeds of folds."""
    lines = [
        "| method | seeds | Spearman, all cells | within batches, mean | lowest seed | largest p within | sizes chosen "
        "| CPU s per seed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for method in dict.fromkeys(name for seed in found["search"] for name in seed):
        rho, within = _values(found, method, "rho"), _values(found, method, "within")
        sizes = np.concatenate([seed[method]["n_codes"] for seed in found["search"] if method in seed]).astype(int)
        shown = ", ".join(f"{size} ({np.mean(sizes == size):.0%})" for size in np.unique(sizes)) or "-"
        seconds = _values(found, method, "cpu_seconds").mean()
        lines.append(
            f"| {MEANING.get(method, method)} | {len(rho)} | {rho.mean():.2f} | {within.mean():.2f} "
            f"| {within.min():.2f} | {_values(found, method, 'p_within').max():.3f} | {shown} | {seconds:.1f} |"
        )
    return "\n".join(lines)


def _absolute(found: dict[str, Any]) -> str:
    """What the reference gives: the same search on features as they are."""
    absolute, method = found["absolute"], found["absolute_method"]
    relative = found["search"][0][method]
    return (
        f"Features as they are, with {MEANING[method]} and the first seed: {absolute['rho']:.2f} over all cells, "
        f"{absolute['within']:.2f} within batches, against {relative['rho']:.2f} and {relative['within']:.2f} relative "
        "to the cell's own beginning. Absolute features mostly name the batch."
    )


def transfer_table(runs: list[dict[str, Any]]) -> str:
    """Spearman on test2, fitted on train and test1."""
    lines = ["| fitted on train and test1, scored on test2 | Spearman, seed by seed | largest p |", "|---|---|---|"]
    for name in runs[0]:
        rhos = ", ".join(f"{run[name]['rho']:.2f}" for run in runs)
        lines.append(f"| {MEANING.get(name, name)} | {rhos} | {max(run[name]['p'] for run in runs):.3f} |")
    return "\n".join(lines)


def number_tables(found: dict[str, Any]) -> str:
    """Spearman by number of cells, beside what planted precursors had predicted."""
    parts = []
    for method, rows in found["numbers"].items():
        lines = [
            f"| cells ({MEANING[method]}) | draws | Spearman, all cells: mean (lowest to highest) "
            "| within batches: mean (lowest to highest) | found, p < .05 | predicted |",
            "|---|---|---|---|---|---|",
        ]
        for row in rows:
            rho, within = np.array(row["rho"]), np.array(row["within"])
            predicted = "-" if row.get("predicted") is None else f"{row['predicted']:.0%}"
            lines.append(
                f"| {row['cells']} | {len(rho)} | {rho.mean():.2f} ({rho.min():.2f} to {rho.max():.2f}) "
                f"| {within.mean():.2f} ({within.min():.2f} to {within.max():.2f}) | {row['found']:.0%} "
                f"| {predicted} |"
            )
        parts.append("\n".join(lines))
    told = (
        "Predicted: the share of precursors of this strength within batches that the power analysis on planted "
        "precursors (`python -m hqvqvae power`) finds with so many cells; it was made for at most 40."
    )
    return "\n\n".join([*parts, told])


def warning_table(found: dict[str, Any]) -> str:
    """Alarms on unseen cells: of the codes' score, and of two plain thresholds calibrated alike."""
    names = {
        "score": "warning score of the codes",
        "capacity": "capacity below its beginning",
        "v_mean_charge": "mean voltage below its beginning",
    }
    lines = [
        "| detector | short-lived, warned | short-lived, missed | long-lived, warned | long-lived, quiet "
        "| median cycle of the alarm | median cycles left |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in found["warning"].items():
        lines.append(
            f"| {names[name]} | {row['hit']} | {row['missed']} | {row['false_alarm']} | {row['quiet']} "
            f"| {row['alarm_cycle']:.0f} | {row['lead_cycles']:.0f} |"
        )
    return "\n".join(lines) + (
        "\n\nShort-lived is below the median life of the training cells. Thresholds let at most a fifth of all "
        "training cells be warned of falsely."
    )
