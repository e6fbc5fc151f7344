"""Compare two upstreams: the simulation with the published files."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bridge.upstream import Upstream
from bridge.v1.inputs import PulseTable
from bridge.validation.checks import reports
from bridge.validation.separation import Separation, separations
from dataset_card.contract.schema import CHANNELS
from dataset_card.errors import MagBridgeError
from dataset_card.running.plotting import BAND, LINE, MARK, canvas, save


@dataclass(frozen=True)
class TrajectoryMatch:
    """One channel at one anchor.

    Attributes:
        anchor_V: Anchor voltage.
        channel: Channel name.
        correlation: Correlation of the two mean trajectories over time.
        rmse_nT: Root mean square difference of the mean trajectories.
        std_ratio: Mean standard deviation over positions, simulated over published.
    """

    anchor_V: float
    channel: str
    correlation: float
    rmse_nT: float
    std_ratio: float


@dataclass(frozen=True)
class PulseMatch:
    """One pulse voltage.

    Attributes:
        u: Name, U1 to U21.
        rmse_mV: Root mean square difference of the two means over cells, over SOC levels.
        published_correlation: Correlation of the voltage with SOH over cells, mean over SOC levels.
        simulated_correlation: The same correlation in the simulation.
    """

    u: str
    rmse_mV: float
    published_correlation: float
    simulated_correlation: float


@dataclass(frozen=True)
class UpstreamComparison:
    """Comparison of the simulated with the published upstream.

    Attributes:
        trajectories: One entry per anchor and channel.
        pulses: One entry per pulse voltage.
        separations: In-sample and held-out separation of the anchors, by upstream.
    """

    trajectories: list[TrajectoryMatch]
    pulses: list[PulseMatch]
    separations: dict[str, list[Separation]]


def compare_upstreams(published: Upstream, simulated: Upstream) -> UpstreamComparison:
    """Compare statistics, pulse tables and latent spaces.

    Args:
        published: The reference.
        simulated: The upstream to judge.

    Raises:
        MagBridgeError: If the anchors or the SOC levels differ.
    """
    here, there = simulated.statistics, published.statistics
    if not np.array_equal(here.voltages, there.voltages):
        raise MagBridgeError(f"anchors {here.voltages.tolist()} V: expected {there.voltages.tolist()} V, as published")
    trajectories = [
        TrajectoryMatch(
            float(voltage),
            channel,
            float(np.corrcoef(here.mean[a, :, c], there.mean[a, :, c])[0, 1]),
            float(np.sqrt(((here.mean[a, :, c] - there.mean[a, :, c]) ** 2).mean())),
            float(here.std[a, :, c].mean() / there.std[a, :, c].mean()),
        )
        for a, voltage in enumerate(there.voltages)
        for c, channel in enumerate(CHANNELS)
    ]
    return UpstreamComparison(
        trajectories,
        _pulses(published.pulses, simulated.pulses),
        {u.name: separations(u.embeddings, u.scan_anchor, u.latent) for u in (published, simulated)},
    )


def _pulses(published: PulseTable, simulated: PulseTable) -> list[PulseMatch]:
    levels, here = np.unique(published.soc), np.unique(simulated.soc)
    if not np.array_equal(levels, here):
        raise MagBridgeError(f"SOC levels {here.tolist()} %: expected {levels.tolist()} %, as published")
    mean, correlation = [], []
    for table in (published, simulated):
        at_level = [table.soc == level for level in levels]
        mean.append(np.stack([table.u[rows].mean(axis=0) for rows in at_level]))
        by_level = [np.corrcoef(table.soh[rows], table.u[rows].T)[0, 1:] for rows in at_level]
        correlation.append(np.mean(by_level, axis=0).tolist())
    rmse = np.sqrt(((mean[0] - mean[1]) ** 2).mean(axis=0)) * 1e3
    return [PulseMatch(f"U{i}", *figures) for i, figures in enumerate(zip(rmse.tolist(), *correlation), 1)]


def report(comparison: UpstreamComparison) -> str:
    """Format the comparison as text tables."""
    anchors = itertools.groupby(comparison.trajectories, key=lambda match: match.anchor_V)
    return reports().upstreams(comparison, CHANNELS, anchors).rstrip("\n")


def plot(published: Upstream, simulated: Upstream, out: Path) -> None:
    """Plot mean and std bands of both upstreams on top of each other, anchors by channels.

    Args:
        published: The reference.
        simulated: The upstream to judge.
        out: The figure to write; its suffix determines the format.
    """
    anchors = published.statistics.voltages
    figure, axes = canvas(len(anchors), len(CHANNELS), (18, 12))
    steps = np.arange(published.statistics.mean.shape[1])
    for a, voltage in enumerate(anchors):
        for c, channel in enumerate(CHANNELS):
            axis = axes[a, c]
            mean, ours = (u.statistics.mean[a, :, c] for u in (published, simulated))
            std, spread = (u.statistics.std[a, :, c] for u in (published, simulated))
            axis.fill_between(steps, mean - std, mean + std, color=BAND, lw=0, label=f"{published.name}, std")
            axis.plot(steps, mean, color=LINE, lw=1.2, label=f"{published.name}, mean")
            axis.plot(steps, ours, color=MARK, lw=1.2, label=f"{simulated.name}, mean")
            axis.plot(steps, ours - spread, color=MARK, lw=0.8, ls="--", label=f"{simulated.name}, std")
            axis.plot(steps, ours + spread, color=MARK, lw=0.8, ls="--")
            axis.tick_params(labelsize=7)
            axes[0, c].set_title(channel, fontsize=10)
            axes[-1, c].set_xlabel("scan step", fontsize=9)
        axes[a, 0].set_ylabel(f"{voltage:.2f} V\nnT", fontsize=9)
    axes[0, 0].legend(fontsize=7, loc="center right")
    figure.suptitle("mean trajectory and its standard deviation over scan positions", fontsize=12)
    save(figure, out)
