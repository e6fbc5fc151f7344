"""Measures of what a model can read from a signal: analyses of out-of-fold predictions, and learning curves.

Predictions are out of fold (seven folds by cell over all cells), for many more rows than the test cells have.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmark.analysis.reliability import cell_draws
from benchmark.baselines import get_model
from benchmark.data import TaskData, load_task, metadata_by_id
from benchmark.protocol import evaluate_model
from benchmark.scoring import LEVEL, RESAMPLES, percentiles, score
from benchmark.tasks import get_task
from dataset_card.contract.schema import SYNTHETIC_SUBTYPES, table_of

REFERENCE = {
    "v1": {"t1": "ridge", "t2": "ridge-classifier", "t3": "random-forest", "t4": "random-forest"},
    "v2": {"t1": "ridge", "t2": "ridge-classifier", "t3": "logistic-regression", "t4": "random-forest"},
}
"""Models on 57 statistics for comparison: on v1 the paper's best, on v2 as far as they are fitted in seconds."""

SEVERITY_EDGES = (0.2, 0.4, 0.6, 0.8, 1.0)
VOLTAGE_BINS, SOH_BINS = 8, 10
"""Numbers of bins, with equal numbers of rows per bin."""

SHARES = (0.03, 0.1, 0.3, 1.0)
"""Shares of the training rows in a learning curve."""

FEWEST_ROWS = 60
CURVE_SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class OutOfFold:
    """Predictions for every row of a task by a model that was fitted on other cells, with metadata of the rows.

    Attributes:
        truth: Targets, shape (n,).
        prediction: Predictions, shape (n,).
        columns: Columns of the metadata table by name, shape (n,) each.
    """

    truth: np.ndarray
    prediction: np.ndarray
    columns: dict[str, np.ndarray]

    def take(self, rows: np.ndarray) -> OutOfFold:
        """Return the given rows, by index or mask."""
        return OutOfFold(self.truth[rows], self.prediction[rows], {k: v[rows] for k, v in self.columns.items()})


def out_of_fold(task: str, predictions: pa.Table, release: str | Path) -> OutOfFold:
    """Combine fold predictions with the release's metadata of their rows.

    Args:
        task: Task id.
        predictions: Table of a `cross_validate` result.
        release: Release folder or Hub id.
    """
    target = get_task(task).target
    names = [target, "cell_id", "voltage", "soc", "soh", "anomaly_subtype", "anomaly_severity"]
    columns = metadata_by_id(release, predictions["sample_id"].to_pylist(), *names)
    return OutOfFold(columns[target], np.array(predictions["prediction"].to_pylist()), columns)


def share(hits: int, rows: int) -> tuple[float, float, float]:
    """Compute a share of rows and its 95 % interval (Wilson, as if rows were independent); NaN without rows."""
    from scipy.stats import binomtest

    if not rows:
        return (float("nan"),) * 3
    interval = binomtest(hits, rows).proportion_ci(LEVEL, method="wilson")
    return hits / rows, interval.low, interval.high


def recall_by_severity(rows: OutOfFold) -> dict[str, list[tuple[int, int]]]:
    """Count the correctly predicted rows and all rows of each fault, by band of `SEVERITY_EDGES`."""
    severity, subtype = rows.columns["anomaly_severity"], rows.columns["anomaly_subtype"]
    right = rows.prediction == rows.truth
    out = {}
    for fault in SYNTHETIC_SUBTYPES:
        bands = [
            (subtype == fault) & (severity >= low) & (severity < high if high < 1 else severity <= 1)
            for low, high in zip(SEVERITY_EDGES, SEVERITY_EDGES[1:])
        ]
        out[fault] = [(int(right[band].sum()), int(band.sum())) for band in bands]
    return out


def false_alarms(rows: OutOfFold) -> tuple[int, int]:
    """Count the clean rows that are not predicted as clean on T3, and all clean rows."""
    clean = rows.truth == "none"
    return int((rows.prediction[clean] != "none").sum()), int(clean.sum())


