"""Analysis of v3's magnetometers: detection by share of the defect, places, calibration, important sensors and times.

Predictions are out of fold by cell over all rows, which are many more than those of the test cells. Occlusion uses the
test rows.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmark.analysis.reliability import cell_draws, mapped, reliability
from benchmark.baselines import get_model
from benchmark.data import BATTERY, Subset, TaskData, dataset_info, load_task, metadata_by_id, release_folder
from benchmark.models import Model
from benchmark.protocol import battery_folds, fit_seeds
from benchmark.results import SHIPPED, read_predictions, read_results, release_stem
from benchmark.running.yardsticks import READERS
from benchmark.scoring import battery_statistics, interval, percentiles, score, whole
from benchmark.tasks import PRIMARY_SPLIT, get_task
from dataset_card.contract.configs import METADATA_FILE
from dataset_card.contract.editions import V3
from dataset_card.contract.physics import AXES, CHEMISTRIES, DEFECTS, PLACED, READINGS, REST_TIMES, SENSORS
from dataset_card.errors import MagBridgeError
from dataset_card.storage.arrays import spans

DETECTORS = ("metric-terminals", "metric-magnetics")
PLACER = "metric-magnetics"
"""Readers of T5 and T6 that are analysed, the best of their kind."""

OCCLUDED = (("t7", "ridge-magnetics"), ("t5", "boosting-magnetics"))
"""Tasks, and readers of all fields to occlude; `metric` does not read the fields at rest."""

WITH_PROBABILITIES = {"v1": "random-forest", "v2": "whitened-transformer"}
"""Models of T2 whose scores are probabilities, by bridge."""

FOLDS = 2
PARTS = 3
"""Number of equally large parts into which a defect's cells are divided by share."""


def measure(release: str | Path, say: Callable[[str], None] = lambda words: None, results: Path = SHIPPED) -> dict:
    """Measure one release: on v3 everything, on v1 and v2 only the calibration of classifiers for T2.

    Args:
        release: Release folder or Hub id.
        say: Called with the name of each measurement before it starts.
        results: Folder of results, with predictions of those on v1 and v2.

    Returns:
        The document of unrounded values.

    Raises:
        MagBridgeError: If the predictions of T2 are missing.
    """
    dataset = dataset_info(release_folder(release))
    out: dict = {"dataset": asdict(dataset)}
    if dataset.bridge != "v3":
        return out | {"reliability": list(_filed(release, results))}
    data = load_task("t5", release)
    found = {}
    for name in DETECTORS:
        say(f"{name} on t5, {FOLDS} folds")
        found[name] = out_of_fold(get_model(name), data, "decision_function")
    rows = Subset.concatenate(data.subsets())
    share = metadata_by_id(release, rows.sample_ids, "share")["share"]
    out["detection"] = [d for name in DETECTORS for d in detection(rows, found[name], share, name)]
    out["reliability"] = [_mapped(rows, found[name], name) for name in DETECTORS[1:]]
    say(f"{PLACER} on t6")
    out["place"] = places(load_task("t6", release), release)
    out["occlusion"] = []
    for task, name in OCCLUDED:
        say(f"occlusion of {name} on {task}")
        out["occlusion"].append(occlusion(task, name, release))
    return out


def out_of_fold(model: Model, data: TaskData, ask: str) -> np.ndarray:
    """Apply a model's method `ask` to every row, with the model fitted on the rows of other cells, (n, ...)."""
    rows, clean = Subset.concatenate(data.subsets()), Subset.concatenate(list(data.clean().values()))
    inputs, order, said = model.inputs(rows.signals), [], []
    for cells in battery_folds(rows.battery_ids, FOLDS):
        held = np.isin(rows.battery_ids, cells)
        learner = model.build(0, data.task)
        known = clean.take(~np.isin(clean.battery_ids, cells))
        learner.fit(inputs[~held], rows.target[~held], groups=rows.battery_ids[~held], clean=known)
        order.append(np.flatnonzero(held))
        said.append(getattr(learner, ask)(inputs[held]))
    return np.concatenate(said)[np.argsort(np.concatenate(order))]


