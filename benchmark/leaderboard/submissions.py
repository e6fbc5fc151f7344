"""Check, score and rescore submissions: folders with a `submission.yaml` and one predictions file per task.

Scores are recomputed here from the predictions; no code from a submission is ever run.
"""

import datetime
import json
import platform
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.leaderboard.copies import Known, copies, errors
from benchmark.predictions.entry import FILE, POOLING, Submission
from benchmark.predictions.scored import score_file
from benchmark.refusals import refused
from benchmark.results import Result, read_results, release_stem, to_json
from benchmark.rounds import Answers
from benchmark.tasks import PRIMARY_SPLIT, get_task
from dataset_card.errors import MagBridgeError
from dataset_card.storage.digests import sha256_of
from dataset_card.storage.documents import plain_yaml, schema_errors
from dataset_card.storage.rounds import read_entries

SUBMISSIONS = Path(__file__).parents[1] / "submissions"
"""Folder of the shipped board's entries, one folder per entry."""

SCHEMA_FILE = Path(__file__).with_name("submission.schema.json")
MAX_BYTES = 64 * 2**10
"""Size limit of a `submission.yaml`."""


@dataclass(frozen=True)
class Submitted:
    """A submission folder with nothing but an entry, whose predictions files exist and are regular files.

    Attributes:
        folder: The folder.
        submission: Contents of its `submission.yaml`.
        files: Path of the predictions file of each task.
    """

    folder: Path
    submission: Submission
    files: dict[str, Path]

    @cached_property
    def digests(self) -> dict[str, str]:
        """SHA-256 of each predictions file, by task."""
        return {task: sha256_of(file) for task, file in self.files.items()}


@dataclass(frozen=True)
class Checked:
    """A submission that passed the checks.

    Attributes:
        known: Scores recomputed from its predictions, one result per task, and its errors; empty while a round is open.
        remarks: Notes for its author.
        is_late: Whether it is late, as in the function of that name.
    """

    known: list[Known]
    remarks: list[str]
    is_late: bool

    @property
    def results(self) -> list[Result]:
        """The results, without the errors."""
        return [each.result for each in self.known]


def read_submission(folder: str | Path, named_as_folder: bool = True) -> Submitted:
    """Read a submission folder; its predictions are checked by `check`.

    Args:
        folder: Folder with `submission.yaml` and its predictions files.
        named_as_folder: Whether the submission must have the folder's name.

    Raises:
        MagBridgeError: If `submission.yaml` is missing, is not plain YAML or has an invalid field, if a predictions
            file is missing or named like a results file, or if the folder contains anything but an entry's regular
            files.
    """
    folder = Path(folder)
    path = folder / FILE
    if not path.is_file() or path.is_symlink():
        raise MagBridgeError(f"no {FILE} in {folder}: write one with `Result.save`, or as CONTRIBUTING.md shows")
    if path.stat().st_size > MAX_BYTES:
        raise MagBridgeError(f"{path} is over {MAX_BYTES // 1024} kB: expected a short description")
    try:
        document = plain_yaml(path.read_text(encoding="utf-8"))
    except ValueError as error:
        reason = " ".join(str(error).split())[:200]
        raise MagBridgeError(f"{path} is not plain YAML ({reason}): expected one field per line") from error
    for where, message in schema_errors(document, SCHEMA_FILE):
        raise MagBridgeError(f"{path}: {'/'.join(where) or 'the document'}: {message[:300]}; see {SCHEMA_FILE.name}")
    try:
        datetime.date.fromisoformat(document["date"])
    except ValueError as error:
        raise MagBridgeError(f"{path}: date: {document['date']!r} is not a valid date: expected YYYY-MM-DD") from error
    if named_as_folder and document["name"] != folder.resolve().name:
        raise refused("submission_name", path=path, name=document["name"], folder=folder.resolve().name)
    if document["test_data_leakage"]:
        raise MagBridgeError(f"{path}: test_data_leakage: true: a model that used labels of test rows cannot be ranked")
    if document["replication_code"] and not document.get("code"):
        raise MagBridgeError(f"{path}: replication_code: true without `code`: expected the URL of the code")
    files = {task: folder / about["predictions"] for task, about in sorted(document["tasks"].items())}
    for task, file in files.items():
        if file.match(_filed_name(document["release"])):
            raise MagBridgeError(f"{file} is named like a results file: expected another name, such as {task}.jsonl")
        if not file.exists():
            raise MagBridgeError(f"no predictions file {file}: expected the files that {FILE} names")
    if len(set(files.values())) < len(files):
        raise MagBridgeError(f"{path}: tasks: two tasks share a predictions file: expected one file per task")
    expected = {path, *files.values()}
    allowed = expected | {folder / "README.md", *folder.glob(_filed_name(document["release"]))}
    for stray in sorted(folder.iterdir()):
        if stray not in allowed:
            known = ", ".join(sorted(file.name for file in expected))
            raise MagBridgeError(f"{folder} contains {stray.name}: expected only {known}; remove it")
        if stray.is_symlink() or not stray.is_file():
            raise MagBridgeError(f"{stray} is a link, a folder or a pipe: expected a regular file; remove it")
    return Submitted(folder, Submission(**document), files)