def soh_error(rows: OutOfFold, band: np.ndarray, names: Sequence[str | float]) -> list[dict]:
    """Compute the RMSE and the mean error (predicted minus true) of SOH in each non-empty bin, with 95 % intervals.

    Args:
        rows: Rows of T1.
        band: Number of each row's bin, shape (n,).
        names: Names of the bins.
    """
    index, weights = cell_draws(rows.columns["cell_id"], RESAMPLES)
    error = rows.prediction - rows.truth
    sums = np.zeros((3, weights.shape[1], len(names)))
    for k, values in enumerate((np.ones(len(error)), error, error**2)):
        np.add.at(sums[k], (index, band), values)
    bins = []
    for b in np.flatnonzero(sums[0].sum(axis=0)):
        count, total, squares = (np.append(s[:, b].sum(), weights @ s[:, b]) for s in sums)
        with np.errstate(invalid="ignore"):  # a draw may lack every cell of a bin
            rmse, mean = np.sqrt(squares / count), total / count
        found = {name: (float(v[0]), *percentiles(v[1:])) for name, v in (("rmse", rmse), ("mean", mean))}
        bins.append({"name": names[b], "rows": int(count[0]), **found})
    return bins


def soh_errors(rows: OutOfFold) -> dict[str, list[dict]]:
    """Compute SOH errors by SOC level, by eighths of voltage, by tenths of SOH, and by the cells' table."""
    levels, soc = np.unique(rows.columns["soc"], return_inverse=True)
    tables = np.array([_table(cell) for cell in rows.columns["cell_id"].tolist()])
    names, table = np.unique(tables, return_inverse=True)
    found = {"SOC": soh_error(rows, soc, levels.tolist()), "table": soh_error(rows, table, names.tolist())}
    for name, values, count in (
        ("voltage", rows.columns["voltage"], VOLTAGE_BINS),
        ("SOH", rows.truth, SOH_BINS),
    ):
        edges = np.unique(np.quantile(values, np.linspace(0, 1, count + 1)))
        band = np.clip(np.digitize(values, edges[1:-1]), 0, max(len(edges) - 2, 0))
        middles = [float(values[band == b].mean()) for b in range(band.max() + 1)]
        found[name] = soh_error(rows, band, middles)
    return found


def _table(cell: str) -> str:
    """Return the table of a cell; v1's cells are all from one table, which their names do not give."""
    return "LFP-35Ah" if table_of(cell) == cell else table_of(cell)


def learning_curve(task: str, model: str, release: str | Path) -> list[tuple[int, float, float]]:
    """Compute the headline on the official test rows against the number of training rows.

    Returns:
        Training rows, mean and population std over seeds, for each of `SHARES` that leaves at least `FEWEST_ROWS` (on
        T4 for all). With all rows there is nothing to draw, so one seed is used.
    """
    data, declared = load_task(task, release), get_model(model)
    points = []
    for part in SHARES:
        if part * len(data.train) < FEWEST_ROWS and task != "t4":
            continue
        seeds = CURVE_SEEDS if part < 1 else CURVE_SEEDS[:1]
        shares = [(_share(data, part, seed), (seed,)) for seed in seeds]
        scores = [evaluate_model(task, declared, rows, sampling="full", seeds=seed).mean() for rows, seed in shares]
        points.append((len(shares[0][0].train), float(np.mean(scores)), float(np.std(scores))))
    return points


def _share(data: TaskData, part: float, seed: int) -> TaskData:
    """Return the task with a share of its training rows; clean rows that are left out are not used at all."""
    kept = np.fromiter(_drawn(data, part, seed), int)
    gone = np.delete(data.train.sample_ids, kept)
    clean = data.clean()["train"]
    clean = clean.take(~np.isin(clean.sample_ids, gone))
    return replace(data, train=data.train.take(kept), load_clean=partial(dict, train=clean), _clean={}, _inputs={})


def _drawn(data: TaskData, part: float, seed: int) -> Iterator[int]:
    """Draw the row numbers of a share of every class, or of all rows in regression."""
    rng, target = np.random.default_rng(seed), data.train.target
    groups = (
        [np.arange(len(target))] if data.task.is_regression else [np.flatnonzero(target == c) for c in data.task.labels]
    )
    for rows in groups:
        yield from rng.choice(rows, max(2, round(part * len(rows))), replace=False)


def headline(task: str, rows: OutOfFold) -> float:
    """Compute the task's headline metric over all out-of-fold rows together."""
    return score(get_task(task), rows.truth, rows.prediction)[get_task(task).headline.name]
