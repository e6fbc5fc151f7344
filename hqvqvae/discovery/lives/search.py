"""The search on the MATR cells: each method on the same folds, transfer to a later batch, fewer cells, no codes.

Codebook size, code and line are chosen on cells that are not predicted. Nulls repeat all choices on lives permuted
between cells, freely or within their cohort; the codes do not depend on lives.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dataset_card.errors import MagBridgeError

from ...cells.code_statistics import code_rates
from ...training.fit import TrainingConfig
from ...training.methods import Coder, fit_method
from ..nulls import choose_and_predict, p_value, permutations, spearman
from .study import TRAIN_STEP, LifePlan, LifeStudy, balanced_folds, prepare

# Ridge regressions without codes: on the published feature, and on the features over the last ten cycles
BOUNDS = {"variance of the curve's change": ("dq_log_var",), "drift of the six features": None}
RIDGE = 1.0
TRANSFER_TO = "test2"


def fold_of(study: LifeStudy) -> np.ndarray:
    """Return the fold of each cell under the plan's seed, (C,)."""
    return balanced_folds(study.index.cohorts, study.plan.folds, np.random.default_rng((study.plan.seed, 0)))


def rates_of(
    study: LifeStudy, method: str, held_out: np.ndarray, training: TrainingConfig | None = None
) -> tuple[dict[int, np.ndarray], float]:
    """Fit a method without the cells of each part, and compute each code's share in every cell.

    Args:
        study: The cells.
        method: A name from `methods.LIFE_METHODS` or `methods.QUANTIZERS`.
        held_out: Cells of each part, (parts, C) bool.
        training: Training settings; the default ones if None.

    Returns:
        Shares by codebook size, (parts, C, K) each, and the CPU seconds of the fits.
    """
    seconds, rates = 0.0, {}
    for n_codes in study.plan.n_codes:
        shares = []
        for part, out in enumerate(held_out):
            start = time.process_time()
            coder = fit_without(study, out, method, n_codes, part, training)
            seconds += time.process_time() - start
            shares.append(code_rates(study.index, coder.encode(study.features), n_codes))
        rates[n_codes] = np.stack(shares)
    return rates, seconds


def fit_without(
    study: LifeStudy, out: np.ndarray, method: str, n_codes: int, part: int, training: TrainingConfig | None = None
) -> Coder:
    """Fit a method on the cells that are not in `out`, (C,) bool; each part draws its own weights."""
    train = np.flatnonzero(~out[study.index.cell])[::TRAIN_STEP]
    digest = hashlib.sha256(f"{study.plan.seed}/{method}/{n_codes}/{part}".encode()).digest()
    seed, taken = int.from_bytes(digest[:4], "little"), study.features[train]
    return fit_method(method, taken, seed, feature_names=study.names, training=training, n_codes=n_codes)


def search(study: LifeStudy, method: str, training: TrainingConfig | None = None) -> dict[str, Any]:
    """Evaluate a method or a bound on the plan's folds.

    Args:
        study: The cells.
        method: A name from `methods.LIFE_METHODS`, `methods.QUANTIZERS` or `BOUNDS`.
        training: Training settings; the default ones if None.

    Returns:
        A JSON-ready row: `rho`, `within` (cohorts), `by_cohort`, `p_free`, `p_within`, each fold's `n_codes` and
        `chosen`, and `cpu_seconds`.
    """
    fold = fold_of(study)
    answer, seconds = answer_of(study, method, fold == np.arange(study.plan.folds)[:, None], training)
    _, found = nested_lives(study.severity, fold, study.index.cohorts, study.plan, answer)
    return found | {"cpu_seconds": round(seconds, 1)}


