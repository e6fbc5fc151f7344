"""Steps and channels that carry SOH, measured by the loss of a readout that does not see them.

Occluded samples are replaced by values predicted from the signal's place across the cell, its level and its voltage: a
quadratic function of its first principal components, fitted on training rows. These components vary most but carry
little SOH, so the result looks like a scan of an average cell: with every sample replaced, hardly any SOH can be read.
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
"""Number of steps that are occluded together."""

SENSORS = ((0, 1, 4), (2, 3, 5))
"""Channels of each sensor."""


def occlusion(model: str, release: str | Path) -> dict:
    """Fit a model of T1 on the official training rows, seed 0, and score it with parts of the test rows filled in.

    Args:
        model: Name of a model that reads signals.
        release: Release folder or Hub id.

    Returns:
        R2 on the test rows: `whole` with all samples visible, `blind` with all samples filled in, `windows` (6, 20)
        without a window of one channel, `steps` (20,) without a window of all channels, `channels` (6,) without a
        whole channel, and `sensors` (2,) without all channels of a sensor.

    Raises:
        MagBridgeError: If the model does not read signals.
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
    """Predict each sample from place, level and voltage.

    Args:
        train: Rows to learn from, shape (m, T, C), nT.
        signals: Rows to fill in, shape (n, T, C), nT.

    Returns:
        Predicted samples, shape (n, T, C), nT.
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
