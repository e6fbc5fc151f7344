"""Results: what a model scored, and the files they are kept in.

All results of a release are one JSON lines file, a line a result, sorted; their predictions are one Parquet beside it.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.data import DatasetInfo
from benchmark.predictions import write_predictions
from benchmark.scoring import LEVEL, RESAMPLES, headline, interval
from benchmark.tasks import get_task
from dataset_card.errors import MagBridgeError
from dataset_card.files import replacing

SCHEMA_VERSION = "2.0"
SCHEMA_FILE = Path(__file__).with_name("result.schema.json")
SHIPPED = Path(__file__).with_name("results")
MAX_BYTES = 256 * 2**20
"""Of a results file; the shipped ones have a few MB."""

SAMPLINGS = {
    "rows": "each seed fits on its own 80 % of the training rows (as the published numbers)",
    "cells": "each seed fits on its own 80 % of the training cells (stricter)",
    "full": "each seed fits on all training rows",
}
"""Which training rows a seed sees, in protocols that score it on the whole test subset."""

PROTOCOLS = SAMPLINGS | {
    "submitted": "predictions that someone submitted; how they were fitted is theirs to say",
    "few_shot": "each seed fits on k training rows a class (T1: a fifth of the SOH range)",
    "cross_validation": "each fold fits on the rows of all other cells, over all cells of the release",
    "ceiling": "one fit on fresh generator rows: an estimate of what is reachable, never ranked",
}
"""How a result came about."""

OFFICIAL_TEST = (*SAMPLINGS, "submitted")
"""Protocols that score the whole test subset, and that boards rank."""

KEY = ("task", "model", "split", "protocol")
"""What tells the results of a release apart; files are sorted by it."""

_NAMES = pa.dictionary(pa.int32(), pa.string())
PREDICTIONS = pa.schema(
    [(name, _NAMES) for name in KEY]
    + [
        ("seed", pa.int64()),
        ("fold", pa.int64()),
        ("sample_id", pa.string()),
        ("value", pa.float64()),
        ("label", _NAMES),
        ("score", pa.float64()),
    ]
)
"""Columns of the predictions beside a results file; `value` is set in regression, `label` in classification."""


@dataclass(frozen=True)
class Run:
    """One fit and its scores.

    Attributes:
        seed: Seed of the draw and of the model.
        n_train: Rows fitted on.
        scores: Metric name to unrounded value.
        k: Shots a class, in few-shot runs.
        fold: Number of the fold, in cross-validation.
        cells: Per-cell statistics of the headline metric (see `benchmark.scoring`), on the official test rows.
    """

    seed: int
    n_train: int
    scores: dict[str, float]
    k: int | None = None
    fold: int | None = None
    cells: list | None = None


@dataclass(frozen=True, kw_only=True)
class Result:
    """All runs of one model on one task, split and protocol.

    Attributes:
        task: Task id.
        task_version: Version of the task's declaration.
        model: Name.
        description: One sentence on the model.
        dataset: Rows it was scored on.
        split: Name of the split.
        protocol: Key of `PROTOCOLS`.
        runs: The fits.
        cell_ids: Test cells, in the order of each run's `cells`; empty where there is no such statistic.
        packages: Versions of what computed it.
        hardware: Processor, cores and accelerator.
        seconds: Wall time of fitting and predicting in all runs, features included.
        n_features: Numbers a row that the last learner is fitted on; None where that is not known.
        n_test: Rows scored in each run; None in cross-validation.
        predictions: Number of the predictions filed with it and SHA-256 of their values; None without.
        table: The predictions themselves, in memory only: `sample_id`, `seed`, `fold` in cross-validation,
            `prediction` (SOH or label) and, where the model has them, `score`.
    """

    task: str
    task_version: str
    model: str
    description: str
    dataset: DatasetInfo
    split: str
    protocol: str
    runs: tuple[Run, ...]
    cell_ids: tuple[str, ...]
    packages: dict[str, str]
    hardware: dict[str, object]
    seconds: float
    n_features: int | None
    n_test: int | None
    predictions: dict | None = None
    table: pa.Table | None = field(default=None, compare=False, repr=False)

    @property
    def headline(self) -> str:
        """Name of the task's headline metric."""
        return get_task(self.task).headline.name

    def values(self, metric: str | None = None, k: int | None = None) -> np.ndarray:
        """Scores of every run, in order.

        Args:
            metric: Metric name; the headline by default.
            k: Keep the few-shot runs with so many shots.

        Raises:
            MagBridgeError: A run lacks the metric.
        """
        metric = metric or self.headline
        try:
            return np.array([run.scores[metric] for run in self.runs if k is None or run.k == k])
        except KeyError:
            raise MagBridgeError(
                f"{self.model} on {self.task} has no {metric}: it has {', '.join(self.runs[0].scores)}"
            ) from None

    def mean(self, metric: str | None = None, k: int | None = None) -> float:
        """Mean over runs."""
        return float(self.values(metric, k).mean())

    def std(self, metric: str | None = None, k: int | None = None) -> float:
        """Population standard deviation over runs, as in the paper's tables."""
        return float(self.values(metric, k).std())

    def interval(self) -> tuple[float, float] | None:
        """Bootstrap interval of the headline mean by cell, at level 0.95; None without per-cell statistics."""
        if not self.cell_ids:
            return None
        return interval(get_task(self.task), self.cell_ids, np.array([run.cells for run in self.runs]))

    def save(
        self,
        folder: str | Path,
        *,
        authors: list[str],
        licence: str,
        version: str = "1.0",
        url: str | None = None,
        paper: str | None = None,
        code: str | None = None,
        trained_on: list[str] | None = None,
        test_data_leakage: bool = False,
    ) -> Path:
        """Writes the result as a submission's folder, or adds its task to one (see CONTRIBUTING.md).

        Args:
            folder: Named as the model, made if need be; `python -m benchmark submit FOLDER` checks and scores it.
            authors: Their names.
            licence: Of the predictions.
            version: Of the model.
            url: The model's page.
            paper: Address of the paper.
            code: Address of the code that makes the predictions.
            trained_on: Digests of the releases that the model saw; the result's own by default.
            test_data_leakage: Whether a label of a test row was used, in any way.

        Returns:
            Path of `submission.yaml`.

        Raises:
            MagBridgeError: It is no result on the test rows of the split by cell, or the folder has another name.
        """
        import yaml

        folder, task = Path(folder), get_task(self.task)
        if self.protocol not in OFFICIAL_TEST or self.split != task.split or self.table is None:
            raise MagBridgeError(
                f"{' '.join(self.key)} is no result to submit: expected predictions of the test rows of {task.split}"
            )
        digest = named_digest(self.dataset)
        if folder.resolve().name != self.model:
            raise MagBridgeError(
                f"the folder {folder} for the model {self.model!r}: expected the same name; pass evaluate_model a name="
            )
        path = folder / "submission.yaml"
        tasks = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("tasks", {}) if path.is_file() else {}
        seconds = float(f"{self.seconds / len(self.runs):.4g}")
        tasks[self.task] = {"predictions": f"{self.task}.parquet", "seconds": seconds}
        if self.n_features is not None:
            tasks[self.task]["features"] = self.n_features
        document: dict = {
            "schema_version": "1.0",
            "name": self.model,
            "version": version,
            "authors": authors,
            "description": self.description,
            "url": url,
            "paper": paper,
            "code": code,
            "licence": licence,
            "date": datetime.date.today().isoformat(),
            "release": digest,
            "tasks": dict(sorted(tasks.items())),
            "trained_on": [digest] if trained_on is None else trained_on,
            "hardware": f"{self.hardware['processor']}, {self.hardware['cores']} cores",
            "test_data_leakage": test_data_leakage,
            "replication_code": code is not None,
        }
        write_predictions(folder / f"{self.task}.parquet", self.table, digest)
        with replacing(path) as temporary:
            temporary.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), encoding="utf-8")
        return path

    @property
    def key(self) -> tuple[str, ...]:
        """Task, model, split and protocol: what tells it apart from the release's other results."""
        return self.task, self.model, self.split, self.protocol

    def __str__(self) -> str:
        lines = [f"{self.model} on {self.task} ({self.split}, {self.protocol}: {PROTOCOLS[self.protocol]})"]
        for k in sorted({run.k for run in self.runs}, key=lambda k: k or 0):
            shot = "" if k is None else f"k={k:<3} "
            for metric in self.runs[0].scores:
                lines.append(f"  {shot}{metric:<40} {self.mean(metric, k):8.4f} +- {self.std(metric, k):.4f}")
        if (limits := self.interval()) is not None:
            low, high = limits
            lines.append(f"  {self.headline} over test cells, 95 %: [{low:.4f}, {high:.4f}]")
        return "\n".join(lines)


