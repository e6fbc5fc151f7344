"""Predictions files: one row a sample and seed, from which scores are recomputed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.data import DatasetInfo, dataset_info, load_truth, release_folder
from benchmark.scoring import cell_statistics, interval, score
from benchmark.tasks import PRIMARY_SPLIT, Task, get_task
from dataset_card.errors import MagBridgeError
from dataset_card.files import replacing

DIGEST_KEY = b"magbridge_dataset_digest"
"""Parquet metadata key that says which release the predictions are for."""

COLUMNS = "sample_id and prediction, optionally seed and score"
Truth = tuple[np.ndarray, np.ndarray, np.ndarray]
SHOWN = 3
"""Ids named in an error before it counts the rest."""


def write_predictions(path: str | Path, table: pa.Table, digest: str) -> None:
    """Writes a predictions file.

    Args:
        path: Parquet file.
        table: Columns `sample_id`, `prediction` (SOH or label), optionally `seed` (several rows a sample) and
            `score` (of the class the task's AUC speaks of).
        digest: `dataset_digest` of the release's manifest.
    """
    with replacing(Path(path)) as temporary:
        pq.write_table(table.replace_schema_metadata({DIGEST_KEY: digest.encode()}), temporary, compression="zstd")


@dataclass(frozen=True)
class Scored:
    """Scores recomputed from a predictions file.

    Attributes:
        dataset: Release it was scored against.
        seeds: Seeds in the file.
        scores: Metric name to unrounded value, one mapping a seed.
        cell_ids: Test cells.
        cells: Shape (seeds, cells, S), per-cell statistics of the headline metric (see `benchmark.scoring`).
        n_test: Rows scored for each seed.
    """

    dataset: DatasetInfo
    seeds: list[int]
    scores: list[dict[str, float]]
    cell_ids: np.ndarray
    cells: np.ndarray
    n_test: int


def score_predictions(path: str | Path, task: str | Task, release: str | Path, split: str = PRIMARY_SPLIT) -> dict:
    """Recomputes every metric from a predictions file.

    Args:
        path: Parquet file as `write_predictions` makes; a file without a dataset digest is accepted, since sample
            ids are themselves derived from the rows.
        task: Task or its id.
        release: Release folder or Hub id.
        split: Whose test rows were predicted.

    Returns:
        `task`, `split`, `dataset`, `seeds`, `scores` (one mapping a seed), `mean`, the headline's `interval` by cell.

    Raises:
        MagBridgeError: Missing, extra or duplicate ids, NaN, unknown labels, or another release's digest.
    """
    task = get_task(task)
    scored = score_seeds(path, task, release, split)
    low, high = interval(task, scored.cell_ids, scored.cells)
    return {
        "task": task.id,
        "split": split,
        "dataset": scored.dataset.digest,
        "seeds": scored.seeds,
        "scores": scored.scores,
        "mean": {metric: float(np.mean([s[metric] for s in scored.scores])) for metric in scored.scores[0]},
        "interval": {"metric": task.headline.name, "low": low, "high": high},
    }


def score_seeds(path: str | Path, task: Task, release: str | Path, split: str) -> Scored:
    """Scores each seed of a predictions file; arguments and errors as in `score_predictions`."""
    folder = release_folder(release)
    info = dataset_info(folder)
    return score_table(_read(Path(path), info), task, info, load_truth(task, folder, split), f"{path}", split)


def score_table(table: pa.Table, task: Task, dataset: DatasetInfo, truth: Truth, where: str, split: str) -> Scored:
    """Scores each seed of a predictions table.

    Args:
        table: Columns as in `write_predictions`.
        task: Whose test rows were predicted.
        dataset: Release they are rows of.
        truth: Sample ids, cell ids and targets of the test rows, from `benchmark.data.load_truth`.
        where: Names the table in errors.
        split: Whose test rows they are.

    Raises:
        MagBridgeError: As in `score_predictions`.
    """
    ids, cells, target = truth
    position = {sample_id: i for i, sample_id in enumerate(ids.tolist())}
    per_seed = table["seed"].to_numpy() if "seed" in table.column_names else np.zeros(table.num_rows, dtype=int)
    seeds, scores, statistics = np.unique(per_seed).tolist(), [], []
    names = np.unique(cells)
    if not seeds:
        raise MagBridgeError(f"{where} is empty: expected one row for each of the {len(ids)} test samples of {task.id}")
    for seed in seeds:
        rows = table.filter(pa.array(per_seed == seed))
        order = _order(rows["sample_id"].to_pylist(), position, f"{where}, seed {seed}", task, split)
        prediction = _column(rows, "prediction")[order]
        given = _column(rows, "score")[order] if "score" in rows.column_names else None
        scores.append(score(task, target, prediction, given))
        statistics.append(cell_statistics(task, target, prediction, cells)[1])
    return Scored(dataset, seeds, scores, names, np.array(statistics), len(ids))


def _read(path: Path, info: DatasetInfo) -> pa.Table:
    if not path.is_file():
        raise MagBridgeError(f"no predictions file {path}: expected a Parquet file with the columns {COLUMNS}")
    try:
        table = pq.read_table(path, partitioning=None)
    except pa.ArrowInvalid as error:
        raise MagBridgeError(f"{path} is not Parquet ({error}): expected the columns {COLUMNS}") from error
    unknown = set(table.column_names) - {"sample_id", "prediction", "seed", "score"}
    missing = {"sample_id", "prediction"} - set(table.column_names)
    if unknown or missing:
        raise MagBridgeError(f"{path} has the columns {', '.join(table.column_names)}: expected {COLUMNS}")
    for name in table.column_names:
        if table[name].null_count:
            raise MagBridgeError(
                f"{path}: column {name} has {table[name].null_count} nulls: expected a value in every row"
            )
    digest = (table.schema.metadata or {}).get(DIGEST_KEY)
    if digest is not None and digest.decode() != info.digest:
        raise MagBridgeError(
            f"{path} was predicted on the dataset {digest.decode()[:12]}, the release has the digest "
            f"{info.short}: predict on this release, or score against the other"
        )
    return table


def _order(ids: list[str], position: dict[str, int], where: str, task: Task, split: str) -> np.ndarray:
    """Row numbers that bring the predictions into the order of the truth."""
    twice = [sample_id for sample_id, n in Counter(ids).items() if n > 1]
    extra = [sample_id for sample_id in ids if sample_id not in position]
    missing = sorted(position.keys() - set(ids), key=position.__getitem__)
    for names, what in ((twice, "are there twice"), (extra, "are no test sample of it"), (missing, "are missing")):
        if names:
            shown = ", ".join(map(str, names[:SHOWN])) + (
                f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            )
            raise MagBridgeError(
                f"{where}: samples {shown} {what}: expected each of the {len(position)} test samples of "
                f"{task.id} ({split}) once"
            )
    return np.argsort([position[sample_id] for sample_id in ids])


def _column(table: pa.Table, name: str) -> np.ndarray:
    values = table[name]
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    return np.array(values.to_pylist())
