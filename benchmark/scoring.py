"""Scores predictions: all metrics of a task, and the headline metric resampled by battery."""

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
"""Rows of a place's battery at most, and what stands for a row that is not there."""

LEVEL = 0.95
PERCENT_FROM = 10.0
"""A median SOH above this is no fraction."""

TAILS = (1 - LEVEL) / 2, (1 + LEVEL) / 2
FEWEST = 5
"""Batteries that a standard error needs; of fewer the percentiles are given."""

EXACT = 1e-9
"""Relative error below which batteries do not differ."""


@dataclass(frozen=True)
class Run:
    """One fit and its scores.

    Attributes:
        seed: Seed of the draw and of the model.
        n_train: Rows fitted on.
        scores: Metric name to unrounded value.
        k: Shots a class, in few-shot runs.
        fold: Number of the fold, in cross-validation.
        batteries: Statistics of the headline metric by battery (see `benchmark.scoring`), on the official test rows.
        visits: The same with the predictions of each cell visit pooled, for T1 and T2.
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
    """All metrics of a task.

    Args:
        task: Whose targets these are.
        truth: Shape (n,).
        prediction: Shape (n,), numbers or labels as in `truth`.
        scores: Shape (n,), optional score of `task.scored_label`.
        cell_ids: Shape (n,), for the metric that needs tables.
        parents: Shape (n,), bool, for the metrics that leave rows out: those with faults injected, or with a defect.

    Returns:
        Metric name to unrounded value.

    Raises:
        MagBridgeError: NaN, wrong lengths, unknown labels, percent for a fraction.
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
    """All metrics of predictions of rows, those that need more than labels among them."""
    return score(task, rows.target, prediction, scores, rows.cell_ids, rows.parents)


def run_of(task: Task, rows: Subset | Truth, prediction, scores=None, *, seed: int, n_train: int = 0) -> Run:
    """A run from its predictions of rows, with what each battery adds to the headline."""
    scored, prediction = score_rows(task, rows, prediction, scores), np.asarray(prediction)
    by_battery = battery_statistics(task, rows.target, prediction, rows.battery_ids)[1].tolist()
    by_visit = visit_statistics(task, rows.target, prediction, rows.cell_ids, rows.battery_ids)
    visits = None if by_visit is None else by_visit.tolist()
    return Run(seed, n_train, scored, batteries=by_battery, visits=visits)


def check_fraction(task: Task, prediction: np.ndarray, where: str) -> None:
    """Raise where SOH is predicted in percent; `where` begins the message."""
    prediction = np.asarray(prediction)
    numbers = task.target == "soh" and prediction.dtype.kind in "iuf" and prediction.size
    if numbers and np.median(prediction) > PERCENT_FROM:
        raise refused("percent", where=where, target=task.target, low=prediction.min(), high=prediction.max())


def r2_of_tables(truth: np.ndarray, prediction: np.ndarray, cell_ids: np.ndarray) -> dict[str, float]:
    """R2 within each table that cells come from, against the table's own mean.

    Args:
        truth: Shape (n,), numbers.
        prediction: Shape (n,).
        cell_ids: Shape (n,). v1's are plain numbers, of no table.

    Returns:
        R2 by table; nothing where a table has no spread, so that a mean over tables never leaves one out.
    """
    names, index = np.unique(cell_ids, return_inverse=True)
    tables = np.array([table_of(name) if table_of(name) != name else "" for name in names.tolist()])[index]
    out = {}
    for table in np.unique(tables[tables != ""]).tolist():
        y, p = truth[tables == table], prediction[tables == table]
        spread = ((y - y.mean()) ** 2).sum()
        if not spread > 0:
            return {}
        out[table] = float(1 - ((y - p) ** 2).sum() / spread)
    return out