def answer_of(study: LifeStudy, method: str, out: np.ndarray, training: TrainingConfig | None) -> tuple[Answer, float]:
    """Return a predictor for the cells of each part, (parts, C) bool, by method or bound, and its fits' CPU seconds."""
    if method in BOUNDS:
        nothing = np.empty(0, dtype=int)
        return lambda part, target, test: (_ridge(study, method, ~test, test, target), nothing, nothing), 0.0
    rates, seconds = rates_of(study, method, out, training)

    def answer(part: int, target: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        of_part = {size: shares[part] for size, shares in rates.items()}
        return predict(target, of_part, ~test, test, study.index.cohorts, study.plan)

    return answer, seconds


def _ridge(study: LifeStudy, name: str, train: np.ndarray, test: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Predict (B, m) by ridge regression on a bound's features, for each order of the lives (B, n)."""
    columns = BOUNDS[name] or study.names
    values = study.bounds[list(columns)].to_numpy(dtype=float)
    centre, spread = values[train].mean(axis=0), values[train].std(axis=0)
    seen, unseen = (values[train] - centre) / spread, (values[test] - centre) / spread
    mean = target.mean(axis=1, keepdims=True)
    weights = np.linalg.solve(seen.T @ seen + RIDGE * np.eye(seen.shape[1]), seen.T @ (target - mean).T)
    return mean + (unseen @ weights).T


def transfer(study: LifeStudy, method: str, training: TrainingConfig | None = None) -> dict[str, Any]:
    """Choose and fit on train and test1, and score the later batch test2 once.

    Returns:
        A row for a method or bound: `rho` on test2 with its `p` (lives of test2 permuted), `n_codes`, `chosen` and
        `cpu_seconds`.
    """
    plan, later, severity = study.plan, study.splits == TRANSFER_TO, study.severity
    answer, seconds = answer_of(study, method, later[None], training)
    (predicted,), size, code = answer(0, severity[None, ~later], later)
    rng = np.random.default_rng((plan.seed, 3))
    orders = rng.permuted(np.tile(severity[later], (plan.n_permutations, 1)), axis=1)
    rho = float(spearman(predicted, severity[later]))
    return {
        "rho": rho, "p": p_value(rho, spearman(np.broadcast_to(predicted, orders.shape), orders)),
        "n_codes": size.tolist(), "chosen": code.tolist(), "cpu_seconds": round(seconds, 1),
    }  # fmt: skip


def fewer_cells(plan: LifePlan, n: int) -> LifeStudy:
    """Draw a number of cells by the plan's seed, every cohort in proportion.

    Raises:
        MagBridgeError: If there are fewer cells.
    """
    index = prepare(plan).index
    if n > len(index.cell_ids):
        raise MagBridgeError(f"{n} cells of {len(index.cell_ids)}; expected at most all of them")
    # Order the cells cohort by cohort, at random within each, then take equal steps through that order.
    rng = np.random.default_rng((0, 4, n, plan.seed))
    order = np.argsort(balanced_folds(index.cohorts, len(index.cell_ids), rng))
    chosen = np.sort(order[np.linspace(0, len(order) - 1, n).round().astype(int)])
    return prepare(plan, cells=list(index.cell_ids[chosen]))


Answer = Callable[[int, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""A function of fold, severity of the training cells under B orders (B, n) and cells to predict (C,) bool; it returns
predictions (B, m) and, if codes are chosen, codebook sizes and codes (B,), else empty arrays."""


def within_cohorts(a: np.ndarray, b: np.ndarray, cohorts: np.ndarray) -> np.ndarray:
    """Average Spearman's rho over cohorts, along the last axis; leave out cohorts of fewer than 3 cells."""
    names, sizes = np.unique(cohorts, return_counts=True)
    of_each = [spearman(a[..., cohorts == name], b[..., cohorts == name]) for name in names[sizes >= 3]]
    return np.mean(of_each, axis=0)


def orders_of(severity: np.ndarray, cohorts: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return the true order, then n permuted within cohorts, then n permuted freely, (1 + 2 n, C)."""
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
    """Choose codebook size, code and line on training cells, and predict the others.

    Args:
        target: Severity of the training cells under each of B orders, (B, n).
        rates: By codebook size, the share of each code in each cell's segments, (C, K).
        train: Training cells, (C,) bool.
        test: Cells to predict, (C,) bool.
        cohorts: Cohort of each cell, (C,).
        plan: Folds, eligibility and seed.

    Returns:
        Predictions (B, m); chosen sizes (B,) and codes (B,), -1 if none is eligible.
    """
    inner = balanced_folds(cohorts[train], plan.inner_folds, np.random.default_rng((plan.seed, 1)))
    scores, answers = [], []
    for size, shares in rates.items():
        seen = shares[train]
        predicted = np.empty_like(target)
        for fold in range(plan.inner_folds):
            kept = inner != fold
            usable = (seen[kept] > 0).sum(axis=0) >= plan.min_cells_present
            inside = target[:, kept], seen[kept], seen[~kept], usable
            predicted[:, ~kept] = choose_and_predict(*inside, either_sign=True)[0]
        scores.append(within_cohorts(predicted, target, cohorts[train]))
        usable = (seen > 0).sum(axis=0) >= plan.min_cells_present
        answers.append((*choose_and_predict(target, seen, shares[test], usable, either_sign=True), size))
    best = np.argmax(scores, axis=0)  # the first of equals, which is the smallest size
    row = np.arange(len(target))
    predictions = np.stack([answer[0] for answer in answers])[best, row]
    chosen = np.stack([answer[1] for answer in answers])[best, row]
    return predictions, np.array([answer[2] for answer in answers])[best], chosen


def nested_lives(
    severity: np.ndarray, fold: np.ndarray, cohorts: np.ndarray, plan: LifePlan, answer: Answer
) -> tuple[np.ndarray, dict[str, Any]]:
    """Predict every cell from the other folds, on the true lives and on permuted ones.

    Args:
        severity: Minus log life, (C,).
        fold: Fold in which each cell is held out, (C,).
        cohorts: Cohort of each cell, (C,).
        plan: Permutations and seed.
        answer: Function that predicts the cells of a fold.

    Returns:
        Predicted severity, (C,); and a dict: Spearman of predicted and true severity over all cells (`rho`), its mean
        `within` cohorts and the values `by_cohort`, `p_free` of `rho` (lives permuted freely), `p_within` of `within`
        (lives permuted within cohorts), and the codebook size and code chosen per fold (`n_codes`, `chosen`; -1: none).
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
    inside = {str(name): cohorts == name for name in np.unique(cohorts)}
    by_cohort = {name: float(spearman(predictions[0, mine], orders[0, mine])) for name, mine in inside.items()}
    p_free, p_within = p_value(rho[0], rho[1 + n :]), p_value(within[0], within[1 : 1 + n])
    found = {"rho": float(rho[0]), "within": float(within[0]), "by_cohort": by_cohort}
    return predictions[0], found | {"p_free": p_free, "p_within": p_within, "n_codes": sizes, "chosen": codes}
