"""Predictions files: one row per sample and seed, from which scores are recomputed."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.data import DatasetInfo, Truth
from benchmark.predictions.reading import DIGEST_KEY, read_file
from benchmark.refusals import refused
from benchmark.rounds import Answers
from benchmark.scoring import Run, check_fraction, interval, run_of
from benchmark.tasks import PRIMARY_SPLIT, Task, get_task
from dataset_card.storage.files import replacing

SHOWN = 3
"""Ids named in an error before it counts the rest."""


def write_predictions(path: str | Path, table: pa.Table, digest: str) -> None:
    """Write a predictions file.

    Args:
        path: Parquet file.
        table: Columns `sample_id`, `prediction` (number or label) and optionally `seed` (several rows per sample) and
            `score` (of the class that the task's AUC refers to).
        digest: `dataset_digest` in the release's manifest.
    """
    table = one_number_a_column(table)
    with replacing(Path(path)) as temporary:
        pq.write_table(table.replace_schema_metadata({DIGEST_KEY: digest.encode()}), temporary, compression="zstd")


def one_number_a_column(table: pa.Table) -> pa.Table:
    """Split predicted places into x (`prediction`) and y (`second`); return other predictions unchanged."""
    if not pa.types.is_list(table["prediction"].type):
        return table
    both = np.array(table["prediction"].to_pylist())
    at = table.column_names.index("prediction")
    return table.set_column(at, "prediction", pa.array(both[:, 0])).append_column("second", pa.array(both[:, 1]))


def score_predictions(path: str | Path, task: str | Task, release: str | Path, split: str = PRIMARY_SPLIT) -> dict:
    """Recompute every metric from a predictions file.

    Args:
        path: Parquet, CSV or JSON lines with `sample_id` and `prediction`, optionally `seed` and `score`; a file
            without a dataset digest is accepted, because sample ids are themselves derived from the rows.
        task: Task or its id.
        release: Release folder or Hub id.
        split: Split whose test rows were predicted.

    Returns:
        `task`, `split`, `dataset`, `seeds`, `scores` (one mapping per seed), `mean`, the headline's `interval` by
        battery, `remarks`.

    Raises:
        MagBridgeError: If ids are missing, unknown or duplicate, values are NaN or unknown labels, the file names
            another release, or `release` is an open round.
    """
    task, answers = get_task(task), Answers(release)
    if found := answers.open_round:
        raise refused("round_open", release=release, round=found.name)
    dataset, truth = answers.of(task, split)
    runs, _, remarks = score_file(Path(path), task, dataset, truth, split)
    scores = [run.scores for run in runs]
    low, high = interval(task, np.unique(truth.battery_ids), np.array([run.batteries for run in runs]))
    return {
        "task": task.id,
        "split": split,
        "dataset": dataset.digest,
        "seeds": [run.seed for run in runs],
        "scores": scores,
        "mean": {metric: float(np.mean([s[metric] for s in scores])) for metric in scores[0]},
        "interval": {"metric": task.headline.name, "low": low, "high": high},
        "remarks": remarks,
    }


def score_file(
    path: Path, task: Task, dataset: DatasetInfo, truth: Truth, split: str
) -> tuple[list[Run], pa.Table, list[str]]:
    """Score each seed of a predictions file against given labels.

    Args:
        path: Predictions file, as in `score_predictions`.
        task: Task whose test rows were predicted.
        dataset: Release that the rows belong to.
        truth: Labels of the test rows.
        split: Split that the test rows belong to.

    Returns:
        One run per seed, or none while the labels are hidden; the table with `sample_id`, `seed`, `prediction` and
        possibly `score`; and remarks for the user, such as ignored columns or a score that is too good.

    Raises:
        MagBridgeError: As in `score_predictions`.
    """
    table, digest, remarks = read_file(path, task)
    if digest not in (None, dataset.digest):
        raise refused("predicted_on_another", path=path, digest=digest[:12], own=dataset.short)
    if truth.is_hidden:
        for _ in _seeds(table, task, truth, f"{path}", split):  # raises if it is incomplete
            pass
        return [], table, remarks
    runs = score_table(table, task, truth, f"{path}", split)
    best = task.headline.highest if task.headline.higher_is_better else task.headline.lowest
    if any(run.scores[task.headline.name] == best for run in runs):
        remarks.append("every prediction is right: make sure that no label of a test row was used")
    if dataset.remark is not None:
        remarks.append(dataset.remark)
    return runs, table, remarks


def score_table(table: pa.Table, task: Task, truth: Truth, where: str, split: str) -> list[Run]:
    """Score each seed of a predictions table; `where` names it in errors, other arguments are as in `score_file`."""
    found = _seeds(table, task, truth, where, split)
    return [run_of(task, truth, prediction, given, seed=seed) for seed, prediction, given in found]


def _seeds(
    table: pa.Table, task: Task, truth: Truth, where: str, split: str
) -> Iterator[tuple[int, np.ndarray, np.ndarray | None]]:
    """Yield each seed of a table with its predictions and its scores or None, in the order of the truth."""
    position = {sample_id: i for i, sample_id in enumerate(truth.sample_ids.tolist())}
    per_seed = table["seed"].to_numpy()
    for seed in np.unique(per_seed).tolist():
        rows, of_seed = table.filter(pa.array(per_seed == seed)), f"{where}, seed {seed}"
        order = _order(rows["sample_id"].to_pylist(), position, truth, of_seed, f"{task.id} ({split})")
        prediction = np.array(rows["prediction"].to_pylist())[order]
        check_fraction(task, prediction, of_seed)
        yield seed, prediction, np.array(rows["score"].to_pylist())[order] if "score" in rows.column_names else None


def _order(ids: list[str], position: dict[str, int], truth: Truth, where: str, rows: str) -> np.ndarray:
    """Return the row numbers that bring the predictions into the order of the truth."""
    strange, given_ids = [sample_id for sample_id in ids if sample_id not in position], set(ids)
    for names, what in (
        ([i for i, n in Counter(ids).items() if n > 1], "occur more than once"),
        ([i for i in strange if i in truth.release_ids], "are training rows or rows of another task"),
        ([i for i in strange if i not in truth.release_ids], "are not in the release"),
        ([i for i in position if i not in given_ids], "are missing"),
    ):
        if names:
            shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
            raise refused("samples", where=where, shown=shown, what=what, count=len(position), rows=rows)
    return np.argsort([position[sample_id] for sample_id in ids])