def environment() -> tuple[dict[str, str], dict[str, object]]:
    """Versions of the packages a score depends on, and the machine."""
    packages = {"python": platform.python_version()}
    for name in ("magbridge-battery", "numpy", "scipy", "scikit-learn"):
        packages[name] = metadata.version(name)
    for name in ("torch", "aeon", "numba"):  # not every model needs them
        if name in sys.modules:
            packages[name] = metadata.version(name)
    gpu = None
    if "torch" in sys.modules and sys.modules["torch"].cuda.is_available():
        gpu = sys.modules["torch"].cuda.get_device_name()
    # What this process may use: pinned to one core of many, it is as slow as on one.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return packages, {"processor": _processor(), "cores": cores, "gpu": gpu}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def to_json(result: Result) -> dict:
    """The result as its JSON document, without the predictions."""
    limits = result.interval()
    summary: dict = {"metric": result.headline, "mean": result.mean(), "std": result.std(), "interval": None}
    if limits is not None:
        low, high = limits
        summary["interval"] = {"low": low, "high": high, "level": LEVEL, "resamples": RESAMPLES, "resampled": "cells"}
    plain = {f.name: getattr(result, f.name) for f in fields(Result) if f.name not in ("table", "runs")}
    plain |= {"dataset": asdict(result.dataset), "cell_ids": list(result.cell_ids)}
    runs = [{k: v for k, v in asdict(run).items() if v is not None} for run in result.runs]
    headline_of = None if result.protocol == "few_shot" else summary
    return {"schema_version": SCHEMA_VERSION, **plain, "headline": headline_of, "runs": runs}


