"""Submissions: a folder with `submission.yaml` and one predictions file per task, checked, scored and rescored.

Scores are recomputed here from the predictions; a submission brings no code that would be run.
"""

import datetime
import json
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.leaderboard.boards import Entry, leaderboard
from benchmark.leaderboard.texts import texts_of
from benchmark.predictions.entry import FILE, POOLING, Submission
from benchmark.predictions.scored import check_file, score_file
from benchmark.refusals import refused
from benchmark.results import Result, read_results, to_json
from benchmark.rounds import answers, digest_of, open_round
from benchmark.tasks import PRIMARY_SPLIT, get_task
from dataset_card.errors import MagBridgeError
from dataset_card.storage.digests import sha256_of
from dataset_card.storage.documents import plain_yaml, schema_errors
from dataset_card.storage.rounds import is_round, read_entries, read_round

SUBMISSIONS = Path(__file__).parents[1] / "submissions"
"""Where the entries of the shipped board lie, a folder each."""

SCHEMA_FILE = Path(__file__).with_name("submission.schema.json")
MAX_BYTES = 64 * 2**10
"""Of a submission.yaml."""


@dataclass(frozen=True)
class Checked:
    """A submission that holds.

    Attributes:
        submission: What it says of itself.
        results: Scores recomputed from its predictions, one result a task; none while a round is open.
        remarks: What its author should know.
    """

    submission: Submission
    results: list[Result]
    remarks: list[str] = field(default_factory=list)


def read_submission(folder: Path, named_as_folder: bool = True) -> Submission:
    """Read and check a folder's `submission.yaml`, whose name is the folder's where it is to stay.

    Raises:
        MagBridgeError: There is none, it is no YAML, it breaks the schema, or predictions are no file.
    """
    path = folder / FILE
    if not path.is_file() or path.is_symlink():
        raise MagBridgeError(f"no {FILE} in {folder}: write one with `Result.save`, or as CONTRIBUTING.md shows")
    if path.stat().st_size > MAX_BYTES:
        raise MagBridgeError(f"{path} has over {MAX_BYTES // 1024} kB: expected a short description")
    try:
        document = plain_yaml(path.read_text(encoding="utf-8"))
    except ValueError as error:
        reason = " ".join(str(error).split())[:200]
        raise MagBridgeError(f"{path} is not plain YAML ({reason}): expected one field a line") from error
    for where, message in schema_errors(document, SCHEMA_FILE):
        raise MagBridgeError(f"{path}: {'/'.join(where) or 'the document'}: {message[:300]}; see {SCHEMA_FILE.name}")
    try:
        datetime.date.fromisoformat(document["date"])
    except ValueError as error:
        raise MagBridgeError(f"{path}: date: {document['date']!r} is no day: expected YYYY-MM-DD") from error
    if named_as_folder and document["name"] != folder.resolve().name:
        raise refused("submission_name", path=path, name=document["name"], folder=folder.resolve().name)
    if document["test_data_leakage"]:
        raise MagBridgeError(f"{path}: test_data_leakage: true: labels of test rows were used, so it cannot be ranked")
    if document["replication_code"] and not document.get("code"):
        raise MagBridgeError(f"{path}: replication_code: true without `code`: expected the code's address")
    for about in document["tasks"].values():
        file = folder / about["predictions"]
        if file.is_symlink() or (file.exists() and not file.is_file()):
            raise MagBridgeError(f"{file} is a link, a folder or a pipe: expected a file")
    return Submission(**document)


