"""The search on the MATR cells: every method on the same folds, transfer to a later batch, fewer cells, no codes."""

from __future__ import annotations

import functools
import hashlib
import itertools
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dataset_card.errors import MagBridgeError

from ...cells.code_statistics import code_rates
from ...training.fit import TrainingConfig
from ...training.jobs import run_jobs
from ...training.methods import LIFE_METHODS, fit_method
from ..nulls import spearman
from .nested import LifeResult, judge, nested_lives, orders_of, predict, within_cohorts
from .study import TRAIN_STEP, LifePlan, LifeStudy, balanced_folds, prepare

BOUNDS = {
    "variance of the curve's change": ("dq_log_var",),
    "drift of the six features": None,
}  # ridge regressions without codes: of the published feature, and of the features' last ten cycles
RIDGE = 1.0
ALPHA = 0.05
TRANSFER_TO = "test2"


def fold_of(study: LifeStudy) -> np.ndarray:
    """The fold of each cell under the plan's seed, (C,)."""
    return balanced_folds(study.index.cohorts, study.plan.folds, np.random.default_rng((study.plan.seed, 0)))


def fit_seed(seed: int, method: str, n_codes: int, part: int) -> int:
    digest = hashlib.sha256(f"{seed}/{method}/{n_codes}/{part}".encode()).digest()
    return int.from_bytes(digest[:4], "little")


def fit_rates(
    job: tuple[str, int, int], study: LifeStudy, held_out: np.ndarray, training: TrainingConfig | None = None
) -> tuple[np.ndarray, float]:
    """Fit a method without some cells and take the share of each code in every cell.

    Args:
        job: Method, size of the codebook, and which of the parts is held out.
        study: The cells.
        held_out: Cells of each part, (parts, C) bool.
        training: Other than the default.

    Returns:
        Shares (C, K), and the CPU seconds of the fit.
    """
    method, n_codes, part = job
    train = np.flatnonzero(~held_out[part][study.index.cell])[::TRAIN_STEP]
    start = time.process_time()
    coder = fit_method(
        method, study.features[train], fit_seed(study.plan.seed, method, n_codes, part),
        feature_names=study.names, training=training, n_codes=n_codes,
    )  # fmt: skip
    seconds = time.process_time() - start
    return code_rates(study.index, coder.encode(study.features), n_codes), seconds


def rates_of(
    study: LifeStudy, methods: Sequence[str], held_out: np.ndarray, training: TrainingConfig | None = None, **jobs: Any
) -> tuple[dict[str, dict[int, np.ndarray]], dict[str, float]]:
    """Shares of codes by method and size, (parts, C, K) each, and the CPU seconds of each method's fits."""
    work = list(itertools.product(methods, study.plan.n_codes, range(len(held_out))))
    done = run_jobs(functools.partial(fit_rates, study=study, held_out=held_out, training=training), work, **jobs)
    found = dict(zip(work, done, strict=True))
    parts = range(len(held_out))
    rates = {
        method: {n: np.stack([found[method, n, part][0] for part in parts]) for n in study.plan.n_codes}
        for method in methods
    }
    return rates, {method: sum(done[1] for job, done in found.items() if job[0] == method) for method in methods}


def search(
    study: LifeStudy, methods: Sequence[str] = LIFE_METHODS, training: TrainingConfig | None = None, **jobs: Any
) -> dict[str, dict[str, Any]]:
    """Every method and every bound on the plan's folds.

    Args:
        study: The cells.
        methods: Of `methods.LIFE_METHODS`.
        training: Other than the default.
        **jobs: `workers`, `address` and `progress` of `run_jobs`.

    Returns:
        A JSON-ready row per method: `rho`, `within` (cohorts), `by_cohort`, `p_free`, `p_within`, `n_codes` and
        `chosen` of the folds, `cpu_seconds`.
    """
    fold = fold_of(study)
    rates, seconds = rates_of(study, methods, fold == np.arange(study.plan.folds)[:, None], training, **jobs)
    cohorts = study.index.cohorts
    rows = {
        method: as_row(nested_lives(study.severity, rates[method], fold, cohorts, study.plan), seconds[method])
        for method in methods
    }
    for name in BOUNDS:
        rows[name] = as_row(_bound(study, name, fold), 0.0)
    return rows


def as_row(result: LifeResult, seconds: float) -> dict[str, Any]:
    """A result as it is written."""
    kept = {name: value for name, value in vars(result).items() if name != "predictions"}
    return kept | {"cpu_seconds": round(seconds, 1)}


