"""Draw the pictures of the README and of v2's page.

python docs/pictures.py                          a scan beside the signals of each bridge
python docs/pictures.py magbridge-battery-v2     batteries of a release as they age
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import pyarrow.parquet as pq

from benchmark import Subset, cross_validate, load_task
from benchmark.baselines import get_model
from benchmark.nulls import READERS
from benchmark.tasks import get_task
from bridge.generate import make_bridge, resolve
from bridge.validation.distribution import healthy_signals
from bridge.validation.held_out import PER_ANCHOR, held_out_scans
from dataset_card.contract.schema import AGEING_LAWS, CHANNELS
from dataset_card.running.plotting import INK, QUIET, SERIES, canvas, save

OUT = Path(__file__).parent / "pictures"
VOLTAGE_V = 3.10
SHOWN = 4
"""Sensors' channels in a panel: Y and Z of both; the magnitudes follow from them."""


def signals() -> None:
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
    save(figure, OUT / "signals.png")


def ageing(release: Path) -> None:
    """Draw SOH over cycles of the batteries that are visited again and again, as it is and as it is read."""
    task = get_task("t1")
    data = load_task(task, release)
    rows = Subset.concatenate(data.subsets())
    table = cross_validate(task, get_model(READERS["v2"]["t1"]), data).table
    assert table is not None
    read = dict(zip(table["sample_id"].to_pylist(), table["prediction"].to_pylist()))
    labels = pq.read_table(release / "metadata.parquet").to_pandas().set_index("sample_id")
    frame = labels.loc[rows.sample_ids].assign(read=[read[i] for i in rows.sample_ids.tolist()])
    ages = frame.dropna(subset="age_cycles").groupby(["ageing_law", "battery_id", "age_cycles"])
    visits = ages[["soh", "read"]].mean()
    figure, axes = canvas(1, 2, (10, 3.6))
    names = {"soh": "SOH as measured", "read": "SOH as read from the signals of a visit,\nbattery held out"}
    for axis, column in zip(axes.flat, names):
        for law, colour in zip(AGEING_LAWS, SERIES):
            for number, (_, battery) in enumerate(visits.loc[law].groupby(level=0)):
                ages, label = battery.index.get_level_values(1), f"lost {'lithium' if law == 'inventory' else law}"
                axis.plot(ages, battery[column], "o-", color=colour, lw=1.1, ms=3, label=None if number else label)
        axis.set_title(names[column], fontsize=11, color=INK)
        axis.set_xlabel("cycles")
        axis.set_ylim(0.58, 0.98)
        axis.grid(color=QUIET, alpha=0.15)
    axes.flat[0].set_ylabel("SOH")
    axes.flat[0].legend(fontsize=9)
    save(figure, OUT / "ageing.png")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        ageing(Path(sys.argv[1]))
    else:
        signals()
