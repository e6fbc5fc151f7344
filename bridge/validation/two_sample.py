"""Learners that try to tell healthy signals from scans that the bridge was not fitted to, and a network that does.

Beside the network's AUC stands its floor: the same on scans of yet other archives, moved to the fitted mean. A bridge
without fault would reach it and no less, since every signal keeps the mean of 41 fitted scans, noise included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.util import find_spec

import numpy as np

from bridge.generate import AnyBridge, AnyUpstream
from bridge.upstream.simulated import POSITIONS
from bridge.validation.checks import Check
from bridge.validation.distribution import ANCHORS, healthy_signals
from bridge.validation.held_out import FLOOR_ARCHIVES, PER_ANCHOR, held_out_scans

NETWORK_BOUND = 0.65
TREES, COMPONENTS = 200, 25
NETWORK_FOLDS = 2
"""Archives, and as many signals each, are dealt into so many folds; each is scored by a fit on the others."""

VALIDATION_SHARE = 5
"""One in so many training archives chooses the network's epoch."""

SCAN, SIGNAL = "scan", "signal"

Fit = Callable[[np.ndarray, np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]]
"""From inputs, labels and archives of the training rows to a function that scores rows."""


def check_two_sample(bridge: AnyBridge, blocking: bool) -> list[Check]:
    """AUC of a network telling 820 signals from 820 held-out scans at each grounded anchor; it needs torch.

    Args:
        bridge: The bridge to check.
        blocking: Whether a release hangs on it.
    """
    return [
        _network_check(
            bridge,
            voltage,
            healthy_signals(bridge, voltage, PER_ANCHOR),
            perfect_signals(bridge.upstream, voltage),
            blocking,
        )
        for voltage in ANCHORS
    ]


def _network_check(bridge: AnyBridge, voltage: float, signals: np.ndarray, floor: np.ndarray, blocking: bool) -> Check:
    name, bound = f"two-sample AUC of a network at {voltage:.2f} V", f"<= {NETWORK_BOUND:g}"
    if find_spec("torch") is None:
        note = 'not measured: the network needs torch, pip install "magbridge-battery[model]"'
        return Check(name, None, "AUC", bound, False, False, note)
    scans = held_out_scans(bridge.upstream, voltage)
    auc, floor_auc = (separability(scans, x, fit_network, NETWORK_FOLDS) for x in (signals, floor))
    return Check(
        name,
        auc,
        "AUC",
        bound,
        auc <= NETWORK_BOUND,
        blocking,
        f"the benchmark's normalised-cnn on all steps; a bridge without fault reads {floor_auc:.2f}",
    )


def perfect_signals(upstream: AnyUpstream, voltage: float, archives: Iterable[int] = FLOOR_ARCHIVES) -> np.ndarray:
    """Scans (n, T, C) of other archives moved to the mean of the fitted one: all that may tell them is that mean."""
    scans = held_out_scans(upstream, voltage, archives)
    mean = upstream.statistics.mean[int(np.flatnonzero(upstream.statistics.voltages == voltage)[0])]
    moved = scans + (mean - scans.mean(axis=0))
    for sensor in range(2):
        moved[..., 4 + sensor] = np.hypot(moved[..., 2 * sensor], moved[..., 2 * sensor + 1])
    return moved


def separability(scans: np.ndarray, signals: np.ndarray, fit: Fit, folds: int) -> float:
    """AUC of a learner on rows it was not fitted on.

    Args:
        scans: (n, ...) inputs of scans, archives of 41 in order.
        signals: (n, ...) inputs of as many signals.
        fit: The learner.
        folds: Folds of archives.
    """
    from sklearn.metrics import roc_auc_score

    archive = np.tile(np.arange(len(scans)) // POSITIONS, 2)
    inputs = np.concatenate([scans, signals])
    labels = np.repeat([SCAN, SIGNAL], len(scans))
    scores = np.empty(len(inputs))
    for fold in range(folds):
        held_out = archive % folds == fold
        scores[held_out] = fit(inputs[~held_out], labels[~held_out], archive[~held_out])(inputs[held_out])
    return float(roc_auc_score(labels == SIGNAL, scores))


def fit_logistic(inputs: np.ndarray, labels: np.ndarray, archive: np.ndarray):
    """Logistic regression on standardised inputs."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(inputs, labels).decision_function


def fit_trees(inputs: np.ndarray, labels: np.ndarray, archive: np.ndarray):
    """Extra trees."""
    from sklearn.ensemble import ExtraTreesClassifier

    trees = ExtraTreesClassifier(TREES, random_state=0).fit(inputs, labels)
    return lambda rows: trees.predict_proba(rows)[:, 1]


def fit_network(inputs: np.ndarray, labels: np.ndarray, archive: np.ndarray):
    """The benchmark's convolutional network; a fifth of the training archives choose its epoch."""
    from benchmark.baselines.convolutional import NormalisedCNN
    from benchmark.data import Subset
    from benchmark.tasks import BALANCED_ACCURACY, Task

    task = Task("two-sample", "Two-sample test", "", (), "", (BALANCED_ACCURACY,), 0.5, (SCAN, SIGNAL))
    chosen = np.isin(archive, np.unique(archive)[::VALIDATION_SHARE])
    names = archive[chosen].astype(str)
    validation = Subset(names, names, inputs[chosen], labels[chosen])
    network = NormalisedCNN(0, task).fit(inputs[~chosen], labels[~chosen], validation=validation)
    return lambda rows: network.predict_proba(rows)[:, 1]


def fit_boosting(inputs: np.ndarray, labels: np.ndarray, archive: np.ndarray):
    """Gradient boosting of trees."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(random_state=0).fit(inputs, labels).decision_function


def fit_quadratic(inputs: np.ndarray, labels: np.ndarray, archive: np.ndarray):
    """Logistic regression on the first principal components of standardised inputs, their squares and products."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    return (
        make_pipeline(
            StandardScaler(),
            PCA(COMPONENTS, whiten=True, random_state=0),
            PolynomialFeatures(2, include_bias=False),
            StandardScaler(),
            LogisticRegression(C=0.01, max_iter=500),
        )
        .fit(inputs, labels)
        .decision_function
    )