def check(folder: str | Path, release: str | Path, taken: list[Result], named_as_folder: bool = True) -> Checked:
    """Check a submission folder and score it.

    Args:
        folder: With `submission.yaml` and its predictions files.
        release: Release folder, Hub id or folder of a round, the one whose digest the submission names.
        taken: Results on the board; their models' names are not free.
        named_as_folder: Whether the folder must have the model's name.

    Returns:
        The submission with its scores, of which there are none while a round is open; nothing is written.

    Raises:
        MagBridgeError: Something does not hold; says what.
    """
    folder = Path(folder)
    submission = read_submission(folder, named_as_folder)
    if submission.name in {result.model for result in taken if result.protocol != "submitted"}:
        raise MagBridgeError(f"{folder / FILE}: name: {submission.name} is on the board already: choose another")
    _refuse_strays(folder, submission)
    results, remarks, hidden = [], [], open_round(release)
    for task_id in sorted(submission.tasks):
        task = get_task(task_id)
        dataset, truth = answers(task, release)
        if submission.release != dataset.digest:
            raise MagBridgeError(
                f"{folder / FILE}: release: {submission.release[:12]} was predicted, {release} has the digest "
                f"{dataset.short}: pass the release that it names with --data"
            )
        file = folder / submission.tasks[task_id]["predictions"]
        if hidden:
            remarks += [f"{task.id}: {remark}" for remark in check_file(file, task, dataset, truth, PRIMARY_SPLIT)]
            continue
        runs, table, said = score_file(file, task, dataset, truth, PRIMARY_SPLIT)
        remarks += [f"{task.id}: {remark}" for remark in said]
        about = submission.tasks[task.id]
        results.append(
            Result(
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
        )
    return Checked(submission, results, remarks)


def _refuse_strays(folder: Path, submission: Submission) -> None:
    expected = {FILE, *(task["predictions"] for task in submission.tasks.values())}
    allowed = {path.name for path in folder.glob(_filed_name(submission))} | expected | {"README.md"}
    strays = sorted({path.name for path in folder.iterdir()} - allowed)
    if strays:
        raise MagBridgeError(f"{folder} holds {strays[0]}: expected {', '.join(sorted(expected))} and no more")
    files = [task["predictions"] for task in submission.tasks.values()]
    if len(set(files)) < len(files):
        raise MagBridgeError(f"{folder / FILE}: tasks: one predictions file for two tasks: expected one each")


def standing(result: Result, board: list[Result]) -> tuple[Entry, tuple[Entry, ...]]:
    """The result's place among others: its own entry, and all entries of its board."""
    others = [r for r in board if (r.model, r.protocol) != (result.model, result.protocol)]
    boards = leaderboard([*others, result], result.task, result.split)
    (found,) = [b for b in boards if b.dataset == result.dataset.digest]
    return next(e for e in found.entries if e.result.model == result.model), found.entries


def placed(result: Result, board: list[Result]) -> str:
    """One line: score, interval, rank, and who is level with it."""
    entry, entries = standing(result, board)
    level = [e.result.model for e in entries if e.rank == entry.rank and e.result.model != result.model]
    limits = "" if entry.interval is None else " ({:.4f} to {:.4f})".format(*entry.interval)
    words = f", level with {', '.join(level)}" if level else ""
    place = f"rank {texts_of(entry)[0]} of {len(entries)}"
    if len(entries) == 1:
        place = "no rank: no other entry is scored on these rows"
    return f"{result.task}: {result.headline} {result.mean():.4f}{limits}, {place}{words}"


def folders(submissions: Path) -> list[Path]:
    """The entries of a folder of submissions."""
    if not submissions.is_dir():
        return []
    return sorted(path for path in submissions.iterdir() if path.is_dir() and not path.name.startswith("."))


def is_late(folder: Path, submission: Submission, release: str | Path) -> bool:
    """Whether an entry of a round that is revealed was not committed, file for file, before the reveal."""
    if not is_round(release) or not (found := read_round(release)).is_revealed:
        return False
    committed = read_entries(found).get(submission.name, {})
    return any(
        committed.get(task) != sha256_of(folder / about["predictions"]) for task, about in submission.tasks.items()
    )


def filed(folder: Path, submission: Submission) -> list[Result]:
    """The results that `submit` wrote into an entry's folder; their figures are to be recomputed.

    Raises:
        MagBridgeError: There are none, or they speak of another entry, release or task.
    """
    files = sorted(folder.glob(_filed_name(submission)))
    if len(files) != 1:
        raise MagBridgeError(f"{folder} holds {len(files)} results files: run `python -m benchmark submit {folder}`")
    results = read_results(files[0])
    for result in results:
        told = (result.model, result.dataset.digest, result.protocol, result.split, result.task in submission.tasks)
        if told != (submission.name, submission.release, "submitted", PRIMARY_SPLIT, True):
            raise MagBridgeError(f"{files[0]} holds {' '.join(result.key)}, which is no result of this entry")
    return results


def _filed_name(submission: Submission) -> str:
    return f"*-{submission.release[:8]}.jsonl"


def rescore(submissions: Path, releases: Sequence[str | Path], taken: list[Result]) -> list[Checked]:
    """Recompute every entry of a folder of submissions and compare it with what is filed.

    Args:
        submissions: A folder an entry.
        releases: Release folders, Hub ids or folders of rounds; each entry is scored against the one it names.
        taken: Results on the board.

    Raises:
        MagBridgeError: An entry does not hold, was not scored, is of no release given, or its filed figures are not
            those recomputed.
    """
    by_digest = {digest_of(release): release for release in releases}
    checked = []
    for folder in folders(submissions):
        named = read_submission(folder).release
        if named not in by_digest:
            given = ", ".join(f"{digest[:12]} ({release})" for digest, release in by_digest.items())
            raise refused("release_not_given", path=folder / FILE, named=named[:12], given=given)
        again = check(folder, by_digest[named], taken)
        before = filed(folder, again.submission)
        if [result.key for result in before] != [result.key for result in again.results]:
            raise MagBridgeError(f"{folder}: other tasks are filed than it has predictions for: submit it again")
        (file,) = folder.glob(_filed_name(again.submission))
        for result, line in zip(again.results, file.read_text(encoding="utf-8").splitlines()):
            for where, old, new in _differences(json.loads(line), json.loads(json.dumps(to_json(result)))):
                raise MagBridgeError(
                    f"{folder}: {result.task} is filed with {where} {str(old)[:60]}, its predictions and {FILE} give "
                    f"{str(new)[:60]}: submit it again"
                )
        checked.append(again)
    return checked


def _differences(old: Any, new: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two documents differ, versions of packages apart; another machine may round the last digit otherwise."""
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
