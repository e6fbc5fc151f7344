"""Write the files of the tutorial `tutorials/your-own-files.md` and draw its pictures.

python docs/own_files.py FOLDER
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from bridge.measured.adopt import read_measured
from bridge.upstream.simulated import scan_archive
from bridge.upstream.simulated_parameters import load_parameters
from dataset_card.contract.schema import CHANNELS
from dataset_card.running.plotting import INK, QUIET, SERIES, canvas, save
from hqvqvae.cells.cycling import Reading, read_cells

PICTURES = Path(__file__).parent / "tutorials"
CELLS, VOLTAGES = 12, np.linspace(3.08, 3.32, 5)
STEP_S, CYCLES, CAPACITY_AH = 30.0, 12, 2.0
STEP_T = 3.05e-9
"""Resolution in T of a 16-bit fluxgate with a range of 100 uT."""


def cycler_export(path: Path) -> None:
    """Write a cell's whole test: pulses before each capacity discharge; discharge is positive, as in some cyclers."""
    parts = []
    for cycle in range(1, CYCLES + 1):
        n = round(CAPACITY_AH * 0.98**cycle * 60)
        pulses = np.tile([2.0, 2.0, 0.0, 0.0], 5)
        rest = np.zeros(20)
        current = np.r_[np.full(n, -2.0), rest, pulses, np.full(15, -20 / 15), rest, np.full(n, 2.0), rest]
        charge = np.cumsum(current) * STEP_S / 3600
        voltage = 4.15 - 0.32 * (charge - charge.min()) / CAPACITY_AH - 0.05 * current
        voltage -= 0.8 * np.clip((charge - charge.min()) / CAPACITY_AH - 0.75, 0, None)
        parts.append(pd.DataFrame({"Cycle Count / 1": cycle, "Current / A": current, "Voltage / V": voltage}))
    table = pd.concat(parts, ignore_index=True)
    table.insert(0, "Test Time / h", STEP_S / 3600 * np.arange(len(table)))
    table.to_csv(path, index=False)


def laboratory(folder: Path) -> None:
    """Write labels as from a spreadsheet, and a table of all scans in T, with an instrument's resolution and clock."""
    rng = np.random.default_rng(5)
    p = load_parameters()
    labels, scans = [], []
    for cell in range(CELLS):
        soh = 1.0 - 0.025 * cell
        x = scan_archive(p, VOLTAGES, positions=2, seed=cell)[::2, :, :4] * (0.4 + 0.6 * soh) * 1e-9
        for i, scan in enumerate(x):
            name = f"m{cell:02d}{i}"
            values = (f"{1000 * VOLTAGES[i]:.0f}", f"{20 * i + 10}", f"{100 * soh:.1f}")
            labels.append((name, f"Cell {cell}", "LFP", *values))
            clock = 0.1 * np.arange(len(scan)) + rng.uniform(-0.02, 0.02, len(scan))
            steps = pd.DataFrame(STEP_T * np.round(scan / STEP_T), columns=["Mag1 Y", "Mag1 Z", "Mag2 Y", "Mag2 Z"])
            steps.insert(0, "t", clock)
            steps.insert(0, "scan_id", name)
            scans.append(steps)
    header = ["Scan", "Cell", "Chemistry", "OCV / mV", "SOC (%)", "SOH (%)"]
    text = "\n".join(";".join(row).replace(".", ",") for row in [header, *labels])
    (folder / "labels.csv").write_text(text + "\n", encoding="utf-8")
    (folder / "scans.csv").write_text("# fluxgate, 16 bit\n" + pd.concat(scans).to_csv(index=False), encoding="utf-8")
    names = zip(CHANNELS[:4], ["Mag1 Y", "Mag1 Z", "Mag2 Y", "Mag2 Z"], ["across", "along"] * 2)
    lines = [f"  {name}: {{column: {column}, axis: {axis}, unit: T}}" for name, column, axis in names]
    (folder / "channels.yaml").write_text("channels:\n" + "\n".join(lines) + "\ntime: {column: t, unit: s}\n")


