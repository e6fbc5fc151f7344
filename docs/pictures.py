"""Draw the pictures of the README and of v2's page.

python docs/pictures.py                          a scan and signals of each bridge
python docs/pictures.py magbridge-battery-v2     batteries of a release as they age
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pyarrow.parquet as pq

from benchmark import Subset, cross_validate, load_task
from benchmark.baselines import get_model
from benchmark.running.yardsticks import READERS
from benchmark.tasks import get_task
from bridge.generate import make_bridge, resolve
from bridge.v3 import Defect, PouchCell, Protocol, SensorArray
from bridge.v3.simulation import Case, simulate_cases
from bridge.v3.state import Mesh
from bridge.validation.likeness import PER_ANCHOR, healthy_signals, held_out_scans
from dataset_card.contract.schema import AGEING_LAWS, CHANNELS
from dataset_card.running.plotting import INK, QUIET, SERIES, canvas, save

OUT = Path(__file__).parent / "pictures"
VOLTAGE_V = 3.10
TORN, ABOVE_MM, PLANE = Defect("tear", share=0.4, length=0.5, x_mm=50), 10.0, (48, 32)
SHOWN = 4
"""Number of channels in a panel: Y and Z of both sensors, without the magnitudes derived from them."""


def signals() -> None:
    """Draw a scan and a signal of v1 and of v2, of healthy LFP cells at one voltage, and v3's field of a torn foil."""
    v1, v2 = (make_bridge(resolve(version, "simulated")) for version in ("v1", "v2"))
    panels = {
        "a scan (simulated)": held_out_scans(v2.upstream, VOLTAGE_V)[20],
        "v1: the paper's bridge": healthy_signals(v1, VOLTAGE_V, PER_ANCHOR)[20],
        "v2: fitted to scans": healthy_signals(v2, VOLTAGE_V, PER_ANCHOR)[20],
    }
    figure, axes = canvas(1, len(panels) + 1, (12, 2.8))
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
    axes.flat[2].legend(fontsize=8, ncols=2, loc="upper right")
    torn(figure, axes.flat[-1])
    save(figure, OUT / "signals.png")


def torn(figure, axis) -> None:
    """Draw the field one second after a pulse above a cell with a torn foil, and the positions of v3's sensors."""
    cell = PouchCell.preset("nmc")
    height = cell.thickness_mm / 2 + ABOVE_MM
    x, y = (np.linspace(0, side, n) for side, n in zip((cell.length_mm, cell.width_mm), PLANE, strict=True))
    array = SensorArray(np.array([(a, b, height) for a in x for b in y]))
    (found,) = simulate_cases([Case(cell, defect=TORN, mesh=Mesh.uniform(cell, *PLANE))], array, Protocol())
    field = 1e9 * found.rest_T[0, :, 2].reshape(PLANE)
    most = np.abs(field).max()
    shown = axis.pcolormesh(x, y, field.T, cmap="RdBu_r", vmin=-most, vmax=most, rasterized=True)
    sensors = SensorArray.grid(cell, distance_mm=ABOVE_MM).position_mm
    axis.plot(sensors[:, 0], sensors[:, 1], "o", mfc="none", mec=INK, ms=4, mew=0.8)
    axis.set_title("v3: over a torn foil", fontsize=11, color=INK)
    axis.set(aspect="equal", xlabel="x in mm; 1 s after a pulse", ylabel="y in mm")
    figure.colorbar(shown, ax=axis, shrink=0.65, pad=0.02, label="$B_z$ in nT")


def ageing(release: Path) -> None:
    """Draw SOH over cycles of the batteries with several visits, as measured and as read from the signals."""
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
