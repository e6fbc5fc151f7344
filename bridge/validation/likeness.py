"""Whether healthy signals are like scans that the bridge was not fitted to, and no copies of those it was."""

from __future__ import annotations

import numpy as np

from bridge.generate import AnyBridge
from bridge.validation.checks import Check
from bridge.validation.distribution import ANCHORS, channel_correlations, healthy_signals
from bridge.validation.held_out import ARCHIVES, PER_ANCHOR, fitted_scans, held_out_scans

STD_RATIO = (0.95, 1.05)
CORRELATION_BOUND = 0.05
AUTOCORRELATION_BOUND = 0.03
LAGS = 20
NEAREST_RATIO = (0.90, 1.15)
COVERAGE_BOUND = 0.90
NEIGHBOURS = 5
"""Coverage: a scan is covered if a signal is nearer to it than its fifth nearest scan (Naeem et al., ICML 2020)."""


def check_likeness(bridge: AnyBridge, blocking: bool) -> list[Check]:
    """Compare 820 healthy signals with 820 held-out scans at each grounded anchor.

    Args:
        bridge: The bridge to check.
        blocking: Whether a release hangs on it.

    Returns:
        Five checks an anchor: std ratio, channel correlations, autocorrelation, nearest scan, coverage.
    """
    checks = []
    for voltage in ANCHORS:
        signals = healthy_signals(bridge, voltage, PER_ANCHOR)
        scans = held_out_scans(bridge.upstream, voltage)
        trained = fitted_scans(bridge.upstream, voltage)
        archives = f"{len(scans)} scans of archives {ARCHIVES.start} to {ARCHIVES.stop - 1}"
        figures = (
            (
                "std ratio to held-out scans",
                std_ratio(signals, scans),
                "ratio",
                STD_RATIO,
                "root of the mean ratio of variances over steps and channels, to " + archives,
            ),
            (
                "channel correlations",
                float(np.abs(channel_correlations(signals) - channel_correlations(scans)).mean()),
                "difference",
                (0.0, CORRELATION_BOUND),
                f"mean absolute difference over channel pairs, pooled over signals and steps, to {archives}",
            ),
            (
                "autocorrelation",
                float(np.abs(autocorrelation(signals) - autocorrelation(scans)).mean()),
                "difference",
                (0.0, AUTOCORRELATION_BOUND),
                f"mean absolute difference over lags 1 to {LAGS} and channels, to {archives}",
            ),
            (
                "distance to the nearest fitted scan",
                nearest_ratio(signals, scans, trained),
                "ratio",
                NEAREST_RATIO,
                f"mean L2 distance of signals over that of held-out scans, to the {len(trained)} fitted scans; below 1 "
                "signals are drawn to what was fitted, near 0 they are copies",
            ),
            (
                "coverage of held-out scans",
                coverage(signals, scans),
                "share",
                (COVERAGE_BOUND, 1.0),
                f"held-out scans with a signal nearer than their {NEIGHBOURS}th nearest held-out scan",
            ),
        )
        checks += [
            _check(f"{name} at {voltage:.2f} V", figure, unit, bounds, note, blocking)
            for name, figure, unit, bounds, note in figures
        ]
    return checks


def _check(name: str, figure: float, unit: str, bounds: tuple[float, float], note: str, blocking: bool) -> Check:
    low, high = bounds
    bound = f"<= {high:g}" if low == 0 else f"in [{low:g}, {high:g}]"
    return Check(name, figure, unit, bound, low <= figure <= high, blocking, note)


def std_ratio(signals: np.ndarray, scans: np.ndarray) -> float:
    """Root of the mean ratio of variances, signals over scans, over steps and channels."""
    return float(np.sqrt((signals.var(axis=0, ddof=1) / scans.var(axis=0, ddof=1)).mean()))


def autocorrelation(x: np.ndarray, lags: int = LAGS) -> np.ndarray:
    """Autocorrelation (lags, C) from lag 1 of signals (n, T, C), own mean removed, biased, mean over signals."""
    x = x - x.mean(axis=1, keepdims=True)
    power = (x**2).sum(axis=1)
    steps = x.shape[1]
    return np.stack([((x[:, k:] * x[:, : steps - k]).sum(axis=1) / power).mean(axis=0) for k in range(1, lags + 1)])


def nearest_ratio(signals: np.ndarray, scans: np.ndarray, trained: np.ndarray) -> float:
    """Mean distance of signals to the nearest fitted scan, over that of held-out scans."""
    ours, theirs = (distances(x, trained).min(axis=1).mean() for x in (signals, scans))
    return float(ours / theirs)


def coverage(signals: np.ndarray, scans: np.ndarray) -> float:
    """Share of scans that have a signal nearer than their k-th nearest scan."""
    reach = np.sort(distances(scans, scans), axis=1)[:, NEIGHBOURS]  # the nearest is the scan itself
    return float((distances(scans, signals).min(axis=1) <= reach).mean())


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """L2 distances (len(a), len(b)) in nT over all steps and channels."""
    from scipy.spatial.distance import cdist

    return cdist(a.reshape(len(a), -1), b.reshape(len(b), -1))