def read_submissions(folder: Path | None = None) -> list[Submitted]:
    """Read every entry of a folder of submissions, sorted by name; by default the shipped ones.

    Raises:
        MagBridgeError: If there is no such folder, if it is an entry itself or contains a link to a folder or names
            that differ only in case, or as `read_submission`.
    """
    folder = folder or SUBMISSIONS
    if (folder / FILE).exists():
        raise MagBridgeError(f"{folder} is one entry: expected a folder with one folder per entry, such as its parent")
    if not folder.is_dir():
        raise MagBridgeError(f"no folder {folder}: expected submissions, one folder per entry")
    paths = entry_folders(folder)
    return [read_among(paths, path) for path in paths]


def entry_folders(folder: Path) -> list[Path]:
    """Return the folders of a folder of submissions, sorted by name."""
    return [path for path in sorted(folder.iterdir()) if path.is_dir() and path.name[0] != "."]


def read_among(paths: Sequence[Path], path: Path) -> Submitted:
    """Read one of the entries of a folder of submissions, as `read_submissions` does."""
    if path.is_symlink():
        raise MagBridgeError(f"{path} is a link: expected a folder, as each entry is read once and from its place")
    if [other.name.lower() for other in paths].count(path.name.lower()) > 1:
        raise MagBridgeError(f"{path}: another entry's name differs only in case: rename one of them")
    return read_submission(path)


def check(entry: Submitted, answers: Answers, taken: list[Result], others: Sequence[Known] = ()) -> Checked:
    """Check an entry and score it.

    Args:
        entry: Entry, from `read_submission`.
        answers: Labels of the release or round that the submission names.
        taken: Results on the board; the names of their models are taken.
        others: Results whose copies are named in the remarks, from `filed_errors`.

    Returns:
        Its scores, or none while a round is open; nothing is written.

    Raises:
        MagBridgeError: If a check fails; the message names the file and the field.
    """
    submission, path = entry.submission, entry.folder / FILE
    if submission.name.lower() in {result.model.lower() for result in taken if result.protocol != "submitted"}:
        raise MagBridgeError(f"{path}: name: {submission.name} is already on the board: choose another name")
    if submission.release != answers.digest:
        raise MagBridgeError(
            f"{path}: release: {submission.release[:12]} is named, but {answers.release} has the digest "
            f"{answers.digest[:12]}: pass the named release with --data"
        )
    known: list[Known] = []
    remarks, late = [], is_late(entry, answers)
    for task_id, file in entry.files.items():
        task = get_task(task_id)
        dataset, truth = answers.of(task)
        runs, table, said = score_file(file, task, dataset, truth, PRIMARY_SPLIT)
        remarks += [f"{task.id}: {remark}" for remark in said]
        if not runs:
            continue
        about = submission.tasks[task.id]
        result = Result(
            task=task.id,
            task_version=task.version,
            model=submission.name,
            description=submission.description + POOLING[submission.pooling],
            dataset=dataset,
            split=PRIMARY_SPLIT,
            protocol="submitted",
            runs=tuple(runs),
            battery_ids=tuple(np.unique(truth.battery_ids).tolist()),
            packages={"python": platform.python_version(), "numpy": np.__version__},
            hardware={"processor": submission.hardware, "cores": None, "gpu": None},
            seconds=float(about.get("seconds", 0.0)),
            n_features=about.get("features"),
            n_test=len(truth.sample_ids),
            table=table,
        )
        known.append(Known(result, errors(result, truth)))
    remarks += [f"{remark.result.task}: {remark.words}" for remark in copies(known, others)]
    return Checked(known, remarks, late)


