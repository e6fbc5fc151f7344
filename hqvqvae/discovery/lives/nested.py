"""Lives of unseen cells from one code: the size of the codebook, the code and a line are chosen on the other cells.

Nulls repeat all choices on lives that are exchanged between cells, freely or within their cohort; codes know no lives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ..nulls import choose_and_predict, p_value, permutations, spearman
from .study import LifePlan, balanced_folds

Answer = Callable[[int, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""Fold, severity of the cells to learn from under B orders (B, n) and cells to predict (C,) bool, to predictions (B, m)
and, where codes are chosen, their sizes and codes (B,), else empty."""


@dataclass(frozen=True)
class LifeResult:
    """How well the lives of unseen cells are predicted, and how often chance does as well.

    Attributes:
        rho: Spearman of predicted and true severity over all cells.
        within: Its mean within cohorts.
        by_cohort: Spearman in each cohort.
        p_free: Of `rho`, lives exchanged freely.
        p_within: Of `within`, lives exchanged within cohorts.
        predictions: Predicted severity, (C,).
        n_codes: Size of the codebook that each fold chose.
        chosen: Code that each fold chose, -1 for none.
    """

    rho: float
    within: float
    by_cohort: dict[str, float]
    p_free: float
    p_within: float
    predictions: np.ndarray
    n_codes: list[int]
    chosen: list[int]


def within_cohorts(a: np.ndarray, b: np.ndarray, cohorts: np.ndarray) -> np.ndarray:
    """Mean over cohorts of Spearman's rho inside each, along the last axis; cohorts of fewer than 3 are left out."""
    names, sizes = np.unique(cohorts, return_counts=True)
    of_each = [spearman(a[..., cohorts == name], b[..., cohorts == name]) for name in names[sizes >= 3]]
    return np.mean(of_each, axis=0)


def orders_of(severity: np.ndarray, cohorts: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """The true order, then n within cohorts, then n free ones, (1 + 2 n, C)."""
    drawn = [severity[permutations(cohorts, n, rng, within=within)] for within in (True, False)]
    return np.concatenate([severity[None], *drawn])


def predict(
    target: np.ndarray,
    rates: Mapping[int, np.ndarray],
    train: np.ndarray,
    test: np.ndarray,
    cohorts: np.ndarray,
    plan: LifePlan,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose size, code and line on training cells and predict the others.

    Args:
        target: Severity of the training cells under each of B orders, (B, n).
        rates: By size of the codebook, share of each code in each cell's segments, (C, K).
        train: Training cells, (C,) bool.
        test: Cells to predict, (C,) bool.
        cohorts: Cohort of each cell, (C,).
        plan: Folds, eligibility and seed.

    Returns:
        Predictions (B, m); chosen sizes (B,) and codes (B,), -1 where none is eligible.
    """
    inner = balanced_folds(cohorts[train], plan.inner_folds, np.random.default_rng((plan.seed, 1)))
    scores, answers = [], []
    for size, shares in rates.items():
        seen = shares[train]
        predicted = np.empty_like(target)
        for fold in range(plan.inner_folds):
            kept = inner != fold
            usable = (seen[kept] > 0).sum(axis=0) >= plan.min_cells_present
            predicted[:, ~kept] = choose_and_predict(
                target[:, kept], seen[kept], seen[~kept], usable, either_sign=True
            )[0]
        scores.append(within_cohorts(predicted, target, cohorts[train]))
        usable = (seen > 0).sum(axis=0) >= plan.min_cells_present
        answers.append((*choose_and_predict(target, seen, shares[test], usable, either_sign=True), size))
    best = np.argmax(scores, axis=0)  # the first of equals, which is the smallest
    row = np.arange(len(target))
    predictions = np.stack([answer[0] for answer in answers])[best, row]
    chosen = np.stack([answer[1] for answer in answers])[best, row]
    return predictions, np.array([answer[2] for answer in answers])[best], chosen


def nested_lives(
    severity: np.ndarray, fold: np.ndarray, cohorts: np.ndarray, plan: LifePlan, answer: Answer
) -> LifeResult:
    """Predict every cell from the other folds, on the true lives and on exchanged ones.

    Args:
        severity: Minus log life, (C,).
        fold: Fold that holds each cell out, (C,).
        cohorts: Cohort of each cell, (C,).
        plan: Permutations and seed.
        answer: What predicts the cells of a fold.
    """
    n = plan.n_permutations
    orders = orders_of(severity, cohorts, n, np.random.default_rng((plan.seed, 2)))
    predictions = np.empty_like(orders)
    sizes, codes = [], []
    for f in np.unique(fold):
        test = fold == f
        predictions[:, test], size, code = answer(int(f), orders[:, ~test], test)
        sizes += size[:1].tolist()
        codes += code[:1].tolist()
    rho, within = spearman(predictions, orders), within_cohorts(predictions, orders, cohorts)
    return LifeResult(
        rho=float(rho[0]),
        within=float(within[0]),
        by_cohort={
            str(name): float(spearman(predictions[0, cohorts == name], orders[0, cohorts == name]))
            for name in np.unique(cohorts)
        },
        p_free=p_value(rho[0], rho[1 + n :]),
        p_within=p_value(within[0], within[1 : 1 + n]),
        predictions=predictions[0],
        n_codes=sizes,
        chosen=codes,
    )
