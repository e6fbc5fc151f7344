"""The entries of a board: scores are recomputed from the predictions, and copies of other models are named."""

import contextlib
import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from benchmark.data import Truth
from benchmark.leaderboard.boards import Remark
from benchmark.leaderboard.submissions import FILE, Submitted, check, filed, is_late
from benchmark.results import OFFICIAL_TEST, Result, from_json, read_predictions, to_json
from benchmark.results.documents import SCHEMA_VERSION
from benchmark.rounds import Answers
from benchmark.tasks import PRIMARY_SPLIT, Task, get_task
from dataset_card.errors import MagBridgeError
from dataset_card.storage.digests import canonical_json, sha256_of
from dataset_card.storage.documents import read_json, write_json
from dataset_card.storage.files import cache_dir

ALIKE = 0.98
"""Likeness from which two results are taken to have the same errors. For numbers, it is the correlation of the errors;
for labels, the share of the rows predicted wrong by either that both predict alike. A copy is just recognised under
noise of a fifth of the errors' spread."""

NOT_RECOMPUTED = "not recomputed here, so its score is not shown: give its release or round with --data"
LATE = "submitted after the reveal, or changed after it was committed"


ByFile = Mapping[Path, Sequence[Result]]
"""Results by the file that contains them."""


class Entries(NamedTuple):
    """Entries sorted into ranked results and remarks.

    Attributes:
        ranked: Recomputed results that may be ranked.
        remarks: Remarks on entries that are not ranked, and on entries with another model's errors.
    """

    ranked: list[Result]
    remarks: list[Remark]


class _Known(NamedTuple):
    result: Result
    errors: list[list[float]]


def recompute(
    entries: Iterable[Submitted],
    answers: Iterable[Answers],
    taken: Sequence[Result],
    compared: ByFile = MappingProxyType({}),
) -> Entries:
    """Recompute every entry whose release is given; the others are not ranked.

    Args:
        entries: Entries, from `read_submissions`.
        answers: Labels of releases and rounds.
        taken: Results on the board, without the entries.
        compared: Results, by file, to compare the entries with if their predictions are filed too.

    Returns:
        The results to rank, and remarks on entries.

    Raises:
        MagBridgeError: If an entry fails its checks, or a release is damaged.
    """
    by_digest = {of_release.digest: of_release for of_release in answers}
    known: list[_Known] = []
    ranked: list[Result] = []
    remarks: list[Remark] = []
    for entry in entries:
        own = by_digest.get(entry.submission.release)
        if own is None:
            remarks += [Remark(result, NOT_RECOMPUTED, shown=False) for result in filed(entry)]
            continue
        found = _recomputed(entry, own, list(taken))
        if is_late(entry, own):
            remarks += [Remark(each.result, LATE) for each in found]
            continue
        known += found
        ranked += [each.result for each in found]
    return Entries(ranked, remarks + _duplicates(known, compared, by_digest))


def _recomputed(entry: Submitted, answers: Answers, taken: list[Result]) -> list[_Known]:
    """Return the results and errors of an entry, from the cache if the same files were scored before."""
    versions = {task: get_task(task).version for task in entry.files}
    what = [SCHEMA_VERSION, entry.submission.release, sha256_of(entry.folder / FILE), entry.digests, versions]
    memory = cache_dir() / "entries" / f"{hashlib.sha256(canonical_json(what).encode()).hexdigest()}.json"
    with contextlib.suppress(MagBridgeError, KeyError, TypeError):  # missing or of another version: recompute
        stored = read_json(memory)["entries"]
        return [_Known(from_json(each["result"], str(memory)), each["errors"]) for each in stored]
    found = _known(check(entry, answers, taken).results, answers)
    if not found:
        return []  # the round is open
    document = [{"result": to_json(each.result), "errors": each.errors} for each in found]
    with contextlib.suppress(OSError):  # without a cache, it only takes longer
        write_json(memory, {"entries": document})
    return found


def _known(results: Sequence[Result], answers: Answers) -> list[_Known]:
    truths = {task: answers.of(get_task(task))[1] for task in {result.task for result in results}}
    return [_Known(result, errors(result, truths[result.task])) for result in results]


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


def duplicates(results: Sequence[Result], compared: ByFile, answers: Answers) -> list[Remark]:
    """Remark on each result whose errors match those of a filed result or of another in the list.

    Args:
        results: Results with their predictions.
        compared: Results by file; those whose predictions are filed too are compared.
        answers: Labels of the release whose rows were predicted.
    """
    return _duplicates(_known(results, answers), compared, {answers.digest: answers})


def _duplicates(entries: list[_Known], compared: ByFile, answers: Mapping[str, Answers]) -> list[Remark]:
    """Remark on each entry whose errors match those of another entry or of a filed result."""
    remarks = []
    wanted = {(each.result.task, each.result.dataset.digest) for each in entries}
    others = entries + [one for file, filed in compared.items() for one in _compared(file, filed, wanted, answers)]
    for entry in entries:
        task, digest = entry.result.task, entry.result.dataset.digest
        likeness = {
            other.result.model: _likeness(get_task(task), entry.errors, other.errors)
            for other in others
            if (other.result.task, other.result.dataset.digest) == (task, digest)
            and other.result.model != entry.result.model
        }
        alike = [f"{model} ({likeness[model]:.3f})" for model in sorted(likeness) if likeness[model] >= ALIKE]
        if alike:
            words = f"its errors match those of {', '.join(alike)}: a copy, scaled or with noise, or a similar model"
            remarks.append(Remark(entry.result, words, ranked=True))
    return remarks


def _compared(
    path: Path, filed: Sequence[Result], wanted: set[tuple[str, str | None]], answers: Mapping[str, Answers]
) -> list[_Known]:
    """Return the results of a file that entries are compared with, and their errors."""
    results = [
        result
        for result in filed
        if (result.task, result.dataset.digest) in wanted
        and result.predictions
        and result.split == PRIMARY_SPLIT
        and result.protocol in OFFICIAL_TEST
    ]
    cache = cache_dir() / "errors"
    memory = {r.key: cache / f"{r.predictions['sha256']}.json" for r in results if r.predictions is not None}
    found, missing = [], []
    for result in results:
        try:
            found.append(_Known(result, read_json(memory[result.key])["errors"]))
        except (MagBridgeError, KeyError, TypeError):
            missing.append(result)
    tables: dict[tuple[str, ...], pa.Table] = read_predictions(path, missing) if missing else {}
    read = [dataclasses.replace(result, table=tables[result.key]) for result in missing]
    for digest in {result.dataset.digest for result in read}:
        for each in _known([result for result in read if result.dataset.digest == digest], answers[str(digest)]):
            found.append(each)
            with contextlib.suppress(OSError):
                write_json(memory[each.result.key], {"errors": each.errors})
    return found
