"""Which steps and channels carry SOH: what a readout loses when it does not see them.

Occluded samples are filled in with what the signal's place across the cell, its level and its voltage tell there: a
quadratic function of its first principal components, fitted on training rows. Those vary most and tell SOH least, so
the filled signal looks like a scan of some average cell: with every sample filled in, hardly any SOH is left to read.
"""

from pathlib import Path

import numpy as np

from benchmark.baselines import get_model
from benchmark.data import load_task
from benchmark.protocol import fit_seeds
from benchmark.scoring import score
from benchmark.tasks import get_task
from dataset_card.contract.schema import CHANNELS, T
from dataset_card.errors import MagBridgeError

COMPONENTS = 4
WINDOW = 5
"""Steps that are occluded together."""

SENSORS = ((0, 1, 4), (2, 3, 5))
"""Channels of each sensor."""


def occlusion(model: str, release: str | Path) -> dict:
    """Fit a model of T1 on the official training rows, seed 0, and score it with parts of the test rows filled in.

    Args:
        model: Name of a model that reads signals.
        release: Release folder or Hub id.

    Returns:
        R2 on the test rows by what the model does not see: with every sample in sight as `whole`, with every sample
        filled in as `blind`; without a window of one channel as `windows`, (6, 20), or of all as `steps`, (20,);
        without whole `channels`, (6,), and without all channels of one of the `sensors`, (2,).

    Raises:
        MagBridgeError: The model does not read signals.
    """
    declared, task = get_model(model), get_task("t1")
    if declared.features is not None:
        raise MagBridgeError(f"{model} reads features: occlusion needs a model that reads signals")
    data = load_task(task, release)
    _, readout = next(fit_seeds(task, declared, data))
    x, truth = data.test.signals, data.test.target
    filled = fill(data.train.signals, x)

    def without(steps: slice, channels) -> float:
        seen = x.copy()
        seen[:, steps, channels] = filled[:, steps, channels]
        return score(task, truth, readout.predict(seen))[task.headline.name]

    every, whole = list(range(len(CHANNELS))), slice(0, T)
    windows = [slice(start, start + WINDOW) for start in range(0, T, WINDOW)]
    return {
        "model": model,
        "whole": score(task, truth, readout.predict(x))[task.headline.name],
        "blind": without(whole, every),
        "windows": [[without(window, [c]) for window in windows] for c in every],
        "steps": [without(window, every) for window in windows],
        "channels": [without(whole, [c]) for c in every],
        "sensors": [without(whole, list(sensor)) for sensor in SENSORS],
    }


def fill(train: np.ndarray, signals: np.ndarray) -> np.ndarray:
    """What place, level and voltage tell of each sample.

    Args:
        train: Rows to learn from, (m, T, C), nT.
        signals: Rows to fill, (n, T, C).

    Returns:
        Shape (n, T, C).
    """
    rows = train.reshape(len(train), -1)
    mean = rows.mean(axis=0)
    variance, directions = np.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
    basis = directions[:, ::-1][:, :COMPONENTS] / np.sqrt(variance[::-1][:COMPONENTS])

    def terms(x: np.ndarray) -> np.ndarray:
        scores = (x.reshape(len(x), -1) - mean) @ basis
        first, second = np.triu_indices(COMPONENTS)
        return np.column_stack([np.ones(len(x)), scores, scores[:, first] * scores[:, second]])

    weights = np.linalg.lstsq(terms(train), rows, rcond=None)[0]
    return (terms(signals) @ weights).reshape(signals.shape)