def _ridge(study: LifeStudy, name: str, train: np.ndarray, test: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Predictions (B, m) of a ridge regression on a bound's features, under each order of the lives (B, n)."""
    columns = BOUNDS[name] or study.names
    values = study.bounds[list(columns)].to_numpy(dtype=float)
    centre, spread = values[train].mean(axis=0), values[train].std(axis=0)
    seen, unseen = (values[train] - centre) / spread, (values[test] - centre) / spread
    mean = target.mean(axis=1, keepdims=True)
    weights = np.linalg.solve(seen.T @ seen + RIDGE * np.eye(seen.shape[1]), seen.T @ (target - mean).T)
    return mean + (unseen @ weights).T


def _bound(study: LifeStudy, name: str, fold: np.ndarray) -> LifeResult:
    plan, cohorts = study.plan, study.index.cohorts
    orders = orders_of(study.severity, cohorts, plan.n_permutations, np.random.default_rng((plan.seed, 2)))
    predictions = np.empty_like(orders)
    for f in np.unique(fold):
        test = fold == f
        predictions[:, test] = _ridge(study, name, ~test, test, orders[:, ~test])
    return judge(orders, predictions, cohorts, plan, [], [])


def transfer(
    study: LifeStudy, methods: Sequence[str] = LIFE_METHODS, training: TrainingConfig | None = None, **jobs: Any
) -> dict[str, dict[str, Any]]:
    """Choose and fit on train and test1, score the later batch test2 once.

    Returns:
        A row per method and bound: `rho` on test2 with its `p` (lives of test2 exchanged), `n_codes`, `chosen`.
    """
    plan, later = study.plan, study.splits == TRANSFER_TO
    rates, seconds = rates_of(study, methods, later[None], training, **jobs)
    severity, cohorts = study.severity, study.index.cohorts
    drawn = np.random.default_rng((plan.seed, 3)).permuted(np.tile(severity[later], (plan.n_permutations, 1)), axis=1)

    def row(predicted: np.ndarray) -> dict[str, Any]:
        rho = float(spearman(predicted, severity[later]))
        chance = spearman(np.broadcast_to(predicted, drawn.shape), drawn)
        return {"rho": rho, "p": float((1 + np.sum(chance >= rho)) / (1 + len(drawn)))}

    rows = {}
    for method in methods:
        of_one = {n: shares[0] for n, shares in rates[method].items()}
        predicted, size, code = predict(severity[None, ~later], of_one, ~later, later, cohorts, plan)
        chosen = {"n_codes": int(size[0]), "chosen": int(code[0])}
        rows[method] = row(predicted[0]) | chosen | {"cpu_seconds": round(seconds[method], 1)}
    for name in BOUNDS:
        rows[name] = row(_ridge(study, name, ~later, later, severity[None, ~later])[0])
    return rows


def by_number(
    plan: LifePlan, method: str, numbers: Sequence[int], draws: int, training: TrainingConfig | None = None, **jobs: Any
) -> list[dict[str, Any]]:
    """The same search among fewer cells, drawn anew.

    Args:
        plan: That of the whole; each draw has a seed of its own.
        method: One method.
        numbers: Cells to draw; as many as there are is drawn once.
        draws: How often.
        training: Other than the default.
        **jobs: Of `run_jobs`.

    Returns:
        Per number of cells: `rho` and `within` of each draw, and the share `found` with p within cohorts below .05.
    """
    everything = prepare(plan)
    cells, cohorts = everything.index.cell_ids, everything.index.cohorts
    rows = []
    for n in numbers:
        if n > len(cells):
            raise MagBridgeError(f"{n} cells of {len(cells)}: expected at most all of them")
        results = []
        for draw in range(draws if n < len(cells) else 1):
            # Every cohort in proportion: the parts of a division into len(cells) / n, taken one after the other.
            order = np.argsort(balanced_folds(cohorts, len(cells), np.random.default_rng((plan.seed, 4, n, draw))))
            study = prepare(replace(plan, seed=plan.seed + draw), cells=list(cells[_spread(order, n)]))
            fold = fold_of(study)
            rates, _ = rates_of(study, [method], fold == np.arange(plan.folds)[:, None], training, **jobs)
            results.append(nested_lives(study.severity, rates[method], fold, study.index.cohorts, study.plan))
        rows.append(
            {
                "cells": int(n),
                "rho": [result.rho for result in results],
                "within": [result.within for result in results],
                "found": float(np.mean([result.p_within < ALPHA for result in results])),
            }
        )
    return rows


def _spread(order: np.ndarray, n: int) -> np.ndarray:
    """n of the cells in an order, at equal steps."""
    return np.sort(order[np.linspace(0, len(order) - 1, n).round().astype(int)])


__all__ = ["BOUNDS", "by_number", "search", "transfer", "within_cohorts"]