def from_json(document: dict, where: str) -> Result:
    """The result of a JSON document.

    Args:
        document: As `to_json` makes.
        where: Says in errors which document it is.

    Raises:
        MagBridgeError: It breaks the schema, or its figures cannot be: not finite, out of a metric's bounds, or other
            than its own statistics by cell give.
    """
    for error in _validator().iter_errors(document):
        part = "/".join(str(part) for part in error.absolute_path) or "the document"
        raise MagBridgeError(f"{where}: {part}: {error.message[:300]}; see {SCHEMA_FILE.name}")
    kept = {f.name: document[f.name] for f in fields(Result) if f.name != "table"}
    kept["dataset"] = DatasetInfo(**document["dataset"])
    kept["runs"] = tuple(Run(**run) for run in document["runs"])
    kept["cell_ids"] = tuple(document["cell_ids"])
    result = Result(**kept)
    for number, run in enumerate(result.runs):
        _check_figures(result, run, f"{where}: runs/{number}")
    summary = document["headline"]
    if summary is not None and not np.isclose(summary["mean"], result.mean(), rtol=1e-9, atol=1e-12):
        raise MagBridgeError(f"{where}: headline/mean is {summary['mean']}, the runs give {result.mean()}")
    return result


def _check_figures(result: Result, run: Run, where: str) -> None:
    """Refuses scores that no predictions can have."""
    task = get_task(result.task)
    metrics = {metric.name: metric for metric in task.metrics}
    if task.headline.name not in run.scores:
        raise MagBridgeError(f"{where}/scores lacks the headline {task.headline.name} of {task.id}")
    for name, value in run.scores.items():
        if name not in metrics:
            raise MagBridgeError(f"{where}/scores: unknown metric {name}: expected some of {', '.join(metrics)}")
        low, high = metrics[name].lowest, metrics[name].highest
        if not (low <= value <= high and abs(value) < float("inf")):
            raise MagBridgeError(f"{where}/scores: {name} is {value}: expected a finite number from {low} to {high}")
    if not result.cell_ids:
        return
    width = 4 if task.is_regression else len(task.labels) ** 2
    if run.cells is None or [len(row) for row in run.cells] != [width] * len(result.cell_ids):
        raise MagBridgeError(f"{where}/cells: expected {width} statistics for each of {len(result.cell_ids)} cells")
    given = run.scores[task.headline.name]
    with np.errstate(all="ignore"):
        recomputed = headline(task, np.array(run.cells, dtype=float).sum(axis=0))
    if not np.isclose(recomputed, given, rtol=1e-9, atol=1e-12):
        raise MagBridgeError(f"{where}: {task.headline.name} is {given}, its statistics by cell give {recomputed}")


