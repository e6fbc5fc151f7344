"""124 LFP/graphite cells (MATR): the discharge curves of cycles 2 to 100 and each cell's life.

Sources: K. A. Severson et al., "Data-driven prediction of battery cycle life before capacity degradation", Nature
Energy 4, 383 (2019), data.matr.io (CC BY 4.0); the curves as tables: P. M. Attia et al., arXiv:2101.01885, GitHub
petermattia/revisit-severson-et-al (MIT). Discharge at 4C of 1.1 Ah, 4.4 A; charge policies differ from cell to cell.
`python -m hqvqvae features --matr PATH --out matr_cycles.parquet` writes the embedded table from a copy of them.

`data/matr_cycles.parquet`, one row per cycle: 12,276, of which 12,247 are valid.

=================  ====  ===============================================================================================
column             unit  meaning
=================  ====  ===============================================================================================
cell_id                  "train-01" ... "test2-40": the published split and file number
split                    "train" (41 cells), "test1" (43) or "test2" (40)
cohort                   "batch1" (41 cells), "batch2" (43) or "batch3" (40, test2); see `batch_of`
cycle                    2 to 100, as published
valid                    the curve starts at 0, never falls by more than 10 mAh, and ends below 1.65 Ah
reason                   why the cycle is not valid, else ""
life_cycles              cycles to 80 % of the nominal capacity, the same in all rows of a cell
capacity           Ah    charge at 2.0 V
v_mean_charge      V     mean voltage over charge, from 3.5 V to 2.0 V
v_20 ... v_90      V     voltage at 20, 50, 80 and 90 % of the discharged charge
dv_dt_min          V/s   steepest mean slope over a hundredth of the discharge, at 4.4 A
dq_log_var               log10 of the variance over voltage of Q(V) less Q(V) of cycle 10, in Ah^2; NaN at cycle 10
=================  ====  ===============================================================================================

`load_cycles` adds features that follow from the constant current: `t_total` [s], `dv_dt_mean` [V/s] and `ah_throughput`
[Ah, from cycle 2 on]. `i_mean`, `v_min` and `v_max` are constant by protocol and omitted. The data lack temperature,
resistance, charging, cycle 1, and all cycles after 100.
"""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd

from dataset_card.errors import MagBridgeError
from dataset_card.storage.archives import opened_zip

from .download import download, packaged_document, packaged_table, require_published
from .features import CHARGE_FEATURES, charge_features

COMMIT = "3a77c7d513126e921896315038d0f8f2645e440d"
URL = f"https://github.com/petermattia/revisit-severson-et-al/archive/{COMMIT}.zip"
CELLS = {"train": 41, "test1": 43, "test2": 40}
CYCLES = np.arange(2, 101)
VOLTAGE_V = np.linspace(3.5, 2.0, 1000)  # voltage of each row of a file
CURVE_ROWS = np.arange(49, 1000, 50)  # rows of a curve used as a model's input
CURVE_POINTS = tuple(f"q_{volts:.2f}V" for volts in VOLTAGE_V[CURVE_ROWS])
CURRENT_A = 4.4
FEATURES = (*CHARGE_FEATURES, "dv_dt_min")
DERIVED_FEATURES = ("t_total", "dv_dt_mean", "ah_throughput")
FROM_CYCLE = 10  # reference curve of `dq_log_var`, as in Severson et al.
MAX_FALL_AH = 0.01
MAX_CAPACITY_AH = 1.65
MAX_MEMBER_BYTES = 2 << 20


def batch_of(split: str, number: int) -> str:
    """Return the batch of a cell.

    Severson et al. number the cells of the first two batches (41 and 43) consecutively; even ones and the last one are
    test1, odd ones are train. The third batch is test2.
    """
    if split == "test2":
        return "batch3"
    place = 2 * number - 1 if split == "train" else 2 * number - 2
    return "batch1" if place < 41 else "batch2"


def load_cycles() -> pd.DataFrame:
    """Load the embedded features of the valid cycles, in order of cell and cycle.

    Returns:
        The columns above and `DERIVED_FEATURES`, features in float64, rows numbered from 0.

    Examples:
        >>> cycles = load_cycles()
        >>> len(cycles), cycles["cell_id"].nunique()
        (12247, 124)
    """
    table = embedded_table()
    table = table[table["valid"]].reset_index(drop=True)
    table["t_total"] = table["capacity"] * 3600 / CURRENT_A
    table["dv_dt_mean"] = (VOLTAGE_V[-1] - VOLTAGE_V[0]) / table["t_total"]
    table["ah_throughput"] = table.groupby("cell_id", sort=False)["capacity"].cumsum()
    return table


def embedded_table() -> pd.DataFrame:
    """Load the whole embedded table of 12,276 cycles, with features in float64."""
    table = packaged_table("matr_cycles.parquet")
    return table.astype(dict.fromkeys((*FEATURES, "dq_log_var"), float))


def fetch(folder: str | Path) -> Path:
    """Download the zip of the tables into `folder` once, check every table in it, and return its path.

    Raises:
        MagBridgeError: If the download fails or its bytes differ from the published ones.
    """
    path = download(URL, "matr_revisit_severson.zip", folder)
    _members(path)
    return path


