"""Unranked yardsticks of a board: predictions from the terminals without magnetometry, and T1 across two ageing laws.

The pulse voltages are measurements of real cells, but the magnetic signals are generated from SOH. The magnetic readout
therefore wins on T1 and T2 by construction, and these scores show by how much. How the field follows SOH is a
hypothesis, and v2 draws each battery's law from two: a readout that only inverts one law is exposed by its score on
batteries of the other.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.baselines import get_model
from benchmark.baselines.declaring import DESCRIPTIONS
from benchmark.data import REGIME_B_PREFIX, Subset, TaskData, release_folder
from benchmark.models import Model
from benchmark.protocol import battery_folds, evaluate_model
from benchmark.refusals import refused
from benchmark.results import Result
from benchmark.tasks import Task, get_task
from dataset_card.contract.schema import U_FEATURES

READERS = {
    "v1": {"t1": "noise-level", "t2": "noise-level", "t3": "matched", "t4": "matched"},
    "v2": {
        "t1": "functional-signed",
        "t2": "functional-signed",
        "t3": "departure-boosting",
        "t4": "departure-boosting",
    },
}
"""A strong and fast magnetic readout of each task, by the bridge that made the rows."""

NULLS = {name: DESCRIPTIONS[name] for name in ("voltage-soc", "pulses", "pulses-and-magnetics")}
TREES, LEAF = 200, 3
SEEDS = (0, 1, 2)
FOLDS = 5
"""Folds over training batteries; the last learner sees the readout's predictions on the held-out folds."""

_TERMINAL = ("voltage", "soc", "u_features")


def nulls(task: Task, data: TaskData, release: str | Path, bridge: str) -> Iterator[Result]:
    """Score each of `NULLS` on a task.

    Args:
        task: Task to score.
        data: Rows of the task.
        release: Release that the rows are read from.
        bridge: Bridge that made the rows, `v1` or `v2`.

    Yields:
        Results under the protocol `null`.
    """
    terminal = _terminal(release_folder(release))
    reader = get_model(READERS[bridge][task.id])
    magnetic = _magnetic(task, reader, data)
    for name, description in NULLS.items():
        columns = {"voltage-soc": slice(0, 2), "pulses": slice(2, None)}.get(name, slice(None))

        def inputs(subset: str, columns: slice = columns, both: bool = name == "pulses-and-magnetics") -> Subset:
            rows: Subset = getattr(data, subset)
            found = np.array([terminal[i] for i in rows.sample_ids.tolist()])[:, columns]
            found = np.column_stack([found, magnetic[subset]]) if both else found
            return replace(rows, signals=found[:, :, None])

        model = Model(name, (task.id,), _trees, description.format(reader.name), _flat, seeds=SEEDS)
        given = TaskData(task, inputs("train"), None, inputs("test"), data.split, data.dataset)
        yield replace(evaluate_model(task, model, given, sampling="rows"), protocol="null", table=None)


def _flat(inputs: np.ndarray) -> np.ndarray:
    return inputs[:, :, 0]


def _trees(seed: int, task: Task):
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    options = {"n_estimators": TREES, "min_samples_leaf": LEAF, "random_state": seed}
    if task.is_regression:
        return ExtraTreesRegressor(**options)
    return ExtraTreesClassifier(class_weight="balanced", **options)


def _terminal(folder: Path) -> dict[str, np.ndarray]:
    """Read voltage, SOC and pulse voltages (23,) of each row; Regime-B rows have no pulses and get zeros."""
    columns = ["sample_id", *_TERMINAL]
    files = folder.glob("data/**/*.parquet")
    table = pa.concat_tables([pq.read_table(file, columns=columns, partitioning=None) for file in files])
    pulses = np.array([u or [0.0] * U_FEATURES for u in table["u_features"].to_pylist()])
    values = np.column_stack([table["voltage"].to_numpy(), table["soc"].to_numpy(), pulses])
    return dict(zip(table["sample_id"].to_pylist(), values))


def _magnetic(task: Task, reader: Model, data: TaskData) -> dict[str, np.ndarray]:
    """Predict each row with a magnetic readout, (n, F); training rows by fits that saw no row of their battery."""
    train = data.train
    pseudo = np.char.startswith(train.battery_ids, REGIME_B_PREFIX)
    # If all Regime-B rows belong to one pseudo-cell, as in v1, every fit needs them.
    kept = pseudo if len(set(train.battery_ids[pseudo].tolist())) < FOLDS else np.zeros(len(train), bool)
    held_out = None
    for batteries in battery_folds(train.battery_ids, FOLDS):
        fold = np.isin(train.battery_ids, batteries)
        said = _said(task, reader, data, train.take(~fold | kept), train.take(fold))
        held_out = np.zeros((len(train), said.shape[1])) if held_out is None else held_out
        held_out[fold] = said
    assert held_out is not None
    return {"train": held_out, "test": _said(task, reader, data, train, data.test)}


def _said(task: Task, reader: Model, data: TaskData, fitted: Subset, asked: Subset) -> np.ndarray:
    """Predict the rows `asked` by a fit on others: SOH, or one column per class and one for the score."""

    def clean() -> dict[str, Subset]:
        rows = data.clean()["train"]
        return {"train": rows.take(np.isin(rows.battery_ids, fitted.battery_ids))}

    given = TaskData(task, fitted, data.validation, asked, data.split, load_clean=clean)
    table = evaluate_model(task, reader, given, sampling="full", seeds=(0,)).table
    assert table is not None
    prediction = np.array(table["prediction"].to_pylist())
    if task.is_regression:
        return prediction[:, None]
    columns = [prediction == label for label in task.labels]
    if "score" in table.column_names:
        columns.append(table["score"].to_numpy())
    return np.column_stack(columns).astype(float)


def law_transfer(model: Model, data: TaskData) -> Result:
    """Fit a T1 model on all training rows of one law and score it on test rows of the other, both ways.

    Args:
        model: Model of T1.
        data: Rows of T1 from a release with two laws.

    Returns:
        Two runs: fold 0 is fitted on the alphabetically first law and scored on the other, fold 1 the other way round.

    Raises:
        MagBridgeError: If the rows do not have two laws.
    """
    laws = sorted(set(data.train.laws.tolist()) - {""})
    if len(laws) != 2 or not set(laws) <= set(data.test.laws.tolist()):
        raise refused("laws", laws=laws)
    task, runs, started = get_task("t1"), [], time.perf_counter()
    for fold, (fitted, scored) in enumerate((laws, laws[::-1])):
        validation = data.validation and _of(data.validation, fitted)
        rows = (_of(data.train, fitted), validation, _of(data.test, scored))
        given = TaskData(task, *rows, data.split, data.dataset, load_clean=partial(_clean_of, data, fitted))
        result = evaluate_model(task, model, given, sampling="full", seeds=(0,))
        runs.append(replace(result.runs[0], fold=fold, batteries=None, visits=None))
    seconds = time.perf_counter() - started
    result = replace(result, battery_ids=(), n_test=None, table=None)
    return replace(result, protocol="law_transfer", runs=tuple(runs), seconds=seconds)


def _clean_of(data: TaskData, law: str) -> dict[str, Subset]:
    return {"train": _of(data.clean()["train"], law)}


def _of(rows: Subset, law: str) -> Subset:
    return rows.take(rows.laws == law)
