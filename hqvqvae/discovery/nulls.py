"""Nulls: permutations of cells, the max-statistic, nested prediction, and circular shifts of a code sequence.

Cells, not segments, are permuted. A free permutation ignores that the cells of a cohort share chemistry and protocol,
so it is too lenient; a permutation within cohorts tests what a code adds to knowing the cohort.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

FEWEST_ORDERS = 20  # with fewer distinct permutations, p cannot fall below 0.05 and is omitted
TOLERANCE = 1e-12  # two orders of summation of the same ranks may differ by this much


def permutations(cohorts: np.ndarray, n: int, rng: np.random.Generator, *, within: bool) -> np.ndarray:
    """Draw permutations of the cells.

    Args:
        cohorts: Cohort of each cell, (C,).
        n: Number of permutations.
        rng: Source of randomness.
        within: Permute cells only within their cohort.

    Returns:
        Indices of cells, (n, C).
    """
    keys = rng.random((n, len(cohorts)))
    if not within:
        return np.argsort(keys, axis=1)
    label = np.unique(cohorts, return_inverse=True)[1]
    drawn = np.empty((n, len(cohorts)), dtype=np.intp)
    drawn[:, np.argsort(label, kind="stable")] = np.argsort(keys + label, axis=1)
    return drawn


def distinct_permutations(cohorts: np.ndarray, *, within: bool) -> int:
    """Count the distinct permutations; 1 / this number is the smallest possible p."""
    sizes = np.unique(cohorts, return_counts=True)[1] if within else [len(cohorts)]
    return math.prod(math.factorial(int(size)) for size in sizes)


def enough_orders(cohorts: np.ndarray, *, within: bool) -> bool:
    """Return whether there are enough cells, in all or per cohort, for a permutation p to be meaningful.

    Args:
        cohorts: Cohort of each cell, (C,).
        within: Whether cells are permuted only within their cohort.
    """
    return distinct_permutations(cohorts, within=within) >= FEWEST_ORDERS


def p_value(observed: float, null: np.ndarray) -> float:
    """Compute a one-sided permutation p with the +1 correction: the observed order is one of the possible ones.

    Args:
        observed: The statistic on the observed order.
        null: The statistic under each permutation, (B,).

    Returns:
        The share of orders, the observed one included, with a statistic at least as large.
    """
    return (1 + int(np.sum(null >= observed - TOLERANCE))) / (1 + len(null))


def _standard_ranks(values: np.ndarray, axis: int) -> np.ndarray:
    """Compute ranks with zero mean and unit norm along an axis; all zero if the values are constant."""
    ranks = rankdata(values, axis=axis)
    ranks = ranks - ranks.mean(axis=axis, keepdims=True)
    norm = np.linalg.norm(ranks, axis=axis, keepdims=True)
    return np.divide(ranks, norm, out=np.zeros_like(ranks), where=norm > TOLERANCE)


def spearman(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Compute Spearman's rho along the last axis of two arrays of equal shape; 0 if one is constant."""
    return np.sum(_standard_ranks(a, -1) * _standard_ranks(b, -1), axis=-1)


@dataclass(frozen=True)
class MaxStatistic:
    """Association of every predictor with a proxy, with p adjusted for the number of predictors."""

    rho: np.ndarray  # (K,) Spearman; NaN if the predictor is not eligible
    p_free: np.ndarray  # (K,) adjusted by the maximum over eligible predictors, cells permuted freely
    p_within: np.ndarray  # (K,) the same, cells permuted within cohorts; NaN if that cannot be tested
    chance: float  # 95 % point of the largest rho when cells are permuted freely


def max_statistic(
    proxy: np.ndarray,
    predictors: np.ndarray,
    eligible: np.ndarray,
    cohorts: np.ndarray,
    n_permutations: int,
    rng: np.random.Generator,
) -> MaxStatistic:
    """Correlate every predictor with the proxy and test each against the largest correlation under permutation.

    Args:
        proxy: One number per cell, (C,).
        predictors: One column per code or feature, (C, K).
        eligible: Columns that take part, (K,) bool; constant ones never do.
        cohorts: Cohort of each cell, (C,).
        n_permutations: Permutations per null.
        rng: Source of randomness.

    Returns:
        Spearman and adjusted p per predictor.
    """
    ranks = _standard_ranks(predictors, 0)
    eligible = eligible & (np.abs(ranks).sum(axis=0) > 0)
    nowhere = np.full(predictors.shape[1], np.nan)
    target = _standard_ranks(proxy, 0)
    if not eligible.any() or not np.abs(target).sum():
        return MaxStatistic(nowhere, nowhere, nowhere, np.nan)
    rho = np.where(eligible, target @ ranks, np.nan)
    adjusted, points = [nowhere, nowhere], [np.nan, np.nan]
    for within in (False, True):
        if not enough_orders(cohorts, within=within):
            continue
        drawn = permutations(cohorts, n_permutations, rng, within=within)
        largest = np.sort((target[drawn] @ ranks[:, eligible]).max(axis=1))
        above = n_permutations - np.searchsorted(largest, rho - TOLERANCE, side="left")
        adjusted[within] = np.where(eligible, (1 + above) / (1 + n_permutations), np.nan)
        points[within] = float(np.quantile(largest, 0.95))
    return MaxStatistic(rho, adjusted[0], adjusted[1], points[0])


