"""Compare healthy signals with scans, both those to which the bridge was fitted and held-out ones."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import ks_2samp

from bridge.generate import AnyBridge, AnyUpstream
from bridge.upstream.simulated import POSITIONS, scan_archive
from bridge.upstream.simulated_parameters import load_parameters
from bridge.v1.generate import Bridge
from bridge.validation.checks import Check, check
from dataset_card.contract.schema import CHANNELS, MEASURED_CHANNELS

ANCHORS = (3.10, 3.34)
ARCHIVES = range(100, 120)
"""Seeds of the held-out archives: 820 scans per anchor."""

FLOOR_ARCHIVES = range(200, 220)
"""Seeds of the scans that represent a faultless bridge."""

PER_ANCHOR = len(ARCHIVES) * POSITIONS

SOC_AT_REST = 50.0
SIGNIFICANCE = 0.05

PUBLISHED_CORRELATION = {3.10: 0.46, 3.34: 0.35}
"""Published mean absolute difference of channel correlations, against the raw scans."""

SURROGATE_NOTE = (
    "; surrogate scans have the moments of the raw scans but, like v1's own noise, no correlation between channels, "
    "so the difference from them is smaller than from raw scans"
)
LAGS = 20
NEIGHBOURS = 5
"""Coverage: a scan is covered if a signal is nearer to it than its fifth nearest scan (Naeem et al., ICML 2020)."""


def held_out_scans(upstream: AnyUpstream, voltage: float, archives: Iterable[int] = ARCHIVES) -> np.ndarray:
    """Simulate scans at an anchor from archives other than the fitted one.

    The simulation is the only source of further archives. If the upstream is not simulated, its mean and standard
    deviation are imposed on them, step by step: level and spread then agree by construction, correlations do not.

    Args:
        upstream: The upstream of the bridge.
        voltage: One of its anchors in V.
        archives: Seeds, one per archive of 41 scans.

    Returns:
        (len(archives) * 41, T, C) scans in nT, ordered by archive.
    """
    parameters = load_parameters()
    scans = np.concatenate([scan_archive(parameters, (voltage,), seed=seed) for seed in archives])
    return impose_moments(upstream, voltage, scans)


def fitted_scans(upstream: AnyUpstream, voltage: float) -> np.ndarray:
    """Return the fitted scans at an anchor; those of a hybrid have the published moments imposed."""
    scans = upstream.scans[upstream.scan_anchor == anchor_of(upstream, voltage)]
    return impose_moments(upstream, voltage, scans) if upstream.name == "hybrid" else scans


def impose_moments(upstream: AnyUpstream, voltage: float, scans: np.ndarray) -> np.ndarray:
    """Give scans (n, T, C) the upstream's mean and std at each step and channel, unless the upstream is simulated."""
    if upstream.name == "simulated":
        return scans
    anchor = anchor_of(upstream, voltage)
    mean, std = upstream.statistics.mean[anchor], upstream.statistics.std[anchor]
    return mean + std * (scans - scans.mean(axis=0)) / scans.std(axis=0)


def anchor_of(upstream: AnyUpstream, voltage: float) -> int:
    """Return the index of the anchor at a voltage in V."""
    return int(np.flatnonzero(upstream.statistics.voltages == voltage)[0])


def healthy_signals(bridge: AnyBridge, voltage: float, count: int) -> np.ndarray:
    """Generate signals (count, T, C) in nT at SOH 1.0 without a cell, with seeds from 0 upwards."""
    return bridge.generate_many([voltage] * count, [SOC_AT_REST] * count, [1.0] * count, range(count))


def check_distribution(bridge: AnyBridge) -> list[Check]:
    """Compare the scans at each grounded anchor with equally many synthetic signals at SOH 1.0.

    Args:
        bridge: The bridge to check.

    Returns:
        v1: three checks per anchor (KS, std ratio, channel correlations), none of which blocks. v2: KS, which blocks
        unless the upstream is a hybrid, whose scans come from the simulated archive; its spread and correlations are
        compared with scans to which it was not fitted (see `check_likeness`).
    """
    checks = []
    for voltage in ANCHORS:
        scans = fitted_scans(bridge.upstream, voltage)
        pair = healthy_signals(bridge, voltage, len(scans)), scans
        v1, name = isinstance(bridge, Bridge), bridge.upstream.name
        checks.append(ks_check(voltage, *pair, blocking=not v1 and name != "hybrid"))
        if v1:
            checks += [std_check(voltage, *pair), correlation_check(voltage, *pair, surrogate=name == "published")]
    return checks


def ks_check(voltage: float, synthetic: np.ndarray, scans: np.ndarray, blocking: bool = False) -> Check:
    """Run two-sample Kolmogorov-Smirnov tests at every channel and step.

    A channel passes if no step rejects at a family-wise error of 5 %: its smallest p over the T steps, times T
    (Bonferroni), is above 0.05. This is valid under any dependence between steps, and neighbouring steps are dependent.

    Args:
        voltage: Anchor in V.
        synthetic: (n, T, C) signals in nT.
        scans: (m, T, C) scans in nT.
        blocking: Whether a failed check blocks a release.
    """
    p = ks_2samp(synthetic, scans, axis=0).pvalue
    adjusted = np.minimum(p.min(axis=0) * len(p), 1)
    worst, share = int(adjusted.argmin()), 100 * (p > SIGNIFICANCE).mean()
    facts = {"steps": len(p), "least": adjusted[worst], "channel": CHANNELS[worst], "share": share}
    return check("ks", float((adjusted > SIGNIFICANCE).sum()), blocking, voltage=voltage, **facts)


