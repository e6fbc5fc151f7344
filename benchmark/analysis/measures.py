"""What the recipe can and cannot read off a signal: out-of-fold predictions taken apart, and learning curves.

Predictions are out of fold (seven folds by cell over all cells): many more rows than the nine test cells hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.baselines import get_model
from benchmark.data import TaskData, load_task, release_folder
from benchmark.models import Model
from benchmark.protocol import evaluate_model
from benchmark.tasks import get_task
from dataset_card.configs import METADATA_FILE
from dataset_card.schema import SYNTHETIC_SUBTYPES

RECIPE = {"t1": "noise-level", "t2": "noise-level", "t3": "matched", "t4": "matched"}
REFERENCE = {"t1": "ridge", "t2": "ridge-classifier", "t3": "random-forest", "t4": "random-forest"}
"""The paper's best model of each task."""

SEVERITY_EDGES = (0.2, 0.4, 0.6, 0.8, 1.0)
SHARES = (0.03, 0.1, 0.3, 1.0)
"""Shares of the training rows in a learning curve."""

FEWEST_ROWS = 60
CURVE_SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class OutOfFold:
    """Predictions of every row of a task by a model that was fitted on other cells, with what is known of the row.

    Attributes:
        truth: Shape (n,), targets.
        prediction: Shape (n,).
        columns: Column of the metadata table by name, shape (n,) each.
    """

    truth: np.ndarray
    prediction: np.ndarray
    columns: dict[str, np.ndarray]


def out_of_fold(task: str, predictions: pa.Table, release: str | Path) -> OutOfFold:
    """Fold predictions beside what the release knows of their rows.

    Args:
        task: Task id.
        predictions: The table of a `cross_validate` result.
        release: Release folder or Hub id.
    """
    target = get_task(task).target
    names = [target, "voltage", "soc", "anomaly_subtype", "anomaly_severity"]
    table = pq.read_table(release_folder(release) / METADATA_FILE, columns=["sample_id", *dict.fromkeys(names)])
    row_of = {sample_id: i for i, sample_id in enumerate(table["sample_id"].to_pylist())}
    order = [row_of[sample_id] for sample_id in predictions["sample_id"].to_pylist()]
    columns = {name: np.array(table[name].to_pylist())[order] for name in names}
    return OutOfFold(columns[target], np.array(predictions["prediction"].to_pylist()), columns)


def recall_by_severity(rows: OutOfFold) -> dict[str, list[tuple[float, int]]]:
    """Share of rows predicted right and their number, for each fault and band of `SEVERITY_EDGES`."""
    severity, subtype = rows.columns["anomaly_severity"], rows.columns["anomaly_subtype"]
    right = rows.prediction == rows.truth
    out = {}
    for fault in SYNTHETIC_SUBTYPES:
        bands = [
            (subtype == fault) & (severity >= low) & (severity < high if high < 1 else severity <= 1)
            for low, high in zip(SEVERITY_EDGES, SEVERITY_EDGES[1:])
        ]
        out[fault] = [(float(right[band].mean()) if band.any() else float("nan"), int(band.sum())) for band in bands]
    return out


def false_alarms(rows: OutOfFold) -> float:
    """Share of clean rows that T3 does not call clean."""
    clean = rows.truth == "none"
    return float((rows.prediction[clean] != "none").mean())


def soh_error(rows: OutOfFold, by: np.ndarray, edges: np.ndarray) -> list[tuple[float, float, int]]:
    """Root mean square and mean of predicted less true SOH, and number of rows, in each bin of `by`."""
    error = rows.prediction - rows.truth
    band = np.clip(np.digitize(by, edges[1:-1]), 0, len(edges) - 2)
    return [
        (float(np.sqrt((error[band == b] ** 2).mean())), float(error[band == b].mean()), int((band == b).sum()))
        if (band == b).any()
        else (float("nan"), float("nan"), 0)
        for b in range(len(edges) - 1)
    ]


def learning_curve(task: str, model: str, release: str | Path) -> list[tuple[int, float, float]]:
    """Headline on the official test rows against training rows.

    Returns:
        Training rows, mean and population std over seeds, for each of `SHARES` that leaves `FEWEST_ROWS`.
    """
    data, declared = load_task(task, release), get_model(model)
    points = []
    for share in SHARES:
        if share * len(data.train) < FEWEST_ROWS and task != "t4":
            continue
        scores = [_score(declared, _share(data, share, seed), seed) for seed in CURVE_SEEDS]
        rows = sum(1 for _ in _drawn(data, share, 0))
        points.append((rows, float(np.mean(scores)), float(np.std(scores))))
    return points


def _score(model: Model, data: TaskData, seed: int) -> float:
    return evaluate_model(data.task, model, data, sampling="full", seeds=(seed,)).mean()


def _share(data: TaskData, share: float, seed: int) -> TaskData:
    """The task with a share of its training rows; clean rows that are left out stay out of everything."""
    kept = np.fromiter(_drawn(data, share, seed), int)
    gone = np.delete(data.train.sample_ids, kept)
    clean = data.clean()["train"]
    clean = clean.take(~np.isin(clean.sample_ids, gone))
    return TaskData(
        data.task,
        data.train.take(kept),
        data.validation,
        data.test,
        data.split,
        data.dataset,
        load_clean=lambda: {"train": clean},
    )


def _drawn(data: TaskData, share: float, seed: int) -> Iterator[int]:
    """Row numbers of a share of every class; of all rows in regression."""
    rng, target = np.random.default_rng(seed), data.train.target
    groups = (
        [np.arange(len(target))] if data.task.is_regression else [np.flatnonzero(target == c) for c in data.task.labels]
    )
    for rows in groups:
        yield from rng.choice(rows, max(2, round(share * len(rows))), replace=False)


def soh_resolution(rows: OutOfFold) -> float:
    """Root mean square error of SOH over all rows."""
    return float(np.sqrt(((rows.prediction - rows.truth) ** 2).mean()))


def headline(task: str, rows: OutOfFold) -> float:
    """The task's headline metric over all out-of-fold rows at once."""
    from benchmark.scoring import score

    return score(get_task(task), rows.truth, rows.prediction)[get_task(task).headline.name]
