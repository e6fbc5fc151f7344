"""Critics that try to tell healthy signals from fresh scans: three kinds at and between anchors, and a network.

The scans come from archives to which the bridge was not fitted. Each AUC is reported with its floor: the same critic on
scans of yet another archive, shifted to the signals' own mean. A bridge whose only fault is its mean, which contains
the noise of 41 scans, would reach this floor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from benchmark.features import static_features
from bridge.generate import AnyBridge, AnyUpstream
from bridge.upstream.simulated import POSITIONS, scan_archive
from bridge.upstream.simulated_parameters import load_parameters
from bridge.validation import likeness
from bridge.validation.checks import Check, check
from bridge.validation.likeness import ANCHORS, FLOOR_ARCHIVES, PER_ANCHOR, healthy_signals, held_out_scans
from bridge.validation.soh import cosine_features
from dataset_card.contract.schema import MEASURED_CHANNELS

VOLTAGES = (3.10, 3.22, 3.28, 3.34)
"""Two anchors, and two voltages between them, where most clean rows are, in V."""

SCANS, FOLDS = 820, 5
SCAN_ARCHIVE, FLOOR_ARCHIVE = 300, 310
DIRECTIONS, DIRECTION_ARCHIVES = 25, range(300, 304)
TREES, COMPONENTS = 200, 25

NETWORK_FOLDS = 2
"""Number of folds into which archives and equally many signals are dealt; each is scored by a fit on the others."""

VALIDATION_SHARE = 5
"""One training archive in this number is used to choose the network's epoch."""

SCAN, SIGNAL = "scan", "signal"

Fit = Callable[[np.ndarray, np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]]
"""Maps inputs, labels and archives of the training rows to a function that scores rows."""


def fit_logistic(inputs: np.ndarray, labels: np.ndarray, archive: np.ndarray):
    """Fit a logistic regression on standardised inputs."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(inputs, labels).decision_function


def fit_trees(inputs: np.ndarray, labels: np.ndarray, archive: np.ndarray):
    """Fit extra trees."""
    trees = ExtraTreesClassifier(TREES, random_state=0).fit(inputs, labels)
    return lambda rows: trees.predict_proba(rows)[:, 1]


def fit_boosting(inputs: np.ndarray, labels: np.ndarray, archive: np.ndarray):
    """Fit gradient-boosted trees."""
    return HistGradientBoostingClassifier(random_state=0).fit(inputs, labels).decision_function


def fit_quadratic(inputs: np.ndarray, labels: np.ndarray, archive: np.ndarray):
    """Fit a logistic regression on the first principal components of the inputs, their squares and products."""
    components = PCA(COMPONENTS, whiten=True, random_state=0)
    products, last = PolynomialFeatures(2, include_bias=False), LogisticRegression(C=0.01, max_iter=500)
    model = make_pipeline(StandardScaler(), components, products, StandardScaler(), last)
    return model.fit(inputs, labels).decision_function


def fit_network(inputs: np.ndarray, labels: np.ndarray, archive: np.ndarray):
    """Fit the benchmark's convolutional network; a fifth of the training archives is used to choose its epoch."""
    from benchmark.baselines.convolutional import NormalisedCNN
    from benchmark.data import Subset
    from benchmark.tasks import BALANCED_ACCURACY, Task

    task = Task("two-sample", "Two-sample test", "", (), "", (BALANCED_ACCURACY,), 0.5, (SCAN, SIGNAL))
    chosen = np.isin(archive, np.unique(archive)[::VALIDATION_SHARE])
    names = archive[chosen].astype(str)
    validation = Subset(names, names, inputs[chosen], labels[chosen])
    network = NormalisedCNN(0, task).fit(inputs[~chosen], labels[~chosen], validation=validation)
    return lambda rows: network.predict_proba(rows)[:, 1]


class Critic(NamedTuple):
    """One kind of critic.

    Attributes:
        name: Inputs and kind of learner.
        features: Maps signals (n, T, C) to the critic's inputs.
        fits: Learners; the best one counts.
    """

    name: str
    features: Callable[[np.ndarray], np.ndarray]
    fits: tuple[Fit, ...]


def _measured_cosines(signals: np.ndarray) -> np.ndarray:
    return cosine_features(signals[..., :MEASURED_CHANNELS])


CRITICS = (
    Critic("57 static features", static_features, (fit_logistic, fit_trees)),
    Critic("boosting on cosines", _measured_cosines, (fit_boosting,)),
    Critic("quadratic logistic", _measured_cosines, (fit_quadratic,)),
)
"""The last two use 30 cosine coefficients per measured channel; the last reduces them to 25 principal components."""


