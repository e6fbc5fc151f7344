"""What the study measured: errors, paired intervals, cost, and the figure of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..bottleneck import n_parameters
from ..hub.sentences import PROTOCOLS, ahead, verdict
from .study import (
    ARMS,
    CIRCUITS,
    EPOCHS,
    LEARNING_RATES,
    MORE_LEARNING_RATES,
    Record,
    Study,
)

SCHEMA_VERSION = 1
RESAMPLES = 10_000


@dataclass(frozen=True)
class Difference:
    """Error of a circuit less that of its twin, pooled, and its 95 % interval."""

    mean: float
    low: float
    high: float


def paired_difference(circuit: Sequence[Record], twin: Sequence[Record]) -> Difference:
    """Compare two bottlenecks on the same folds and seeds.

    The bootstrap draws held-out groups (cells, or cohorts) and, apart from them, seeds with replacement: both are
    samples. With five cohorts its interval is too narrow rather than too wide.

    Args:
        circuit: records of one kind of fold.
        twin: those of the twin, same folds and seeds.

    Returns:
        The difference of pooled errors.
    """
    groups = sorted({record.task.held_out for record in circuit})
    seeds = sorted({record.task.seed for record in circuit})
    sums = np.zeros((len(groups), len(seeds)))
    segments = np.zeros(len(groups))
    for sign, records in ((1, circuit), (-1, twin)):
        for record in records:
            group, seed = groups.index(record.task.held_out), seeds.index(record.task.seed)
            segments[group] = sum(n for _, n in record.errors.values())
            sums[group, seed] += sign * record.mse * segments[group]
    rng = np.random.default_rng(0)
    n_groups, n_seeds = sums.shape
    drawn_groups = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), RESAMPLES)
    drawn_seeds = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), RESAMPLES)
    resampled = np.einsum("bg,gs,bs->b", drawn_groups, sums, drawn_seeds) / (drawn_groups @ segments * n_seeds)
    low, high = np.quantile(resampled, (0.025, 0.975))
    return Difference(float(sums.sum() / (segments.sum() * n_seeds)), float(low), float(high))


def run_study(study: Study) -> dict[str, Any]:
    """Run a study and summarise it; a circuit that beats its twin is measured again before that counts.

    Args:
        study: what to measure, and where its records are kept.

    Returns:
        A JSON-ready summary; errors are mean squared errors in z units of the training segments, unrounded.
    """
    records = study.measure(dict.fromkeys(study.arms, LEARNING_RATES), study.seeds)
    summary = summarise(study, records)
    for name in ahead(summary):  # one at a time: circuits of one size share their twin
        twin = str(ARMS[name].twin)
        again = study.measure({name: LEARNING_RATES, twin: MORE_LEARNING_RATES}, study.fresh_seeds)
        summary["pairs"][name]["fresh_seeds"] = _pair(again, name)
    return summary | {"verdict": verdict(summary)}


def summarise(study: Study, records: Sequence[Record]) -> dict[str, Any]:
    """Errors and cost of every bottleneck, and the difference of every circuit to its twin."""
    return {
        "schema_version": SCHEMA_VERSION,
        "epochs": EPOCHS,
        "seeds": list(study.seeds),
        "cells_held_out": list(study.cohort_of.index),
        "cohorts_held_out": study.cohorts,
        "learning_rates": list(LEARNING_RATES),
        "data_sha256": study.data_sha256,
        "bottlenecks": {name: _figures(name, [r for r in records if r.task.arm == name]) for name in study.arms},
        "pairs": {name: _pair(records, name) for name in study.arms if name in CIRCUITS},
    }


def _figures(name: str, records: Sequence[Record]) -> dict[str, Any]:
    arm = ARMS[name]
    figures: dict[str, Any] = {
        "meaning": arm.meaning,
        "options": arm.options,
        "parameters": n_parameters(arm.config),
        "twin": arm.twin,
        "cpu_seconds_a_fold": float(np.median([r.cpu_seconds for r in records if r.task.by == "cell"])),
        "train_mse": float(np.mean([r.train_mse for r in records if r.task.by == "cell"])),
        "codes_used": float(np.mean([r.codes_used for r in records if r.task.by == "cell"])),
        "learning_rates": {r.task.held_out: r.task.learning_rate for r in records if r.task.by == "cohort"},
    }
    for by in PROTOCOLS:
        per_seed = []
        for seed in sorted({r.task.seed for r in records}):
            folds = [r for r in records if r.task.by == by and r.task.seed == seed]
            sizes = [sum(n for _, n in r.errors.values()) for r in folds]
            per_seed.append(float(np.average([r.mse for r in folds], weights=sizes)))
        error = float(np.std(per_seed, ddof=1) / len(per_seed) ** 0.5) if len(per_seed) > 1 else None
        figures[by] = {"mse": float(np.mean(per_seed)), "standard_error": error, "per_seed": per_seed}
    return figures


def _pair(records: Sequence[Record], circuit: str) -> dict[str, Any]:
    def of(arm: str | None, by: str) -> list[Record]:
        return [record for record in records if record.task.arm == arm and record.task.by == by]

    twin = ARMS[circuit].twin
    return {by: vars(paired_difference(of(circuit, by), of(twin, by))) for by in PROTOCOLS}


def plot_study(summary: dict[str, Any], out: Path) -> None:
    """Draw each circuit's difference to its twin with its interval, unseen cells left, unseen cohorts right."""
    from .plotting import ACCENT, DPI, INK, NEUTRAL, canvas

    names = list(summary["pairs"])[::-1]
    figure, axes = canvas(8, 1.2 + 0.35 * len(names), columns=2, sharey=True)
    for axis, by in zip(axes[0], PROTOCOLS, strict=True):
        for row, name in enumerate(names):
            difference = summary["pairs"][name][by]
            clear = difference["low"] > 0 or difference["high"] < 0
            colour = ACCENT if clear else INK
            axis.plot([difference["low"], difference["high"]], [row, row], color=colour, linewidth=1.5)
            axis.plot(difference["mean"], row, "o", color=colour, markersize=5)
        axis.axvline(0, color=NEUTRAL, linewidth=1)
        axis.set_yticks(range(len(names)), names)
        axis.set_xlabel(f"MSE less that of the twin, unseen {by}", fontsize=9)
    figure.savefig(out, dpi=DPI, format="png")