def named_digest(dataset: DatasetInfo) -> str:
    """The digest of a release.

    Raises:
        MagBridgeError: The rows belong to no release, so that nothing could tell what a result speaks of.
    """
    if dataset.digest is None:
        raise MagBridgeError(
            f"rows {dataset.name}, without a dataset digest: evaluate on a release folder or Hub id to file the result"
        )
    return dataset.digest


def release_stem(dataset: DatasetInfo) -> str:
    """Name, without suffix, of the files that hold a release's results."""
    seed = None if dataset.seed is None else f"seed-{dataset.seed}"
    return "-".join(filter(None, (dataset.name, dataset.upstream, seed, named_digest(dataset)[:8])))


def write_result(result: Result, folder: str | Path, *, predictions: bool = True) -> Path:
    """Adds a result to a folder's files, in place of an earlier one of the same task, model, split and protocol.

    Args:
        result: From `evaluate_model` and its kin, on a release.
        folder: Folder to write to, made if need be.
        predictions: Whether to keep the predictions too.

    Returns:
        Path of the JSON lines file.

    Raises:
        MagBridgeError: The result's rows belong to no release, or a name in it cannot be filed.
    """
    return write_results([result], folder, predictions=predictions)[0]


def write_results(results: list[Result], folder: str | Path, *, predictions: bool = True) -> list[Path]:
    """Adds several results, as `write_result` does one; returns the paths of the JSON lines files."""
    folder = Path(folder)
    by_file: dict[Path, list[Result]] = {}
    for result in results:
        from_json(json.loads(json.dumps(to_json(result))), " ".join(result.key))
        by_file.setdefault(folder / f"{release_stem(result.dataset)}.jsonl", []).append(result)
    folder.mkdir(parents=True, exist_ok=True)
    for path, new in by_file.items():
        with _alone(folder):
            kept = list(_read_file(path)) if path.exists() else []
            lines = {result.key: line for result, line in kept}  # word for word: a diff shows what is new
            tables = {result.key: read_predictions(path, result) for result, _ in kept if result.predictions}
            for result in new:
                tables.pop(result.key, None)
                document = to_json(result) | {"predictions": None}
                if predictions and result.table is not None:
                    tables[result.key] = result.table
                    document["predictions"] = {"rows": result.table.num_rows, "sha256": _digest(result.table)}
                lines[result.key] = json.dumps(document)
            _write_file(path, lines, tables)
    return list(by_file)


def _write_file(path: Path, lines: dict[tuple, str], tables: dict[tuple, pa.Table]) -> None:
    if tables:
        with (
            replacing(path.with_suffix(".parquet")) as temporary,
            pq.ParquetWriter(temporary, PREDICTIONS, compression="zstd") as writer,
        ):
            for key in sorted(tables):
                writer.write_table(_filed(key, tables[key]))  # a row group each: one is read without the others
    with replacing(path) as temporary:
        temporary.write_text("".join(f"{lines[key]}\n" for key in sorted(lines)), encoding="utf-8")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Waits until no other process adds to the folder's files."""
    try:
        import fcntl
    except ImportError:  # no such lock on this system
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _filed(key: tuple[str, ...], table: pa.Table) -> pa.Table:
    """Predictions in the columns of `PREDICTIONS`."""
    target = "value" if pa.types.is_floating(table["prediction"].type) else "label"
    columns = {name: pa.array([value] * table.num_rows) for name, value in zip(KEY, key)}
    columns |= {target if name == "prediction" else name: table[name] for name in table.column_names}
    absent = pa.nulls(table.num_rows)
    return pa.table({f.name: columns.get(f.name, absent).cast(f.type) for f in PREDICTIONS})


