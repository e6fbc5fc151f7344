"""Score predictions: compute all metrics of a task, and resample the headline metric by battery."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from benchmark.data import REGIME_B_PREFIX, Subset, Truth
from benchmark.magbridge_metric import scores as formulas
from benchmark.refusals import refused
from benchmark.tasks import R2_BY_TABLE, R2_HEALTHY, WITHOUT_PARENTS, Task
from dataset_card.contract.schema import table_of
from dataset_card.errors import MagBridgeError

RESAMPLES = 2000
VISITS, ABSENT = 4, -1.0
"""Maximum number of rows per battery in tasks of places, and the placeholder for a missing row."""

LEVEL = 0.95
PERCENT_FROM = 10.0
"""A median SOH above this value is taken for percent."""

TAILS = (1 - LEVEL) / 2, (1 + LEVEL) / 2
FEWEST = 5
"""Fewest batteries for a studentised interval; with fewer, the percentiles are given."""

EXACT = 1e-9
"""Relative standard error below which batteries count as equal."""


@dataclass(frozen=True)
class Run:
    """One fit and its scores.

    Attributes:
        seed: Seed of the draw and of the model.
        n_train: Rows fitted on.
        scores: Metric name to unrounded value.
        k: Shots per class, in few-shot runs.
        fold: Number of the fold, in cross-validation.
        batteries: Statistics of the headline metric by battery (see `battery_statistics`), on the official test rows.
        visits: The same statistics with the predictions of each cell visit pooled, for T1 and T2.
    """

    seed: int
    n_train: int
    scores: dict[str, float]
    k: int | None = None
    fold: int | None = None
    batteries: list | None = None
    visits: list | None = None


def score(
    task: Task,
    truth: np.ndarray,
    prediction: np.ndarray,
    scores: np.ndarray | None = None,
    cell_ids: np.ndarray | None = None,
    parents: np.ndarray | None = None,
) -> dict[str, float]:
    """Compute all metrics of a task.

    Args:
        task: Task that the targets belong to.
        truth: Targets, shape (n,); (n, 2) for places in mm.
        prediction: Numbers or labels, of the shape of `truth`.
        scores: Optional scores of `task.scored_label`, shape (n,).
        cell_ids: Cells, shape (n,), for the metric that needs tables.
        parents: Rows that some metrics leave out because a fault was injected into them or their cell has a defect,
            shape (n,), bool.

    Returns:
        Metric name to unrounded value.

    Raises:
        MagBridgeError: If there are NaN values, unequal lengths or unknown labels, or SOH is predicted in percent.
    """
    check_fraction(task, prediction, f"task {task.id}")
    try:
        out = formulas.score(task, truth, prediction, scores)
    except ValueError as error:
        raise MagBridgeError(f"task {task.id}: {error}") from error
    if cell_ids is not None and R2_BY_TABLE in task.metrics:
        by_table = r2_of_tables(truth, prediction, cell_ids)
        if len(by_table) > 1:
            out[R2_BY_TABLE.name] = float(np.mean(list(by_table.values())))
    if parents is not None and parents.any():
        y, p = np.asarray(truth)[~parents], np.asarray(prediction)[~parents]
        if WITHOUT_PARENTS in task.metrics:
            out[WITHOUT_PARENTS.name] = formulas.balanced_accuracy(formulas.confusion(y, p, task.labels))
        if R2_HEALTHY in task.metrics:
            out[R2_HEALTHY.name] = float(1 - ((y - p) ** 2).sum() / ((y - y.mean()) ** 2).sum())
    return out


def score_rows(task: Task, rows: Subset | Truth, prediction, scores=None) -> dict[str, float]:
    """Compute all metrics of predictions for rows, including the metrics that need more than the labels."""
    return score(task, rows.target, prediction, scores, rows.cell_ids, rows.parents)


def run_of(task: Task, rows: Subset | Truth, prediction, scores=None, *, seed: int, n_train: int = 0) -> Run:
    """Make a run from its predictions for rows, with the headline's statistics by battery."""
    scored, prediction = score_rows(task, rows, prediction, scores), np.asarray(prediction)
    by_battery = battery_statistics(task, rows.target, prediction, rows.battery_ids)[1].tolist()
    by_visit = visit_statistics(task, rows.target, prediction, rows.cell_ids, rows.battery_ids)
    visits = None if by_visit is None else by_visit.tolist()
    return Run(seed, n_train, scored, batteries=by_battery, visits=visits)


def check_fraction(task: Task, prediction: np.ndarray, where: str) -> None:
    """Raise an error if SOH is predicted in percent; the message begins with `where`."""
    prediction = np.asarray(prediction)
    numbers = task.target == "soh" and prediction.dtype.kind in "iuf" and prediction.size
    if numbers and np.median(prediction) > PERCENT_FROM:
        raise refused("percent", where=where, target=task.target, low=prediction.min(), high=prediction.max())