def read_archive(path: str | Path) -> pd.DataFrame:
    """Compute the features of every cycle from the published tables.

    Args:
        path: GitHub's zip, or a folder with `train/cell1.csv` ... and `cycle_lives/` at any depth.

    Returns:
        The same table as `embedded_table`.

    Raises:
        MagBridgeError: If the path does not exist, or a table is missing or has another SHA-256.
    """
    names = ["cell_id", "split", "cohort", "life_cycles"]
    parts = {
        (f"{split}-{number:02d}", split, batch_of(split, number), life): cell_features(curves)
        for split, number, life, curves in _cells(Path(path))
    }
    table = pd.concat(parts, names=names).reset_index(level=names)
    return table.sort_values(["cell_id", "cycle"], kind="stable", ignore_index=True)


def read_curves(path: str | Path) -> pd.DataFrame:
    """Read the discharge curves, decimated to 20 voltages, as a model's input in place of the features.

    Args:
        path: As for `read_archive`.

    Returns:
        `cell_id`, `cycle` and the charge at `CURVE_POINTS` in Ah, one row for each of the 12,276 cycles.

    Raises:
        MagBridgeError: As for `read_archive`.
    """
    parts = []
    for split, number, _, curves in _cells(Path(path)):
        part = pd.DataFrame(curves[CURVE_ROWS].T, columns=list(CURVE_POINTS))
        parts.append(part.assign(cell_id=f"{split}-{number:02d}", cycle=CYCLES))
    return pd.concat(parts, ignore_index=True)


def _cells(path: Path) -> Iterator[tuple[str, int, int, np.ndarray]]:
    """Yield split, number, life in cycles and charge in Ah (1000, 99) of every cell."""
    members = _members(path)
    for split, n_cells in CELLS.items():
        lives = np.loadtxt(io.BytesIO(members[f"cycle_lives/{split}_cycle_lives.csv"]))
        for number in range(1, n_cells + 1):
            table = pd.read_csv(io.BytesIO(members[f"{split}/cell{number}.csv"]), header=None)
            yield split, number, int(lives[number - 1]), table.to_numpy(dtype=float)


def cell_features(curves_Ah: np.ndarray) -> pd.DataFrame:
    """Compute the features of one cell's cycles.

    Args:
        curves_Ah: Discharged charge at `VOLTAGE_V` (rows) in `CYCLES` (columns), (1000, 99).

    Returns:
        `cycle`, `valid`, `reason` and the features; 99 rows, NaN in invalid ones.
    """
    rising = np.maximum.accumulate(curves_Ah, axis=0)
    falls = (rising - curves_Ah).max(axis=0)
    reference = curves_Ah[:, CYCLES == FROM_CYCLE]
    with np.errstate(divide="ignore"):
        change = np.log10((curves_Ah - reference).var(axis=0))
    rows = []
    for column, cycle in enumerate(CYCLES):
        charge = rising[:, column]
        reason = _fault(curves_Ah[0, column], falls[column], charge[-1])
        row = {"cycle": cycle, "valid": not reason, "reason": reason}
        row |= dict.fromkeys((*FEATURES, "dq_log_var"), np.nan)
        if not reason:
            row |= charge_features(charge, VOLTAGE_V)
            steps = np.interp(np.linspace(0, charge[-1], 101), charge, VOLTAGE_V)
            row["dv_dt_min"] = np.diff(steps).min() / (charge[-1] / 100 * 3600 / CURRENT_A)
            row["dq_log_var"] = change[column] if cycle != FROM_CYCLE else np.nan
        rows.append(row)
    return pd.DataFrame(rows).astype(dict.fromkeys((*FEATURES, "dq_log_var"), np.float32))


def _fault(start: float, fall: float, capacity: float) -> str:
    if abs(start) > MAX_FALL_AH:
        return f"starts at {start:.3f} Ah, not at 0"
    if fall > MAX_FALL_AH:
        return f"the charge falls by {fall:.3f} Ah"
    return f"ends at {capacity:.1f} Ah" if capacity > MAX_CAPACITY_AH else ""


def _members(path: Path) -> dict[str, bytes]:
    """Read the bytes of every published table, keyed by folder and file name, and check them by SHA-256."""
    pinned = packaged_document("matr_sha256.json")
    if path.is_dir():
        files = {_short(file): file for file in path.rglob("*.csv")}
        found = {name: _bounded(files[name].open("rb")) for name in pinned if name in files}
    elif path.is_file():
        with opened_zip(path, kind="zip of the MATR tables") as archive:
            entries = {_short(Path(entry.filename)): entry for entry in archive.infolist()}
            found = {name: _bounded(archive.open(entries[name])) for name in pinned if name in entries}
    else:
        raise MagBridgeError(f"{path} does not exist; give the zip of {URL}, or the folder unpacked from it")
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in found.items()}
    require_published(f"the tables of MATR in {path}", pinned, digests)
    return found


def _short(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _bounded(file: IO[bytes]) -> bytes:
    with file:
        return file.read(MAX_MEMBER_BYTES)