def draw_discharges(path: Path, out: Path) -> None:
    """Draw the whole test, the discharges that were taken from it, and the capacities."""
    raw = pd.read_csv(path)
    segments = read_cells(path, Reading(current_sign="positive", ambient_C=25.0)).segments
    figure, (left, right) = canvas(1, 2, (10, 3.2))
    left.plot(raw["Test Time / h"], raw["Voltage / V"], color=QUIET, lw=0.8, label="the export")
    starts = np.flatnonzero(raw["Cycle Count / 1"].diff().fillna(1).to_numpy())
    for start, segment in zip(starts, segments):
        rows = raw.iloc[start:]
        hours = _place(rows, segment.voltage_V)
        left.plot(hours, segment.voltage_V, color=SERIES[0], lw=1.6, label="taken" if start == starts[0] else None)
    left.set_xlim(0, raw["Test Time / h"].max() / 3)
    left.set_xlabel("test time in h")
    left.set_ylabel("voltage in V")
    left.legend(fontsize=8)
    capacity = [-np.trapezoid(s.current_A, s.time_s) / 3600 for s in segments]
    right.plot([s.cycle for s in segments], capacity, "o-", color=SERIES[0])
    right.set_xlabel("cycle")
    right.set_ylabel("discharged in Ah")
    _finish(figure, ("one discharge of each cycle", "its charge"), out)


def _finish(figure, titles: tuple[str, str], out: Path) -> None:
    for axis, title in zip(figure.axes, titles):
        axis.grid(color=QUIET, alpha=0.15)
        axis.set_title(title, fontsize=11, color=INK)
    save(figure, out)


def _place(rows: pd.DataFrame, voltage: np.ndarray) -> np.ndarray:
    """Return the test time in h of a discharge, which is found by its voltages."""
    values = rows["Voltage / V"].to_numpy()
    starts = np.flatnonzero(np.isclose(values[: len(values) - len(voltage) + 1], voltage[0]))
    start = next(s for s in starts if np.allclose(values[s : s + len(voltage)], voltage))
    return rows["Test Time / h"].to_numpy()[start : start + len(voltage)]


def draw_scans(folder: Path, out: Path) -> None:
    """Draw a scan as the instrument wrote it and as it was adopted, and the split of the cells."""
    found = read_measured(folder / "scans.csv", folder / "labels.csv", folder / "channels.yaml")
    raw = pd.read_csv(folder / "scans.csv", comment="#")
    raw = raw[raw["scan_id"] == found.scan_ids[0]]
    figure, (left, right) = canvas(1, 2, (10, 3.2))
    left.step(raw["t"], 1e9 * raw["Mag1 Z"], color=SERIES[1], lw=1.0, where="mid", label="as measured")
    left.plot(0.1 * np.arange(100), found.signals[0, :, 1], color=SERIES[0], lw=1.2, label="as adopted")
    left.set_xlabel("time in s")
    left.set_ylabel("B_s1Z in nT")
    left.legend(fontsize=8)
    subset = np.array(found.primary)
    for name, color in zip(("train", "validation", "test"), SERIES):
        cells = found.rows[subset == name].groupby("cell_id")["soh"].mean()
        right.plot(cells, [name] * len(cells), "o", color=color)
    right.set_xlabel("SOH")
    _finish(figure, ("one scan: steps of 3 nT, an uneven clock", "the split by cell"), out)


def main() -> None:
    """Write the files to the folder named on the command line, and the pictures next to the tutorial."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    cycler_export(folder / "cell.bdf.csv")
    laboratory(folder)
    draw_discharges(folder / "cell.bdf.csv", PICTURES / "your-own-files-discharges.png")
    draw_scans(folder, PICTURES / "your-own-files-scans.png")


if __name__ == "__main__":
    main()
