"""A figure of scans, v1 and v2 side by side, which shows how the bridges differ."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bridge.generate import make_bridge, resolve
from bridge.validation.likeness import PER_ANCHOR, healthy_signals, held_out_scans
from dataset_card.contract.schema import CHANNELS, T
from dataset_card.running.plotting import INK, LINE, MARK, QUIET, canvas, save

VOLTAGE_V, SOC, SEED = 3.10, 50.0, 42
CHANNEL = CHANNELS.index("B_s1Z")
SHOWN = 8
"""Number of signals in a panel of trajectories."""

SOH_LADDER = (0.9, 0.8, 0.7, 0.6)
SHADES = ("#9ecae1", "#6baed6", "#2171b5", "#08306b")


def portrait(out: Path) -> None:
    """Plot trajectories, channel correlations, spectra and the response to SOH, all from the simulated upstream.

    The scans come from archives to which neither bridge was fitted.

    Args:
        out: The figure to write; its suffix determines the format.
    """
    v1, v2 = (make_bridge(resolve(version, "simulated")) for version in ("v1", "v2"))
    x = {
        "scans": held_out_scans(v2.upstream, VOLTAGE_V),
        "v1": healthy_signals(v1, VOLTAGE_V, PER_ANCHOR),
        "v2": healthy_signals(v2, VOLTAGE_V, PER_ANCHOR),
    }
    figure, axes = canvas(3, 3, (11, 9))
    for column, (name, signals) in enumerate(x.items()):
        _trajectories(axes[0, column], name, signals)
        image = _correlations(axes[1, column], name, signals)
    figure.colorbar(image, ax=list(axes[1]), label="correlation", shrink=0.9)
    _spectra(axes[2, 0], x)
    for axis, name, bridge in ((axes[2, 1], "v1", v1), (axes[2, 2], "v2", v2)):
        _response(axis, name, bridge)
    for row in (axes[0], axes[2, 1:]):
        low, high = zip(*(axis.get_ylim() for axis in row))
        for axis in row:
            axis.set_ylim(min(low), max(high))
    title = f"Held-out scans, v1 and v2 at {VOLTAGE_V:.2f} V and SOH 1, simulated upstream"
    figure.suptitle(title, fontsize=12, color=INK)
    save(figure, out)


def _trajectories(axis, name: str, signals: np.ndarray) -> None:
    axis.plot(signals[:: len(signals) // SHOWN, :, CHANNEL].T, color=LINE, lw=0.7, alpha=0.8)
    axis.set_title(f"{name}: {SHOWN} trajectories", fontsize=10)
    axis.set(xlabel="scan step", ylabel=f"{CHANNELS[CHANNEL]} in nT")


def _correlations(axis, name: str, signals: np.ndarray):
    matrix = np.corrcoef(signals.reshape(-1, len(CHANNELS)).T)
    image = axis.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
    ticks = range(len(CHANNELS)), [c.removeprefix("B_") for c in CHANNELS]
    axis.set_xticks(*ticks, fontsize=7, rotation=45)
    axis.set_yticks(*ticks, fontsize=7)
    axis.set_title(f"{name}: channel correlations", fontsize=10)
    return image


def _spectra(axis, x: dict[str, np.ndarray]) -> None:
    frequency = np.fft.rfftfreq(T)[1:]
    for (name, signals), colour, style in zip(x.items(), (INK, MARK, LINE), ("-", "-", "--")):
        rest = signals[..., CHANNEL] - signals[..., CHANNEL].mean(axis=0)
        power = (np.abs(np.fft.rfft(rest * np.hanning(T))) ** 2).mean(axis=0)[1:]
        axis.semilogy(frequency, power, color=colour, ls=style, lw=1.3, label=name)
    axis.set_title(f"spectra around the mean, {CHANNELS[CHANNEL]}", fontsize=10)
    axis.set(xlabel="frequency in 1 / step", ylabel="power in nT²")
    axis.legend(fontsize=8)


def _response(axis, name: str, bridge) -> None:
    n = len(SOH_LADDER) + 1
    x = bridge.generate_many([VOLTAGE_V] * n, [SOC] * n, [1.0, *SOH_LADDER], [SEED] * n)[..., CHANNEL]
    for soh, signal, colour in zip(SOH_LADDER, x[1:], SHADES):
        axis.plot(signal - x[0], color=colour, lw=1.1, label=f"SOH {soh:g}")
    axis.axhline(0, color=QUIET, lw=0.6)
    axis.set_title(f"{name}: change from SOH 1, one seed", fontsize=10)
    axis.set(xlabel="scan step", ylabel="nT")
    axis.legend(fontsize=7, ncols=2)