def _digest(table: pa.Table) -> str:
    """SHA-256 of predictions, whatever file they lie in."""
    names = [name for name in ("sample_id", "seed", "fold", "prediction", "score") if name in table.column_names]
    lines = zip(*(table[name].to_pylist() for name in names))
    return hashlib.sha256("\n".join([" ".join(names), *(repr(line) for line in lines)]).encode()).hexdigest()


def read_predictions(path: Path, result: Result) -> pa.Table:
    """The predictions of a result that was read from a results file, as `Result.table` has them.

    Args:
        path: The JSON lines file.
        result: One of its results.

    Raises:
        MagBridgeError: None were filed, or the file beside holds others.
    """
    if result.predictions is None:
        raise MagBridgeError(f"{' '.join(result.key)} in {path} was filed without predictions: run it with --out")
    beside = path.with_suffix(".parquet")
    try:
        with pq.ParquetFile(beside) as file:
            table = file.read_row_groups([i for i in range(file.num_row_groups) if _key_of(file, i) == result.key])
        target = "value" if get_task(result.task).is_regression else "label"
        columns = {
            "sample_id": table["sample_id"],
            "seed": table["seed"],
            "fold": table["fold"],
            "prediction": table[target].cast(pa.float64() if target == "value" else pa.string()),
            "score": table["score"],
        }
    except (OSError, KeyError, AttributeError, pa.ArrowException) as error:
        raise MagBridgeError(f"{beside} cannot be read ({error}): expected the predictions of {path.name}") from error
    table = pa.table({name: c for name, c in columns.items() if c.null_count < table.num_rows or not table.num_rows})
    if _digest(table) != result.predictions["sha256"]:
        raise MagBridgeError(f"{beside} holds other predictions of {' '.join(result.key)} than {path.name} names")
    return table


def _key_of(file: pq.ParquetFile, group: int) -> tuple[str, ...]:
    """Whose predictions a row group holds, by its statistics."""
    columns = (file.metadata.row_group(group).column(i) for i in range(len(KEY)))
    return tuple(column.statistics.min for column in columns)


def read_results(path: str | Path) -> list[Result]:
    """The results of a JSON lines file, or of all of them in a folder.

    Raises:
        MagBridgeError: There is none, or one breaks the schema.
    """
    return [result for file in result_files(path) for result, _ in _read_file(file)]


def _read_file(path: Path) -> Iterator[tuple[Result, str]]:
    """Each result of a JSON lines file, and its line."""
    if path.stat().st_size > MAX_BYTES:
        raise MagBridgeError(f"{path} is larger than {MAX_BYTES / 2**20:.0f} MB: expected a results file")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise MagBridgeError(f"{path} is not text ({error}): expected a results file") from error
    for number, line in enumerate(lines, 1):
        yield from_json(_loads(line, f"{path}:{number}"), f"{path}:{number}"), line


def result_files(path: str | Path) -> list[Path]:
    """Paths of the results files that `read_results` reads.

    Raises:
        MagBridgeError: There is none.
    """
    path = Path(path)
    paths = sorted(path.glob("*.jsonl")) if path.is_dir() else [path] if path.is_file() else []
    if not paths:
        raise MagBridgeError(f"no results at {path}: expected *.jsonl written by `python -m benchmark run --out`")
    return paths


def _loads(line: str, where: str) -> dict:
    def refuse(constant: str):
        raise ValueError(f"{constant} is no JSON number")

    try:
        return json.loads(line, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise MagBridgeError(f"{where} is not JSON ({error}): expected a line written by `run --out`") from error


@cache
def _validator():
    import jsonschema

    return jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
