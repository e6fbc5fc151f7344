"""Whether a classifier tells two sets of scans apart."""

from __future__ import annotations

import numpy as np
from scipy.fft import dct

from dataset_card.contract.schema import MEASURED_CHANNELS

LOW_COSINES = 24
BANDS = ((24, 36), (36, 48), (48, 60), (60, 72), (72, 84), (84, 100))
"""Cosines whose power is summed, above those that are taken one by one."""

FOLDS = 5
TREES = 100


def features(signals: np.ndarray) -> np.ndarray:
    """(n, 126) numbers of scans (n, T, 6): slow cosines, log power of fast ones, correlations of the channels."""
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
    """Area under the curve of the better of two classifiers, out of fold by cell; .5 is chance.

    Args:
        a: (n, k) features of one set.
        b: (n, k) features of the other, at the same cells.
        cells: (n,) cell of each row of either set.
        seed: Of folds and trees.
    """
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y, groups = np.concatenate([a, b]), np.repeat([0, 1], len(a)), np.tile(cells, 2)
    folds = GroupKFold(min(FOLDS, len(np.unique(cells))), shuffle=True, random_state=seed)
    linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
    trees = ExtraTreesClassifier(TREES, min_samples_leaf=3, random_state=seed)
    scores = [
        cross_val_predict(m, x, y, cv=folds, groups=groups, method="predict_proba")[:, 1] for m in (linear, trees)
    ]
    return max(float(roc_auc_score(y, score)) for score in scores)