def detection(rows: Subset, probability: np.ndarray, share: np.ndarray, model: str) -> Iterator[dict]:
    """Yield the AUC of each defect against healthy cells, for all of its cells and for parts by rising share."""
    order = np.unique(rows.target).tolist()
    healthy = rows.target == "none"
    for defect in DEFECTS[1:]:
        one, none = (probability[:, order.index(name)] for name in (defect, "none"))
        odds, of = one / (one + none), rows.target == defect
        for known, part in _parts(rows, share, of):
            found = auc(odds[part], rows.cell_ids[part], odds[healthy], rows.cell_ids[healthy])
            yield {"model": model, "defect": defect, **known, "auc": found}


def _parts(rows: Subset, share: np.ndarray, of: np.ndarray) -> Iterator[tuple[dict, np.ndarray]]:
    """Yield all rows of a defect, then `PARTS` of them by share, each with its description for the document."""
    band = np.searchsorted(np.quantile(share[of], np.linspace(0, 1, PARTS + 1)[1:-1]), share)
    for part in (of, *(of & (band == b) for b in range(PARTS))):
        limits = None if part is of else [float(share[part].min()), float(share[part].max())]
        yield {"share": limits, "cells": len(np.unique(rows.cell_ids[part]))}, part


def auc(sick: np.ndarray, sick_cells: np.ndarray, healthy: np.ndarray, healthy_cells: np.ndarray) -> list[float]:
    """Compute the area under the ROC curve and its 95 % interval, resampling the cells of both sides."""
    (one, u), (other, v) = cell_draws(sick_cells), cell_draws(healthy_cells)
    higher = (sick[:, None] > healthy).astype(float) + 0.5 * (sick[:, None] == healthy)
    wins = np.zeros((u.shape[1], v.shape[1]))
    np.add.at(wins, (one[:, None], other[None]), higher)
    drawn = np.einsum("di,ij,dj->d", u, wins, v, optimize=True)
    return [float(higher.mean()), *percentiles(drawn / ((u @ np.bincount(one)) * (v @ np.bincount(other))))]


def places(data: TaskData, release: str | Path) -> list[dict]:
    """Compute the out-of-fold median error of a reader's and a constant's places, by defect and part, in mm."""
    rows = Subset.concatenate(data.subsets())
    known = metadata_by_id(release, rows.sample_ids, "defect", "share")
    said, constant = out_of_fold(get_model(PLACER), data, "predict"), np.empty((len(rows), 2))
    for cells in battery_folds(rows.battery_ids, FOLDS):
        held = np.isin(rows.battery_ids, cells)
        constant[held] = np.median(rows.target[~held], axis=0)
    out = []
    for defect in PLACED:
        for row, part in _parts(rows, known["share"], known["defect"] == defect):
            error, prior = (scored("t6", rows.target[part], v[part], rows.battery_ids[part]) for v in (said, constant))
            out.append({"defect": defect, **row, "error": error, "prior": prior})
    return out


def scored(task: str, truth: np.ndarray, prediction: np.ndarray, cells: np.ndarray) -> list[float]:
    """Compute the headline of predictions and its 95 % interval by cell."""
    names, statistics = battery_statistics(get_task(task), truth, prediction, cells)
    return [float(whole(get_task(task), statistics)), *interval(get_task(task), names, statistics[None])]


def _mapped(rows: Subset, probability: np.ndarray, model: str) -> dict:
    """Measure reliability on T5: of a reader's balanced probabilities after mapping, and their ECE as given."""
    truth, folds = np.unique(rows.target, return_inverse=True)[1], np.zeros(len(rows), int)
    for k, cells in enumerate(battery_folds(rows.battery_ids, FOLDS)):
        folds[np.isin(rows.battery_ids, cells)] = k
    found = reliability(
        mapped(np.log(np.maximum(probability, 1e-12)), truth, folds), truth, rows.cell_ids, rows.cell_ids
    )
    given = reliability(probability, truth, rows.cell_ids, rows.cell_ids)["ece"]
    return {"task": "t5", "model": model, "rows_of": "out of fold", "ece_given": given, **found}