def separability(scans: np.ndarray, signals: np.ndarray, fit: Fit, folds: int) -> float:
    """Compute the AUC of a learner on rows to which it was not fitted.

    Args:
        scans: (n, ...) inputs of scans, ordered by archives of 41.
        signals: (n, ...) inputs of equally many signals.
        fit: The learner.
        folds: Number of folds of archives.
    """
    archive = np.tile(np.arange(len(scans)) // POSITIONS, 2)
    inputs = np.concatenate([scans, signals])
    labels = np.repeat([SCAN, SIGNAL], len(scans))
    scores = np.empty(len(inputs))
    for fold in range(folds):
        held_out = archive % folds == fold
        scores[held_out] = fit(inputs[~held_out], labels[~held_out], archive[~held_out])(inputs[held_out])
    return float(roc_auc_score(labels == SIGNAL, scores))


def continuous_scans(upstream: AnyUpstream, voltage: float, seed: int, count: int = SCANS) -> np.ndarray:
    """Simulate scans (count, T, C) in nT of one archive with `count` positions, in random order.

    If the upstream is not simulated, its moments are imposed on them, as on every held-out scan.
    """
    scans = scan_archive(load_parameters(), (voltage,), positions=count, seed=seed)
    scans = scans[np.random.default_rng(seed).permutation(count)]
    return likeness.impose_moments(upstream, voltage, scans)


def check_critics(bridge: AnyBridge, blocking: bool) -> list[Check]:
    """Check the AUC of each critic, and the spread of signals along the principal directions of the scans.

    Args:
        bridge: The bridge to check.
        blocking: Whether a failed check blocks a release.

    Returns:
        Four checks per voltage. The moments of upstreams other than the simulated one are known only at anchors, so
        these are checked only there.
    """
    checks = []
    for voltage in VOLTAGES if bridge.upstream.name == "simulated" else ANCHORS:
        signals = healthy_signals(bridge, voltage, SCANS)
        scans, others = (continuous_scans(bridge.upstream, voltage, seed) for seed in (SCAN_ARCHIVE, FLOOR_ARCHIVE))
        moved = others + (signals.mean(axis=0) - others.mean(axis=0))
        for critic in CRITICS:
            x, ours, floor = (critic.features(rows) for rows in (scans, signals, moved))
            auc, least = (max(separability(x, rows, fit, FOLDS) for fit in critic.fits) for rows in (ours, floor))
            facts: dict = {"critic": critic.name, "scans": SCANS, "folds": FOLDS, "floor": least}
            checks.append(check("critic", auc, blocking, voltage=voltage, **facts))
        checks.append(_spread(bridge, voltage, blocking))
    return checks


def _spread(bridge: AnyBridge, voltage: float, blocking: bool) -> Check:
    scans = np.concatenate([continuous_scans(bridge.upstream, voltage, seed) for seed in DIRECTION_ARCHIVES])
    ratio = spread_by_direction(healthy_signals(bridge, voltage, len(scans)), scans)
    low, high = float(ratio.min()), float(ratio.max())
    facts: dict = {"voltage": voltage, "low": low, "high": high, "scans": len(scans), "directions": DIRECTIONS}
    farthest = float(ratio[np.abs(np.log(ratio)).argmax()])
    return check("spread", farthest, blocking, others=(low, high), **facts)


def spread_by_direction(signals: np.ndarray, scans: np.ndarray) -> np.ndarray:
    """Compute the ratio of standard deviations, signals over scans (n, T, C), along the scans' principal directions.

    Returns:
        (25,) ratios.
    """
    ours, theirs = (x[..., :MEASURED_CHANNELS].reshape(len(x), -1) for x in (signals, scans))
    centred = theirs - theirs.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    directions = vectors[:, : -DIRECTIONS - 1 : -1]
    return (ours @ directions).std(axis=0) / (centred @ directions).std(axis=0)


def check_two_sample(bridge: AnyBridge, blocking: bool) -> list[Check]:
    """Check the AUC of a network that separates 820 signals from 820 held-out scans at each grounded anchor.

    Without torch, the checks have no figure and do not block.

    Args:
        bridge: The bridge to check.
        blocking: Whether a failed check blocks a release.
    """
    checks = []
    for voltage in ANCHORS:
        if find_spec("torch") is None:
            note = 'not measured: the network needs torch; pip install "magbridge-battery[model]"'
            checks.append(check("network", None, False, voltage=voltage, note=note))
            continue
        scans, floor = held_out_scans(bridge.upstream, voltage), perfect_signals(bridge.upstream, voltage)
        signals = healthy_signals(bridge, voltage, PER_ANCHOR)
        auc, least = (separability(scans, x, fit_network, NETWORK_FOLDS) for x in (signals, floor))
        note = f"the benchmark's normalised-cnn on all steps; a faultless bridge yields {least:.2f}"
        checks.append(check("network", auc, blocking, voltage=voltage, note=note))
    return checks


def perfect_signals(upstream: AnyUpstream, voltage: float, archives: Iterable[int] = FLOOR_ARCHIVES) -> np.ndarray:
    """Return scans (n, T, C) of other archives, shifted to the mean of the fitted one, their only flaw."""
    scans = held_out_scans(upstream, voltage, archives)
    moved = scans + (upstream.statistics.mean[likeness.anchor_of(upstream, voltage)] - scans.mean(axis=0))
    for sensor in range(2):
        moved[..., 4 + sensor] = np.hypot(moved[..., 2 * sensor], moved[..., 2 * sensor + 1])
    return moved