def is_late(entry: Submitted, answers: Answers) -> bool:
    """Return whether the files of an entry of a revealed round are others than were committed before the reveal."""
    if answers.round is None or not answers.round.is_revealed:
        return False
    return read_entries(answers.round).get(entry.submission.name) != entry.digests


def results_files(entry: Submitted) -> list[Path]:
    """Return the files in an entry's folder that are named like results of its release."""
    return sorted(entry.folder.glob(_filed_name(entry.submission.release)))


def filed(entry: Submitted) -> list[Result]:
    """Read the results that `submit` wrote into an entry's folder; their scores are yet to be recomputed.

    Raises:
        MagBridgeError: If there is not exactly one results file, it does not have the name that `submit` gives it, or a
            result is of another entry, release or task.
    """
    folder, submission, files = entry.folder, entry.submission, results_files(entry)
    if len(files) != 1:
        raise MagBridgeError(
            f"{folder} has {len(files)} results files, expected 1: {'remove them and ' if files else ''}run "
            f"`python -m benchmark submit {folder}`"
        )
    results = read_results(files[0])
    for result in results:
        told = (result.model, result.dataset.digest, result.protocol, result.split, release_stem(result.dataset))
        expected = (submission.name, submission.release, "submitted", PRIMARY_SPLIT, files[0].stem)
        if told != expected or result.task not in submission.tasks:
            raise MagBridgeError(
                f"{files[0]} contains {' '.join(result.key)}, which is not a result of this entry: remove the file "
                "and submit the entry again"
            )
    return results


def _filed_name(release: str) -> str:
    return f"*-{release[:8]}.jsonl"


def rescore(entries: Sequence[Submitted], answers: Iterable[Answers], taken: list[Result]) -> list[list[Result]]:
    """Recompute entries and compare each with its filed results.

    Args:
        entries: Entries, from `read_submissions`.
        answers: Labels of releases and rounds; each entry is scored against the one it names.
        taken: Results on the board.

    Returns:
        The recomputed results of each entry.

    Raises:
        MagBridgeError: If an entry fails its checks, was not scored, names an open round or a release that is not
            given, or is filed with other figures than the recomputed ones.
    """
    by_digest = {of_release.digest: of_release for of_release in answers}
    checked = []
    for entry in entries:
        folder, named = entry.folder, entry.submission.release
        if named not in by_digest:
            given = ", ".join(f"{digest[:12]} ({found.release})" for digest, found in by_digest.items())
            raise refused("release_not_given", path=folder / FILE, named=named[:12], given=given)
        if found := by_digest[named].open_round:
            raise refused("round_open", release=found.folder, round=found.name)
        again = check(entry, by_digest[named], taken).results
        if [result.key for result in filed(entry)] != [result.key for result in again]:
            raise MagBridgeError(f"{folder}: the filed tasks are not those of its predictions: submit it again")
        (file,) = results_files(entry)
        for result, line in zip(again, file.read_text(encoding="utf-8").splitlines()):
            for where, old, new in _differences(json.loads(line), json.loads(json.dumps(to_json(result)))):
                raise MagBridgeError(
                    f"{folder}: {result.task} is filed with {where} {str(old)[:60]}, but its predictions and {FILE} "
                    f"give {str(new)[:60]}: submit it again"
                )
        checked.append(again)
    return checked


def _differences(old: Any, new: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield each difference between two documents as its path and both values; package versions may differ.

    Numbers are compared with a tolerance, because another machine may round the last digit differently.
    """
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        for name in sorted(new.keys() - {"packages"}):
            yield from _differences(old[name], new[name], f"{where}/{name}".strip("/"))
    elif isinstance(old, list | tuple) and isinstance(new, list | tuple) and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new)):
            yield from _differences(one, other, f"{where}/{number}")
    elif isinstance(old, float) or isinstance(new, float):
        if not isinstance(old, int | float) or not np.isclose(old, new, rtol=1e-9, atol=1e-12):
            yield where, old, new
    elif old != new or isinstance(old, bool) != isinstance(new, bool):
        yield where, old, new
