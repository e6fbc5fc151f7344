"""Learners on two sets of scans: whether they can tell the sets apart, and whether SOH transfers between them."""

from dataclasses import dataclass

import numpy as np
from scipy.fft import dct

from benchmark.baselines.declaring import scaled
from benchmark.features import cosine_coefficients
from bridge.measured.matched import Labels
from dataset_card.contract.schema import MEASURED_CHANNELS

COSINES = 30
"""Cosine coefficients of each channel that the readout uses."""

ALPHAS = 10.0 ** np.arange(-1, 6)
FOLDS = 5


@dataclass(frozen=True)
class Score:
    """Accuracy of a readout of SOH.

    Attributes:
        r2: Coefficient of determination; 0 for predicting the mean of the tested set, negative if worse.
        slope: Slope of predicted on true SOH: 1 if right, 0 if blind, negative if inverted.
        mae: Mean absolute error of SOH.
    """

    r2: float
    slope: float
    mae: float


def cosines(signals: np.ndarray) -> np.ndarray:
    """Return the (n, 120) slow cosine coefficients of the measured channels of scans (n, T, 6)."""
    return cosine_coefficients(signals[..., :MEASURED_CHANNELS], COSINES)


def _readout():
    from sklearn.linear_model import RidgeCV

    return scaled(RidgeCV(ALPHAS))


def _out_of_fold(model, x: np.ndarray, y: np.ndarray, cells: np.ndarray, seed: int, **options) -> np.ndarray:
    """Return predictions for inputs (n, k) in folds by cell."""
    from sklearn.model_selection import GroupKFold, cross_val_predict

    folds = GroupKFold(min(FOLDS, len(np.unique(cells))), shuffle=True, random_state=seed)
    return cross_val_predict(model, x, y, cv=folds, groups=cells, **options)


def across(train: np.ndarray, test: np.ndarray, soh: np.ndarray) -> Score:
    """Score a readout trained on one set's cosines (n, 120) and tested on another's, with the same SOH labels (n,)."""
    return score(soh, _readout().fit(train, soh).predict(test))


def within(x: np.ndarray, soh: np.ndarray, labels: Labels, seed: int) -> Score:
    """Score a readout trained and tested on one set, in folds by cell."""
    return score(soh, _out_of_fold(_readout(), x, soh, labels.cell, seed))


def score(truth: np.ndarray, predicted: np.ndarray) -> Score:
    """Score predictions (n,) of SOH against the truth (n,)."""
    centred = truth - truth.mean()
    spread = float(centred @ centred)
    error = predicted - truth
    return Score(float(1 - error @ error / spread), float(centred @ predicted / spread), float(np.abs(error).mean()))


LOW_COSINES = 24
BANDS = ((24, 36), (36, 48), (48, 60), (60, 72), (72, 84), (84, 100))
"""Bands of cosines whose power is summed, above those that are used individually."""

TREES = 100


def features(signals: np.ndarray) -> np.ndarray:
    """Return 126 features of each scan (n, T, 6): slow cosines, log power of fast ones and channel correlations."""
    x = signals[..., :MEASURED_CHANNELS]
    spectrum = dct(x, axis=1, norm="ortho")
    slow = spectrum[:, :LOW_COSINES].reshape(len(x), -1)
    fast = np.stack([(spectrum[:, a:b] ** 2).sum(axis=1) for a, b in BANDS], axis=1).reshape(len(x), -1)
    centred = x - x.mean(axis=1, keepdims=True)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    pairs = np.triu_indices(MEASURED_CHANNELS, 1)
    correlation = np.einsum("ntc,ntd->ncd", unit, unit)[:, pairs[0], pairs[1]]
    return np.concatenate([slow, np.log(fast + 1e-12), correlation], axis=1)


def auc(a: np.ndarray, b: np.ndarray, cells: np.ndarray, seed: int) -> float:
    """Return the area under the ROC curve of the better of two classifiers, out of fold by cell; .5 is chance.

    Args:
        a: (n, k) features of one set.
        b: (n, k) features of the other, at the same cells.
        cells: (n,) cell of each row, the same in both sets.
        seed: Seed of folds and trees.
    """
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    x, y, groups = np.concatenate([a, b]), np.repeat([0, 1], len(a)), np.tile(cells, 2)
    linear = scaled(LogisticRegression(C=0.01, max_iter=300))
    trees = ExtraTreesClassifier(TREES, min_samples_leaf=3, random_state=seed)
    said = [_out_of_fold(m, x, y, groups, seed, method="predict_proba")[:, 1] for m in (linear, trees)]
    return max(float(roc_auc_score(y, probability)) for probability in said)