def std_check(voltage: float, synthetic: np.ndarray, scans: np.ndarray) -> Check:
    """Check the ratio of standard deviations, as root mean square over steps and channels.

    The bridge was given the scans' population variance; the synthetic variance is estimated from a sample, without
    bias. (Population variances on both sides would be 1 % too low with 41 signals.)

    Args:
        voltage: Anchor in V.
        synthetic: (n, T, C) signals in nT.
        scans: (m, T, C) scans in nT.
    """
    given = scans.var(axis=0)
    share = np.divide(synthetic.var(axis=0, ddof=1), given, out=np.ones_like(given), where=given > 0)
    by_channel = np.sqrt(share.mean(axis=0))
    ratio = float(np.sqrt(share.mean()))
    return check("std", ratio, False, voltage=voltage, low=by_channel.min(), high=by_channel.max())


def correlation_check(voltage: float, synthetic: np.ndarray, scans: np.ndarray, surrogate: bool) -> Check:
    """Check the mean absolute difference of the correlations between channels.

    Args:
        voltage: Anchor in V.
        synthetic: (n, T, C) signals in nT.
        scans: (m, T, C) scans in nT.
        surrogate: Whether the scans are surrogates, which the note then states.
    """
    ours, theirs = (channel_correlations(x) for x in (synthetic, scans))
    facts: dict = {"voltage": voltage, "pairs": len(ours), "published": PUBLISHED_CORRELATION[voltage]}
    facts["surrogate"] = SURROGATE_NOTE if surrogate else ""
    return check("correlation", float(np.abs(ours - theirs).mean()), False, **facts)


def check_likeness(bridge: AnyBridge, blocking: bool) -> list[Check]:
    """Compare 820 healthy signals with 820 held-out scans at each grounded anchor.

    Args:
        bridge: The bridge to check.
        blocking: Whether a failed check blocks a release.

    Returns:
        Five checks per anchor: std ratio, channel correlations, autocorrelation, nearest scan, coverage.
    """
    checks = []
    for voltage in ANCHORS:
        signals = healthy_signals(bridge, voltage, PER_ANCHOR)
        scans, trained = held_out_scans(bridge.upstream, voltage), fitted_scans(bridge.upstream, voltage)
        correlation, memory = (
            float(np.abs(of(signals) - of(scans)).mean()) for of in (channel_correlations, autocorrelation)
        )
        facts: dict = {"voltage": voltage, "lags": LAGS, "fitted": len(trained), "neighbours": NEIGHBOURS}
        facts["archives"] = f"{len(scans)} scans of archives {ARCHIVES.start} to {ARCHIVES.stop - 1}"
        measured = signals[..., :MEASURED_CHANNELS], scans[..., :MEASURED_CHANNELS]
        facts |= {"measured_std": std_ratio(*measured), "measured_coverage": coverage(*measured)}
        figures = {
            "held-out std": std_ratio(signals, scans),
            "held-out correlation": correlation,
            "autocorrelation": memory,
            "nearest": nearest_ratio(signals, scans, trained),
            "coverage": coverage(signals, scans),
        }
        checks += [check(key, figure, blocking, **facts) for key, figure in figures.items()]
    return checks


def std_ratio(signals: np.ndarray, scans: np.ndarray) -> float:
    """Compute the root of the mean ratio of variances, signals over scans, over steps and channels."""
    return float(np.sqrt((signals.var(axis=0, ddof=1) / scans.var(axis=0, ddof=1)).mean()))


def channel_correlations(x: np.ndarray) -> np.ndarray:
    """Compute the correlation of each pair of channels over signals and steps: (n, T, C) to (C (C - 1) / 2,)."""
    return np.corrcoef(x.reshape(-1, x.shape[2]).T)[np.triu_indices(x.shape[2], 1)]


def autocorrelation(x: np.ndarray, lags: int = LAGS) -> np.ndarray:
    """Compute the autocorrelation (lags, C) of signals (n, T, C) from lag 1.

    Each signal's own mean is removed; the estimate is biased, and averaged over signals.
    """
    x = x - x.mean(axis=1, keepdims=True)
    power = (x**2).sum(axis=1)
    steps = x.shape[1]
    return np.stack([((x[:, k:] * x[:, : steps - k]).sum(axis=1) / power).mean(axis=0) for k in range(1, lags + 1)])


def nearest_ratio(signals: np.ndarray, scans: np.ndarray, trained: np.ndarray) -> float:
    """Compute the mean distance of signals to the nearest fitted scan, divided by that of held-out scans."""
    ours, theirs = (distances(x, trained).min(axis=1).mean() for x in (signals, scans))
    return float(ours / theirs)


def coverage(signals: np.ndarray, scans: np.ndarray) -> float:
    """Compute the share of scans that have a signal nearer than their k-th nearest scan."""
    reach = np.sort(distances(scans, scans), axis=1)[:, NEIGHBOURS]  # the nearest is the scan itself
    return float((distances(scans, signals).min(axis=1) <= reach).mean())


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Compute L2 distances (len(a), len(b)) in nT over all steps and channels."""
    return cdist(a.reshape(len(a), -1), b.reshape(len(b), -1))
