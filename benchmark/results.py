"""Result files: one JSON document per model, task, split and protocol, with its predictions beside it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmark.data import DatasetInfo
from benchmark.predictions import write_predictions
from benchmark.scoring import LEVEL, RESAMPLES, interval
from benchmark.tasks import get_task
from dataset_card.errors import MagBridgeError

SCHEMA_VERSION = "1.0"
SCHEMA_FILE = Path(__file__).with_name("result.schema.json")
SHIPPED = Path(__file__).with_name("results")
OTHER_RELEASES = "other-seeds/*/*.json"

PROTOCOLS = {
    "rows": "each seed fits on its own 80 % of the training rows (as the published numbers)",
    "cells": "each seed fits on its own 80 % of the training cells (stricter)",
    "full": "each seed fits on all training rows",
    "few_shot": "each seed fits on k training rows a class (T1: a fifth of the SOH range)",
    "cross_validation": "each fold fits on the rows of all other cells, over all cells of the release",
    "ceiling": "one fit on fresh generator rows: an estimate of what is reachable, never ranked",
}
OFFICIAL_TEST = ("rows", "cells", "full")
"""Protocols that score every seed on the whole test subset."""


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


@dataclass(frozen=True)
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
        predictions: Name and SHA-256 of the predictions file, once written.
        table: The predictions themselves, kept out of the JSON.
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
    predictions: dict[str, str] | None = None
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

    def file_stem(self) -> str:
        """File name without suffix: task, model, split and protocol."""
        return f"{self.task}__{self.model}__{self.split}__{self.protocol}"

    def __str__(self) -> str:
        lines = [f"{self.model} on {self.task} ({self.split}, {self.protocol}: {PROTOCOLS[self.protocol]})"]
        for k in sorted({run.k for run in self.runs}, key=lambda k: k or 0):
            shot = "" if k is None else f"k={k:<3} "
            for metric in self.runs[0].scores:
                lines.append(f"  {shot}{metric:<40} {self.mean(metric, k):8.4f} +- {self.std(metric, k):.4f}")
        if self.cell_ids:
            low, high = self.interval()
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
    low_high = result.interval()
    document = {"schema_version": SCHEMA_VERSION}
    for f in fields(Result):
        if f.name not in ("table", "runs"):
            document[f.name] = getattr(result, f.name)
    document["dataset"] = asdict(result.dataset)
    document["cell_ids"] = list(result.cell_ids)
    document["headline"] = (
        {
            "metric": result.headline,
            "mean": result.mean(),
            "std": result.std(),
            "interval": None
            if low_high is None
            else {
                "low": low_high[0],
                "high": low_high[1],
                "level": LEVEL,
                "resamples": RESAMPLES,
                "resampled": "cells",
            },
        }
        if result.protocol != "few_shot"
        else None
    )
    document["runs"] = [{k: v for k, v in asdict(run).items() if v is not None} for run in result.runs]
    return document


def write_result(result: Result, folder: str | Path, predictions: bool = True) -> Path:
    """Writes the JSON file and, beside it, the predictions Parquet.

    Args:
        result: From `evaluate_model` and its kin, on a release.
        folder: Folder to write to, made if need be.
        predictions: Whether to write the predictions too.

    Returns:
        Path of the JSON file.

    Raises:
        MagBridgeError: The result's rows belong to no release, so that nothing could tell what it speaks of.
    """
    if result.dataset.digest is None:
        raise MagBridgeError(
            f"{result.model} on {result.task} was scored on rows {result.dataset.name}, without a dataset "
            "digest: evaluate on a release folder or Hub id to file the result"
        )
    folder = Path(folder)
    document = to_json(result)
    check(document, result.file_stem())  # the model's name becomes a file name
    folder.mkdir(parents=True, exist_ok=True)
    if predictions and result.table is not None:
        name = f"{result.file_stem()}.parquet"
        write_predictions(folder / name, result.table, result.dataset.digest)
        document["predictions"] = {"file": name, "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()}
    path = folder / f"{result.file_stem()}.json"
    write_text(path, _dumps(document))
    return path


def write_text(path: str | Path, text: str) -> None:
    """Writes a text file through a temporary neighbour, so that a killed run leaves no half file."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_result(path: str | Path) -> Result:
    """Reads one result file.

    Raises:
        MagBridgeError: It is no JSON, or breaks the schema.
    """
    path = Path(path)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MagBridgeError(
            f"no result file {path}: expected a JSON file written by `python -m benchmark run --out`"
        ) from None
    except ValueError as error:
        raise MagBridgeError(f"{path} is not JSON ({error}): expected a result file") from error
    check(document, str(path))
    kept = {f.name: document[f.name] for f in fields(Result) if f.name != "table"}
    kept["dataset"] = DatasetInfo(**document["dataset"])
    kept["runs"] = tuple(Run(**run) for run in document["runs"])
    kept["cell_ids"] = tuple(document["cell_ids"])
    return Result(**kept)


def read_results(folder: str | Path, *, other_releases: bool = False) -> list[Result]:
    """Every result file of a folder, by path.

    Args:
        folder: Results of one release; those of others lie in a folder each inside its `other-seeds`.
        other_releases: Whether to read these too.

    Raises:
        MagBridgeError: There is none, or one breaks the schema.
    """
    return [read_result(path) for path in result_files(folder, other_releases=other_releases)]


def result_files(folder: str | Path, *, other_releases: bool = False) -> list[Path]:
    """Paths of the result files that `read_results` reads.

    Raises:
        MagBridgeError: There is none.
    """
    folder = Path(folder)
    paths = sorted(folder.glob("*.json")) + (sorted(folder.glob(OTHER_RELEASES)) if other_releases else [])
    if not paths:
        raise MagBridgeError(f"no result files in {folder}: expected *.json written by `python -m benchmark run --out`")
    return paths


@cache
def _validator():
    import jsonschema

    return jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def check(document: dict, name: str) -> None:
    """Raises a MagBridgeError that names the first field that breaks the schema."""
    for error in _validator().iter_errors(document):
        where = "/".join(str(part) for part in error.absolute_path) or "the document"
        raise MagBridgeError(f"{name}: {where}: {error.message[:300]}; see {SCHEMA_FILE.name}")


def _dumps(document: dict) -> str:
    """JSON with one line a field and one line a run: small, and readable in a diff."""
    lines = []
    for key, value in document.items():
        if key == "runs":
            runs = ",\n  ".join(json.dumps(run) for run in value)
            lines.append(f' "runs": [\n  {runs}\n ]')
        else:
            lines.append(f" {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