def _filed(release: str | Path, results: Path) -> Iterator[dict]:
    """Measure reliability on T2 from filed predictions: of the analysed model, mapped, and of a probabilistic model."""
    dataset, task = dataset_info(release_folder(release)), get_task("t2")
    paths = sorted(results.rglob(f"{release_stem(dataset)}.jsonl"))
    for model, folds in ((READERS[dataset.bridge]["t2"], True), (WITH_PROBABILITIES[dataset.bridge], False)):
        kinds = ("cross_validation",) if folds else ("rows", "full")
        keys = [("t2", model, PRIMARY_SPLIT, kind) for kind in kinds]
        filed = [(p, r) for p in paths for r in read_results(p) if r.key in keys and r.predictions]
        if not filed:
            raise MagBridgeError(f"no predictions of {model} on t2 of {dataset.name} in {results}: run it with --out")
        path, result = filed[0]
        table = read_predictions(path, [result])[result.key]
        table = table.filter(np.asarray(table["seed"]) == 0)
        ids = np.array(table["sample_id"].to_pylist())
        names = pq.read_schema(release_folder(release) / METADATA_FILE).names
        battery = BATTERY if BATTERY in names else "cell_id"
        known = metadata_by_id(release, ids, task.target, "cell_id", battery)
        truth, value = (known[task.target] == task.scored_label).astype(int), np.asarray(table["score"])
        given = mapped(value, truth, np.asarray(table["fold"])) if folds else np.stack([1 - value, value], axis=1)
        found = reliability(given, truth, known[battery], known["cell_id"])
        yield {"task": "t2", "model": model, "rows_of": "out of fold" if folds else "official test", **found}


def blocks() -> dict[str, list[np.ndarray]]:
    """Return the columns of a row's signals (681,) of each sensor, each time at rest and each magnetic channel."""
    at = {name: np.arange(place.start, place.stop) for name, place in spans(V3).items()}
    rest = at["rest"].reshape(REST_TIMES, READINGS)
    fields = np.concatenate([at["load"][None], rest, at["scan"][None]])
    sensors = fields.reshape(len(fields), SENSORS, AXES)
    return {
        "sensors": [sensors[:, s].ravel() for s in range(SENSORS)],
        "times": list(rest),
        "channels": [at[name] for name in ("load", "rest", "scan")],
        "all": [fields.ravel()],
    }


def occlusion(task_id: str, model: str, release: str | Path) -> dict:
    """Score test rows without each of `blocks`, and with only one time at rest; hidden readings are filled in.

    They are filled in with their mean given the other readings, under a normal distribution fitted on training rows of
    the row's chemistry. The reader is not refitted.
    """
    from sklearn.covariance import ledoit_wolf

    task, declared, data = get_task(task_id), get_model(model), load_task(task_id, release)
    _, reader = next(fit_seeds(task, declared, data))
    x, parts = data.test.signals.astype(float), []
    of = [metadata_by_id(release, rows.sample_ids, "chemistry")["chemistry"] for rows in (data.train, data.test)]
    for name in CHEMISTRIES:
        train, rows = data.train.signals[of[0] == name], of[1] == name
        mean, spread = train.mean(axis=0), train.std(axis=0) + 1e-12
        parts.append((rows, mean, spread, ledoit_wolf((train - mean) / spread)[0]))

    def without(columns: np.ndarray) -> float:
        filled, seen = x.copy(), np.setdiff1d(np.arange(x.shape[1]), columns)
        for rows, mean, spread, covariance in parts:
            z = (x[rows] - mean) / spread
            told = z[:, seen] @ np.linalg.solve(covariance[np.ix_(seen, seen)], covariance[np.ix_(seen, columns)])
            filled[np.ix_(rows, columns)] = told * spread[columns] + mean[columns]
        return score(task, data.test.target, reader.predict(declared.inputs(filled)))[task.headline.name]

    found = {name: [without(columns) for columns in groups] for name, groups in blocks().items()}
    alone = [without(np.setdiff1d(blocks()["channels"][1], time)) for time in blocks()["times"]]
    return {"task": task_id, "model": model, "whole": without(np.array([], int)), **found, "alone": alone}