def r2_of_tables(truth: np.ndarray, prediction: np.ndarray, cell_ids: np.ndarray) -> dict[str, float]:
    """Compute R2 within each table that cells come from, relative to the table's own mean.

    Args:
        truth: Targets, shape (n,).
        prediction: Predictions, shape (n,).
        cell_ids: Cells, shape (n,). Those of v1 are plain numbers and belong to no table.

    Returns:
        R2 by table; empty if any table has no spread, so that a mean over tables never omits one.
    """
    names, index = np.unique(cell_ids, return_inverse=True)
    tables = np.array([table_of(name) if table_of(name) != name else "" for name in names.tolist()])[index]
    out = {}
    for table in np.unique(tables[tables != ""]).tolist():
        y, p = truth[tables == table], prediction[tables == table]
        if not y.max() > y.min():
            return {}
        out[table] = float(1 - ((y - p) ** 2).sum() / ((y - y.mean()) ** 2).sum())
    return out


def battery_statistics(
    task: Task, truth: np.ndarray, prediction: np.ndarray, battery_ids: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the statistics that each battery contributes to the headline metric.

    Args:
        task: Task that the targets belong to.
        truth: Targets, shape (n,); (n, 2) for places in mm.
        prediction: Predictions, of the shape of `truth`.
        battery_ids: Batteries, shape (n,).

    Returns:
        Sorted battery ids, and an array (batteries, S) whose sum over batteries `headline` turns into the metric. For
        regression: n, sum of y, sum of y squared, sum of squared residuals. For classification: the confusion matrix,
        flattened. For places, whose median is not a function of sums: the distances of up to `VISITS` rows, padded
        with `ABSENT`.
    """
    batteries, index = np.unique(battery_ids, return_inverse=True)
    if task.second is not None:
        statistics = np.full((len(batteries), VISITS), ABSENT)
        statistics[index, turns(index)] = np.hypot(*(truth - prediction).T)
        return batteries, statistics
    if task.is_regression:
        terms = np.stack([np.ones(len(truth)), truth, truth**2, (truth - prediction) ** 2], axis=1)
        statistics = np.zeros((len(batteries), terms.shape[1]))
        np.add.at(statistics, index, terms)
    else:
        rows = [index == b for b in range(len(batteries))]
        counts = [formulas.confusion(truth[of], prediction[of], task.labels) for of in rows]
        statistics = np.stack(counts).reshape(len(rows), -1)
    return batteries, statistics


def turns(values: np.ndarray) -> np.ndarray:
    """Count the earlier occurrences of each value: (n,) values to (n,) counts."""
    order = np.argsort(values, kind="stable")
    out = np.empty(len(values), int)
    out[order] = np.arange(len(values)) - np.searchsorted(values[order], values[order])
    return out


def visit_statistics(
    task: Task, truth: np.ndarray, prediction: np.ndarray, cell_ids: np.ndarray, battery_ids: np.ndarray
) -> np.ndarray | None:
    """Compute `battery_statistics` from one prediction per cell visit, pooled over the visit's scans.

    SOH is pooled as the mean, a class as the most frequent prediction; of equally frequent classes, the first in the
    task's order counts.

    Returns:
        Array (batteries, S), or None for tasks in which the scans of one visit may differ in target.
    """
    if not task.is_pooled:
        return None
    _, first, index = np.unique(cell_ids, return_index=True, return_inverse=True)
    truth, prediction = (_pooled(task, values, index) for values in (truth, prediction))
    return battery_statistics(task, truth, prediction, battery_ids[first])[1]


def _pooled(task: Task, values: np.ndarray, visit: np.ndarray) -> np.ndarray:
    """Pool values (n,) by their visits (n,) into one value per visit."""
    if task.is_regression:
        return np.bincount(visit, values) / np.bincount(visit)
    votes = np.stack([np.bincount(visit, values == label) for label in task.labels], axis=1)
    return np.array(task.labels)[votes.argmax(axis=1)]


def whole(task: Task, statistics: np.ndarray) -> np.ndarray:
    """Compute the headline metric from the statistics of all batteries, (..., B, S) to (...)."""
    statistics = np.asarray(statistics, dtype=float)
    if task.second is not None:
        flat = statistics.reshape(*statistics.shape[:-2], -1)
        return np.nanmedian(np.where(flat == ABSENT, np.nan, flat), axis=-1)
    return headline(task, statistics.sum(axis=-2))


def _resampled_medians(statistics: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute the mean over runs of each draw's median distance, for statistics (runs, B, S), weights (draws, B)."""
    out = np.zeros(len(weights))
    for run in statistics:
        battery, visit = np.nonzero(run != ABSENT)
        distance = run[battery, visit]
        order = np.argsort(distance)
        total = np.cumsum(weights[:, battery[order]], axis=1)
        out += distance[order][(total >= total[:, -1:] / 2).argmax(axis=1)] / len(statistics)
    return out


def headline(task: Task, statistics: np.ndarray) -> np.ndarray:
    """Compute the headline metric from statistics summed over batteries, (..., S) to (...)."""
    if task.is_regression:
        n, total, squares, residual = np.moveaxis(np.asarray(statistics, dtype=float), -1, 0)
        return 1 - residual / (squares - total**2 / n)
    size = len(task.labels)
    counts = np.asarray(statistics, dtype=float).reshape(*np.shape(statistics)[:-1], size, size)
    support = counts.sum(axis=-1)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    present = support > 0
    recall = np.divide(hits, support, out=np.zeros_like(hits), where=present)
    return recall.sum(axis=-1) / present.sum(axis=-1)


def bootstrap(task: Task, battery_ids, statistics: np.ndarray, resamples: int = RESAMPLES) -> np.ndarray:
    """Compute the mean headline over runs for test sets made by drawing batteries with replacement.

    Regime-B's pseudo-cells are drawn separately from the real batteries, so that every resample keeps their class.
    Each draw of R2 uses its own variance of SOH: with the variance of the whole test subset, nominal 95 % intervals
    covered only 77 to 81 %. Draws without any row of a class have no balanced accuracy over all classes.

    Args:
        task: Task that the statistics belong to.
        battery_ids: B ids, sorted.
        statistics: Shape (runs, B, S), from `battery_statistics`.
        resamples: Number of draws.

    Returns:
        Shape (resamples,), NaN for draws that lack a class or in which SOH has no spread. The same batteries give the
        same draws, so that the replicates of two models can be paired.
    """
    statistics = np.asarray(statistics, dtype=float)
    weights = _draws(battery_ids, resamples)
    if task.second is not None:
        return _resampled_medians(statistics, weights)
    drawn = weights @ statistics
    if task.is_regression:
        n, total, squares, _ = np.moveaxis(drawn, -1, 0)
        flat = squares - total**2 / n <= 1e-9 * squares
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(flat, np.nan, headline(task, drawn)).mean(axis=0)
    size = len(task.labels)
    support = drawn.reshape(*drawn.shape[:2], size, size).sum(axis=-1)
    of_all = statistics.sum(axis=1).reshape(-1, 1, size, size).sum(axis=-1)
    lacks_a_class = ((support == 0) & (of_all > 0)).any(axis=(0, 2))
    return np.where(lacks_a_class, np.nan, headline(task, drawn).mean(axis=0))


def _draws(battery_ids, resamples: int) -> np.ndarray:
    """Return how often each draw of batteries with replacement contains each battery, (resamples, B)."""
    return _weights(tuple(np.char.startswith(np.asarray(battery_ids), REGIME_B_PREFIX).tolist()), resamples)


@lru_cache(maxsize=32)
def _weights(regime_b: tuple[bool, ...], resamples: int) -> np.ndarray:
    """Draw the weights; cached, because the hundreds of results on a board share the same batteries."""
    pseudo, rng = np.array(regime_b, dtype=bool), np.random.default_rng(0)
    weights = np.zeros((resamples, len(pseudo)))
    for group in (np.flatnonzero(~pseudo), np.flatnonzero(pseudo)):
        if len(group):
            weights[:, group] = rng.multinomial(len(group), np.full(len(group), 1 / len(group)), size=resamples)
    weights.flags.writeable = False
    return weights


def interval(task: Task, battery_ids, statistics: np.ndarray) -> tuple[float, float]:
    """Compute the 95 % interval of the mean headline, resampled by battery.

    For R2, the interval is studentised (bootstrap-t) on the logarithm of the unexplained share: a few batteries carry
    most of the squared error, so percentile intervals would cover the value in only 89 % of cases
    (`perf/interval_coverage.py`). For other metrics, it is given by the percentiles of `bootstrap`.
    """
    if task.is_regression and task.second is None and len(battery_ids) >= FEWEST:
        statistics, weights = np.asarray(statistics, dtype=float), _draws(battery_ids, RESAMPLES)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            (value,), (error,) = _log_unexplained(statistics, np.ones((1, len(battery_ids))))
            drawn, errors = _log_unexplained(statistics, weights)
            deviation = ((drawn - value) / errors)[errors > EXACT]
            if error > EXACT and len(deviation):
                low, high = 1 - np.exp(value - error * np.nanquantile(deviation, TAILS))
                return float(low), float(high)
    return percentiles(bootstrap(task, battery_ids, statistics))


def _log_unexplained(statistics: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the log of the unexplained share, averaged over runs, and its standard error for each draw.

    The unexplained share is the sum of squared residuals over the spread of SOH. The error is the root of the summed
    squared influences of the drawn batteries (infinitesimal jackknife).

    Args:
        statistics: From `battery_statistics`, shape (runs, B, 4).
        weights: How often each draw contains each battery, shape (draws, B).
    """
    share, influence = np.zeros(len(weights)), np.zeros(weights.shape)
    for run in statistics:
        rows, total, squares, residual = (weights @ run).T
        mean, own = total / rows, run.T
        spread = squares - total * mean
        about = own[2] - 2 * mean[:, None] * own[1] + mean[:, None] ** 2 * own[0]
        share += residual / spread
        influence += own[3] / spread[:, None] - about * (residual / spread**2)[:, None]
    return np.log(share / len(statistics)), np.sqrt((weights * influence**2).sum(axis=1)) / share


def percentiles(replicates: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of bootstrap replicates (B,); NaN values are left out."""
    low, high = np.nanquantile(replicates, TAILS)
    return float(low), float(high)
