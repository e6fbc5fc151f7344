"""A readout of SOH trained on one set of scans and tested on another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark.features import cosine_coefficients
from bridge.measured.matched import Labels
from dataset_card.contract.schema import MEASURED_CHANNELS

COSINES = 30
"""Cosines of each channel that the readout sees."""

ALPHAS = 10.0 ** np.arange(-1, 6)
FOLDS = 5


@dataclass(frozen=True)
class Score:
    """How well a readout tells SOH.

    Attributes:
        r2: Coefficient of determination; 0 for the mean of the tested set, below it for worse.
        slope: Slope of predicted on true SOH: 1 if right, 0 if blind, below 0 if upside down.
        mae: Mean absolute error of SOH.
    """

    r2: float
    slope: float
    mae: float


def cosines(signals: np.ndarray) -> np.ndarray:
    """(n, 120) slow cosines of the measured channels of scans (n, T, 6)."""
    return cosine_coefficients(signals[..., :MEASURED_CHANNELS], COSINES)


def _readout():
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), RidgeCV(ALPHAS))


def across(train: np.ndarray, test: np.ndarray, soh: np.ndarray) -> Score:
    """Trained on one set's cosines (n, 120), tested on another's at the same labels (n,)."""
    return score(soh, _readout().fit(train, soh).predict(test))


def within(x: np.ndarray, soh: np.ndarray, labels: Labels, seed: int) -> Score:
    """Trained and tested on one set, in folds by cell."""
    from sklearn.model_selection import GroupKFold, cross_val_predict

    folds = GroupKFold(min(FOLDS, len(np.unique(labels.cell))), shuffle=True, random_state=seed)
    return score(soh, cross_val_predict(_readout(), x, soh, cv=folds, groups=labels.cell))


def score(truth: np.ndarray, predicted: np.ndarray) -> Score:
    """Scores of predictions (n,) against the truth (n,)."""
    centred = truth - truth.mean()
    spread = float(centred @ centred)
    error = predicted - truth
    return Score(float(1 - error @ error / spread), float(centred @ predicted / spread), float(np.abs(error).mean()))
