"""An entry of the board: a folder with `submission.yaml` and one predictions file per task."""

import datetime
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from benchmark.predictions.scored import write_predictions
from benchmark.refusals import refused
from benchmark.tasks import Task, get_task
from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import plain_yaml
from dataset_card.storage.files import alone, write_text
from dataset_card.storage.output import require_place

FILE = "submission.yaml"
POOLING = {"scan": "", "visit": " Each prediction reads all scans of a cell visit."}
"""Sentence that a board appends to the description, by pooling."""

OPTIONAL = {"version", "url", "paper", "code", "hardware", "test_data_leakage"}
"""Optional fields of an entry."""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """Contents of a `submission.yaml`; fields as in `submission.schema.json`.

    Attributes:
        version: Version of the model.
        authors: Names of the authors.
        description: One sentence on the model.
        url: URL of the model's page.
        paper: URL of the paper.
        code: URL of the code that makes the predictions.
        licence: Licence of the predictions.
        release: Digest of the release or round whose test rows were predicted.
        tasks: Predictions file, and optionally `seconds` and `features`, by task id.
        trained_on: Digests of the releases that the model was trained on.
        pooling: `scan` if each prediction read only its own row, `visit` if it read all rows of a cell visit.
        hardware: Hardware that the model ran on.
        test_data_leakage: Whether any label of a test row was used in any way.
        replication_code: Whether the code that made the predictions is public.
    """

    schema_version: str = "1.0"
    name: str
    version: str
    authors: list[str]
    description: str
    url: str | None = None
    paper: str | None = None
    code: str | None = None
    licence: str
    date: str
    release: str
    tasks: dict[str, dict]
    trained_on: list[str]
    pooling: str
    hardware: str = ""
    test_data_leakage: bool
    replication_code: bool


def write_submission(folder: Path, release: str, tasks: dict[str, dict], **about: Any) -> Path:
    """Write a folder's `submission.yaml` with today's date; `about` gives the other fields of `Submission`."""
    usual = {"version": "1.0", "test_data_leakage": False, "replication_code": about.get("code") is not None}
    entry: dict[str, Any] = {"name": folder.resolve().name} | usual | about | {"authors": list(about["authors"])}
    today = datetime.date.today().isoformat()
    document = asdict(Submission(date=today, release=release, tasks=dict(sorted(tasks.items())), **entry))
    write_text(folder / FILE, yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
    return folder / FILE


def save_entry(
    folder: str | Path,
    task: str | Task,
    table: pa.Table,
    digest: str,
    *,
    description: str,
    authors: Sequence[str],
    licence: str,
    trained_on: list[str],
    pooling: str,
    seconds: float = 0.0,
    features: int | None = None,
    **about: Any,
) -> Path:
    """Write one task's predictions to a submission folder, which may already have other tasks (see CONTRIBUTING.md).

    Args:
        folder: Folder with the model's name, created if missing; `python -m benchmark submit FOLDER` checks and scores
            it.
        task: Task or its id.
        table: Predictions, as in `write_predictions`.
        digest: Digest of the release or round that was predicted.
        description: One sentence on the model.
        authors: Names of the authors.
        licence: Licence of the predictions.
        trained_on: Digests of the releases that the model was trained on.
        pooling: `scan` if each prediction read only its own row, `visit` if it read all rows of a cell visit.
        seconds: Time to fit and predict, in s per seed.
        features: Number of values per row that the last learner sees.
        about: Optional fields of `Submission`: `version`, `url`, `paper`, `code`, `hardware`, `test_data_leakage`.

    Returns:
        Path of `submission.yaml`.

    Raises:
        MagBridgeError: If the folder has predictions of another release or an invalid `submission.yaml`, or if
            `authors`, `pooling` or a name in `about` is invalid.
    """
    if strange := about.keys() - OPTIONAL:
        raise MagBridgeError(f"unknown entry field {sorted(strange)[0]!r}: expected {', '.join(sorted(OPTIONAL))}")
    if isinstance(authors, str):
        raise MagBridgeError(f"authors {authors!r}: expected a list of names, [{authors!r}]")
    if pooling not in POOLING:
        raise MagBridgeError(f"pooling {pooling!r}: expected scan (each prediction read only its own row) or visit")
    folder, task = require_place(folder), get_task(task)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    with alone(folder):  # other processes may add their tasks
        earlier = _earlier(path)
        if earlier.get("release", digest) != digest:
            raise refused("other_release", path=path, earlier=earlier["release"][:12], digest=digest[:12])
        tasks = earlier.get("tasks", {})
        tasks[task.id] = {"predictions": f"{task.id}.parquet", "seconds": float(f"{seconds:.4g}")}
        if features is not None:
            tasks[task.id]["features"] = features
        write_predictions(folder / f"{task.id}.parquet", table, digest)
        about |= {"description": description, "authors": authors, "licence": licence}
        return write_submission(folder, digest, tasks, trained_on=trained_on, pooling=pooling, **about)


def _earlier(path: Path) -> dict:
    """Read the folder's existing `submission.yaml`; return an empty dict if there is none."""
    if not path.is_file():
        return {}
    try:
        found = plain_yaml(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise MagBridgeError(f"{path} is not plain YAML ({error}): correct it, or choose another folder") from error
    known = isinstance(found, dict) and isinstance(found.get("release"), str) and isinstance(found.get("tasks"), dict)
    if not known:
        raise MagBridgeError(f"{path} lacks `release` and `tasks`: correct it, or choose another folder")
    return found
