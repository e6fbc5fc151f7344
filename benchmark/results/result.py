"""What a model scored: the runs of one model on one task, split and protocol."""

import os
import platform
import re
import sys
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmark.data import DatasetInfo
from benchmark.predictions.entry import save_entry
from benchmark.refusals import refused
from benchmark.scoring import Run, headline, interval
from benchmark.tasks import get_task
from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import packaged

PROTOCOLS: dict[str, str] = packaged("benchmark.results", "protocols.yaml")
"""Protocols by name, each with one sentence on how its results come about."""

SAMPLINGS = {name: PROTOCOLS[name] for name in ("rows", "cells", "full")}
"""Protocols that score the whole test subset, by the training rows that each seed sees."""

OFFICIAL_TEST = (*SAMPLINGS, "submitted")
"""Protocols that boards rank: they score the whole test subset."""

KEY = ("task", "model", "split", "protocol")
"""Attributes that identify a result of a release; files are sorted by them."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """All runs of one model on one task, split and protocol.

    Attributes:
        task: Task id.
        task_version: Version of the task's declaration.
        model: Name of the model.
        description: One sentence on the model.
        dataset: Rows it was scored on.
        split: Name of the split.
        protocol: Key of `PROTOCOLS`.
        runs: The fits.
        battery_ids: Test batteries, in the order of each run's `batteries`; empty without statistics by battery.
        packages: Versions of the packages that computed it.
        hardware: Processor, cores and accelerator.
        seconds: Wall time of fitting and predicting in all runs, features included.
        n_features: Numbers per row that the last learner is fitted on; None if unknown.
        n_test: Rows scored in each run; None in cross-validation.
        predictions: Number of predictions filed with it and the SHA-256 of their values; None if none are filed.
        table: The predictions themselves, in memory only: `sample_id`, `seed`, `fold` in cross-validation,
            `prediction` (SOH or label) and, if the model has scores, `score`.
    """

    task: str
    task_version: str
    model: str
    description: str
    dataset: DatasetInfo
    split: str
    protocol: str
    runs: tuple[Run, ...]
    battery_ids: tuple[str, ...]
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
        """Return the score of every run, in order.

        Args:
            metric: Metric name; the headline by default.
            k: Number of shots of the few-shot runs to return; all runs by default.

        Raises:
            MagBridgeError: If a run lacks the metric.
        """
        metric = metric or self.headline
        try:
            return np.array([run.scores[metric] for run in self.runs if k is None or run.k == k])
        except KeyError:
            raise MagBridgeError(
                f"{self.model} on {self.task} has no {metric}: it has {', '.join(self.runs[0].scores)}"
            ) from None

    def mean(self, metric: str | None = None, k: int | None = None) -> float:
        """Return the mean over runs; arguments as for `values`."""
        return float(self.values(metric, k).mean())

    def std(self, metric: str | None = None, k: int | None = None) -> float:
        """Return the population standard deviation over runs, as in the paper's tables."""
        return float(self.values(metric, k).std())

    def interval(self) -> tuple[float, float] | None:
        """Compute the 95 % bootstrap interval of the headline's mean by battery; None without statistics by battery."""
        if not self.battery_ids:
            return None
        return interval(get_task(self.task), self.battery_ids, np.array([run.batteries for run in self.runs]))

    def by_visit(self) -> tuple[float, float, float] | None:
        """Compute the headline with the scans of each cell visit pooled, and its interval; None if it is unknown.

        It is averaged over runs. Boards show it but never rank by it: a ranked prediction uses only one scan.
        """
        if not self.battery_ids or any(run.visits is None for run in self.runs):
            return None
        task, statistics = get_task(self.task), np.array([run.visits for run in self.runs], dtype=float)
        pooled = float(headline(task, statistics.sum(axis=1)).mean())
        return pooled, *interval(task, self.battery_ids, statistics)

    def save(
        self, folder: str | Path, *, authors: list[str], licence: str, trained_on: list[str], pooling: str, **about: Any
    ) -> Path:
        """Write the result as a submission's folder, or add its task to one (see CONTRIBUTING.md).

        Args:
            folder: Folder with the name of the model, created if it does not exist; `python -m benchmark submit FOLDER`
                checks and scores it.
            authors: Names of the authors.
            licence: Licence of the predictions.
            trained_on: Digests of the releases that the model saw, such as `result.dataset.digest`.
            pooling: `scan` if each prediction uses only its own row, `visit` if it uses all rows of a cell visit.
            **about: Optional entries: `version` of the model, `url` of its page, addresses of `paper` and `code`, and
                `test_data_leakage`, whether a label of a test row was used in any way.

        Returns:
            Path of `submission.yaml`.

        Raises:
            MagBridgeError: If the result is not on the test rows of the split by cell, or the folder has another name.
        """
        folder, task = Path(folder), get_task(self.task)
        if self.protocol not in OFFICIAL_TEST or self.split != task.split or self.table is None:
            raise refused("not_to_submit", key=" ".join(self.key), split=task.split)
        digest = named_digest(self.dataset)
        if folder.resolve().name != self.model:
            raise refused("folder_name", folder=folder, model=self.model)
        return save_entry(
            folder,
            task,
            self.table,
            digest,
            description=self.description,
            authors=authors,
            licence=licence,
            trained_on=trained_on,
            pooling=pooling,
            seconds=self.seconds / len(self.runs),
            features=self.n_features,
            hardware=f"{self.hardware['processor']}, {self.hardware['cores']} cores",
            **about,
        )

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
        for words, figures in (
            ("over test batteries, 95 %: [{:.4f}, {:.4f}]", self.interval()),
            ("per cell visit, scans pooled, unranked: {:.4f} [{:.4f}, {:.4f}]", self.by_visit()),
        ):
            if figures is not None:
                lines.append(f"  {self.headline} {words.format(*figures)}")
        if self.dataset.remark is not None:
            lines.append(f"  note: {self.dataset.remark}")
        return "\n".join(lines)


def named_digest(dataset: DatasetInfo) -> str:
    """Return the digest of the release that a result was scored on.

    Raises:
        MagBridgeError: If the rows do not belong to a release, so that nothing identifies them.
    """
    if dataset.digest is None:
        raise refused("no_digest", name=dataset.name)
    return dataset.digest


def environment() -> tuple[dict[str, str], dict[str, object]]:
    """Return the versions of the packages that a score depends on, and the machine."""
    loaded = [name for name in ("torch", "aeon", "numba") if name in sys.modules]  # not every model needs them
    names = ("magbridge-battery", "numpy", "scipy", "scikit-learn", *loaded)
    packages = {"python": platform.python_version()} | {name: metadata.version(name) for name in names}
    torch = sys.modules.get("torch")
    gpu = torch.cuda.get_device_name() if torch is not None and torch.cuda.is_available() else None
    # The cores that this process may use: if it is pinned to one of many, it is as slow as on one.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return packages, {"processor": _processor(), "cores": cores, "gpu": gpu}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    named = re.search(r"^model name[^:]*:(.*)$", info.read_text() if info.is_file() else "", re.M)
    return named[1].strip() if named else platform.processor() or platform.machine()
