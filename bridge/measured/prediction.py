"""A baseline's predictions for a user's own scans, each with a conformal set and its unlikeness to the training data.

The sets come from split conformal prediction with whole batteries: a battery is drawn, then one of its scans, so that
every battery has the same weight however many scans it has (Dunn, Wasserman and Ramdas 2022, "Distribution-free
prediction sets for two-layer hierarchical models"). The guarantee covers new batteries drawn like the release's and no
others: a release is generated, and a laboratory's scans are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.baselines import get_model
from benchmark.baselines.hub import pull_baseline
from benchmark.data import Subset, TaskData, load_task
from benchmark.features import static_features
from benchmark.models import Model
from benchmark.protocol import asks, fit_seeds
from benchmark.tasks import TASKS, Task, get_task
from bridge.errors import refusal
from bridge.measured.channels import RELEASE_NAMES, read_channel_map
from bridge.measured.sampling import evenly_sampled
from bridge.measured.signals import read_scans
from dataset_card.errors import MagBridgeError
from dataset_card.running.templates import macros

LEVEL = 0.9
"""Share of new batteries' scans that the sets should cover."""

USUAL = 0.95
"""Share of the release's own scans that are nearer to a training scan than any scan that is called unlike."""


@dataclass(frozen=True)
class Predicted:
    """A baseline's predictions of n scans.

    Attributes:
        scan_ids: (n,) names of the scans.
        predictions: (n,) numbers or labels.
        sets: (n,) low and high limit of each number, or the labels that are not excluded.
        unlikeness: (n,) distance to the nearest training scan, as a multiple of what is usual in the release.
        notes: Notes on the predictions, in sentences.
    """

    scan_ids: list[str]
    predictions: list
    sets: list[tuple]
    unlikeness: np.ndarray
    notes: list[str]


def predict_scans(
    model: str, scans: Path, release: str | Path, task: str | Task, channels: Path | None = None, level: float = LEVEL
) -> Predicted:
    """Predict a user's own scans.

    Args:
        model: Name of a baseline, which is fitted on the release, or the Hub id of one fitted on the same release.
        scans: File or folder, as for `adopt`.
        release: Release folder or Hub id, of v1 or v2: its validation and test batteries calibrate the sets.
        task: `t1` to `t4`.
        channels: Channel map; by default columns are named as in a release, in nT.
        level: Share of new batteries' scans that the sets should cover.

    Raises:
        MagBridgeError: If model or task is unknown, the model belongs to another release, there are too few batteries
            for the level, or the scans have faults.
    """
    task = get_task(task)
    if task not in TASKS:
        raise MagBridgeError(f"{task.id} is a task on v3's readings, not on scans: expected t1, t2, t3 or t4")
    if not 0 < level < 1:
        raise MagBridgeError(f"level {level}: expected a share between 0 and 1, such as {LEVEL}")
    mapping = RELEASE_NAMES if channels is None else read_channel_map(channels)
    read = evenly_sampled(read_scans(scans, mapping)[0], mapping)
    data = load_task(task, release)
    declared, fitted = _fitted(model, task, data)
    # A model that uses validation rows for early stopping has seen them.
    seen = asks(declared, task, "validation")
    held_out = [s for s in (data.validation, data.test) if s is not None and not (seen and s is data.validation)]
    calibration = Subset.concatenate(held_out)

    def outputs(rows: np.ndarray) -> np.ndarray:
        return _outputs(fitted, rows if declared.features is None else declared.features(rows), task)

    signals = read.released()
    found, known = outputs(signals), outputs(calibration.signals)
    weights, batteries = _weights(calibration)
    if task.is_regression:
        width = _quantile(np.abs(known - calibration.target), weights, batteries, level)
        predictions: list = found.tolist()
        sets: list[tuple] = [(value - width, value + width) for value in predictions]
    else:
        labels = np.array(task.labels)
        true = known[np.arange(len(known)), [task.labels.index(label) for label in calibration.target]]
        most = _quantile(1 - true, weights, batteries, level)
        predictions = labels[found.argmax(axis=1)].tolist()
        sets = [tuple(labels[1 - row <= most].tolist()) for row in found]
    near = _nearest(data.train.signals, [signals, calibration.signals])
    unlikeness = near[0] / _quantile(near[1], weights, batteries - 1, USUAL)  # a share of these, not of new ones
    words = macros("bridge.measured", "notes.txt")
    said = words.prediction(data, level, USUAL, batteries, int((unlikeness > 1).sum()), len(unlikeness))
    scan_ids = [scan.scan_id for scan in read.scans]
    return Predicted(scan_ids, predictions, sets, unlikeness, [read.sampling.note, *said.splitlines()])


def _fitted(model: str, task: Task, data: TaskData) -> tuple[Model, list[Any]]:
    """Return the model and its fits: those published on the Hub, or fits made here on all training rows."""
    if "/" not in model:
        declared = get_model(model)
        everything = replace(declared, sampling="full", seeds=declared.seeds[:1])
        return declared, [fit for _, fit in fit_seeds(task, everything, data)]
    baseline = pull_baseline(model)
    if (baseline.task, baseline.digest) != (task, data.dataset.digest):
        fitted = {"fitted_task": baseline.task.id, "fitted_on": baseline.digest}
        raise refusal("other_release", model=model, task=task.id, data=data.dataset.short, **fitted)
    return baseline.model, list(baseline.fitted.values())


def _outputs(fitted: Sequence[Any], inputs: np.ndarray, task: Task) -> np.ndarray:
    """Return the mean over fits of predicted numbers (n,), or of each label's share (n, k)."""
    if task.is_regression:
        return np.mean([np.asarray(fit.predict(inputs), dtype=float) for fit in fitted], axis=0)
    shares = np.zeros((len(inputs), len(task.labels)))
    for fit in fitted:
        if hasattr(fit, "predict_proba"):
            at = [task.labels.index(label) for label in fit.classes_]
            shares[:, at] += fit.predict_proba(inputs) / len(fitted)
        else:
            prediction = np.asarray(fit.predict(inputs))
            shares += (prediction[:, None] == np.array(task.labels)) / len(fitted)
    return shares


def _weights(rows: Subset) -> tuple[np.ndarray, int]:
    """Return a weight (n,) for each row, so that each battery weighs 1, and the number of batteries."""
    _, index, counts = np.unique(rows.battery_ids, return_inverse=True, return_counts=True)
    return 1 / counts[index], len(counts)


def _quantile(scores: np.ndarray, weights: np.ndarray, batteries: int, level: float) -> float:
    """Return the conformal quantile: the least score that covers `level` of all batteries, a new one not covered.

    Raises:
        MagBridgeError: If there are too few batteries for a finite score.
    """
    order = np.argsort(scores)
    total = np.cumsum(weights[order])
    at = np.searchsorted(total, level * (batteries + 1) - 1e-9)
    if at == len(scores):
        raise refusal("level", level=level, batteries=batteries, most=batteries / (batteries + 1))
    return float(scores[order][at])


def _nearest(train: np.ndarray, others: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the distance of each scan to the nearest training scan, in standardised static features."""
    from scipy.spatial import cKDTree

    known = static_features(train)
    middle, spread = known.mean(axis=0), known.std(axis=0)
    spread[spread == 0] = 1
    tree = cKDTree((known - middle) / spread)
    return [tree.query((static_features(rows) - middle) / spread)[0] for rows in others]
