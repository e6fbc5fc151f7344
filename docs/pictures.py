"""Draw the picture of the README: a scan beside the signals of each bridge.

python docs/pictures.py
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bridge.generate import make_bridge, resolve
from bridge.validation.distribution import healthy_signals
from bridge.validation.held_out import PER_ANCHOR, held_out_scans
from dataset_card.contract.schema import CHANNELS
from dataset_card.running.plotting import INK, QUIET, SERIES, canvas, save

OUT = Path(__file__).parent / "pictures" / "signals.png"
VOLTAGE_V = 3.10
SHOWN = 4
"""Sensors' channels in a panel: Y and Z of both; the magnitudes follow from them."""


def main() -> None:
    """Draw one signal in each panel, all of a healthy LFP cell at the same voltage."""
    v1, v2 = (make_bridge(resolve(version, "simulated")) for version in ("v1", "v2"))
    panels = {
        "a scan (simulated)": held_out_scans(v2.upstream, VOLTAGE_V)[20],
        "v1: the paper's bridge": healthy_signals(v1, VOLTAGE_V, PER_ANCHOR)[20],
        "v2: fitted to scans": healthy_signals(v2, VOLTAGE_V, PER_ANCHOR)[20],
    }
    figure, axes = canvas(1, len(panels), (10, 2.9))
    low = min(signal[:, :SHOWN].min() for signal in panels.values())
    high = max(signal[:, :SHOWN].max() for signal in panels.values())
    for axis, (name, signal) in zip(axes.flat, panels.items()):
        for channel in range(SHOWN):
            axis.plot(signal[:, channel], color=SERIES[channel], lw=1.1, label=CHANNELS[channel].removeprefix("B_"))
        axis.set_title(name, fontsize=11, color=INK)
        axis.set_xlabel("scan step")
        axis.set_ylim(low - 20, high + 20)
        axis.grid(color=QUIET, alpha=0.15)
    axes.flat[0].set_ylabel("magnetic field in nT")
    axes.flat[-1].legend(fontsize=8, ncols=2, loc="upper right")
    save(figure, OUT)


if __name__ == "__main__":
    main()