def choose_and_predict(
    target: np.ndarray,
    seen: np.ndarray,
    unseen: np.ndarray,
    eligible: np.ndarray,
    *,
    either_sign: bool = False,
    target_ranks: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose the predictor that ranks the training cells best, fit a line, and predict the other cells.

    Args:
        target: Proxy of the training cells under each of B orders, (B, n).
        seen: Predictors of the training cells, (n, K).
        unseen: Predictors of the other cells, (m, K).
        eligible: Predictors that may be chosen, (K,) bool.
        either_sign: Whether a predictor that falls as the proxy rises may also be chosen.
        target_ranks: Ranks of the target in each order, (B, n), if known.

    Returns:
        Predictions (B, m), the training cells' mean if no predictor is eligible; and the choice (B,), -1 for none.
    """
    mean = target.mean(axis=1, keepdims=True)
    ranks = _standard_ranks(seen, 0)
    usable = np.flatnonzero(eligible & (np.abs(ranks).sum(axis=0) > 0))
    if not len(usable):
        return np.repeat(mean, len(unseen), axis=1), np.full(len(target), -1)
    # Up to a factor per order, which does not affect the choice.
    rho = (rankdata(target, axis=1) if target_ranks is None else target_ranks) @ ranks[:, usable]
    pick = usable[np.argmax(np.abs(rho) if either_sign else rho, axis=1)]
    centre = seen.mean(axis=0)
    variance = ((seen - centre) ** 2).sum(axis=0)
    slope = np.einsum("bc,cb->b", target - mean, (seen - centre)[:, pick]) / variance[pick]
    return mean + slope[:, None] * (unseen - centre)[:, pick].T, pick


def nested_predictions(proxy: np.ndarray, predictors: np.ndarray, usable: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Predict each cell from a predictor chosen, and a line fitted, on the other cells only.

    Args:
        proxy: Proxy of every cell under each of B orders, (B, C).
        predictors: Values from the model without each cell, (C, C, K); the first axis is the cell held out.
        usable: Predictors that may be chosen without each cell, (C, K) bool.

    Returns:
        Predictions (B, C), the mean of the other cells if no predictor is eligible; and the chosen predictor (B, C),
        -1 for none.
    """
    predictions = np.empty_like(proxy, dtype=float)
    chosen = np.full(proxy.shape, -1)
    ranks = rankdata(proxy, axis=1)
    for c in range(proxy.shape[1]):
        others = np.arange(proxy.shape[1]) != c
        target = proxy[:, others]
        # Faster than sorting again: leaving a cell out lowers the ranks above its own.
        of_target = ranks[:, others] - (np.sign(target - proxy[:, [c]]) + 1) / 2
        seen, unseen = predictors[c][others], predictors[c][[c]]
        found = choose_and_predict(target, seen, unseen, usable[c], target_ranks=of_target)
        predictions[:, [c]], chosen[:, c] = found
    return predictions, chosen


@dataclass(frozen=True)
class NestedResult:
    """The selection-free result: how well unseen cells are predicted, and how often chance does as well.

    With several training seeds, rho and the null are means over seeds under the same permutations, so there is one p.
    """

    rho: float  # Spearman of pooled held-out predictions with the proxy, mean over seeds
    rho_seeds: np.ndarray  # (S,) per seed; NaN if no predictor was eligible in any fold
    r2: float  # 1 - squared error / squared error of the other cells' mean, mean over seeds
    p_free: float  # cells permuted freely; NaN if there are too few
    p_within: float  # cells permuted within cohorts; NaN if cohorts are too small
    p_within_seeds: np.ndarray  # (S,)
    predictions: np.ndarray  # (S, C)
    chosen: np.ndarray  # (S, C), -1 for none

    def finds_precursor(self, alpha: float) -> bool:
        """Return whether unseen cells are predicted beyond what their cohort explains, at level `alpha`."""
        return self.rho > 0 and self.p_free < alpha and self.p_within < alpha


def nested_test(
    proxy: np.ndarray,
    predictors: np.ndarray,
    eligible: np.ndarray,
    cohorts: np.ndarray,
    n_permutations: int,
    rng: np.random.Generator,
) -> NestedResult | None:
    """Run the nested prediction on the observed order of cells and on permuted ones.

    Args:
        proxy: One number per cell, (C,).
        predictors: Values per training seed from the model without each cell, (S, C, C, K), one per cell held out.
        eligible: Predictors that may be chosen without each cell, (S, C, K) bool.
        cohorts: Cohort of each cell, (C,).
        n_permutations: Permutations per null.
        rng: Source of randomness.

    Returns:
        The result; None if no predictor is eligible in any fold of any seed, or the proxy does not vary.
    """
    if len(proxy) < 3 or np.ptp(proxy) == 0:
        return None
    orders = {within: permutations(cohorts, n_permutations, rng, within=within) for within in (False, True)}
    stacked = np.concatenate([proxy[None], proxy[orders[False]], proxy[orders[True]]])
    per_seed: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for seed_predictors, seed_eligible in zip(predictors, eligible, strict=True):
        predicted, picked = nested_predictions(stacked, seed_predictors, seed_eligible)
        none = bool((picked[0] < 0).all())
        rho_of = np.full(len(stacked), np.nan) if none else spearman(predicted, stacked)
        per_seed.append((rho_of, predicted[0], picked[0]))
    rho, predictions, chosen = (np.array(part) for part in zip(*per_seed, strict=True))
    answered = np.isfinite(rho[:, 0])
    if not answered.any():
        return None
    mean = rho[answered].mean(axis=0)
    free, within = slice(1, 1 + n_permutations), slice(1 + n_permutations, None)
    r2 = float(np.mean([skill(p, proxy) for p in predictions[answered]]))
    p_free = p_value(mean[0], mean[free]) if enough_orders(cohorts, within=False) else np.nan
    judged = enough_orders(cohorts, within=True)
    p_within = p_value(mean[0], mean[within]) if judged else np.nan
    p_seeds = np.array([p_value(r[0], r[within]) if judged and np.isfinite(r[0]) else np.nan for r in rho])
    return NestedResult(float(mean[0]), rho[:, 0], r2, p_free, p_within, p_seeds, predictions, chosen)


def skill(predictions: np.ndarray, proxy: np.ndarray) -> float:
    """Compute the R2 of held-out predictions relative to the mean of the other cells.

    Args:
        predictions: Prediction for each held-out cell, (C,).
        proxy: Proxy of each cell, (C,).

    Returns:
        1 - squared error / squared error of predicting each cell by the mean of the others.
    """
    baseline = np.array([np.delete(proxy, c).mean() for c in range(len(proxy))])
    return 1 - float(np.sum((proxy - predictions) ** 2) / np.sum((proxy - baseline) ** 2))


@dataclass(frozen=True)
class LeadTimes:
    """Lead of a code's first activation over the onset of degradation, against circularly shifted sequences."""

    leads: np.ndarray  # (C,) segments; NaN if the cell has no onset or no activation
    median: float
    positive: float  # share of leads above 0
    null: np.ndarray  # (B,) median lead under the null
    p: float


def lead_times(fires: list[np.ndarray], onsets: np.ndarray, shifts: int, rng: np.random.Generator) -> LeadTimes | None:
    """Measure lead times and test them against circular shifts of each cell's sequence.

    A shift preserves how often a code fires and in which runs, but not when.

    Args:
        fires: Per cell, whether the code is active at each segment, (n_c,) bool.
        onsets: Position of the onset of degradation per cell, NaN if never, (C,).
        shifts: Draws for the null.
        rng: Source of randomness.

    Returns:
        Lead times; None if no cell has both an onset and an activation.
    """
    leads = np.full(len(fires), np.nan)
    shifted = []
    for c, (active, onset) in enumerate(zip(fires, onsets, strict=True)):
        where = np.flatnonzero(active)
        if not len(where) or not np.isfinite(onset):
            continue
        leads[c] = onset - where[0]
        first = np.array([((where + s) % len(active)).min() for s in range(len(active))])
        shifted.append(onset - first[rng.integers(len(active), size=shifts)])
    if not shifted:
        return None
    null = np.median(shifted, axis=0)
    known = leads[np.isfinite(leads)]
    median = float(np.median(known))
    return LeadTimes(leads, median, float(np.mean(known > 0)), null, p_value(median, null))
