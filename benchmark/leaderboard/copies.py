"""Copies of other models on a board, recognised by their errors, which scaling and a little noise leave alike."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmark.data import Truth
from benchmark.leaderboard.boards import Remark
from benchmark.results import OFFICIAL_TEST, Result, read_predictions
from benchmark.rounds import Answers
from benchmark.tasks import PRIMARY_SPLIT, Task, get_task
from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import read_json, write_json
from dataset_card.storage.files import cache_dir

ALIKE = 0.98
"""Likeness from which two results are taken to have the same errors. For numbers, it is the correlation of the errors;
for labels, the share of the rows predicted wrong by either that both predict alike. A copy is just recognised under
noise of a fifth of the errors' spread."""

ByFile = Mapping[Path, Sequence[Result]]
"""Results by the file that contains them."""


class Known(NamedTuple):
    """A result and its errors, as `errors` returns them."""

    result: Result
    errors: list[list[float]]


def errors(result: Result, truth: Truth) -> list[list[float]]:
    """Compute the errors of each seed in a form that does not depend on the scale and offset of the predictions.

    Args:
        result: Result with its predictions.
        truth: Labels of the rows that were predicted.

    Returns:
        One list per seed, in the order of `sample_id`. For numbers: the residuals of a linear fit of the predictions
        on the target, scaled to norm 1. For labels: the position of a wrong label in the task's list, counted from 1,
        and 0 for a right one. Seeds whose predictions are perfect or constant are left out.
    """
    task, table = get_task(result.task), result.table
    assert table is not None
    target = truth.target[np.argsort(truth.sample_ids)]
    seeds = table["seed"].to_numpy() if "seed" in table.column_names else np.zeros(table.num_rows, int)
    ids, values = (np.array(table[name].to_pylist()) for name in ("sample_id", "prediction"))
    found = []
    for seed in np.unique(seeds):
        prediction = values[seeds == seed][np.argsort(ids[seeds == seed])]
        if task.is_regression:
            prediction = prediction / (np.abs(prediction).max() or 1.0)
            known = np.column_stack([np.ones(len(target)), target])
            left = (prediction - known @ np.linalg.lstsq(known, prediction, rcond=None)[0]).ravel()
            wrong = (
                left / np.linalg.norm(left) if np.linalg.norm(left) > 1e-6 * np.linalg.norm(prediction) else 0 * left
            )
        else:
            numbers = np.array([task.labels.index(label) + 1 for label in prediction])
            wrong = np.where((prediction != target) & (len(set(numbers)) > 1), numbers, 0)
        if wrong.any():
            found.append(np.round(wrong, 6).tolist())
    return found


def _likeness(task: Task, one: list[list[float]], other: list[list[float]]) -> float:
    """Return the greatest likeness, 0 to 1, of the errors of any seed of one result to those of any of the other."""
    if not one or not other:
        return 0.0
    a, b = np.array(one)[:, None], np.array(other)[None]
    if task.is_regression:
        return float(abs((a * b).sum(axis=2)).max())
    return float((((a == b) & (a > 0)).sum(axis=2) / ((a > 0) | (b > 0)).sum(axis=2)).max())


def copies(entries: Sequence[Known], others: Sequence[Known]) -> list[Remark]:
    """Remark on each entry whose errors match those of another entry, or of one of the others."""
    remarks = []
    for entry in entries:
        task, digest = entry.result.task, entry.result.dataset.digest
        likeness = {
            other.result.model: _likeness(get_task(task), entry.errors, other.errors)
            for other in [*entries, *others]
            if (other.result.task, other.result.dataset.digest) == (task, digest)
            and other.result.model != entry.result.model
        }
        alike = [f"{model} ({likeness[model]:.3f})" for model in sorted(likeness) if likeness[model] >= ALIKE]
        if alike:
            words = f"its errors match those of {', '.join(alike)}: a copy, scaled or with noise, or a similar model"
            remarks.append(Remark(entry.result, words, ranked=True))
    return remarks


def filed_errors(by_file: ByFile, answers: Iterable[Answers]) -> list[Known]:
    """Return results whose predictions are filed, with their errors on official test rows.

    Args:
        by_file: Results by file.
        answers: Labels of releases and rounds; results on other rows are left out.

    Raises:
        MagBridgeError: If filed predictions are missing or damaged.
    """
    by_digest: dict[str | None, Answers] = {of_release.digest: of_release for of_release in answers}
    return [known for path, filed in by_file.items() for known in _of_file(path, filed, by_digest)]


def _of_file(path: Path, filed: Sequence[Result], answers: Mapping[str | None, Answers]) -> list[Known]:
    """Return the results of a file with their errors, from the cache if they were computed before."""
    results = [
        result
        for result in filed
        if result.predictions
        and result.dataset.digest in answers
        and result.split == PRIMARY_SPLIT
        and result.protocol in OFFICIAL_TEST
    ]
    memory = {r.key: cache_dir() / "errors" / f"{(r.predictions or {})['sha256']}.json" for r in results}
    found, missing = [], []
    for result in results:
        try:
            found.append(Known(result, read_json(memory[result.key])["errors"]))
        except (MagBridgeError, KeyError, TypeError):
            missing.append(result)
    tables = read_predictions(path, missing)
    for result in missing:
        _, truth = answers[result.dataset.digest].of(get_task(result.task))
        known = errors(replace(result, table=tables[result.key]), truth)
        found.append(Known(result, known))
        with contextlib.suppress(OSError):
            write_json(memory[result.key], {"errors": known})
    return found
