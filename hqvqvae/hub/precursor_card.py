"""The search for codes that foretell lives, in words; every figure comes from its record."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from .template import render

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
LEAST, LEVEL = 0.35, 0.01  # what every seed is to reach within batches: set before the search

Rows = list[dict[str, Any]]


def precursor_report(found: dict[str, Any]) -> str:
    """The record of `python -m hqvqvae precursors` as Markdown: tables, and what they say."""
    return f"# Codes that foretell lives\n\n{precursor_sections(found)}\n"


def precursor_sections(found: dict[str, Any]) -> str:
    """The sections of report and card, as far as they were measured."""
    parts = ("search", "absolute", "curve", "transfer", "numbers", "warning")
    values = {
        "parts": {part: rows_of(found, part) for part in parts},
        "meaning": MEANING,
        "detectors": DETECTORS,
        "least": LEAST,
        "level": LEVEL,
    }
    filters = {"mean": _mean, "spread": _spread, "each": _each, "sizes": _sizes, "holds": holds}
    return render("precursors.md", found | values, filters)


def rows_of(found: dict[str, Any], part: str) -> dict[str, Rows]:
    """The rows of a part by method, in the order of the record."""
    by_method: dict[str, Rows] = {}
    for row in found["rows"]:
        if row["part"] == part:
            by_method.setdefault(row["method"], []).append(row)
    return by_method


def holds(rows: Rows) -> bool:
    """Whether a method keeps the criterion with every seed: within batches at least `LEAST`, p below `LEVEL`."""
    return all(row["within"] >= LEAST and row["p_within"] < LEVEL for row in rows)


def _mean(rows: Rows, name: str, digits: str = ".2f") -> str:
    return format(np.mean([row[name] for row in rows]), digits)


def _spread(rows: Rows, name: str) -> str:
    values = [row[name] for row in rows]
    return f"{np.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def _each(rows: Rows, name: str) -> str:
    return ", ".join(f"{row[name]:.2f}" for row in rows)


def _sizes(rows: Rows) -> str:
    """Sizes of the codebook that the folds chose, and how often."""
    counts = Counter(size for row in rows for size in row["n_codes"])
    return ", ".join(f"{size} ({counts[size] / counts.total():.0%})" for size in sorted(counts)) or "-"
