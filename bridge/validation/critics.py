"""Whether critics of three kinds tell healthy signals from fresh scans, at anchors and between them.

The scans are of archives that the bridge was not fitted to, at continuous positions. Beside each AUC stands its floor:
the same critic on scans of yet another archive, moved to the signals' own mean. A bridge whose one fault is its mean,
which keeps the noise of 41 scans, would reach it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmark.features import static_features
from bridge.generate import AnyBridge, AnyUpstream
from bridge.upstream.simulated import scan_archive
from bridge.upstream.simulated_parameters import load_parameters
from bridge.validation.checks import Check
from bridge.validation.distribution import ANCHORS, healthy_signals
from bridge.validation.held_out import impose_moments
from bridge.validation.readout import cosine_features
from bridge.validation.two_sample import Fit, fit_boosting, fit_logistic, fit_quadratic, fit_trees, separability
from dataset_card.contract.schema import MEASURED_CHANNELS

VOLTAGES = (3.10, 3.22, 3.28, 3.34)
"""Two anchors, and two places between them, where most clean rows stand."""

SCANS = 820
BOUND, FOLDS = 0.75, 5
SCAN_ARCHIVE, FLOOR_ARCHIVE = 300, 310
DIRECTIONS, DIRECTION_ARCHIVES, STD_RATIO = 25, range(300, 304), (0.85, 1.15)


@dataclass(frozen=True)
class Critic:
    """One kind of critic.

    Attributes:
        name: What it sees, and how.
        features: From signals (n, T, C) to its inputs.
        fits: Learners; the best of them counts.
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
"""The last two see 30 cosine coefficients of each measured channel; the last, 25 principal components of them."""


def continuous_scans(upstream: AnyUpstream, voltage: float, seed: int, count: int = SCANS) -> np.ndarray:
    """Scans (count, T, C) of one simulated archive at so many positions, in random order.

    Where the upstream is not simulated, its moments are imposed on them, as on every held-out scan.
    """
    scans = scan_archive(load_parameters(), (voltage,), positions=count, seed=seed)
    scans = scans[np.random.default_rng(seed).permutation(count)]
    return impose_moments(upstream, voltage, scans)


def check_critics(bridge: AnyBridge, blocking: bool) -> list[Check]:
    """AUC of each critic, and the spread of signals by principal direction of the scans.

    Args:
        bridge: The bridge to check.
        blocking: Whether a release hangs on it.

    Returns:
        Four checks a voltage; on other upstreams than the simulated, whose moments are known at anchors alone, there.
    """
    checks = []
    for voltage in VOLTAGES if bridge.upstream.name == "simulated" else ANCHORS:
        signals = healthy_signals(bridge, voltage, SCANS)
        scans, others = (continuous_scans(bridge.upstream, voltage, seed) for seed in (SCAN_ARCHIVE, FLOOR_ARCHIVE))
        moved = others + (signals.mean(axis=0) - others.mean(axis=0))
        for critic in CRITICS:
            x, ours, floor = (critic.features(rows) for rows in (scans, signals, moved))
            auc, least = (max(separability(x, rows, fit, FOLDS) for fit in critic.fits) for rows in (ours, floor))
            checks.append(
                Check(
                    f"{critic.name} at {voltage:.2f} V",
                    auc,
                    "AUC",
                    f"<= {BOUND:g}",
                    auc <= BOUND,
                    blocking,
                    f"{SCANS} signals against as many fresh scans at continuous positions, {FOLDS} folds; fresh scans "
                    f"moved to the signals' mean read {least:.2f}",
                )
            )
        checks.append(_spread(bridge, voltage, blocking))
    return checks


def _spread(bridge: AnyBridge, voltage: float, blocking: bool) -> Check:
    scans = np.concatenate([continuous_scans(bridge.upstream, voltage, seed) for seed in DIRECTION_ARCHIVES])
    ratio = spread_by_direction(healthy_signals(bridge, voltage, len(scans)), scans)
    low, high = STD_RATIO
    return Check(
        f"spread by principal direction at {voltage:.2f} V",
        float(ratio[np.abs(np.log(ratio)).argmax()]),
        "ratio",
        f"in [{low:g}, {high:g}]",
        bool((ratio >= low).all() and (ratio <= high).all()),
        blocking,
        f"the farthest from 1 of {ratio.min():.2f} to {ratio.max():.2f}: std of {len(scans)} signals over that of as "
        f"many fresh scans, along the first {DIRECTIONS} principal directions of the scans",
    )


def spread_by_direction(signals: np.ndarray, scans: np.ndarray) -> np.ndarray:
    """(25,) standard deviation of signals over that of scans (n, T, C), along the scans' principal directions."""
    ours, theirs = (x[..., :MEASURED_CHANNELS].reshape(len(x), -1) for x in (signals, scans))
    centred = theirs - theirs.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    directions = vectors[:, : -DIRECTIONS - 1 : -1]
    return (ours @ directions).std(axis=0) / (centred @ directions).std(axis=0)
