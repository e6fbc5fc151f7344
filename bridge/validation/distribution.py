"""Whether synthetic healthy signals at the grounded anchors are distributed like the scans there."""

from __future__ import annotations

import numpy as np

from bridge.generate import AnyBridge
from bridge.v1.generate import Bridge
from bridge.validation.checks import Check
from bridge.validation.held_out import fitted_scans
from dataset_card.contract.schema import CHANNELS

ANCHORS = (3.10, 3.34)
SOC_AT_REST = 50.0
SIGNIFICANCE = 0.05
STD_RATIO = (0.98, 1.02)
PUBLISHED_CORRELATION = {3.10: 0.46, 3.34: 0.35}
"""Published mean absolute difference of channel correlations, against the raw scans."""

CORRELATION_BOUND = 0.60
"""Greatest acceptable difference; 0 is impossible, since v1 draws its base noise independently in each channel."""

SURROGATE_NOTE = (
    "surrogate scans carry the moments of the raw ones but, like v1's own noise, no correlation between "
    "channels: the difference to them is smaller than to raw scans"
)


def check_distribution(bridge: AnyBridge) -> list[Check]:
    """Compare as many synthetic signals as there are scans with the scans at each grounded anchor, at SOH 1.0.

    Args:
        bridge: The bridge to check.

    Returns:
        v1: three checks an anchor (KS, std ratio, channel correlations), none of which blocks. v2: KS, which blocks
        unless the upstream is a hybrid, whose scans are borrowed; its spread and correlations are held to scans that
        it was not fitted to (see `bridge.validation.likeness`).
    """
    checks = []
    for voltage in ANCHORS:
        scans = fitted_scans(bridge.upstream, voltage)
        synthetic = healthy_signals(bridge, voltage, len(scans))
        if isinstance(bridge, Bridge):
            surrogate = bridge.upstream.name == "published"
            checks += [
                ks_check(voltage, synthetic, scans),
                std_check(voltage, synthetic, scans),
                correlation_check(voltage, synthetic, scans, surrogate=surrogate),
            ]
        else:
            checks.append(ks_check(voltage, synthetic, scans, blocking=bridge.upstream.name != "hybrid"))
    return checks


def healthy_signals(bridge: AnyBridge, voltage: float, count: int) -> np.ndarray:
    """Signals (count, T, C) in nT at SOH 1.0 and without a cell, of seeds 0 up."""
    return bridge.generate_many([voltage] * count, [SOC_AT_REST] * count, [1.0] * count, range(count))


def ks_check(voltage: float, synthetic: np.ndarray, scans: np.ndarray, blocking: bool = False) -> Check:
    """Two-sample Kolmogorov-Smirnov tests at every channel and step.

    A channel passes when no step rejects at a family-wise error of 5 %: its least p over the T steps, times T
    (Bonferroni), is above 0.05. That holds under any dependence between steps, and scans depend on their neighbours.

    Args:
        voltage: Anchor in V.
        synthetic: (n, T, C) signals in nT.
        scans: (m, T, C) scans in nT.
        blocking: Whether a release hangs on it.
    """
    from scipy.stats import ks_2samp

    p = ks_2samp(synthetic, scans, axis=0).pvalue
    adjusted = np.minimum(p.min(axis=0) * len(p), 1)
    passed = int((adjusted > SIGNIFICANCE).sum())
    worst = int(adjusted.argmin())
    return Check(
        f"KS at {voltage:.2f} V",
        float(passed),
        "channels",
        f"= {len(CHANNELS)}",
        passed == len(CHANNELS),
        blocking,
        f"channels without a step that differs at a family-wise 5 % (Bonferroni over {len(p)} steps); least adjusted p "
        f"{adjusted[worst]:.2f} in {CHANNELS[worst]}, p > 0.05 unadjusted at {100 * (p > SIGNIFICANCE).mean():.1f} % "
        "of the steps; published 6 of 6",
    )


def std_check(voltage: float, synthetic: np.ndarray, scans: np.ndarray) -> Check:
    """Ratio of standard deviations, root mean square over steps and channels.

    The scans' population variance is what the bridge was given; the synthetic one is estimated from a sample, without
    bias. (Population variances on both sides would read 1 % low with 41 signals.)

    Args:
        voltage: Anchor in V.
        synthetic: (n, T, C) signals in nT.
        scans: (m, T, C) scans in nT.
    """
    given = scans.var(axis=0)
    share = np.divide(synthetic.var(axis=0, ddof=1), given, out=np.ones_like(given), where=given > 0)
    ratio = float(np.sqrt(share.mean()))
    by_channel = np.sqrt(share.mean(axis=0))
    return Check(
        f"std ratio at {voltage:.2f} V",
        ratio,
        "ratio",
        f"in [{STD_RATIO[0]}, {STD_RATIO[1]}]",
        STD_RATIO[0] <= ratio <= STD_RATIO[1],
        False,
        f"synthetic over scans, root mean square over steps and channels; by channel {by_channel.min():.3f} to "
        f"{by_channel.max():.3f}; published within the bound",
    )


def correlation_check(voltage: float, synthetic: np.ndarray, scans: np.ndarray, surrogate: bool) -> Check:
    """Mean absolute difference of the correlations between channels.

    Args:
        voltage: Anchor in V.
        synthetic: (n, T, C) signals in nT.
        scans: (m, T, C) scans in nT.
        surrogate: Whether the scans are surrogates, which is said in the note.
    """
    ours, theirs = (channel_correlations(x) for x in (synthetic, scans))
    difference = float(np.abs(ours - theirs).mean())
    return Check(
        f"channel correlations at {voltage:.2f} V",
        difference,
        "difference",
        f"<= {CORRELATION_BOUND:g}",
        difference <= CORRELATION_BOUND,
        False,
        f"mean absolute difference over {len(ours)} channel pairs, samples pooled over signals and steps; published "
        f"{PUBLISHED_CORRELATION[voltage]:.2f} against the raw scans" + (f"; {SURROGATE_NOTE}" if surrogate else ""),
    )


def channel_correlations(x: np.ndarray) -> np.ndarray:
    """Correlation of each pair of channels, pooled over signals and steps: (n, T, C) to (C (C - 1) / 2,)."""
    return np.corrcoef(x.reshape(-1, x.shape[2]).T)[np.triu_indices(x.shape[2], 1)]