def battery_statistics(
    task: Task, truth: np.ndarray, prediction: np.ndarray, battery_ids: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What each battery adds to the headline metric.

    Args:
        task: Whose targets these are.
        truth: Shape (n,).
        prediction: Shape (n,).
        battery_ids: Shape (n,).

    Returns:
        Sorted battery ids, and an array (batteries, S) whose sum over batteries `headline` turns into the metric: for
        regression n, sum of y, sum of y squared, sum of squared residuals; else the confusion matrix, flattened. Of
        places the distances of up to `VISITS` rows, -1 where there are fewer: a median is no sum.
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
    """How often each of the values (n,) stands before its place, (n,)."""
    order = np.argsort(values, kind="stable")
    out = np.empty(len(values), int)
    out[order] = np.arange(len(values)) - np.searchsorted(values[order], values[order])
    return out


def visit_statistics(
    task: Task, truth: np.ndarray, prediction: np.ndarray, cell_ids: np.ndarray, battery_ids: np.ndarray
) -> np.ndarray | None:
    """`battery_statistics` of one prediction for each cell visit, pooled over the visit's scans.

    SOH is pooled as the mean, a class as the one predicted most often; of classes predicted equally often the task's
    first counts.

    Returns:
        Array (batteries, S), or None for tasks whose scans of one visit differ in their target.
    """
    if not task.is_pooled:
        return None
    _, first, index = np.unique(cell_ids, return_index=True, return_inverse=True)
    truth, prediction = (_pooled(task, values, index) for values in (truth, prediction))
    return battery_statistics(task, truth, prediction, battery_ids[first])[1]


def _pooled(task: Task, values: np.ndarray, visit: np.ndarray) -> np.ndarray:
    """One value for each visit, from values (n,) and the visit (n,) of each."""
    if task.is_regression:
        return np.bincount(visit, values) / np.bincount(visit)
    votes = np.stack([np.bincount(visit, values == label) for label in task.labels], axis=1)
    return np.array(task.labels)[votes.argmax(axis=1)]


def whole(task: Task, statistics: np.ndarray) -> np.ndarray:
    """The headline metric from statistics of every battery, (..., B, S) to (...)."""
    statistics = np.asarray(statistics, dtype=float)
    if task.second is not None:
        flat = statistics.reshape(*statistics.shape[:-2], -1)
        return np.nanmedian(np.where(flat == ABSENT, np.nan, flat), axis=-1)
    return headline(task, statistics.sum(axis=-2))


def _resampled_medians(statistics: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over runs of the median distance in each draw, from statistics (runs, B, S) and weights (draws, B)."""
    out = np.zeros(len(weights))
    for run in statistics:
        battery, visit = np.nonzero(run != ABSENT)
        distance = run[battery, visit]
        order = np.argsort(distance)
        total = np.cumsum(weights[:, battery[order]], axis=1)
        out += distance[order][(total >= total[:, -1:] / 2).argmax(axis=1)] / len(statistics)
    return out


def headline(task: Task, statistics: np.ndarray) -> np.ndarray:
    """The headline metric from statistics summed over cells, (..., S) to (...)."""
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
    """Mean headline over runs for test sets made by drawing batteries with replacement.

    Regime-B rows come in pseudo-cells, so they are drawn apart from the real batteries: every resample keeps the class.
    Each draw of R2 has a variance of SOH of its own: with that of the whole test subset held fixed, intervals covered
    77 to 81 % where 95 % was said. Draws that lack a whole class have no balanced accuracy over all classes.

    Args:
        task: Whose statistics these are.
        battery_ids: B ids, sorted.
        statistics: Shape (runs, B, S), from `battery_statistics`.
        resamples: Number of draws.

    Returns:
        Shape (resamples,), NaN for draws that lack a class or all of the spread of SOH. The same batteries give the
        same draws, so replicates of two models pair up.
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
    """How often each draw of batteries with replacement takes each, (resamples, B)."""
    return _weights(tuple(np.char.startswith(np.asarray(battery_ids), REGIME_B_PREFIX).tolist()), resamples)


@lru_cache(maxsize=32)
def _weights(regime_b: tuple[bool, ...], resamples: int) -> np.ndarray:
    """The draws; the same for every result on batteries of as many kinds, of which a board has hundreds."""
    pseudo, rng = np.array(regime_b, dtype=bool), np.random.default_rng(0)
    weights = np.zeros((resamples, len(pseudo)))
    for group in (np.flatnonzero(~pseudo), np.flatnonzero(pseudo)):
        if len(group):
            weights[:, group] = rng.multinomial(len(group), np.full(len(group), 1 / len(group)), size=resamples)
    weights.flags.writeable = False
    return weights


def interval(task: Task, battery_ids, statistics: np.ndarray) -> tuple[float, float]:
    """Interval of the mean headline at level 0.95, resampled by battery.

    Of R2 a studentised one (bootstrap-t) on the logarithm of the share that is not explained: a few batteries carry
    most of the squared error, and percentiles then hold the value in 89 % of cases instead of 95 % (`perf/
    interval_coverage.py`). Of other metrics the percentiles of `bootstrap`.
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
    """Log of squared residuals over the spread of SOH, mean over runs, for each draw, with its standard error.

    The error is the root of the summed squared influences of the batteries drawn (infinitesimal jackknife).

    Args:
        statistics: (runs, B, 4), from `battery_statistics`.
        weights: (draws, B).
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
    """The interval at level 0.95 of bootstrap replicates (B,); NaN are left out."""
    low, high = np.nanquantile(replicates, TAILS)
    return float(low), float(high)
